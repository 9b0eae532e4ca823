"""Containers of pods and templates: names, images, ports, environment; mounts and probes have files of their own."""

from __future__ import annotations

from collections.abc import Collection

from bluegreen.localkube.validation import handlers, mounts, names, resources, security
from bluegreen.localkube.validation.downward import value_from
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
    unless_in,
)

PROTOCOLS = ("SCTP", "TCP", "UDP")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_NOT_FOR_INIT = "may not be set for init containers without restartPolicy=Always"
_NOT_FOR_EPHEMERAL = "cannot be set for an Ephemeral Container"


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
        causes += handlers.hooks_and_probes(container, around.grace_s, here)
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
            causes += handlers.hooks_and_probes(container, around.grace_s, here)
        else:
            fields = ("lifecycle", *handlers.PROBES)
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
        refused = [field for field in ("ports", "resources", *handlers.PROBES, "lifecycle") if container.get(field)]
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
        causes += mounts.mounts(container, around.volumes, f"{path}.volumeMounts")
    if "volumeDevices" in container:
        causes += mounts.devices(container, around.volumes, f"{path}.volumeDevices")
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


def image_spaces(containers: Collection[Obj], path: str) -> Causes:
    """Only for pods: an image reference without space around it."""
    return [
        invalid(f"{path}[{place}].image", container["image"], "must not have leading or trailing whitespace")
        for place, container in enumerate(containers)
        if container.get("image") and container["image"] != container["image"].strip()
    ]
