"""Containers of pods and templates: ports, environment, mounts, probes, hooks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bluegreen.localkube.validation import names, resources, security
from bluegreen.localkube.validation.downward import resource_field, value_from
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    non_negative,
    not_found,
    not_supported,
    required,
    unless_in,
)
from bluegreen.localkube.validation.paths import descending

PROTOCOLS = ("SCTP", "TCP", "UDP")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_SCHEMES = ("HTTP", "HTTPS")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")
_ONE_HANDLER = "may not specify more than 1 handler type"
_NOT_FOR_INIT = "may not be set for init containers without restartPolicy=Always"
_NOT_FOR_EPHEMERAL = "cannot be set for an Ephemeral Container"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
__all__ = ["ephemeral_containers", "init_containers", "regular_containers", "resource_field"]


class Surroundings:
    """What a container is checked against: the pod's volumes, its grace period and restart policy."""

    __slots__ = ("claims", "grace_s", "host_users", "restart_policy", "volumes")

    def __init__(self, spec: Obj, volumes: dict[str, Obj]) -> None:
        self.volumes = volumes
        self.claims: list[str] = sorted({claim["name"] for claim in spec.get("resourceClaims") or () if claim["name"]})
        self.grace_s: int | None = spec.get("terminationGracePeriodSeconds")
        self.restart_policy: str = spec.get("restartPolicy", "")
        self.host_users: bool = spec.get("hostUsers", True)


def regular_containers(containers: list[Obj] | None, around: Surroundings, path: str) -> Causes:
    """The containers of a pod: at least one, each with a name of its own."""
    if not containers:
        return [required(path)]
    causes: Causes = []
    seen: set[str] = set()
    for place, container in enumerate(containers):
        here = f"{path}[{place}]"
        causes += _common(container, around, here)
        if container["name"] in seen:
            causes.append(duplicate(f"{here}.name", container["name"]))
        seen.add(container["name"])
        causes += _hooks_and_probes(container, around, here)
        if "restartPolicy" in container:
            causes.append(forbidden(f"{here}.restartPolicy", "may not be set for non-init containers"))
    return causes + _host_ports(containers, path)


def init_containers(containers: list[Obj] | None, regular: list[Obj], around: Surroundings, path: str) -> Causes:
    """Containers that run before the others; those that restart are sidecars and may have probes."""
    causes: Causes = []
    seen = {container["name"] for container in regular}
    for place, container in enumerate(containers or ()):
        here = f"{path}[{place}]"
        causes += _common(container, around, here)
        policy = container.get("restartPolicy")
        if policy is not None and policy != "Always":
            causes.append(not_supported(f"{here}.restartPolicy", policy, ("Always",)))
        if container["name"] in seen:
            causes.append(duplicate(f"{here}.name", container["name"]))
        elif container["name"]:
            seen.add(container["name"])
        causes += _host_ports([container], path)
        if policy == "Always":
            causes += _hooks_and_probes(container, around, here)
        else:
            fields = ("lifecycle", *_PROBES)
            causes += [forbidden(f"{here}.{field}", _NOT_FOR_INIT) for field in fields if field in container]
    return causes


def ephemeral_containers(spec: Obj, around: Surroundings, path: str) -> Causes:
    """Containers added for debugging."""
    causes: Causes = []
    others = {c["name"] for key in ("containers", "initContainers") for c in spec.get(key) or ()}
    seen = set(others)
    for place, container in enumerate(spec.get("ephemeralContainers") or ()):
        here = f"{path}[{place}]"
        causes += _common(container, around, here)
        if container["name"] in seen:
            causes.append(duplicate(f"{here}.name", container["name"]))
        seen.add(container["name"])
        target = container.get("targetContainerName")
        if target and target not in others:
            causes.append(not_found(f"{here}.targetContainerName", target))
        refused = [field for field in ("ports", "resources", *_PROBES, "lifecycle") if container.get(field)]
        causes += [forbidden(f"{here}.{field}", _NOT_FOR_EPHEMERAL) for field in refused]
    return causes


def _common(container: Obj, around: Surroundings, path: str) -> Causes:
    """What holds for containers of every sort."""
    name = container.get("name", "")
    causes = each_invalid(f"{path}.name", name, names.label(name)) if name else [required(f"{path}.name")]
    if not container.get("image"):
        causes.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy")
    if policy not in MESSAGE_POLICIES:
        causes += unless_in(f"{path}.terminationMessagePolicy", policy, MESSAGE_POLICIES)
    if "ports" in container:
        causes += _ports(container["ports"], f"{path}.ports")
    for place, variable in enumerate(container.get("env") or ()):
        causes += _variable(variable, f"{path}.env[{place}]")
    if "envFrom" in container:
        causes += _env_from(container["envFrom"], f"{path}.envFrom")
    if "volumeMounts" in container:
        causes += _mounts(container, around.volumes, f"{path}.volumeMounts")
    if "volumeDevices" in container:
        causes += _devices(container, around.volumes, f"{path}.volumeDevices")
    pull = container.get("imagePullPolicy")
    if pull not in PULL_POLICIES:
        causes += unless_in(f"{path}.imagePullPolicy", pull, PULL_POLICIES)
    causes += resources.requirements(container.get("resources") or {}, f"{path}.resources", around.claims)
    if "resizePolicy" in container:
        causes += _resize_policies(container["resizePolicy"], around.restart_policy, f"{path}.resizePolicy")
    if "securityContext" in container:
        causes += security.container(container["securityContext"], f"{path}.securityContext", around.host_users)
    return causes


def _ports(ports: list[Obj], path: str) -> Causes:
    causes: Causes = []
    seen: set[str] = set()
    for place, port in enumerate(ports):
        here = f"{path}[{place}]"
        name = port.get("name")
        if name:
            wrong = names.port_name(name)
            if wrong:
                causes += each_invalid(f"{here}.name", name, wrong)
            elif name in seen:
                causes.append(duplicate(f"{here}.name", name))
            else:
                seen.add(name)
        number = port.get("containerPort", 0)
        if number == 0:
            causes.append(required(f"{here}.containerPort"))
        else:
            causes += each_invalid(f"{here}.containerPort", number, names.number_of_port(number))
        if port.get("hostPort"):
            causes += each_invalid(f"{here}.hostPort", port["hostPort"], names.number_of_port(port["hostPort"]))
        causes += unless_in(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
    return causes


def _host_ports(containers: list[Obj], path: str) -> Causes:
    causes: Causes = []
    seen: set[str] = set()
    for place, container in enumerate(containers):
        for index, port in enumerate(container.get("ports") or ()):
            if not port.get("hostPort"):
                continue
            taken = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if taken in seen:
                causes.append(duplicate(f"{path}[{place}].ports[{index}].hostPort", taken))
            seen.add(taken)
    return causes


def _variable(variable: Obj, path: str) -> Causes:
    name = variable.get("name", "")
    causes = (
        each_invalid(f"{path}.name", name, names.environment_variable(name)) if name else [required(f"{path}.name")]
    )
    source = variable.get("valueFrom")
    if source is not None:
        causes += value_from(source, bool(variable.get("value")), f"{path}.valueFrom")
    return causes


def _env_from(sources: list[Obj], path: str) -> Causes:
    causes: Causes = []
    for place, source in enumerate(sources):
        here = f"{path}[{place}]"
        if source.get("prefix"):
            causes += each_invalid(f"{here}.prefix", source["prefix"], names.environment_variable(source["prefix"]))
        found = [key for key in ("configMapRef", "secretRef") if key in source]
        for key in found:
            name = source[key].get("name", "")
            at = f"{here}.{key}.name"
            causes += each_invalid(at, name, names.subdomain(name)) if name else [required(at)]
        if not found:
            causes.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(found) > 1:
            causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    return causes


def _mounts(container: Obj, volumes: dict[str, Obj], path: str) -> Causes:
    causes: Causes = []
    seen: set[str] = set()
    devices = {device.get("name"): device.get("devicePath") for device in container.get("volumeDevices") or ()}
    for place, mount in enumerate(container["volumeMounts"]):
        here = f"{path}[{place}]"
        name, target = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.append(required(f"{here}.name"))
        if name not in volumes:
            causes.append(not_found(f"{here}.name", name))
        if not target:
            causes.append(required(f"{here}.mountPath"))
        if target in seen:
            causes.append(invalid(f"{here}.mountPath", target, "must be unique"))
        seen.add(target)
        if name in devices:
            causes.append(invalid(f"{here}.name", name, "must not already exist in volumeDevices"))
        if target in devices.values():
            causes.append(invalid(f"{here}.mountPath", target, "must not already exist as a path in volumeDevices"))
        causes += _sub_paths(mount, here, path)
        causes += _propagation(mount, container, path)
    return causes


def _propagation(mount: Obj, container: Obj, path: str) -> Causes:
    """Whether mounts are seen on both sides; and whether all of one is read-only."""
    causes: Causes = []
    propagation, read_only = mount.get("mountPropagation"), mount.get("recursiveReadOnly")
    if propagation is not None and propagation not in _PROPAGATIONS:
        causes.append(not_supported(f"{path}.mountPropagation", propagation, _PROPAGATIONS))
    if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        detail = "Bidirectional mount propagation is available only to privileged containers"
        causes.append(forbidden(f"{path}.mountPropagation", detail))
    at = f"{path}.recursiveReadOnly"
    if read_only is not None and read_only not in _RECURSIVE:
        causes.append(not_supported(at, read_only, _RECURSIVE))
    if read_only in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            causes.append(forbidden(at, "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            causes.append(forbidden(at, "may only be specified when mountPropagation is None or not specified"))
    return causes


def _sub_paths(mount: Obj, here: str, path: str) -> Causes:
    causes: Causes = []
    if mount.get("subPath"):
        causes += descending(mount["subPath"], f"{path}.subPath")
    if mount.get("subPathExpr"):
        if mount.get("subPath"):
            detail = "subPathExpr and subPath are mutually exclusive"
            causes.append(invalid(f"{here}.subPathExpr", mount["subPathExpr"], detail))
        causes += descending(mount["subPathExpr"], f"{path}.subPathExpr")
    return causes


def _devices(container: Obj, volumes: dict[str, Obj], path: str) -> Causes:
    causes: Causes = []
    devices = container["volumeDevices"]
    mounts = {mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts") or ()}
    for place, device in enumerate(devices):
        here, name, target = f"{path}[{place}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            causes.append(required(f"{here}.name"))
        if name and name in [other.get("name") for other in devices[:place]]:
            causes.append(invalid(f"{here}.name", name, "must be unique"))
        volume = volumes.get(name)
        if volume is None:
            causes.append(not_found(f"{here}.name", name))
        elif not {"persistentVolumeClaim", "ephemeral"} & volume.keys():
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            causes.append(invalid(f"{here}.name", name, detail))
        if not target:
            causes.append(required(f"{here}.devicePath"))
        if target in [other.get("devicePath", "") for other in devices[:place]]:
            causes.append(invalid(f"{here}.devicePath", target, "must be unique"))
        if ".." in target.split("/"):
            causes.append(invalid(f"{here}.devicePath", target, "can not contain backsteps ('..')"))
        if name in mounts:
            causes.append(invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if target in mounts.values():
            causes.append(invalid(f"{here}.devicePath", target, "must not already exist as a path in volumeMounts"))
    return causes


def _resize_policies(policies: list[Obj], restart_policy: str, path: str) -> Causes:
    causes: Causes = []
    seen: set[str] = set()
    for place, policy in enumerate(policies):
        name, restart = policy.get("resourceName", ""), policy.get("restartPolicy", "")
        if name in seen:
            causes.append(duplicate(f"{path}[{place}]", name))
        seen.add(name)
        causes += unless_in(path, name, ("cpu", "memory"))
        causes += unless_in(path, restart, ("NotRequired", "RestartContainer"))
        if restart_policy == "Never" and restart != "NotRequired":
            causes.append(invalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    return causes


def _hooks_and_probes(container: Obj, around: Surroundings, path: str) -> Causes:
    causes: Causes = []
    lifecycle = container.get("lifecycle")
    if lifecycle:
        for hook in ("postStart", "preStop"):
            if hook in lifecycle:
                causes += _handler(lifecycle[hook], around.grace_s, f"{path}.lifecycle.{hook}")
    for name in _PROBES:
        probe = container.get(name)
        if probe is not None:
            causes += _probe(probe, name, around.grace_s, f"{path}.{name}")
    return causes


def _probe(probe: Obj, name: str, grace_s: int | None, path: str) -> Causes:
    causes = _handler(probe, grace_s, path)
    for key in _COUNTS:
        value = probe.get(key)
        if value is not None and value < 0:
            causes += non_negative(f"{path}.{key}", value)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if name == "readinessProbe":
        if grace is not None:
            detail = "must not be set for readinessProbes"
            causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, detail))
    elif probe.get("successThreshold") != 1:
        causes.append(invalid(f"{path}.successThreshold", probe.get("successThreshold", 0), "must be 1"))
    return causes


_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def _handler(handler: Obj, grace_s: int | None, path: str) -> Causes:
    found = [key for key in _HANDLERS if key in handler]
    if not found:
        return [required(path, "must specify a handler type")]
    first = found[0]
    causes = _action(first, handler[first], grace_s, f"{path}.{first}")
    return causes + [forbidden(f"{path}.{key}", _ONE_HANDLER) for key in found[1:]]


def _action(kind: str, action: Obj, grace_s: int | None, path: str) -> Causes:
    if kind == "exec":
        return [] if action.get("command") else [required(f"{path}.command")]
    if kind == "httpGet":
        return _http_get(action, path)
    if kind == "sleep":
        return _sleep(action.get("seconds", 0), grace_s, path)
    return port(action.get("port", 0), f"{path}.port")


def _sleep(seconds: int, grace_s: int | None, path: str) -> Causes:
    if grace_s is None or 0 <= seconds <= grace_s:
        return []
    return [invalid(path, seconds, f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})")]


def _http_get(action: Obj, path: str) -> Causes:
    causes = [] if action.get("path") else [required(f"{path}.path")]
    causes += port(action.get("port", 0), f"{path}.port")
    if action.get("scheme") not in _SCHEMES:
        causes.append(not_supported(f"{path}.scheme", action.get("scheme", ""), _SCHEMES))
    for header in action.get("httpHeaders") or ():
        name = header.get("name", "")
        causes += each_invalid(f"{path}.httpHeaders", name, names.http_header(name))
    return causes


def port(value: Any, path: str) -> Causes:
    """A port by number or by name."""
    return each_invalid(path, value, names.port_name(value) if isinstance(value, str) else names.number_of_port(value))


def image_spaces(containers: Collection[Obj], path: str) -> Causes:
    """Only for pods: an image reference without space around it."""
    return [
        invalid(f"{path}[{place}].image", container["image"], "must not have leading or trailing whitespace")
        for place, container in enumerate(containers)
        if container.get("image") and container["image"] != container["image"].strip()
    ]
