"""What a Job's status may say: that it is over, and how, once and for all (ValidateJobStatusUpdate)."""

from __future__ import annotations

from bluegreen.localkube.status import Cause
from bluegreen.localkube.validation.fields import Causes, Obj, immutable, invalid, non_negative, required

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget")
# (one condition, another or none of it, what is wrong with both)
_TOGETHER = (
    ("Complete", "Failed", "cannot set Complete=True and Failed=true conditions"),
    ("Complete", "FailureTarget", "cannot set Complete=True and FailureTarget=true conditions"),
)
_WITHOUT = (
    ("Failed", "FailureTarget", "cannot set Failed=True condition without the FailureTarget=true condition"),
    (
        "Complete",
        "SuccessCriteriaMet",
        "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
    ),
)
_TOO = (
    ("SuccessCriteriaMet", "Failed", "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
    ("SuccessCriteriaMet", "FailureTarget", "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
)


def job(obj: Obj, old: Obj) -> Causes:
    """A client's write to a Job's status."""
    status, spec = obj.get("status") or {}, obj["spec"]
    causes: Causes = []
    for key in _COUNTS:
        causes += non_negative(f"status.{key}", status.get(key))
    causes += _over(status, _true(status))
    causes += _indexes(status, spec)
    ready = status.get("ready")
    if ready is not None and ready > status.get("active", 0):
        causes.append(invalid("status.ready", ready, "cannot set more ready pods than active"))
    causes += [_conditions(why) for one, other, why in _TOO if {one, other} <= _true(status)]
    if spec.get("successPolicy") is not None and {"Complete", "SuccessCriteriaMet"} & _true(status) == {"Complete"}:
        causes.append(_conditions("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"))
    return causes + _since(status, old.get("status") or {}, suspended=bool(spec.get("suspend")))


def _true(status: Obj) -> set[str]:
    return {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}


def _conditions(why: str) -> Cause:
    return Cause("status.conditions", "FieldValueInvalid", f"Invalid value: {why}")


def _over(status: Obj, true: set[str]) -> Causes:
    causes = [_conditions(why) for one, other, why in _TOGETHER if {one, other} <= true]
    begun, ended = status.get("startTime"), status.get("completionTime")
    if ended and "Complete" not in true:
        detail = "cannot set completionTime when there is no Complete=True condition"
        causes.append(invalid("status.completionTime", ended, detail))
    if not ended and "Complete" in true:
        causes.append(required("status.completionTime", "completionTime is required for Complete jobs"))
    if begun and ended and ended < begun:
        causes.append(invalid("status.completionTime", ended, "must be equal to or after `startTime`"))
    causes += [_conditions(why) for one, other, why in _WITHOUT if one in true and other not in true]
    if not true & {"Complete", "Failed"}:
        return causes
    if status.get("active"):
        causes.append(invalid("status.active", status["active"], "active>0 is invalid for finished job"))
    if not begun:
        causes.append(required("status.startTime", "startTime is required for finished job"))
    uncounted = status.get("uncountedTerminatedPods") or {}
    if uncounted.get("succeeded") or uncounted.get("failed"):
        causes.append(invalid("status.uncountedTerminatedPods", uncounted, "must be empty for finished job"))
    if status.get("terminating"):
        detail = "terminating>0 is invalid for finished job"
        causes.append(invalid("status.terminating", status["terminating"], detail))
    return causes


def _indexes(status: Obj, spec: Obj) -> Causes:
    causes: Causes = []
    completed, failed = status.get("completedIndexes"), status.get("failedIndexes")
    if completed and spec.get("completionMode") != "Indexed":
        detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
        causes.append(invalid("status.completedIndexes", completed, detail))
    if failed is not None and spec.get("backoffLimitPerIndex") is None:
        detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        causes.append(invalid("status.failedIndexes", failed, detail))
    return causes


def _since(status: Obj, before: Obj, *, suspended: bool) -> Causes:
    was, true = _true(before), _true(status)
    causes = [
        _conditions(f"cannot disable the terminal {name}=True condition")
        for name in _TERMINAL
        if name in was and name not in true
    ]
    causes += [
        invalid(f"status.{key}", status.get(key, 0), f"cannot decrease the {key} counter")
        for key in ("failed", "succeeded")
        if status.get(key, 0) < before.get(key, 0)
    ]
    if status.get("completionTime") and before.get("completionTime"):
        causes += immutable("status.completionTime", status["completionTime"], before["completionTime"])
    if before.get("startTime") and status.get("startTime") != before["startTime"] and not suspended:
        causes.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    if "SuccessCriteriaMet" in was and "SuccessCriteriaMet" not in true:
        causes.append(_conditions("cannot disable the SuccessCriteriaMet=True condition"))
    return causes
