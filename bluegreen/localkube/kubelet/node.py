"""The cluster's one node: the object that stands for this machine, and what it claims to have."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bluegreen import clock
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry

Obj = dict[str, Any]
NODE = KINDS["Node"]
NAME = "localkube"
VERSION = "v1.34.0"  # the Kubernetes whose behaviour is emulated
# Stated, not measured: generous, so that requests made for real nodes fit on a laptop. A choice.
ALLOCATABLE: Mapping[str, str] = {"cpu": "1000", "memory": "4Ti", "pods": "5000", "ephemeral-storage": "1Ti"}
_PRESSURES = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_WORDS = {
    ("MemoryPressure", "False"): "NodeHasSufficientMemory",
    ("DiskPressure", "False"): "NodeHasNoDiskPressure",
    ("PIDPressure", "False"): "NodeHasSufficientPID",
    ("Ready", "True"): "NodeReady",
    ("Ready", "False"): "NodeNotReady",
}
"""What the kubelet calls a condition's change in an Event."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def labels(name: str) -> dict[str, str]:
    """The labels every node has."""
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    well_known = {"kubernetes.io/hostname": name}
    for prefix in ("kubernetes.io", "beta.kubernetes.io"):
        well_known |= {f"{prefix}/arch": architecture, f"{prefix}/os": "linux"}
    return well_known


def conditions(ready: bool, before: list[Obj]) -> list[Obj]:
    """The node's conditions; a transition time moves with the status only."""
    wanted = [(type_, "False", *words) for type_, words in _PRESSURES.items()]
    if ready:
        wanted.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    else:
        wanted.append(("Ready", "False", "KubeletNotReady", "the node was told to be not ready"))
    known = {condition["type"]: condition for condition in before}
    now = clock.timestamp()
    return [_condition(known.get(type_), now, type_, *rest) for type_, *rest in wanted]


def _condition(before: Obj | None, now: str, type_: str, status: str, reason: str, message: str) -> Obj:
    same = before is not None and before["status"] == status
    moved = before["lastTransitionTime"] if same and before else now
    out = {"type": type_, "status": status, "lastHeartbeatTime": now, "lastTransitionTime": moved}
    return {**out, "reason": reason, "message": message}


def info() -> Obj:
    """What the node says about the machine. Its ids are made from the machine's own, which are to stay there."""
    system = platform.uname()
    return {
        "architecture": _ARCHITECTURES.get(system.machine, system.machine),
        "bootID": _first_line("/proc/sys/kernel/random/boot_id"),
        "containerRuntimeVersion": "process://1.0",
        "kernelVersion": system.release,
        "kubeProxyVersion": "",
        "kubeletVersion": VERSION,
        "machineID": _own_id("/etc/machine-id", system.node),
        "operatingSystem": "linux",
        "osImage": _system_name(),
        "systemUUID": str(uuid.UUID(_own_id("/sys/class/dmi/id/product_uuid", system.node))),
    }


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME") or platform.system()
    except OSError:
        return platform.system()


def _first_line(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text().strip()
    return ""


def _own_id(path: str, otherwise: str) -> str:
    """32 hexadecimal digits that stay the same on one machine."""
    return hashlib.sha256(f"localkube {path} {_first_line(path) or otherwise}".encode()).hexdigest()[:32]


def register(registry: Registry, name: str, address: str, allocatable: Mapping[str, str], ready: bool = True) -> None:
    """Make the node's object, or bring it up to date."""
    if registry.store.get(NODE, "", name) is None:
        meta = {"name": name, "labels": labels(name)}
        registry.create(NODE, "", {"apiVersion": "v1", "kind": "Node", "metadata": meta}, manager="kubelet")

    known: list[Obj] = []

    def state(node: Obj) -> None:
        before = node.get("status") or {}
        known[:] = before.get("conditions") or []
        node["status"] = {
            **before,
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "allocatable": dict(allocatable),
            "capacity": {**allocatable, "cpu": allocatable.get("cpu") or str(os.cpu_count())},
            "conditions": conditions(ready, known),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": info(),
        }

    written = registry.modify(NODE, "", name, state, manager="kubelet")
    for word in _moves(known, ((written or {}).get("status") or {}).get("conditions") or []):
        event(registry, name, word)


def _moves(before: list[Obj], now: list[Obj]) -> Iterator[str]:
    """The words for the conditions that changed."""
    statuses = {condition["type"]: condition["status"] for condition in before}
    for condition in now:
        moved = statuses.get(condition["type"]) != condition["status"]
        if moved and (word := _WORDS.get((condition["type"], condition["status"]))):
            yield word


def cordon_word(before: Obj, now: Obj) -> str:
    """What the kubelet calls the change where a node was cordoned, or is no longer; "" where neither."""
    closed = bool(now["spec"].get("unschedulable"))
    if bool(before["spec"].get("unschedulable")) == closed:
        return ""
    return "NodeNotSchedulable" if closed else "NodeSchedulable"


def event(registry: Registry, name: str, reason: str, message: str = "") -> None:
    """Record what the kubelet says of its node, which it knows by name: that stands for the uid in its Events."""
    about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}}
    registry.event(about, "Normal", reason, message or f"Node {name} status is now: {reason}", "kubelet", host=name)
