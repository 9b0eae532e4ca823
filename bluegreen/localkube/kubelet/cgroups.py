"""Limits that the kernel enforces: a control group a container, where this user may make them.

Both generations are known: a v1 hierarchy a controller, and v2's one tree. Where neither can be written, ``create``
makes nothing and memory is watched instead (``usage``).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

PERIOD_US = 100_000  # of CPU bandwidth: the kernel's and the kubelet's default


@dataclass(frozen=True)
class Cgroups:
    """Where control groups of a cluster are made: a directory a controller, None where it cannot be limited."""

    memory: Path | None = None
    cpu: Path | None = None
    unified: bool = False

    def create(self, name: str, memory_bytes: int | None, cpu_nano: int | None) -> list[str]:
        """Control groups for one container's limits; the container's supervisor joins and removes them."""
        made: dict[Path, None] = {}
        with contextlib.suppress(OSError):
            if memory_bytes and self.memory:
                group = _make(self.memory / name, made, self.unified)
                _write(group / ("memory.max" if self.unified else "memory.limit_in_bytes"), str(memory_bytes))
                if self.unified:
                    _write(group / "memory.oom.group", "1")
        with contextlib.suppress(OSError):
            if cpu_nano and self.cpu:
                group = _make(self.cpu / name, made, self.unified)
                quota = max(1000, cpu_nano * PERIOD_US // 10**9)
                if self.unified:
                    _write(group / "cpu.max", f"{quota} {PERIOD_US}")
                else:
                    _write(group / "cpu.cfs_period_us", str(PERIOD_US))
                    _write(group / "cpu.cfs_quota_us", str(quota))
        return [str(path) for path in made]

    def clear(self) -> None:
        """Remove what an earlier process left; groups in use stay."""
        for root in {self.memory, self.cpu} - {None}:
            assert root is not None
            for path in [*root.glob("*/"), root]:
                with contextlib.suppress(OSError):
                    path.rmdir()


def _make(path: Path, made: dict[Path, None], unified: bool) -> Path:
    """Make a container's group, and the cluster's above it where that is not there yet."""
    if unified and not path.parent.exists():
        path.parent.mkdir()
        _write(path.parent / "cgroup.subtree_control", "+memory +cpu")
    path.mkdir(parents=True, exist_ok=True)
    made[path] = None
    return path


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def find(name: str) -> Cgroups:
    """The control groups that this process may make for the cluster of that name."""
    mounts = _mounts()
    own = _own()
    memory = _usable(mounts.get("memory"), own.get("memory"), name, "memory.limit_in_bytes")
    cpu = _usable(mounts.get("cpu"), own.get("cpu"), name, "cpu.cfs_quota_us")
    if memory or cpu:
        return Cgroups(memory, cpu)
    unified = _unified(mounts.get(""), name)
    return Cgroups(unified, unified, unified=True) if unified else Cgroups()


def _mounts() -> dict[str, Path]:
    """Controller -> where its hierarchy is mounted; "" for v2's."""
    found: dict[str, Path] = {}
    with open("/proc/mounts") as table:
        for line in table:
            _, place, kind, options, *_ = line.split()
            if kind == "cgroup2":
                found.setdefault("", Path(place))
            elif kind == "cgroup":
                for option in options.split(","):
                    found.setdefault(option, Path(place))
    return found


def _own() -> dict[str, str]:
    """Controller -> this process's group in its hierarchy."""
    found: dict[str, str] = {}
    with open("/proc/self/cgroup") as table:
        for line in table:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            found |= dict.fromkeys(controllers.split(","), path)
    return found


def _usable(mount: Path | None, own: str | None, name: str, control: str) -> Path | None:
    """A group of that name below our own (or at the top, where ours is not shown), with the control file in it."""
    if mount is None or own is None:
        return None
    for parent in (mount / own.strip("/"), mount):
        group = parent / name
        with contextlib.suppress(OSError):
            group.mkdir(exist_ok=True)
            usable = os.access(group / control, os.W_OK)
            with contextlib.suppress(OSError):  # containers that an earlier daemon left are still ending
                group.rmdir()  # made anew with the first container that needs it, so that nothing is left behind
            if usable:
                return group
    return None


def _unified(mount: Path | None, name: str) -> Path | None:
    """A v2 group at the top of the tree: below our own, this process itself would be in the way."""
    if mount is None:
        return None
    group = mount / name
    try:
        available = (mount / "cgroup.controllers").read_text().split()
        if not {"memory", "cpu"} <= set(available):
            return None
        _write(mount / "cgroup.subtree_control", "+memory +cpu")
        group.mkdir(exist_ok=True)
        usable = os.access(group / "cgroup.subtree_control", os.W_OK)
        group.rmdir()
    except OSError:
        return None
    return group if usable else None
