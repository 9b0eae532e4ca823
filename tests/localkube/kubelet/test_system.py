"""What a pod sees of the system: volumes, names, users; and what it gets where the system permits less."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.kubelet import capabilities
from bluegreen.localkube.kubelet.cgroups import Cgroups
from bluegreen.localkube.kubelet.env import ConfigError
from bluegreen.localkube.kubelet.users import NOBODY, identity, readable
from tests.localkube.kubelet.node import NAMESPACE, Node, has_ended, is_running, on_node, shell, state_of

Obj = dict[str, Any]
needs_namespaces = pytest.mark.skipif(not capabilities.here().volumes, reason="this system permits no namespaces")


def condition(pod: Obj, type_: str) -> str:
    return next(c["status"] for c in pod["status"]["conditions"] if c["type"] == type_)


@needs_namespaces
def test_volumes_are_at_their_paths_and_follow_their_sources(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.create("ConfigMap", "c", data={"key": "one"})
        volumes = [
            {"name": "conf", "configMap": {"name": "c"}},
            {
                "name": "info",
                "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]},
            },
        ]
        mounts = [{"name": "conf", "mountPath": "/etc/conf"}, {"name": "info", "mountPath": "/no-such-top"}]
        script = (
            "cat /etc/conf/key; echo; cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo;"
            "until grep -q two /etc/conf/key && grep -q later /no-such-top/labels; do sleep 0.05; done; echo seen"
        )
        node.pod("p", shell(script, volumeMounts=mounts), volumes=volumes, restartPolicy="Never")
        await node.until("p", is_running)
        await node.wait(lambda: "stdout F test" in node.raw_log("p"))
        node.registry.modify(
            KINDS["ConfigMap"], NAMESPACE, "c", lambda c: c.update(data={"key": "two"}), subresource=""
        )
        node.registry.modify(
            KINDS["Pod"], NAMESPACE, "p", lambda p: p["metadata"].update(labels={"when": "later"}), subresource=""
        )
        await node.until("p", has_ended)
        assert (await node.log("p")).splitlines() == ["one", "test", "seen"]

    on_node(tmp_path, test)


@needs_namespaces
def test_the_whole_machine_can_be_a_volume(tmp_path: Path) -> None:
    """As kubectl debug node/NAME asks for, at a path that the machine does not have."""

    async def test(node: Node) -> None:
        volumes = [{"name": "host", "hostPath": {"path": "/"}}]
        mounts = [{"name": "host", "mountPath": "/no-such-host"}]
        script = "test -d /no-such-host/etc && test -d /etc && echo seen"
        node.pod("p", shell(script, volumeMounts=mounts), volumes=volumes, restartPolicy="Never")
        await node.until("p", has_ended)
        assert await node.log("p") == "seen\n"

    on_node(tmp_path, test)


@needs_namespaces
def test_a_pod_waits_for_its_volumes(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        volumes = [{"name": "conf", "configMap": {"name": "late"}}]
        mounts = [{"name": "conf", "mountPath": "/conf"}]
        node.pod("p", shell("sleep 60", volumeMounts=mounts), volumes=volumes)
        message = 'MountVolume.SetUp failed for volume "conf" : configmap "late" not found'
        await node.wait(lambda: ("FailedMount", message) in node.events("p"))
        pod = await node.until("p", lambda p: "conditions" in p["status"])
        assert state_of(pod) == {"waiting": {"reason": "ContainerCreating"}}
        assert condition(pod, "PodReadyToStartContainers") == "False"
        assert "podIP" not in pod["status"]
        node.create("ConfigMap", "late", data={})
        pod = await node.until("p", is_running)
        assert condition(pod, "PodReadyToStartContainers") == "True"

    on_node(tmp_path, test)


def test_without_namespaces_a_pod_runs_and_one_with_volumes_says_what_is_missing(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("plain", shell("echo ran"), restartPolicy="Never")
        await node.until("plain", has_ended)
        assert await node.log("plain") == "ran\n"
        volumes = [{"name": "work", "emptyDir": {}}]
        node.pod("mounting", shell("true", volumeMounts=[{"name": "work", "mountPath": "/scratch"}]), volumes=volumes)
        await node.wait(lambda: [m for r, m in node.events("mounting") if r == "FailedMount" and "namespaces" in m])
        pod = node.get("mounting")
        assert pod is not None
        assert pod["status"]["phase"] == "Pending"

    on_node(tmp_path, test, namespaces="none")


@needs_namespaces
def test_names_are_resolved_by_the_hosts_file_where_there_is_no_dns(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        aliases = [{"ip": "127.0.0.9", "hostnames": ["alias.example"]}]
        script = (
            "getent hosts alias.example; getent hosts p;"
            "until grep -q late.test.svc /etc/hosts; do sleep 0.05; done; cat /etc/hosts"
        )
        node.pod("p", shell(script), hostAliases=aliases, restartPolicy="Never")
        pod = await node.until("p", is_running)
        ports = [{"port": 80, "protocol": "TCP"}]
        spec = {"type": "ClusterIP", "clusterIP": "127.9.16.9", "ports": ports}
        node.registry.store.put(
            KINDS["Service"],
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "late", "namespace": NAMESPACE}, "spec": spec},
        )
        await node.until("p", has_ended)
        lines = [line.split() for line in (await node.log("p")).splitlines()]
        assert lines[0] == ["127.0.0.9", "alias.example"]
        assert lines[1][0] == pod["status"]["podIP"]
        assert ["127.9.16.9", "late.test.svc.cluster.local", "late.test.svc", "late.test", "late"] in lines

    on_node(tmp_path, test, names=False)


def test_memory_is_watched_where_no_control_group_limits_it(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.kubelet.machine.cgroups = Cgroups()
        code = "import time; held = [bytearray(1 << 20) for _ in range(200)]; time.sleep(60)"
        limits = {"limits": {"memory": "64Mi"}}
        hungry = {"name": "app", "image": "example.org/python:v1", "args": ["-c", code], "resources": limits}
        node.pod("p", hungry, restartPolicy="Never")
        ended = state_of(await node.until("p", has_ended))["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")

    on_node(tmp_path, test)


def test_a_processor_limit_is_kept(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        root = node.kubelet.machine.cgroups.cpu
        if root is None:
            pytest.skip("this user may make no control groups for CPU")

        def throttled() -> bool:
            return any(int(words[1]) > 0 for words in _statistics(root) if words[0] == "nr_throttled")

        node.pod(
            "p", shell("while :; do :; done", resources={"limits": {"cpu": "50m"}}), terminationGracePeriodSeconds=0
        )
        await node.wait(throttled, lambda: _statistics(root))

    on_node(tmp_path, test)


def _statistics(root: Path) -> list[list[str]]:
    return [line.split() for file in root.glob("*/cpu.stat") for line in file.read_text().splitlines()]


def test_stopping_leaves_no_control_groups_and_no_processes(tmp_path: Path) -> None:
    made: list[Path] = []

    async def test(node: Node) -> None:
        limits = {"limits": {"memory": "64Mi", "cpu": "500m"}}
        node.pod("p", shell("trap '' TERM; while :; do sleep 0.05; done", resources=limits))
        await node.until("p", is_running)
        made.extend(path for path in (node.kubelet.machine.cgroups.memory, node.kubelet.machine.cgroups.cpu) if path)
        assert all(any(path.glob("*/")) for path in made)

    on_node(tmp_path, test)
    assert not [path for path in made if path.exists()]


# ---------------------------------------------------------------------------------------------------------------- users


def who(pod: Obj | None = None, **container: Any) -> Any:
    meta = {"name": "p", "namespace": "n", "uid": "u"}
    spec = {"securityContext": pod or {}}
    return identity(
        {"metadata": meta, "spec": spec}, {"name": "app", "securityContext": container}, ["sh"], "/usr/bin:/bin"
    )


def test_a_pod_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match="container's runAsUser breaks non-root policy"):
        who(runAsUser=0, runAsNonRoot=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_who_the_pod_asks_for() -> None:
    assert (who(runAsUser=1234).uid, who(runAsUser=1234).gid) == (1234, 0)
    assert who(runAsNonRoot=True).uid == NOBODY
    assert who({"runAsUser": 1, "fsGroup": 7}, runAsUser=2, runAsGroup=3).uid == 2
    assert who({"runAsUser": 1, "fsGroup": 7}, runAsUser=2, runAsGroup=3).groups == [7]
    assert who().uid is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root can become somebody else")
def test_an_ordinary_user_stays_who_it_is() -> None:
    assert who(runAsUser=1234).uid is None


def test_readable_asks_for_everything_on_the_way(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    file = closed / "file"
    file.write_text("")
    file.chmod(0o644)
    assert not readable(str(file), os.geteuid() + 4321)
    assert readable("/bin/sh", NOBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_container_runs_as_the_user_and_owns_nothing_else(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        user = {"runAsUser": 1234, "runAsGroup": 2345, "allowPrivilegeEscalation": False}
        script = "id -u; id -g; grep -h NoNewPrivs /proc/self/status; cat /info/source /var/run/secrets/*/*/namespace"
        source = {"fieldPath": "metadata.annotations['kubernetes.io/config.source']"}
        info = {"name": "info", "downwardAPI": {"items": [{"path": "source", "fieldRef": source}]}}
        mounts = [{"name": "info", "mountPath": "/info"}]
        before = os.umask(0o077)  # as the daemon's is
        try:
            node.pod(
                "p", shell(script, securityContext=user, volumeMounts=mounts), restartPolicy="Never", volumes=[info]
            )
            await node.until("p", has_ended)
        finally:
            os.umask(before)
        assert (await node.log("p")).split() == ["1234", "2345", "NoNewPrivs:", "1", "apitest"]

    on_node(tmp_path, test)
