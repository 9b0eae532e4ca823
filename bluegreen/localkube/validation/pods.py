"""Pods and pod templates: what holds for all of them, and for new ones."""

from __future__ import annotations

from bluegreen.localkube.validation import meta, names, resources, scheduling, security
from bluegreen.localkube.validation.containers import (
    Surroundings,
    ephemeral_containers,
    image_spaces,
    init_containers,
    regular_containers,
)
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    between,
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
    unless_in,
)
from bluegreen.localkube.validation.volumes import volumes

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
MAX_SECONDS = 2**31 - 1
_MOST_SEARCHES, _LONGEST_SEARCHES = 32, 2048
_MIRROR = "kubernetes.io/config.mirror"
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def create(pod: Obj) -> Causes:
    """A new pod."""
    spec = pod["spec"]
    causes = metadata_and_spec(pod)
    if spec.get("ephemeralContainers"):
        causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        causes.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return causes


def metadata_and_spec(pod: Obj) -> Causes:
    """What holds for new and for changed pods."""
    spec = pod["spec"]
    causes = _annotations(pod["metadata"].get("annotations"), "metadata.annotations")
    causes += _mirror(pod, "metadata.annotations")
    causes += pod_spec(spec, "spec", is_pod=True)
    for name in ("containers", "initContainers"):
        causes += image_spaces(spec.get(name) or (), f"spec.{name}")
    return causes


def _mirror(pod: Obj, path: str) -> Causes:
    given = pod["metadata"].get("annotations") or {}
    if _MIRROR not in given or pod["spec"].get("nodeName"):
        return []
    return [invalid(f"{path}[{_MIRROR}]", given[_MIRROR], "must set spec.nodeName if mirror pod annotation is set")]


def _annotations(given: Obj | None, path: str) -> Causes:
    cost = (given or {}).get(_DELETION_COST)
    if cost is not None and not (cost.lstrip("-").isdecimal() and -(2**31) <= int(cost) < 2**31):
        return [invalid(f"{path}[{_DELETION_COST}]", cost, "must be a 32bit integer")]
    return []


def template(given: Obj, path: str) -> Causes:
    """A pod template. Its labels and annotations are named without ``metadata``, as Kubernetes does."""
    metadata = given.get("metadata") or {}
    causes = meta.labels(metadata.get("labels"), f"{path}.labels")
    causes += meta.annotation_map(metadata.get("annotations"), f"{path}.annotations")
    causes += _annotations(metadata.get("annotations"), f"{path}.annotations")
    causes += pod_spec(given["spec"], f"{path}.spec", is_pod=False)
    if given["spec"].get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        causes.append(forbidden(f"{path}.spec.ephemeralContainers", detail))
    return causes


def pod_spec(spec: Obj, path: str, *, is_pod: bool) -> Causes:
    """What holds for pods and templates, in the order in which Kubernetes looks."""
    causes: Causes = []
    if spec.get("terminationGracePeriodSeconds") is None:
        causes.append(required(f"{path}.terminationGracePeriodSeconds"))
    good, wrong = volumes(spec.get("volumes"), f"{path}.volumes") if "volumes" in spec else ({}, [])
    causes += wrong
    around = Surroundings(spec, good)
    regular = spec.get("containers") or []
    causes += regular_containers(regular, around, f"{path}.containers")
    if "initContainers" in spec:
        causes += init_containers(spec["initContainers"], regular, around, f"{path}.initContainers")
    if "ephemeralContainers" in spec:
        causes += ephemeral_containers(spec, around, f"{path}.ephemeralContainers")
    if "resources" in spec:
        causes += resources.of_pod(spec, f"{path}.resources")
    if spec.get("hostNetwork"):
        causes += _host_network_ports(regular, f"{path}.containers", is_pod=is_pod)
    causes += unless_in(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    causes += unless_in(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    causes += meta.labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    if spec.get("securityContext") or spec.get("shareProcessNamespace"):
        causes += security.pod(spec.get("securityContext") or {}, spec, f"{path}.securityContext")
    causes += scheduling.affinity(spec.get("affinity"), f"{path}.affinity") if "affinity" in spec else []
    causes += _dns(spec, f"{path}.dnsConfig")
    for place, gate in enumerate(spec.get("readinessGates") or ()):
        at, name = f"{path}.readinessGates[{place}].conditionType", gate.get("conditionType", "")
        causes += each_invalid(at, name, names.qualified(name))
    causes += scheduling.gates(spec.get("schedulingGates") or [], f"{path}.schedulingGates")
    causes += scheduling.spread(spec.get("topologySpreadConstraints"), f"{path}.topologySpreadConstraints")
    if spec.get("hostUsers") is False:  # two of these are misspelt by Kubernetes itself
        shared = (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC"))
        detail = "when `pod.Spec.HostUsers` is false"
        causes += [forbidden(f"{path}.{name}", detail) for key, name in shared if spec.get(key)]
    return causes + _names_and_numbers(spec, path)


_NAMED = (
    ("serviceAccountName", names.subdomain),
    ("nodeName", names.subdomain),
)
_LATER_NAMED = (("hostname", names.label), ("subdomain", names.label))


def _names_and_numbers(spec: Obj, path: str) -> Causes:
    causes: Causes = []
    for key, rule in _NAMED:
        if spec.get(key):
            causes += each_invalid(f"{path}.{key}", spec[key], rule(spec[key]))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= MAX_SECONDS:
        causes.append(invalid(f"{path}.activeDeadlineSeconds", deadline, between(1, MAX_SECONDS)))
    for key, rule in _LATER_NAMED:
        if spec.get(key):
            causes += each_invalid(f"{path}.{key}", spec[key], rule(spec[key]))
    causes += scheduling.tolerations(spec.get("tolerations"), f"{path}.tolerations")
    for place, alias in enumerate(spec.get("hostAliases") or ()):
        causes += _host_alias(alias, f"{path}.hostAliases[{place}]")
    for key in ("priorityClassName", "runtimeClassName"):
        if spec.get(key):
            causes += each_invalid(f"{path}.{key}", spec[key], names.subdomain(spec[key]))
    policy = spec.get("preemptionPolicy")
    if policy is not None:
        causes += unless_in(f"{path}.preemptionPolicy", policy, ("PreemptLowerPriority", "Never"))
    if spec.get("overhead"):
        causes += resources.requirements({"limits": spec["overhead"]}, f"{path}.overhead")
    system = spec.get("os")
    if system is not None:
        if not system.get("name"):
            causes.append(required(f"{path}.os.name", "cannot be empty"))
        elif system["name"] not in ("linux", "windows"):
            causes.append(not_supported(f"{path}.os", system["name"], ("linux", "windows")))
    return causes


def _host_alias(alias: Obj, path: str) -> Causes:
    causes = each_invalid(f"{path}.ip", alias.get("ip", ""), names.ip(alias.get("ip", "")))
    for place, name in enumerate(alias.get("hostnames") or ()):
        causes += each_invalid(f"{path}.hostnames[{place}]", name, names.subdomain(name))
    return causes


def _host_network_ports(containers: list[Obj], path: str, *, is_pod: bool) -> Causes:
    detail = "must match `containerPort` when `hostNetwork` is true"
    return [
        invalid(f"{path}[{place}].ports[{index}].hostPort", port.get("hostPort", 0), detail)
        for place, container in enumerate(containers)
        for index, port in enumerate(container.get("ports") or ())
        if (is_pod or port.get("hostPort")) and port.get("hostPort", 0) != port.get("containerPort")
    ]


def _dns(spec: Obj, path: str) -> Causes:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not config.get("nameservers"):
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            return [required(f"{path}.nameservers", detail)]
    causes: Causes = []
    servers = (config or {}).get("nameservers") or []
    if len(servers) > 3:
        causes.append(invalid(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for place, server in enumerate(servers):
        causes += each_invalid(f"{path}.nameservers[{place}]", server, names.ip(server))
    return causes + _dns_details(config or {}, path)


def _dns_details(config: Obj, path: str) -> Causes:
    searches: list[str] = config.get("searches") or []
    causes: Causes = []
    if len(searches) > _MOST_SEARCHES:
        detail = f"must not have more than {_MOST_SEARCHES} search paths"
        causes.append(invalid(f"{path}.searches", searches, detail))
    if len(" ".join(searches)) > _LONGEST_SEARCHES:
        detail = f"must not have more than {_LONGEST_SEARCHES} characters (including spaces) in the search list"
        causes.append(invalid(f"{path}.searches", searches, detail))
    for place, search in enumerate(searches):
        if search != ".":
            name = search.removesuffix(".")
            causes += each_invalid(f"{path}.searches[{place}]", name, names.subdomain_with_underscores(name))
    for place, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            causes.append(required(f"{path}.options[{place}]", "must not be empty"))
    return causes
