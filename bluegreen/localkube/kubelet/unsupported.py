"""What the kubelet does not emulate and warns of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Obj = dict[str, Any]
# field of a pod's spec -> what it does not do here
IGNORED: dict[str, str] = {
    "hostPID": "containers keep a PID namespace of their own",
    "hostIPC": "containers share the host's IPC namespace anyway",
    "shareProcessNamespace": "containers keep a PID namespace each",
    "runtimeClassName": "there is one way to run a container",
}


def warnings(spec: Obj) -> list[str]:
    """A sentence for each thing that a pod asks for and does not get."""
    found = [f"{field} is not emulated: {why}" for field, why in IGNORED.items() if spec.get(field)]
    ports = (port for container in _containers(spec) for port in container.get("ports") or ())
    host_ports = sorted({port["hostPort"] for port in ports if port.get("hostPort")})
    if host_ports and not spec.get("hostNetwork"):
        listed = ", ".join(map(str, host_ports))
        found.append(f"hostPort {listed} is not emulated: use a Service of type NodePort")
    return found


def _containers(spec: Obj) -> Iterator[Obj]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()
