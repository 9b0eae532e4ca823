"""Pods and pod templates: on create, and the little of a pod that may change."""

from __future__ import annotations

from typing import Any

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
_MAX_SECONDS = 2**31 - 1
_MOST_SEARCHES, _LONGEST_SEARCHES = 32, 2048
_MUTABLE = ",".join(
    (
        "`spec.containers[*].image`",
        "`spec.initContainers[*].image`",
        "`spec.activeDeadlineSeconds`",
        "`spec.tolerations` (only additions to existing tolerations)",
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    )
)
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def create(pod: Obj) -> Causes:
    """A new pod."""
    spec = pod["spec"]
    causes = _metadata_and_spec(pod)
    if spec.get("ephemeralContainers"):
        causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        causes.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return causes


def _metadata_and_spec(pod: Obj) -> Causes:
    spec = pod["spec"]
    causes = _annotations(pod["metadata"].get("annotations"), "metadata.annotations")
    causes += pod_spec(spec, "spec", is_pod=True)
    for name in ("containers", "initContainers"):
        causes += image_spaces(spec.get(name) or (), f"spec.{name}")
    return causes


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
    if deadline is not None and not 1 <= deadline <= _MAX_SECONDS:
        causes.append(invalid(f"{path}.activeDeadlineSeconds", deadline, between(1, _MAX_SECONDS)))
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


# -- updates -------------------------------------------------------------------------------------------------------
def update(pod: Obj, old: Obj) -> Causes:
    """A changed pod: images, deadline, more tolerations, fewer gates; nothing else of the spec."""
    causes = _metadata_and_spec(pod)
    new_spec, old_spec = pod["spec"], old["spec"]
    for name in ("containers", "initContainers"):
        found, stop = _same_containers(new_spec.get(name) or [], old_spec.get(name) or [], f"spec.{name}")
        causes += found
        if stop:
            return causes
    found, stop = _deadline(new_spec.get("activeDeadlineSeconds"), old_spec.get("activeDeadlineSeconds"))
    causes += found
    if stop:
        return causes
    causes += _only_more_tolerations(new_spec.get("tolerations") or [], old_spec.get("tolerations") or [])
    causes += _only_fewer_gates(new_spec.get("schedulingGates") or [], old_spec.get("schedulingGates") or [])
    if old_spec.get("schedulingGates"):
        causes += _gated(new_spec, old_spec)
    munged = _with_mutable_fields_of(new_spec, old_spec)
    if munged != old_spec:
        detail = f"pod updates may not change fields other than {_MUTABLE}\n{_difference(old_spec, munged)}"
        causes.append(forbidden("spec", detail))
    return causes


def _same_containers(new: list[Obj], old: list[Obj], path: str) -> tuple[Causes, bool]:
    if len(new) != len(old):
        return [forbidden(path, "pod updates may not add or remove containers")], True
    causes: Causes = []
    for place, container in enumerate(new):
        image = container.get("image", "")
        if not image:
            causes.append(required(f"{path}[{place}].image"))
        if image.strip() != image:
            detail = "must not have leading or trailing whitespace"
            causes.append(invalid(f"{path}[{place}].image", image, detail))
    return causes, False


def _deadline(new: int | None, old: int | None) -> tuple[Causes, bool]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        detail = "must not update from a positive integer to nil value"
        return ([] if old is None else [invalid(path, None, detail)]), False
    if not 0 <= new <= _MAX_SECONDS:
        return [invalid(path, new, between(0, _MAX_SECONDS))], True
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")], True
    return [], False


def _only_more_tolerations(new: list[Obj], old: list[Obj]) -> Causes:
    path = "spec.tolerations"

    def timeless(toleration: Obj) -> Obj:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    kept = [timeless(toleration) for toleration in new]
    if any(timeless(toleration) not in kept for toleration in old):
        return [forbidden(path, "existing toleration can not be modified except its tolerationSeconds")]
    return scheduling.tolerations(new, path)


def _only_fewer_gates(new: list[Obj], old: list[Obj]) -> Causes:
    before = [gate["name"] for gate in old]
    return [
        forbidden(
            f"spec.schedulingGates[{place}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate['name']}'",
        )
        for place, gate in enumerate(new)
        if gate["name"] not in before
    ]


def _with_mutable_fields_of(new: Obj, old: Obj) -> Obj:
    """The new spec with everything that may change put back: what is still different was not allowed."""
    munged = dict(new)
    for name in ("containers", "initContainers"):
        if new.get(name):
            pairs = zip(new[name], old[name], strict=True)
            munged[name] = [{**container, "image": before.get("image")} for container, before in pairs]
    for key in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        munged.pop(key, None)
        if key in old:
            munged[key] = old[key]
    if old.get("terminationGracePeriodSeconds", 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    if old.get("schedulingGates"):
        munged.pop("nodeSelector", None)
        if "nodeSelector" in old:
            munged["nodeSelector"] = old["nodeSelector"]
        _keep_node_affinity(munged, old)
    return munged


def _keep_node_affinity(munged: Obj, old: Obj) -> None:
    before = (old.get("affinity") or {}).get("nodeAffinity")
    affinity = {key: value for key, value in (munged.get("affinity") or {}).items() if key != "nodeAffinity"}
    if before is not None:
        affinity["nodeAffinity"] = before
    if affinity or "affinity" in old:
        munged["affinity"] = affinity
    else:
        munged.pop("affinity", None)


def _gated(new: Obj, old: Obj) -> Causes:
    """A pod that waits to be scheduled may be told more of where it goes, and nothing may be taken back."""
    selector, before = new.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(selector.get(key) != value for key, value in before.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        return [invalid("spec.nodeSelector", new.get("nodeSelector"), detail), *_gated_affinity(new, old)]
    return _gated_affinity(new, old)


def _gated_affinity(new: Obj, old: Obj) -> Causes:
    path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    terms, before = _node_terms(new), _node_terms(old)
    if before and len(before) != len(terms):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(path, [_go_term(term) for term in terms] or None, detail)]
    detail = "only additions are allowed (no mutations or deletions)"
    return [
        invalid(f"{path}[{place}]", _go_term(terms[place]), detail)
        for place, term in enumerate(before)
        if not _only_adds(terms[place], term)
    ]


def _node_terms(spec: Obj) -> list[Obj]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    wanted = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms: list[Obj] = wanted.get("nodeSelectorTerms") or []
    return terms


def _only_adds(new: Obj, old: Obj) -> bool:
    keys = ("matchExpressions", "matchFields")
    if not any(old.get(key) for key in keys):
        return not any(new.get(key) for key in keys)
    return all((new.get(key) or [])[: len(old.get(key) or ())] == (old.get(key) or []) for key in keys)


def _go_term(term: Obj) -> Obj:
    """A node selector term as Go prints its internal type."""

    def requirements(key: str) -> list[Obj] | None:
        given = term.get(key)
        return given and [
            {"Key": each.get("key", ""), "Operator": each.get("operator", ""), "Values": each.get("values")}
            for each in given
        ]

    return {"MatchExpressions": requirements("matchExpressions"), "MatchFields": requirements("matchFields")}


def _difference(old: Any, new: Any, path: str = "spec") -> str:
    """What differs, a line each: Kubernetes prints a diff of its Go types here, which no client reads."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        return "".join(_difference(old.get(key), new.get(key), f"{path}.{key}") for key in keys)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return "".join(_difference(a, b, f"{path}[{place}]") for place, (a, b) in pairs if a != b)
    return f"- {path}: {old}\n+ {path}: {new}\n"
