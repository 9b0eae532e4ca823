"""What the server does for subresources that are not a view of their object: tokens, bindings, evictions."""

from __future__ import annotations

from aiohttp import web

from bluegreen.localkube.http import answers, options
from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.http.objects import Handler
from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.selectors import selects
from bluegreen.localkube.status import ApiError, bad_request, conflict

_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def token(call: Call) -> web.StreamResponse:
    """POST serviceaccounts/NAME/token: a token for the account."""
    asked = options.write_options("create", call.query, call.user_agent)
    request = await call.read_object(asked.validation)
    account = call.registry.get(call.kind, call.target.namespace, call.target.name)
    answer = call.authority.answer_token_request(call.target.namespace, account["metadata"]["name"], request)
    return answers.document(answer, 201, call.form)


async def binding(call: Call) -> web.StreamResponse:
    """POST pods/NAME/binding: put the pod on a node."""
    asked = options.write_options("create", call.query, call.user_agent)
    request = await call.read_object(asked.validation)
    node = (request.get("target") or {}).get("name") or ""
    pod = call.registry.get(call.kind, call.target.namespace, call.target.name)
    if not node:
        raise bad_request("binding.target.name: Required value")
    if pod["spec"].get("nodeName"):
        why = f'pod {pod["metadata"]["name"]} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise conflict("pods/binding", "", pod["metadata"]["name"], why)
    if not asked.dry_run:
        call.registry.modify(
            call.kind, call.target.namespace, call.target.name, lambda obj: obj["spec"].update(nodeName=node),
            manager=asked.manager, subresource="binding",
        )  # fmt: skip
    return answers.document(_CREATED, 201, call.form)


async def eviction(call: Call) -> web.StreamResponse:
    """POST pods/NAME/eviction: delete the pod if its disruption budgets allow it; 429 when they do not."""
    asked = options.write_options("create", call.query, call.user_agent)
    request = await call.read_object(asked.validation)
    evict(call, request.get("deleteOptions") or {}, dry_run=asked.dry_run)
    return answers.document(_CREATED, 201, call.form)


def evict(call: Call, delete_options: Obj, *, dry_run: bool) -> None:
    """The eviction's rule: a pod that runs and is ready costs each of its budgets one disruption."""
    namespace, name = call.target.namespace, call.target.name
    pod = call.registry.get(call.kind, namespace, name)
    if _counts(pod):
        budgets = [
            budget
            for budget in call.registry.list(KINDS["PodDisruptionBudget"], namespace)
            if selects(budget["spec"].get("selector"), pod["metadata"].get("labels"))
        ]
        if len(budgets) > 1:
            sentence = (
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            )
            raise ApiError(500, "", sentence, None)
        for budget in budgets:
            _spend(call, budget, pod, dry_run=dry_run)
    call.registry.delete(call.kind, namespace, name, delete_options, dry_run=dry_run)


def _counts(pod: Obj) -> bool:
    """Whether evicting the pod disrupts anything: not when it is over, not scheduled or going already."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed", "Pending") and not pod["metadata"].get("deletionTimestamp")


def _spend(call: Call, budget: Obj, pod: Obj, *, dry_run: bool) -> None:
    """Take one allowed disruption of a budget, so that a second eviction right behind does not take it too."""
    status, name = budget.get("status") or {}, budget["metadata"]["name"]
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if not _ready(pod) and _may_evict_unready(budget, healthy, wanted):
        return
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", 10)
    if status.get("disruptionsAllowed", 0) <= 0:
        raise _too_many(f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently", 0)

    def take(obj: Obj) -> None:
        obj["status"]["disruptionsAllowed"] -= 1

    if not dry_run:
        namespace = budget["metadata"]["namespace"]
        call.registry.modify(KINDS["PodDisruptionBudget"], namespace, name, take, manager="kube-apiserver")


def _ready(pod: Obj) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _may_evict_unready(budget: Obj, healthy: int, wanted: int) -> bool:
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    return bool(healthy >= wanted and wanted > 0)


def _too_many(why: str, retry_s: int) -> ApiError:
    details: Obj = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if retry_s:
        details["retryAfterSeconds"] = retry_s
    sentence = "Cannot evict pod as it would violate the pod's disruption budget."
    return ApiError(429, "TooManyRequests", sentence, details, {"Retry-After": str(retry_s)} if retry_s else None)


SUBRESOURCES: dict[tuple[str, str], Handler] = {
    ("ServiceAccount", "token"): token,
    ("Pod", "binding"): binding,
    ("Pod", "eviction"): eviction,
}
"""(kind, subresource) -> handler; what is not here is a view that objects.VERBS reads and writes."""
