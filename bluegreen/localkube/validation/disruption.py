"""PodDisruptionBudgets."""

from __future__ import annotations

from bluegreen.localkube.validation import meta
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    invalid,
    not_supported,
)
from bluegreen.localkube.validation.workloads import at_most_hundred_percent, int_or_percent

_EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def disruption_budget(obj: Obj) -> Causes:
    """A PodDisruptionBudget: one of two bounds."""
    spec = obj["spec"]
    causes: Causes = []
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        shown = {
            "MinAvailable": spec["minAvailable"],
            "Selector": spec.get("selector"),
            "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        causes.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for key in ("minAvailable", "maxUnavailable"):
        if spec.get(key) is not None:
            path = f"spec.{key}"
            causes += int_or_percent(spec[key], path) + at_most_hundred_percent(spec[key], path)
    causes += meta.selector(spec.get("selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in _EVICTION_POLICIES:
        causes.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, _EVICTION_POLICIES))
    return causes
