"""Volumes as directories: what they hold, how they change at once, and what is refused."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.kubelet.env import Environment
from bluegreen.localkube.kubelet.volumes import File, VolumeError, Volumes, write_atomically

Obj = dict[str, Any]


class Pod:
    """A pod with one volume, and the objects its namespace holds."""

    def __init__(self, path: Path, **volume: Any) -> None:
        self.objects: dict[tuple[str, str], Obj] = {}
        self.pod: Obj = {
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"a": "1"}},
            "spec": {"containers": [{"name": "app"}], "volumes": [{"name": "v", **volume}]},
        }
        environment = Environment(self.pod, lambda kind, name: self.objects.get((kind, name)), {}, {})
        self.volumes = Volumes(path, lambda: environment, lambda pod, audience, seconds: f"{audience} {seconds}")
        self.path = path / "volumes" / "v"

    def config_map(self, **data: str) -> None:
        self.objects["ConfigMap", "c"] = {"kind": "ConfigMap", "data": data}

    def set_up(self) -> dict[str, str]:
        self.volumes.set_up(self.pod)
        return {entry.name: entry.read_text() for entry in self.path.iterdir() if not entry.name.startswith("..")}


def test_a_config_map_becomes_files_and_an_update_swaps_them_all(tmp_path: Path) -> None:
    pod = Pod(tmp_path, configMap={"name": "c", "defaultMode": 0o640})
    pod.config_map(a="1", b="2")
    assert pod.set_up() == {"a": "1", "b": "2"}
    assert (pod.path / "a").stat().st_mode & 0o777 == 0o640
    first = os.readlink(pod.path / "..data")
    pod.config_map(b="3", c="4")
    assert pod.set_up() == {"b": "3", "c": "4"}
    assert os.readlink(pod.path / "..data") != first
    assert not (pod.path / first).exists()


def test_unchanged_content_is_left_alone(tmp_path: Path) -> None:
    pod = Pod(tmp_path, configMap={"name": "c"})
    pod.config_map(a="1")
    pod.set_up()
    first = os.readlink(pod.path / "..data")
    pod.set_up()
    assert os.readlink(pod.path / "..data") == first


def test_items_choose_and_rename(tmp_path: Path) -> None:
    items = [{"key": "a", "path": "deep/er", "mode": 0o600}]
    pod = Pod(tmp_path, configMap={"name": "c", "items": items})
    pod.config_map(a="1", b="2")
    pod.volumes.set_up(pod.pod)
    assert (pod.path / "deep" / "er").read_text() == "1"
    assert (pod.path / "deep" / "er").stat().st_mode & 0o777 == 0o600
    assert not (pod.path / "b").exists()


def test_volumes_are_open_to_every_user_whatever_the_umask(tmp_path: Path) -> None:
    pod = Pod(tmp_path, configMap={"name": "c", "items": [{"key": "a", "path": "deep/er/still"}]})
    pod.config_map(a="1")
    before = os.umask(0o077)
    try:
        pod.volumes.set_up(pod.pod)
    finally:
        os.umask(before)
    modes = {str(path.relative_to(pod.path)): path.stat().st_mode & 0o777 for path in pod.path.rglob("deep*")}
    assert (pod.path.stat().st_mode & 0o777, modes["deep"]) == (0o777, 0o755)
    assert (pod.path / "deep/er").stat().st_mode & 0o777 == 0o755
    assert (pod.path / "deep/er/still").stat().st_mode & 0o777 == 0o644


def test_a_missing_source_is_said_as_kubernetes_says_it(tmp_path: Path) -> None:
    pod = Pod(tmp_path, secret={"secretName": "s"})
    with pytest.raises(VolumeError, match=r'MountVolume.SetUp failed for volume "v" : secret "s" not found'):
        pod.set_up()
    pod.pod["spec"]["volumes"][0]["secret"]["optional"] = True
    assert pod.set_up() == {}


def test_a_missing_key_is_an_error_unless_optional(tmp_path: Path) -> None:
    pod = Pod(tmp_path, configMap={"name": "c", "items": [{"key": "x", "path": "x"}]})
    pod.config_map(a="1")
    with pytest.raises(VolumeError, match="configmap references non-existent config key: x"):
        pod.set_up()


def test_secrets_and_binary_data(tmp_path: Path) -> None:
    pod = Pod(tmp_path, secret={"secretName": "s"})
    pod.objects["Secret", "s"] = {"kind": "Secret", "data": {"k": base64.b64encode(b"hidden").decode()}}
    assert pod.set_up() == {"k": "hidden"}


def test_projected_volumes_join_their_sources(tmp_path: Path) -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "audience": "them", "expirationSeconds": 3607}},
        {"configMap": {"name": "c", "items": [{"key": "a", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    pod = Pod(tmp_path, projected={"sources": sources})
    pod.config_map(a="1")
    assert pod.set_up() == {"token": "them 3607", "ca.crt": "1", "labels": 'a="1"'}


def test_empty_dirs_take_files_of_every_user(tmp_path: Path) -> None:
    pod = Pod(tmp_path, emptyDir={})
    assert pod.set_up() == {}
    assert pod.path.stat().st_mode & 0o777 == 0o777


def test_host_paths_are_checked_and_made_where_asked(tmp_path: Path) -> None:
    pod = Pod(tmp_path, hostPath={"path": str(tmp_path / "host"), "type": "Directory"})
    with pytest.raises(VolumeError, match=r"hostPath type check failed: .*/host is not a directory"):
        pod.volumes.set_up(pod.pod)
    pod.pod["spec"]["volumes"][0]["hostPath"]["type"] = "DirectoryOrCreate"
    pod.volumes.set_up(pod.pod)
    assert (tmp_path / "host").is_dir()


def test_kinds_that_are_not_emulated_are_refused_by_name(tmp_path: Path) -> None:
    pod = Pod(tmp_path, nfs={"server": "x"})
    with pytest.raises(VolumeError, match="volumes of kind nfs are not emulated"):
        pod.set_up()


def test_mounts_are_read_only_where_the_kubelet_writes(tmp_path: Path) -> None:
    pod = Pod(tmp_path, configMap={"name": "c"})
    pod.config_map(a="1")
    pod.volumes.set_up(pod.pod)
    mounts = [{"name": "v", "mountPath": "/etc/app"}, {"name": "v", "mountPath": "/x", "subPathExpr": "$(KEY)"}]
    whole, part = pod.volumes.mounts(pod.pod, {"volumeMounts": mounts}, {"KEY": "a"})
    assert (whole.source, whole.target, whole.readonly) == (str(pod.path), "/etc/app", True)
    assert Path(part.source).read_text() == "1"
    outside = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "../../.."}]}
    with pytest.raises(VolumeError, match="leads out of the volume"):
        pod.volumes.mounts(pod.pod, outside, {})


def test_the_swap_never_shows_a_mixture(tmp_path: Path) -> None:
    write_atomically(tmp_path, [File("a", b"1", 0o644), File("b", b"1", 0o644)])
    before = tmp_path / os.readlink(tmp_path / "..data")
    assert {path.read_bytes() for path in before.iterdir()} == {b"1"}
    write_atomically(tmp_path, [File("a", b"2", 0o644), File("b", b"2", 0o644)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"2"
