"""PodDisruptionBudgets: how many pods may be disrupted now, and whether one may be evicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import Conditions, age_s, find
from bluegreen.localkube.controllers.owners import controller_of
from bluegreen.localkube.controllers.pods import is_deleting, is_finished, is_ready, phase
from bluegreen.localkube.controllers.rolling import scaled
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.selectors import as_go, selects
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

DELETION_TIMEOUT_S = 120.0
"""How long an evicted pod is taken for gone although it is still there (Kubernetes' value)."""
MOST_DISRUPTED = 2000
"""Evictions that may be unconfirmed at once (Kubernetes' value)."""
_VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


@dataclass
class Disruptions:
    """The disruption controller."""

    context: Context
    name: str = "controllermanager"  # the component of its events in Kubernetes
    watches: tuple[str, ...] = ("PodDisruptionBudget", "Pod", "ReplicaSet", "Deployment")

    def keys(self, change: Change) -> Iterable[Key]:
        """The budget itself, those that select a changed pod, all of a namespace where a size changed."""
        obj, before = change.object, change.previous
        if obj["kind"] == "PodDisruptionBudget":
            return [key_of(obj)]
        if before is not None and change.type == "MODIFIED" and _facts(before) == _facts(obj):
            return ()
        namespace = obj["metadata"]["namespace"]
        if obj["kind"] != "Pod":
            return [key_of(budget) for budget in self.context.all("PodDisruptionBudget", namespace)]
        labels = [pod["metadata"].get("labels") for pod in (obj, before) if pod]
        return {key_of(budget) for each in labels for budget in self.context.budgets.selecting(namespace, each)}

    def reconcile(self, key: Key) -> float | None:
        """Bring a budget's status up to date."""
        budget = self.context.get("PodDisruptionBudget", *key)
        if budget is None:
            return None
        pods = self._pods(budget)
        disrupted = still_disrupted(budget, pods)
        try:
            expected, unmanaged = self._expected(budget, pods)
        except LookupError as error:
            self._fail(budget, str(error.args[0]))
            return None
        status = status_of(budget, pods, disrupted, expected)
        if self._write(budget, status):
            self._tell(budget, pods, unmanaged)
        ages = [DELETION_TIMEOUT_S - age_s(time) for time in disrupted.values()]
        return max(min(ages), 0.0) + 1.0 if ages else None

    def _pods(self, budget: Obj) -> list[Obj]:
        selector = budget["spec"].get("selector")
        return self.context.pods.selected(budget["metadata"]["namespace"], selector) if selector is not None else []

    def _expected(self, budget: Obj, pods: Sequence[Obj]) -> tuple[int, bool]:
        """(how many pods there should be, whether some belong to no controller): only shares and maxUnavailable
        ask the controllers for their size."""
        spec = budget["spec"]
        if "maxUnavailable" not in spec and not isinstance(spec.get("minAvailable"), str):
            return len(pods), False
        sizes: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod)
            if owner is not None:
                uid, size = self._size(pod, owner)
                sizes[uid] = size
        return sum(sizes.values()), any(controller_of(pod) is None for pod in pods)

    def _size(self, pod: Obj, owner: Obj) -> tuple[str, int]:
        """(uid, replicas asked for) of what controls a pod: the Deployment above a ReplicaSet, else that."""
        namespace = pod["metadata"]["namespace"]
        rs = self.context.get("ReplicaSet", namespace, owner["name"]) if owner["kind"] == "ReplicaSet" else None
        if rs is None or rs["metadata"]["uid"] != owner["uid"]:
            raise LookupError(f'found no controllers for pod "{pod["metadata"]["name"]}"')
        above = controller_of(rs)
        deployment = self.context.get("Deployment", namespace, above["name"]) if above else None
        sized = deployment if above and deployment and deployment["metadata"]["uid"] == above["uid"] else rs
        return sized["metadata"]["uid"], sized["spec"].get("replicas", 1)

    def _fail(self, budget: Obj, why: str) -> None:
        message = f"Failed to calculate the number of expected pods: {why}"
        status = dict(budget.get("status") or {})
        status |= {"disruptionsAllowed": 0, "conditions": _conditions(budget, "False", "SyncFailed", why)}
        if self._write(budget, status):
            self.context.registry.event(budget, "Warning", "CalculateExpectedPodCountFailed", message, self.name)

    def _tell(self, budget: Obj, pods: Sequence[Obj], unmanaged: bool) -> None:
        if not pods:
            self.context.registry.event(budget, "Normal", "NoPods", "No matching pods found", self.name)
        if unmanaged:
            selector = as_go(budget["spec"].get("selector"))
            message = (
                f"Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a"
                " result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior."
                ' To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
            )
            self.context.registry.event(budget, "Warning", "UnmanagedPods", message, self.name)

    def _write(self, budget: Obj, status: Obj) -> bool:
        """Write a status; whether it says anything new."""
        if (budget.get("status") or {}) == status:
            return False

        def change(copy: Obj) -> None:
            copy["status"] = status

        self.context.registry.modify(kind("PodDisruptionBudget"), *key_of(budget), change, manager=MANAGER)
        return True


def _facts(obj: Obj) -> tuple[Any, ...]:
    """What a budget depends on in a pod or in what controls pods."""
    if obj["kind"] != "Pod":
        return (obj["spec"].get("replicas"),)
    meta = obj["metadata"]
    return meta.get("labels"), is_deleting(obj), is_ready(obj), meta.get("ownerReferences")


def _selects(budget: Obj, labels: dict[str, str] | None) -> bool:
    return selects(budget["spec"].get("selector"), labels)


# -- pure ----------------------------------------------------------------------------------------------------------
def still_disrupted(budget: Obj, pods: Iterable[Obj]) -> dict[str, str]:
    """Evicted pods that are not known to be going yet, with the time of their eviction."""
    disrupted = (budget.get("status") or {}).get("disruptedPods") or {}
    waiting = [pod["metadata"]["name"] for pod in pods if not is_deleting(pod)]
    return {
        name: disrupted[name] for name in waiting if name in disrupted and age_s(disrupted[name]) < DELETION_TIMEOUT_S
    }


def desired_healthy(spec: Obj, expected: int) -> int:
    """How many pods have to be healthy."""
    if "maxUnavailable" in spec:
        return max(0, expected - scaled(spec["maxUnavailable"], expected, round_up=True))
    return scaled(spec.get("minAvailable", 0), expected, round_up=True)


def status_of(budget: Obj, pods: Sequence[Obj], disrupted: dict[str, str], expected: int) -> Obj:
    """A budget's status."""
    healthy = sum(is_ready(pod) for pod in pods if not is_deleting(pod) and pod["metadata"]["name"] not in disrupted)
    desired = desired_healthy(budget["spec"], expected)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    return {
        "observedGeneration": budget["metadata"].get("generation", 0),
        **({"disruptedPods": disrupted} if disrupted else {}),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": _allowed(budget, allowed),
    }


def _allowed(budget: Obj, allowed: int) -> Conditions:
    answer = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    return _conditions(budget, *answer, "")


def _conditions(budget: Obj, status: str, reason: str, message: str) -> Conditions:
    """The one condition; its transition time moves with its status only."""
    before = (budget.get("status") or {}).get("conditions")
    current = find(before, "DisruptionAllowed")
    same = current is not None and current["status"] == status
    condition = {
        "type": "DisruptionAllowed",
        "status": status,
        "observedGeneration": budget["metadata"].get("generation", 0),
        "lastTransitionTime": current["lastTransitionTime"] if current and same else clock.timestamp(),
        "reason": reason,
        "message": message,
    }
    return [condition if each["type"] == "DisruptionAllowed" else each for each in before or [condition]]


def ignores_budgets(pod: Obj) -> bool:
    """Whether a pod may go whatever a budget says: it does not serve anyway."""
    return is_finished(pod) or phase(pod) == "Pending" or is_deleting(pod)


def decide(pod: Obj, budgets: Sequence[Obj]) -> Obj | None:
    """Whether a pod may be evicted: raises why not (429, 403 or 500), or gives the budget's status after it; None
    when no budget has to note it."""
    if len(budgets) > 1:
        raise ApiError(500, "", _SEVERAL)
    if not budgets or (not is_ready(pod) and _spares_unhealthy(budgets[0])):
        return None
    budget = budgets[0]
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise too_many(f"The disruption budget {name} is still being processed by the server.", retry_s=10)
    if len(status.get("disruptedPods") or ()) > MOST_DISRUPTED:
        raise _too_many_unconfirmed(name)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed <= 0:
        desired, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        raise too_many(f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
    disrupted = (status.get("disruptedPods") or {}) | {pod["metadata"]["name"]: clock.timestamp()}
    after = status | {"disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}
    return after if allowed > 1 else after | {"conditions": _allowed(budget, 0)}


def _spares_unhealthy(budget: Obj) -> bool:
    """Whether a pod that is not ready may go: always by policy, or while enough others are healthy."""
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    return 0 < int(status.get("desiredHealthy", 0)) <= int(status.get("currentHealthy", 0))


def too_many(cause: str, retry_s: int = 0) -> ApiError:
    """429 with the budget's own sentence as its cause."""
    details: Obj = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    if not retry_s:
        return ApiError(429, "TooManyRequests", _VIOLATES, details)
    details["retryAfterSeconds"] = retry_s
    return ApiError(429, "TooManyRequests", _VIOLATES, details, {"Retry-After": str(retry_s)})


def _too_many_unconfirmed(name: str) -> ApiError:
    why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
    details = {"name": name, "group": "policy", "kind": "poddisruptionbudget"}
    return ApiError(403, "Forbidden", f'poddisruptionbudget.policy "{name}" is forbidden: {why}', details)


# -- the eviction API ------------------------------------------------------------------------------------------------
def evict(registry: Registry, namespace: str, name: str, options: Obj | None = None, *, dry_run: bool = False) -> Obj:
    """Answer ``pods/eviction``: delete a pod if its budget lets it go. ``options``: the Eviction's deleteOptions.

    Raises 404 for no such pod, 429 when a budget needs it, 500 when several budgets select it.
    """
    pod = registry.get(kind("Pod"), namespace, name)
    if not ignores_budgets(pod):
        labels = pod["metadata"].get("labels")
        budgets = registry.store.list(kind("PodDisruptionBudget"), namespace)
        matching = [budget for budget in budgets if _selects(budget, labels)]
        after = decide(pod, matching)
        if after is not None and not dry_run:
            registry.modify(kind("PodDisruptionBudget"), *key_of(matching[0]), lambda copy: copy.update(status=after))
    if not dry_run:
        registry.modify(kind("Pod"), namespace, name, _mark_as_target, manager="kube-apiserver")
    registry.delete(kind("Pod"), namespace, name, _delete_options(registry, namespace, name, options), dry_run=dry_run)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _mark_as_target(pod: Obj) -> None:
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    if find(conditions, "DisruptionTarget") is None:
        conditions.append(
            {
                "type": "DisruptionTarget",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": clock.timestamp(),
                "reason": "EvictionByEvictionAPI",
                "message": "Eviction API: evicting",
            }
        )


def _delete_options(registry: Registry, namespace: str, name: str, options: Obj | None) -> Obj:
    """The Eviction's own options; a resourceVersion asked for was that of before the mark."""
    wanted = dict(options or {})
    preconditions = dict(wanted.get("preconditions") or {})
    if preconditions.get("resourceVersion"):
        current = registry.get(kind("Pod"), namespace, name)
        preconditions["resourceVersion"] = current["metadata"]["resourceVersion"]
        wanted["preconditions"] = preconditions
    return wanted
