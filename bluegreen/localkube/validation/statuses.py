"""What the server refuses in a write to /status or /finalize: the Validate...StatusUpdate of Kubernetes' kinds."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

from bluegreen.localkube.validation import job_statuses, names, resources
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    immutable,
    invalid,
    non_negative,
    not_supported,
    required,
    too_long,
)

_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_REASON_RULE = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    "'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
    "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
)
_LONGEST_REASON, _LONGEST_MESSAGE = 1024, 32 * 1024
_SYSTEM_CONDITIONS = frozenset(("PodScheduled", "Ready", "Initialized"))
_TOO_MANY = "cannot be greater than status.replicas"


def _status(obj: Obj) -> Obj:
    status: Obj = obj.get("status") or {}
    return status


def _counts(status: Obj, *keys: str) -> Causes:
    return [cause for key in keys for cause in non_negative(f"status.{key}", status.get(key))]


def _at_most_all(status: Obj, *keys: str) -> Causes:
    """No count of replicas above their number, nor more available than ready."""
    all_, ready, available = (status.get(key) or 0 for key in ("replicas", "readyReplicas", "availableReplicas"))
    found = [invalid(f"status.{key}", status.get(key, 0), _TOO_MANY) for key in keys if (status.get(key) or 0) > all_]
    if available > ready:
        found.append(invalid("status.availableReplicas", available, "cannot be greater than readyReplicas"))
    return found


# -- workloads (pkg/apis/apps/validation, pkg/apis/batch/validation) ------------------------------------------------
def _deployment(obj: Obj, old: Obj) -> Causes:
    status = _status(obj)
    causes = _counts(
        status, "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
        "unavailableReplicas", "terminatingReplicas", "collisionCount",
    )  # fmt: skip
    causes += _at_most_all(status, "updatedReplicas", "readyReplicas", "availableReplicas")
    before, after = _status(old).get("collisionCount"), status.get("collisionCount")
    if before is not None and (after or 0) < before:
        causes.append(invalid("status.collisionCount", after or 0, "cannot be decremented"))
    return causes


def _replica_set(obj: Obj, _: Obj) -> Causes:
    status = _status(obj)
    causes = _counts(
        status, "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
        "terminatingReplicas",
    )  # fmt: skip
    return causes + _at_most_all(status, "fullyLabeledReplicas", "readyReplicas", "availableReplicas")


# -- pods (pkg/apis/core/validation: ValidatePodStatusUpdate) -------------------------------------------------------
def _pod(obj: Obj, old: Obj) -> Causes:
    status, before = _status(obj), _status(old)
    causes: Causes = []
    for place, condition in enumerate(status.get("conditions") or ()):
        if condition.get("type") not in _SYSTEM_CONDITIONS:  # the field is named so by Kubernetes itself
            path = f"metadata.conditions[{place}].Type"
            causes += each_invalid(path, condition.get("type", ""), names.qualified(condition.get("type", "")))
    nominated = status.get("nominatedNodeName") or ""
    if nominated and nominated != before.get("nominatedNodeName"):
        causes += each_invalid("status.nominatedNodeName", nominated, names.subdomain(nominated))
    causes += non_negative("status.observedGeneration", status.get("observedGeneration"))
    policy_ = obj["spec"].get("restartPolicy", "Always")
    for key in ("containerStatuses", "initContainerStatuses"):
        causes += _no_revival(status.get(key) or (), before.get(key) or (), policy_, f"status.{key}")
    causes += _addresses(status, "podIPs") + _addresses(status, "hostIPs")
    if before.get("qosClass"):
        causes += immutable("status.qosClass", status.get("qosClass", ""), before["qosClass"])
    return causes


def _no_revival(new: Iterable[Obj], old: Iterable[Obj], restart_policy: str, path: str) -> Causes:
    """A container that ended stays ended where nothing restarts it."""
    if restart_policy == "Always":
        return []
    now = {status.get("name"): status.get("state") or {} for status in new}
    causes: Causes = []
    for place, status in enumerate(old):
        ended = (status.get("state") or {}).get("terminated")
        if ended is None or (ended.get("exitCode") and restart_policy == "OnFailure"):
            continue
        if status.get("name") in now and now[status.get("name")].get("terminated") is None:
            causes.append(forbidden(f"{path}[{place}].state", "may not be transitioned to non-terminated state"))
    return causes


def _addresses(status: Obj, plural: str) -> Causes:
    causes: Causes = []
    seen: set[str] = set()
    for place, entry in enumerate(status.get(plural) or ()):
        address = entry.get("ip", "")
        causes += each_invalid(f"status.{plural}[{place}]", address, names.ip(address))
        if address in seen:
            causes.append(duplicate(f"status.{plural}[{place}]", {"IP": address}))
        seen.add(address)
    entries: list[Obj] = status.get(plural) or []
    if len(entries) > 1 and not causes and len({_family(entry.get("ip", "")) for entry in entries}) < len(entries):
        shown = [{"IP": entry.get("ip", "")} for entry in entries]
        causes.append(invalid(f"status.{plural}", shown, "may specify no more than one IP for each IP family"))
    return causes


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


# -- services and ingresses -----------------------------------------------------------------------------------------
def _service(obj: Obj, _: Obj) -> Causes:
    status = _status(obj)
    entries = (status.get("loadBalancer") or {}).get("ingress") or []
    path = "status.loadBalancer.ingress"
    if entries and obj["spec"].get("type") != "LoadBalancer":
        return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    causes: Causes = []
    for place, entry in enumerate(entries):
        here, mode = f"{path}[{place}]", entry.get("ipMode")
        causes += _balancer_entry(entry, here)[0]
        if mode is None and entry.get("ip"):
            causes.append(required(f"{here}.ipMode", "must be specified when `ip` is set"))
        elif mode is not None and not entry.get("ip"):
            causes.append(forbidden(f"{here}.ipMode", "may not be specified when `ip` is not set"))
        elif mode is not None and mode not in ("Proxy", "VIP"):
            causes.append(not_supported(f"{here}.ipMode", mode, ("Proxy", "VIP")))
        causes += _balancer_entry(entry, here)[1]
    return causes


def _ingress(obj: Obj, _: Obj) -> Causes:
    entries = (_status(obj).get("loadBalancer") or {}).get("ingress") or []
    causes: Causes = []
    for place, entry in enumerate(entries):
        address, host = _balancer_entry(entry, f"status.loadBalancer.ingress[{place}]")
        causes += address + host
    return causes


def _balancer_entry(entry: Obj, path: str) -> tuple[Causes, Causes]:
    """What is wrong with the address and with the host name of one entry of a load balancer's status."""
    address, host = entry.get("ip") or "", entry.get("hostname") or ""
    wrong = each_invalid(f"{path}.ip", address, names.ip(address)) if address else []
    if not host:
        return wrong, []
    about_host = each_invalid(f"{path}.hostname", host, names.subdomain(host))
    if _is_address(host):
        about_host.append(invalid(f"{path}.hostname", host, "must be a DNS name, not an IP address"))
    return wrong, about_host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# -- policy and scaling ---------------------------------------------------------------------------------------------
def _disruption_budget(obj: Obj, _: Obj) -> Causes:
    status = _status(obj)
    causes = conditions(status.get("conditions") or [], "status.conditions")
    return causes + _counts(status, "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def _autoscaler(obj: Obj, _: Obj) -> Causes:
    return _counts(_status(obj), "currentReplicas", "desiredReplicas")


def _quota(obj: Obj, _: Obj) -> Causes:
    causes: Causes = []
    for part in ("hard", "used"):
        amounts: dict[str, Any] = _status(obj).get(part) or {}
        for name in sorted(amounts):
            path = f"status.{part}[{name}]"
            causes += resources.quota_resource(name, path) + resources.quantity(name, amounts[name], path)
    return causes


def conditions(given: list[Obj], path: str) -> Causes:
    """Conditions of the common type (apimachinery's ValidateConditions)."""
    causes: Causes = []
    seen: set[str] = set()
    for place, condition in enumerate(given):
        here, type_ = f"{path}[{place}]", condition.get("type", "")
        if type_ in seen:
            causes.append(duplicate(f"{here}.type", type_))
        seen.add(type_)
        causes += _condition(condition, here)
    return causes


def _condition(condition: Obj, path: str) -> Causes:
    type_, status, reason = (condition.get(key) or "" for key in ("type", "status", "reason"))
    causes = each_invalid(f"{path}.type", type_, names.qualified(type_))
    if status not in ("False", "True", "Unknown"):
        causes.append(not_supported(f"{path}.status", status, ("False", "True", "Unknown")))
    if (condition.get("observedGeneration") or 0) < 0:
        detail = "must be greater than or equal to zero"
        causes.append(invalid(f"{path}.observedGeneration", condition["observedGeneration"], detail))
    if not condition.get("lastTransitionTime"):
        causes.append(required(f"{path}.lastTransitionTime"))
    if not reason:
        causes.append(required(f"{path}.reason"))
    elif not _REASON.fullmatch(reason):
        causes.append(invalid(f"{path}.reason", reason, _REASON_RULE))
    if len(reason) > _LONGEST_REASON:
        causes.append(too_long(f"{path}.reason", _LONGEST_REASON))
    if len(condition.get("message") or "") > _LONGEST_MESSAGE:
        causes.append(too_long(f"{path}.message", _LONGEST_MESSAGE))
    return causes


# -- namespaces -----------------------------------------------------------------------------------------------------
def _namespace(obj: Obj, _: Obj) -> Causes:
    going = bool(obj["metadata"].get("deletionTimestamp"))
    wanted, how = ("Terminating", "is not empty") if going else ("Active", "is empty")
    phase = _status(obj).get("phase", "")
    if phase == wanted:
        return []
    field = "status.Phase"  # so written by Kubernetes
    return [invalid(field, phase, f"may only be '{wanted}' if `deletionTimestamp` {how}")]


STATUS: dict[str, Callable[[Obj, Obj], Causes]] = {
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "Job": job_statuses.job,
    "Namespace": _namespace,
    "Pod": _pod,
    "PodDisruptionBudget": _disruption_budget,
    "ReplicaSet": _replica_set,
    "ResourceQuota": _quota,
    "Service": _service,
}
"""What differs by kind for a write to /status; nodes and other kinds have no rule of their own there."""
