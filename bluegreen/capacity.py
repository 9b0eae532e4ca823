"""Whether a second colour has room: in the namespace's quotas, and on the nodes. Pure arithmetic.

What has no room is found before anything is created, and not by pods that never come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bluegreen.grammar import amount

Obj = dict[str, Any]

_PER_POD = {
    "requests.cpu": ("requests", "cpu"),
    "cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
    "requests.ephemeral-storage": ("requests", "ephemeral-storage"),
    "limits.ephemeral-storage": ("limits", "ephemeral-storage"),
}
"""Keys of a ResourceQuota that pods use up by what their containers ask for."""

NODE_RESOURCES = ("cpu", "memory", "ephemeral-storage")
"""What a pod asks of a node by its requests; devices are the cluster's own business."""

KEEP_OUT = frozenset({"NoSchedule", "NoExecute"})
"""Effects of a taint that no pod without a toleration passes."""


# --- quotas -----------------------------------------------------------------------------------------------------------


def needed(deployment: Obj, replicas: int) -> dict[str, float]:
    """What so many pods of a Deployment use up of a quota, by the quota's keys."""
    pod = deployment["spec"]["template"]["spec"]
    need = {"pods": float(replicas), "count/pods": float(replicas)}
    return need | {key: replicas * asked(pod, side, resource) for key, (side, resource) in _PER_POD.items()}


def asked(pod: Obj, side: str, resource: str) -> float:
    """What a pod asks for of one resource; ``side`` is ``requests`` or ``limits``.

    As the scheduler counts: the containers and the sidecars together, or an init container that needs more while those
    sidecars run that were started before it; and the overhead of its runtime.
    """
    running, starting = 0.0, 0.0
    for container in pod.get("initContainers") or []:
        own = _of(container, side, resource)
        if container.get("restartPolicy") == "Always":
            running += own
            starting = max(starting, running)
        else:
            starting = max(starting, running + own)
    running += sum(_of(container, side, resource) for container in pod.get("containers") or [])
    overhead = amount(str((pod.get("overhead") or {}).get(resource) or "0"))
    return max(running, starting) + overhead


def _of(container: Obj, side: str, resource: str) -> float:
    """What a container asks for; a limit alone is its request too, as the server fills it in."""
    resources = container.get("resources") or {}
    stated = (resources.get(side) or {}).get(resource)
    if stated is None and side == "requests":
        stated = (resources.get("limits") or {}).get(resource)
    return amount(str(stated)) if stated is not None else 0.0


def shortages(quotas: Iterable[Obj], need: dict[str, float]) -> Iterator[str]:
    """One sentence for each quota that does not hold what is needed on top of what is used."""
    for quota in quotas:
        if quota.get("spec", {}).get("scopes") or quota.get("spec", {}).get("scopeSelector"):
            continue  # whether it counts these pods depends on more than their numbers; the cluster will tell
        status = quota.get("status", {})
        for key, hard in (status.get("hard") or quota.get("spec", {}).get("hard") or {}).items():
            used = (status.get("used") or {}).get(key, "0")
            if key in need and amount(str(used)) + need[key] > amount(str(hard)) + 1e-9:
                name = quota["metadata"]["name"]
                yield f"ResourceQuota {name} allows {key} {hard}, {used} is used and {_shown(need[key])} more is needed"


def _shown(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


# --- nodes ------------------------------------------------------------------------------------------------------------


def homeless(nodes: Iterable[Obj], pods: Iterable[Obj], wanted: Iterable[Obj]) -> int:
    """How many of the wanted pods find no node, by what nodes have and what is asked of them already.

    Nodes that are cordoned, not ready, tainted or not selected are left out; affinity is not looked at. Each pod takes
    the first node with room, the largest pods first.
    """
    on_nodes: dict[str, list[Obj]] = {}
    for one in pods:
        if (one.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            on_nodes.setdefault(str(one["spec"].get("nodeName")), []).append(one["spec"])
    free = [(node, _free(node, on_nodes.get(node["metadata"]["name"], []))) for node in nodes]
    missed = 0
    for pod in sorted(wanted, key=lambda pod: asked(pod, "requests", "memory"), reverse=True):
        need = {"pods": 1.0} | {resource: asked(pod, "requests", resource) for resource in NODE_RESOURCES}
        room = next((left for node, left in free if usable(node, pod) and _holds(left, need)), None)
        if room is None:
            missed += 1
        else:
            room.update({resource: room[resource] - amount_ for resource, amount_ in need.items() if resource in room})
    return missed


def _free(node: Obj, on_it: list[Obj]) -> dict[str, float]:
    """What a node has left of each resource that it states."""
    offered = (node.get("status") or {}).get("allocatable") or {}
    left = {resource: amount(str(offered[resource])) for resource in ("pods", *NODE_RESOURCES) if resource in offered}
    used = {"pods": float(len(on_it))}
    used |= {resource: sum(asked(pod, "requests", resource) for pod in on_it) for resource in NODE_RESOURCES}
    return {resource: value - used[resource] for resource, value in left.items()}


def _holds(left: Mapping[str, float], need: Mapping[str, float]) -> bool:
    return all(need[resource] <= value + 1e-9 for resource, value in left.items() if need[resource])


def usable(node: Obj, pod: Obj) -> bool:
    """Whether a pod may be put on a node at all."""
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    conditions = {c.get("type"): c.get("status") for c in (node.get("status") or {}).get("conditions") or []}
    selected = all(labels.get(key) == value for key, value in (pod.get("nodeSelector") or {}).items())
    taints = [taint for taint in spec.get("taints") or [] if taint.get("effect") in KEEP_OUT]
    tolerated = all(any(_tolerates(t, taint) for t in pod.get("tolerations") or []) for taint in taints)
    return selected and tolerated and not spec.get("unschedulable") and conditions.get("Ready", "True") == "True"


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """As k8s.io/api/core/v1 Toleration.ToleratesTaint: an empty key or effect stands for all of them."""
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint.get("key")):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")
