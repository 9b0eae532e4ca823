"""Fields that are stored and not acted upon, with what to say to whoever sets them; and those that are refused. Pure.

A real cluster acts on all of them. A field that only makes a pod safer or is about a machine's details is stored with a
warning; one without which a pod would not run there as asked is refused. ``not_emulated`` lists them at the door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bluegreen.localkube.admission import Admission
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.status import Cause, invalid

Rule = tuple[str, Callable[[Any], bool], str]
"""A dotted path below the part it is about, whether its value asks for something, and what happens instead."""


def _asks(value: Any) -> bool:
    return bool(value)


def _confines(profile: Any) -> bool:
    return bool(profile) and profile.get("type") != "Unconfined"


_PROFILE = "stored, and no profile confines the program"
_SECURITY: tuple[Rule, ...] = (
    ("seccompProfile", _confines, _PROFILE),
    ("appArmorProfile", _confines, _PROFILE),
    ("seLinuxOptions", _asks, _PROFILE),
)
POD: tuple[Rule, ...] = (
    ("hostPID", _asks, "stored: containers keep a PID namespace of their own"),
    ("hostIPC", _asks, "stored: containers share the host's IPC namespace anyway"),
    ("hostUsers", lambda value: value is False, "stored: containers have no user namespace of their own"),
    ("shareProcessNamespace", _asks, "stored: containers keep a PID namespace each"),
    ("setHostnameAsFQDN", _asks, "stored: the host name is the pod's name"),
    ("securityContext.sysctls", _asks, "stored: the kernel's parameters are this machine's"),
    *((f"securityContext.{path}", test, instead) for path, test, instead in _SECURITY),
)
"""About a pod's spec."""
CONTAINER: tuple[Rule, ...] = (
    ("securityContext.privileged", _asks, "stored: the program has the rights of the cluster's own user"),
    ("securityContext.capabilities.add", _asks, "stored: capabilities are those of the cluster's own user"),
    ("securityContext.capabilities.drop", _asks, "stored: capabilities are those of the cluster's own user"),
    ("securityContext.readOnlyRootFilesystem", _asks, "stored: the program may write where its user may"),
    ("securityContext.procMount", lambda value: value == "Unmasked", "stored: /proc is shown as it is in any case"),
    ("resources.limits.ephemeral-storage", _asks, "stored: nobody measures what is written to disk"),
    *((f"securityContext.{path}", test, instead) for path, test, instead in _SECURITY),
)
"""About each container."""
EPHEMERAL: tuple[Rule, ...] = (("targetContainerName", _asks, "stored: containers keep a PID namespace each"),)
"""About each container that is added for debugging."""
PORT: tuple[Rule, ...] = (("hostPort", _asks, "stored: nothing listens there; use a Service of type NodePort"),)
MOUNT: tuple[Rule, ...] = (
    ("mountPropagation", lambda value: value not in (None, "None"), "stored: mounts of the container stay its own"),
    ("recursiveReadOnly", lambda value: value == "Enabled", "stored: only the volume itself is read-only"),
)
VOLUME: tuple[Rule, ...] = (
    ("emptyDir.medium", lambda value: value == "Memory", "stored: its files lie on disk"),
    ("emptyDir.sizeLimit", _asks, "stored: nobody measures what is written to disk"),
)
"""About each volume of a pod."""
SERVICE: tuple[Rule, ...] = (
    ("externalIPs", _asks, "stored: nothing listens on addresses of others"),
    ("loadBalancerSourceRanges", _asks, "stored: every client is let in"),
    ("externalTrafficPolicy", lambda value: value == "Local", "stored: pods see the proxy's address, not the client's"),
)
"""About a Service's spec."""
SERVICE_PORT: tuple[Rule, ...] = (
    ("protocol", lambda value: value in ("UDP", "SCTP"), "stored: only TCP ports are forwarded"),
)
REFUSED: tuple[Rule, ...] = (
    ("resourceClaims", _asks, "dynamic resource allocation is not served by this cluster"),
    ("os.name", lambda value: value == "windows", "this cluster has no Windows node"),
)
"""About a pod's spec, where it could not run as asked."""

_POD_SPEC = {"Pod": "spec", "Deployment": "spec.template.spec", "ReplicaSet": "spec.template.spec",
             "Job": "spec.template.spec"}  # fmt: skip


def warnings(kind_name: str, obj: Obj) -> list[str]:
    """A sentence for each field of an object that is stored and does nothing, naming it by its path."""
    if kind_name == "CustomResourceDefinition":
        return list(_of_definition(obj["spec"]))
    if kind_name == "Service":
        return list(_of_service(obj.get("spec") or {}))
    path = _POD_SPEC.get(kind_name)
    spec = _value(obj, path) if path else None
    return list(_of_pod(spec, path)) if spec and path else []


def refuse(request: Admission) -> None:
    """The admission hook: 422 for a pod that could not run here as it asks to."""
    path = _POD_SPEC.get(request.kind.key)
    if path is None or request.operation != "CREATE" or request.subresource:
        return
    spec = _value(request.obj, path) or {}
    causes = [
        Cause(f"{path}.{field}", "FieldValueForbidden", f"Forbidden: {instead}")
        for field, asks, instead in REFUSED
        if asks(_value(spec, field))
    ]
    if causes:
        raise invalid(request.kind.kind, request.kind.group, request.obj["metadata"].get("name") or "", causes)


def _of_service(spec: Obj) -> Iterator[str]:
    yield from _told(SERVICE, spec, "spec")
    for place, port in enumerate(spec.get("ports") or ()):
        yield from _told(SERVICE_PORT, port, f"spec.ports[{place}]")


def _of_definition(spec: Obj) -> Iterator[str]:
    for place, version in enumerate(spec.get("versions") or ()):
        rules = _count_rules((version.get("schema") or {}).get("openAPIV3Schema"))
        if rules:
            path = f"spec.versions[{place}].schema.openAPIV3Schema"
            yield f"{path}: x-kubernetes-validations: not emulated; stored: none of the {rules} rules is evaluated"


def _count_rules(schema: Any) -> int:
    if isinstance(schema, list):
        return sum(map(_count_rules, schema))
    if not isinstance(schema, dict):
        return 0
    own = schema.get("x-kubernetes-validations")
    below = sum(_count_rules(each) for key, each in schema.items() if key not in ("default", "enum", "example"))
    return (len(own) if isinstance(own, list) else 0) + below


def _of_pod(spec: Obj, path: str) -> Iterator[str]:
    yield from _told(POD, spec, path)
    for place, volume in enumerate(spec.get("volumes") or ()):
        yield from _told(VOLUME, volume, f"{path}.volumes[{place}]")
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for place, container in enumerate(spec.get(key) or ()):
            yield from _of_container(container, f"{path}.{key}[{place}]", own_ports=not spec.get("hostNetwork"))
            yield from _told(EPHEMERAL, container, f"{path}.{key}[{place}]")


def _of_container(container: Obj, path: str, *, own_ports: bool) -> Iterator[str]:
    yield from _told(CONTAINER, container, path)
    for place, port in enumerate(container.get("ports") or ()) if own_ports else ():
        yield from _told(PORT, port, f"{path}.ports[{place}]")
    for place, mount in enumerate(container.get("volumeMounts") or ()):
        yield from _told(MOUNT, mount, f"{path}.volumeMounts[{place}]")


def _told(rules: tuple[Rule, ...], obj: Obj, path: str) -> Iterator[str]:
    for field, asks, instead in rules:
        if asks(_value(obj, field)):
            yield f"{path}.{field}: not emulated; {instead}"


def _value(obj: Obj, path: str) -> Any:
    """What stands at a dotted path, None where nothing does."""
    value: Any = obj
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
