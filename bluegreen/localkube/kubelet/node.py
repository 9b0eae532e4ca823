"""The cluster's one node: the object that stands for this machine, and what it claims to have."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
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
    """What the node says about the machine."""
    system = platform.uname()
    return {
        "architecture": _ARCHITECTURES.get(system.machine, system.machine),
        "bootID": "",
        "containerRuntimeVersion": "process://1.0",
        "kernelVersion": system.release,
        "kubeProxyVersion": "",
        "kubeletVersion": VERSION,
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": system.system,
        "systemUUID": "",
    }


def register(registry: Registry, name: str, address: str, allocatable: Mapping[str, str], ready: bool = True) -> None:
    """Make the node's object, or bring it up to date."""
    if registry.store.get(NODE, "", name) is None:
        meta = {"name": name, "labels": labels(name)}
        registry.create(NODE, "", {"apiVersion": "v1", "kind": "Node", "metadata": meta}, manager="kubelet")

    def state(node: Obj) -> None:
        before = node.get("status") or {}
        node["status"] = {
            **before,
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "allocatable": dict(allocatable),
            "capacity": {**allocatable, "cpu": allocatable.get("cpu") or str(os.cpu_count())},
            "conditions": conditions(ready, before.get("conditions") or []),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": info(),
        }

    registry.modify(NODE, "", name, state, manager="kubelet")
