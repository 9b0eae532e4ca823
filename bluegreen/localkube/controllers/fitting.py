"""Whether a pod fits on a node, and the sentence when it fits on none, both as Kubernetes' scheduler has them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.controllers.conditions import is_true
from bluegreen.localkube.controllers.requests import Amounts, HostPort, host_ports, pod_requests, wants_apart
from bluegreen.localkube.selectors import selects

Obj = dict[str, Any]

NO_NODES = "no nodes available to schedule pods"
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_NOT_READY = "node.kubernetes.io/not-ready"
_KEEPS_OFF = ("NoSchedule", "NoExecute")


@dataclass(frozen=True)
class NodeState:
    """A node with what its pods have taken."""

    node: Obj
    taken: Amounts = field(default_factory=Counter)
    pods: Mapping[str, Obj] = field(default_factory=dict)  # by uid
    loners: Mapping[str, Obj] = field(default_factory=dict)  # those that keep others off
    host_ports: Mapping[HostPort, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The node's name."""
        name: str = self.node["metadata"]["name"]
        return name

    @property
    def labels(self) -> dict[str, str]:
        """The node's labels."""
        return self.node["metadata"].get("labels") or {}

    def allocatable(self, resource: str) -> int:
        """How much of a resource there is for pods, in nano units."""
        given = (self.node.get("status") or {}).get("allocatable") or {}
        return quantities.parse(given.get(resource, "0"))


@dataclass(frozen=True)
class Misfit:
    """Why a pod does not fit on a node; ``evictable``: whether removing other pods could change that."""

    reasons: tuple[str, ...]
    evictable: bool = False


def misfit(pod: Obj, state: NodeState, all_states: Sequence[NodeState]) -> Misfit | None:
    """The first rule that keeps a pod off a node, in the order in which the scheduler asks."""
    claim = _missing_claim(pod)
    if claim:
        return Misfit((claim,))
    for rule in _RULES:
        found = rule(pod, state, all_states)
        if found:
            return found
    return None


def refusal(pod: Obj, states: Sequence[NodeState]) -> str:
    """The sentence that says why a pod fits nowhere."""
    if not states:
        return NO_NODES
    claim = _missing_claim(pod)
    if claim:
        nobody = _histogram(len(states), Counter({_NOT_HELPFUL: len(states)}))
        return f"0/{len(states)} nodes are available: {claim}. {_NO_CLAIMS}, preemption: {nobody}"
    misfits = [found for found in (misfit(pod, state, states) for state in states) if found]
    reasons = Counter(reason for found in misfits for reason in found.reasons)
    victims = Counter(_NO_VICTIMS if found.evictable else _NOT_HELPFUL for found in misfits)
    return f"{_histogram(len(states), reasons)} {_NO_CLAIMS}, preemption: {_histogram(len(states), victims)}"


# What the plugin for dynamic resources, on since Kubernetes 1.34 and asked first, says of a pod that claims none.
_NO_CLAIMS = "no new claims to deallocate"
_NO_VICTIMS, _NOT_HELPFUL = (
    "No preemption victims found for incoming pod",
    "Preemption is not helpful for scheduling",
)


def _histogram(nodes: int, reasons: Counter[str]) -> str:
    counts = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {counts}."


def best(pod: Obj, states: Iterable[NodeState]) -> NodeState:
    """Of the nodes a pod fits on, the one with the largest free share after it; the emptier by pods among equals."""
    wanted = pod_requests(pod)
    return min(states, key=lambda state: (_used_share(state, wanted), len(state.pods), state.name))


def _used_share(state: NodeState, wanted: Amounts) -> float:
    shares = [
        (state.taken[resource] + wanted[resource]) / state.allocatable(resource)
        for resource in ("cpu", "memory")
        if state.allocatable(resource)
    ]
    return sum(shares)


def _missing_claim(pod: Obj) -> str:
    """The claim that keeps a pod off every node: claims are not served, so whichever a pod names is not there."""
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            return f'persistentvolumeclaim "{volume["persistentVolumeClaim"]["claimName"]}" not found'
        if "ephemeral" in volume:
            name = f"{pod['metadata']['name']}-{volume['name']}"
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
    return ""


# -- rules, in the scheduler's order ----------------------------------------------------------------------------
def _is_open(pod: Obj, state: NodeState, _: Sequence[NodeState]) -> Misfit | None:
    cordoned = state.node["spec"].get("unschedulable")
    taint = {"key": _UNSCHEDULABLE, "effect": "NoSchedule"}
    return Misfit(("node(s) were unschedulable",)) if cordoned and not _tolerates(pod, taint) else None


def _has_no_taint_against(pod: Obj, state: NodeState, _: Sequence[NodeState]) -> Misfit | None:
    taints = [*(state.node["spec"].get("taints") or ()), *_implied_taints(state)]
    for taint in taints:
        if taint.get("effect") in _KEEPS_OFF and not _tolerates(pod, taint):
            return Misfit((f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}",))
    return None


def _implied_taints(state: NodeState) -> list[Obj]:
    """A node that is not ready carries a taint in time; here it counts at once."""
    ready = is_true((state.node.get("status") or {}).get("conditions"), "Ready")
    return [] if ready else [{"key": _NOT_READY, "effect": "NoSchedule"}]


def _tolerates(pod: Obj, taint: Obj) -> bool:
    return any(tolerates(toleration, taint) for toleration in pod["spec"].get("tolerations") or ())


def tolerates(toleration: Obj, taint: Obj) -> bool:
    """Whether a toleration covers a taint; an empty key with Exists covers all."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _is_wanted(pod: Obj, state: NodeState, _: Sequence[NodeState]) -> Misfit | None:
    spec = pod["spec"]
    selected = all(state.labels.get(key) == value for key, value in (spec.get("nodeSelector") or {}).items())
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = (required or {}).get("nodeSelectorTerms") or ()
    if selected and (not required or any(_term_matches(term, state) for term in terms)):
        return None
    return Misfit(("node(s) didn't match Pod's node affinity/selector",))


def _term_matches(term: Obj, state: NodeState) -> bool:
    by_labels, by_fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not by_labels and not by_fields:
        return False
    names = {"metadata.name": state.name}
    return all(_holds(each, state.labels) for each in by_labels) and all(_holds(each, names) for each in by_fields)


def _holds(expression: Obj, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    return _OPERATORS[expression["operator"]](value, values)


_OPERATORS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: _number(value) is not None and int(value or 0) > int(values[0]),
    "Lt": lambda value, values: _number(value) is not None and int(value or 0) < int(values[0]),
}


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and value.lstrip("-").isdecimal() else None


def _has_ports(pod: Obj, state: NodeState, _: Sequence[NodeState]) -> Misfit | None:
    if any(state.host_ports.get(port) for port in host_ports(pod)):
        return Misfit(("node(s) didn't have free ports for the requested pod ports",), evictable=True)
    return None


def _has_room(pod: Obj, state: NodeState, _: Sequence[NodeState]) -> Misfit | None:
    reasons, evictable = [], True
    limit = state.allocatable("pods")
    if limit and (len(state.pods) + 1) * quantities.NANO > limit:
        reasons.append("Too many pods")
    for resource, amount in pod_requests(pod).items():
        if amount > max(0, state.allocatable(resource) - state.taken[resource]):
            reasons.append(f"Insufficient {resource}")
            evictable = evictable and amount <= state.allocatable(resource)
    return Misfit(tuple(reasons), evictable) if reasons else None


def _spreads(pod: Obj, state: NodeState, _: Sequence[NodeState]) -> Misfit | None:
    """A pod that must spread over domains needs to know its node's; how evenly is not judged: there is one node."""
    for constraint in pod["spec"].get("topologySpreadConstraints") or ():
        if constraint.get("whenUnsatisfiable") == "DoNotSchedule" and constraint["topologyKey"] not in state.labels:
            return Misfit(("node(s) didn't match pod topology spread constraints (missing required label)",))
    return None


def _suits_other_pods(pod: Obj, state: NodeState, all_states: Sequence[NodeState]) -> Misfit | None:
    affinity = pod["spec"].get("affinity") or {}
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    together = (affinity.get("podAffinity") or {}).get(key) or ()
    if not all(_is_near(pod, term, state, all_states) for term in together):
        return Misfit(("node(s) didn't match pod affinity rules",))
    if any(_in_domain(pod, term, state, all_states) for term in wants_apart(pod)):
        return Misfit(("node(s) didn't match pod anti-affinity rules",), evictable=True)
    if any(_keeps_off(each, pod, state) for each in all_states):
        return Misfit(("node(s) didn't satisfy existing pods anti-affinity rules",), evictable=True)
    return None


def _is_near(pod: Obj, term: Obj, state: NodeState, all_states: Sequence[NodeState]) -> bool:
    """A term that the first pod of a group makes of itself is met where no such pod is anywhere."""
    if _in_domain(pod, term, state, all_states):
        return True
    anywhere = any(_selected(pod, term, other) for each in all_states for other in each.pods.values())
    return not anywhere and _selected(pod, term, pod) and term["topologyKey"] in state.labels


def _in_domain(pod: Obj, term: Obj, state: NodeState, all_states: Sequence[NodeState]) -> bool:
    """Whether a pod that a term selects runs in the node's topology domain."""
    domain = state.labels.get(term["topologyKey"])
    if domain is None:
        return False
    near = [each for each in all_states if each.labels.get(term["topologyKey"]) == domain]
    return any(_selected(pod, term, other) for each in near for other in each.pods.values())


def _selected(pod: Obj, term: Obj, other: Obj) -> bool:
    namespaces = term.get("namespaces") or [pod["metadata"]["namespace"]]
    meta = other["metadata"]
    return meta["namespace"] in namespaces and selects(term.get("labelSelector"), meta.get("labels"))


def _keeps_off(near: NodeState, pod: Obj, state: NodeState) -> bool:
    """Whether a pod in the node's topology domain does not want this one beside it."""
    return any(
        _selected(other, term, pod)
        for other in near.loners.values()
        for term in wants_apart(other)
        if term["topologyKey"] in state.labels
        and near.labels.get(term["topologyKey"]) == state.labels[term["topologyKey"]]
    )


Rule = Callable[[Obj, NodeState, Sequence[NodeState]], Misfit | None]
_RULES: tuple[Rule, ...] = (
    _is_open,
    _has_no_taint_against,
    _is_wanted,
    _has_ports,
    _has_room,
    _spreads,
    _suits_other_pods,
)
