"""A Job's own rules: which failures count (podFailurePolicy), and when enough has succeeded (successPolicy). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bluegreen.localkube.controllers.conditions import find
from bluegreen.localkube.controllers.job_indexes import parsed_indexes
from bluegreen.localkube.controllers.pods import phase

Obj = dict[str, Any]


def policy_verdict(job: Obj, pod: Obj) -> tuple[str, str] | None:
    """(action, sentence) of the first rule of the Job's podFailurePolicy that a failed pod meets."""
    if phase(pod) != "Failed":
        return None
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        what = _matched(rule, pod)
        if what:
            return rule["action"], f"{what} matching {rule['action']} rule at index {number}"
    return None


def _matched(rule: Obj, pod: Obj) -> str:
    """What of a pod meets a rule, as the beginning of a sentence; "" for nothing."""
    meta, status = pod["metadata"], pod.get("status") or {}
    title = f"{meta['namespace']}/{meta['name']}"
    for each in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        code = ((each.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
        if rule.get("onExitCodes") and code and _code_matches(rule["onExitCodes"], each["name"], code):
            return f"Container {each['name']} for pod {title} failed with exit code {code}"
    for pattern in rule.get("onPodConditions") or ():
        found = find(status.get("conditions"), pattern["type"])
        if found is not None and found["status"] == pattern.get("status", "True"):
            return f"Pod {title} has condition {pattern['type']}"
    return ""


def _code_matches(wanted: Obj, container: str, code: int) -> bool:
    if wanted.get("containerName") not in (None, container):
        return False
    listed = code in wanted["values"]
    return listed if wanted["operator"] == "In" else not listed


def success_rule(job: Obj, indexes: Iterable[int]) -> str | None:
    """The sentence of the first rule of the successPolicy that the completed indexes meet."""
    done = set(indexes)
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        asked = parsed_indexes(rule["succeededIndexes"]) if rule.get("succeededIndexes") else None
        counted = done if asked is None else done & asked
        needed = rule.get("succeededCount") or len(asked or ())
        if done and needed and len(counted) >= needed:
            return f"Matched rules at index {number}"
    return None
