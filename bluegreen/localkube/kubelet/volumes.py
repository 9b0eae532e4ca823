"""A pod's volumes as directories of the state directory, ready to be mounted into containers.

What ConfigMaps, Secrets, fields and tokens say is written as Kubernetes writes it: into a directory of its own that a
symbolic link ``..data`` points to, so that an update swaps everything at once. Raises VolumeError for what is missing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen import clock
from bluegreen.localkube.kubelet.env import ConfigError, Environment, data_of, expand, field
from bluegreen.localkube.kubelet.launch import Mount

Obj = dict[str, Any]
Token = Callable[[Obj, str, int], str]
"""(pod, audience, seconds) -> a token of the pod's service account."""

WRITTEN = ("configMap", "secret", "downwardAPI", "projected")  # kinds whose content the kubelet writes
KINDS = (*WRITTEN, "emptyDir", "hostPath")
TOKEN_VOLUME = "kube-api-access-"  # the volume that the API adds to every pod
_NAMES = {"configMap": "ConfigMap", "secret": "Secret"}
_NO_KEY = {
    "ConfigMap": "configmap references non-existent config key",
    "Secret": "references non-existent secret key",
}
_HOST_PATH_KINDS: Mapping[str, tuple[str, Callable[[int], bool]]] = {
    "Directory": ("a directory", stat.S_ISDIR),
    "File": ("a file", stat.S_ISREG),
    "Socket": ("a socket", stat.S_ISSOCK),
    "CharDevice": ("a character device", stat.S_ISCHR),
    "BlockDevice": ("a block device", stat.S_ISBLK),
}


class VolumeError(Exception):
    """A volume cannot be set up (yet); ``str()`` is Kubernetes' sentence."""


@dataclass(frozen=True)
class File:
    """One file of a volume."""

    path: str
    content: bytes
    mode: int


class Volumes:
    """The volumes of one pod, below its directory."""

    def __init__(self, directory: Path, environment: Callable[[], Environment], token: Token) -> None:
        """``environment``: what the pod and its namespace say now."""
        self.directory = directory / "volumes"
        self._environment, self._token = environment, token
        self._tokens: dict[tuple[str, int], tuple[str, float]] = {}  # (audience, seconds) -> token, when

    def set_up(self, pod: Obj, group: int | None = None) -> None:
        """Make or refresh every volume. Raises VolumeError. ``group``: who owns the files (fsGroup)."""
        for volume in pod["spec"].get("volumes") or ():
            name = volume["name"]
            try:
                self._set_up(pod, volume, group)
            except (VolumeError, ConfigError) as error:
                raise VolumeError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error

    def _set_up(self, pod: Obj, volume: Obj, group: int | None) -> None:
        path = self.directory / volume["name"]
        if files := self.files(pod, volume):
            write_atomically(path, files, group)
        elif any(kind in volume for kind in WRITTEN):
            write_atomically(path, [], group)
        elif "hostPath" in volume:
            prepare_host_path(volume["hostPath"])
        elif "emptyDir" in volume:
            _make(path, 0o777)
            if group is not None:
                _give(path, group, 0o2777)
        else:
            kind = next((key for key in volume if key != "name"), "nothing")
            raise VolumeError(f"volumes of kind {kind} are not emulated")

    def files(self, pod: Obj, volume: Obj) -> list[File]:
        """What a written volume holds now."""
        for kind in WRITTEN:
            if kind in volume:
                source = volume[kind] or {}
                if kind == "projected":
                    default = source.get("defaultMode", 0o644)
                    parts = [self._part(pod, part, default) for part in source.get("sources") or ()]
                    return [file for part in parts for file in part]
                return self._source(pod, kind, source, source.get("defaultMode", 0o644))
        return []

    def _part(self, pod: Obj, part: Obj, mode: int) -> list[File]:
        if token := part.get("serviceAccountToken"):
            text = self._minted(pod, token.get("audience") or "", int(token.get("expirationSeconds") or 3600))
            return [File(token["path"], text.encode(), mode)]
        kind = next((kind for kind in WRITTEN if kind in part), "")
        return self._source(pod, kind, part[kind], mode) if kind else []

    def _minted(self, pod: Obj, audience: str, seconds: int) -> str:
        """A token, the same until four fifths of its time are over: when the kubelet renews it."""
        known = self._tokens.get((audience, seconds))
        if known is None or clock.now_s() - known[1] > seconds * 0.8:
            known = self._tokens[audience, seconds] = (self._token(pod, audience, seconds), clock.now_s())
        return known[0]

    def _source(self, pod: Obj, kind: str, source: Obj, mode: int) -> list[File]:
        if kind == "downwardAPI":
            return [self._downward(pod, item, mode) for item in source.get("items") or ()]
        name = source.get("secretName" if kind == "secret" and "secretName" in source else "name", "")
        return self._keys(_NAMES[kind], name, source, mode)

    def _downward(self, pod: Obj, item: Obj, mode: int) -> File:
        if "fieldRef" in item:
            text = field(pod, item["fieldRef"]["fieldPath"])
        else:
            text = self._environment().resource(item["resourceFieldRef"], None)
        return File(item["path"], text.encode(), item.get("mode") or mode)

    def _keys(self, kind: str, name: str, source: Obj, mode: int) -> list[File]:
        found = self._environment().find(kind, name)
        optional = bool(source.get("optional"))
        if found is None:
            if optional:
                return []
            raise VolumeError(f'{kind.lower()} "{name}" not found')
        data = data_of(found)
        if not source.get("items"):
            return [File(key, content, mode) for key, content in sorted(data.items())]
        files = []
        for item in source["items"]:
            if item["key"] in data:
                files.append(File(item["path"], data[item["key"]], item.get("mode") or mode))
            elif not optional:
                raise VolumeError(f"{_NO_KEY[kind]}: {item['key']}")
        return files

    def mounts(self, pod: Obj, container: Obj, variables: Mapping[str, str]) -> list[Mount]:
        """What is mounted where in a container. Raises VolumeError."""
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
        found = []
        for mount in container.get("volumeMounts") or ():
            volume = volumes.get(mount["name"])
            if volume is None:
                raise VolumeError(f'volume "{mount["name"]}" not found')
            readonly = bool(mount.get("readOnly")) or any(kind in volume for kind in WRITTEN)
            source = self._inside(self.source(volume), mount, variables, readonly)
            found.append(Mount(str(source), mount["mountPath"], readonly))
        return found

    def source(self, volume: Obj) -> Path:
        """The host's directory (or file) of a volume."""
        return Path(volume["hostPath"]["path"]) if "hostPath" in volume else self.directory / volume["name"]

    def _inside(self, source: Path, mount: Obj, variables: Mapping[str, str], readonly: bool) -> Path:
        """The part of a volume that is mounted: all of it, or its subPath."""
        part = mount.get("subPath") or expand(mount.get("subPathExpr") or "", variables)
        if not part:
            return source
        path = (source / part).resolve()
        if not path.is_relative_to(source.resolve()):
            raise VolumeError(f"subPath {part} leads out of the volume")
        if not path.exists():
            if readonly:
                raise VolumeError(f'failed to prepare subPath for volumeMount "{mount["name"]}"')
            _make(path, stat.S_IMODE(source.stat().st_mode))
        return path

    def remove(self) -> None:
        """Delete what was written; host paths stay."""
        shutil.rmtree(self.directory, ignore_errors=True)


def prepare_host_path(source: Obj) -> None:
    """Check a host path against its type, and make it where the type says so. Raises VolumeError."""
    path, kind = Path(source["path"]), source.get("type") or ""
    if kind == "DirectoryOrCreate":
        _make(path, 0o755)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch()
        path.chmod(0o644)
    words, check = _HOST_PATH_KINDS.get(kind.removesuffix("OrCreate"), ("there", lambda _: True))
    try:
        fits = check(path.stat().st_mode)
    except OSError:
        fits = False
    if not fits:
        raise VolumeError(f"hostPath type check failed: {path} is not {words}")


def write_atomically(directory: Path, files: list[File], group: int | None = None) -> None:
    """Make ``directory`` hold exactly these files, swapped in at once; unchanged content is left alone."""
    _make(directory, 0o777)
    data = directory / "..data"
    if data.exists() and _holds(data, files):
        return
    fresh = Path(tempfile.mkdtemp(prefix=clock.utc().strftime("..%Y_%m_%d_%H_%M_%S."), dir=directory))
    fresh.chmod(0o755)
    for file in files:
        _write(fresh, file, group)
    old = data.resolve() if data.is_symlink() else None
    swap = directory / "..data_tmp"
    swap.unlink(missing_ok=True)
    swap.symlink_to(fresh.name)
    swap.replace(data)
    tops = {file.path.split("/")[0] for file in files}
    for entry in directory.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    for top in tops:
        if not (directory / top).is_symlink():
            (directory / top).symlink_to(f"..data/{top}")
    if old:
        shutil.rmtree(old, ignore_errors=True)


def _make(directory: Path, mode: int) -> None:
    """A directory of just that mode, whatever the daemon's umask is: containers may run as anybody."""
    if not directory.is_dir():
        directory.mkdir(parents=True)
        directory.chmod(mode)


def _write(directory: Path, file: File, group: int | None) -> None:
    path = directory / file.path
    for parent in reversed(Path(file.path).parents[:-1]):
        _make(directory / parent, 0o755)
    path.write_bytes(file.content)
    path.chmod(file.mode)
    if group is not None:
        _give(path, group, file.mode | 0o040)


def _give(path: Path, group: int, mode: int) -> None:
    """Let a group have something, where this user may do that."""
    with contextlib.suppress(PermissionError):
        os.chown(path, -1, group)
        path.chmod(mode)


def _holds(data: Path, files: list[File]) -> bool:
    present = {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()}
    return present == {file.path for file in files} and all(
        (data / file.path).read_bytes() == file.content for file in files
    )
