"""How many replicas an autoscaler wants: from usage to a number, held back by windows, rates and limits. Pure.

The rules are those of Kubernetes' horizontal autoscaler (autoscaling/v2) on plain numbers. Moments are seconds on
the monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Obj = dict[str, Any]

TOLERANCE = 0.1
"""How far usage may be from its target before anything is scaled (Kubernetes' default)."""
DOWN_WINDOW_S = 300
"""How long a higher recommendation keeps replicas where nothing else is said (Kubernetes' default)."""
DEFAULT_UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DEFAULT_DOWN = {
    "stabilizationWindowSeconds": DOWN_WINDOW_S,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


@dataclass(frozen=True)
class Proposal:
    """A number of replicas, with the reason and the sentence of the condition that explains it."""

    replicas: int
    reason: str
    message: str


@dataclass(frozen=True)
class Measured:
    """What one metric says of the pods: their values by name, and the pods that have none.

    ``target`` is what a pod should use, in the unit of the values; ``requests`` is given when the target is a share
    of what pods ask for (then ``target`` is in percent).
    """

    values: Mapping[str, int]
    target: int
    ready: int
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    requests: Mapping[str, int] | None = None


def usage(measured: Measured, values: Mapping[str, int]) -> tuple[float, int, int]:
    """(usage relative to the target, utilization in percent or 0, average value)."""
    total = sum(values.values())
    average = total // len(values)
    if measured.requests is None:
        return average / measured.target, 0, average
    asked = sum(measured.requests[name] for name in values if name in measured.requests)
    if asked == 0:
        raise ValueError("no metrics returned matched known pods")
    percent = total * 100 // asked
    return percent / measured.target, percent, average


def replicas_for(measured: Measured, current: int) -> int:
    """The replicas that would bring usage to its target; ``current`` where it is near enough or that is unclear.

    Pods without a value are taken to use what speaks against scaling: all they may when it would shrink, nothing
    when it would grow; so are pods that are not ready when it would grow.
    """
    ratio, _, _ = usage(measured, measured.values)
    grows_unready = bool(measured.unready) and ratio > 1.0
    if not grows_unready and not measured.missing:
        return current if _is_near(ratio) else math.ceil(ratio * measured.ready)
    values = dict(measured.values)
    values |= dict.fromkeys(measured.missing, 0) if ratio > 1.0 else {}
    if ratio < 1.0:
        values |= {name: _full_use(measured, name) for name in measured.missing}
    if grows_unready:
        values |= dict.fromkeys(measured.unready, 0)
    again, _, _ = usage(measured, values)
    wanted = math.ceil(again * len(values))
    turns = (ratio < 1.0 < again) or (again < 1.0 < ratio) or (again < 1.0 and wanted > current)
    return current if _is_near(again) or turns or (again > 1.0 and wanted < current) else wanted


def _full_use(measured: Measured, name: str) -> int:
    if measured.requests is None:
        return measured.target
    return measured.requests.get(name, 0) * max(100, measured.target) // 100


def _is_near(ratio: float) -> bool:
    return abs(1.0 - ratio) <= TOLERANCE


@dataclass
class History:
    """What an autoscaler recommended and did lately: (moment, replicas) and (moment, change up or down)."""

    recommendations: list[tuple[float, int]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)

    def forget(self, before_s: float) -> None:
        """Drop what no rule looks at any more."""
        self.recommendations = [each for each in self.recommendations if each[0] >= before_s]
        self.changes = [each for each in self.changes if each[0] >= before_s]


def rules_of(behavior: Obj | None) -> tuple[Obj, Obj]:
    """(rules for growing, rules for shrinking) with what is not given filled in."""
    given = behavior or {}
    up = DEFAULT_UP | (given.get("scaleUp") or {})
    down = DEFAULT_DOWN | (given.get("scaleDown") or {})
    return up, down


def longest_s(behavior: Obj | None) -> float:
    """How far back any rule looks."""
    both = rules_of(behavior)
    periods = [policy["periodSeconds"] for rules in both for policy in rules["policies"] or ()]
    return float(max([rules["stabilizationWindowSeconds"] for rules in both] + periods))


def stabilized(history: History, behavior: Obj | None, current: int, wanted: int, now_s: float) -> Proposal:
    """The recommendation held back by recent ones: no growth above the lowest, no shrinking below the highest."""
    up, down = rules_of(behavior)
    lowest = min([wanted, *_recent(history, now_s - up["stabilizationWindowSeconds"])])
    highest = max([wanted, *_recent(history, now_s - down["stabilizationWindowSeconds"])])
    replicas = min(max(current, lowest), highest)
    if replicas == wanted:
        return Proposal(replicas, "ReadyForNewScale", "recommended size matches current size")
    if wanted >= current:
        message = "recent recommendations were lower than current one, applying the lowest recent recommendation"
        return Proposal(replicas, "ScaleUpStabilized", message)
    message = "recent recommendations were higher than current one, applying the highest recent recommendation"
    return Proposal(replicas, "ScaleDownStabilized", message)


def _recent(history: History, since_s: float) -> list[int]:
    return [replicas for moment_s, replicas in history.recommendations if moment_s > since_s]


def limited(
    history: History, behavior: Obj | None, current: int, wanted: int, bounds: tuple[int, int], now_s: float
) -> Proposal:
    """The recommendation within the autoscaler's bounds and the rate at which it may change."""
    minimum, maximum = bounds
    up, down = rules_of(behavior)
    if wanted > current:
        fastest = _plain_limit(current) if behavior is None else _limit(history, up, current, now_s, growing=True)
        fastest = max(current, fastest)
        if wanted > min(maximum, fastest):
            return _capped(min(maximum, fastest), by_rate=fastest < maximum, words=_GROWING)
    elif wanted < current:
        fastest = 0 if behavior is None else _limit(history, down, current, now_s, growing=False)
        fastest = min(current, fastest)
        if wanted < max(minimum, fastest):
            return _capped(max(minimum, fastest), by_rate=fastest > minimum, words=_SHRINKING)
    return Proposal(wanted, "DesiredWithinRange", "the desired count is within the acceptable range")


_GROWING = (
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"),
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count"),
)
_SHRINKING = (
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"),
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count"),
)


def _capped(replicas: int, *, by_rate: bool, words: tuple[tuple[str, str], tuple[str, str]]) -> Proposal:
    return Proposal(replicas, *words[0 if by_rate else 1])


def _plain_limit(current: int) -> int:
    """The farthest an autoscaler without rules of its own grows at once: to twice its size, or to 4."""
    return max(2 * current, 4)


def _limit(history: History, rules: Obj, current: int, now_s: float, *, growing: bool) -> int:
    """The farthest the policies allow to go within their periods. Min picks the policy that changes least."""
    select = rules.get("selectPolicy", "Max")
    if select == "Disabled":
        return current
    limits = [_policy_limit(history, policy, current, now_s, growing=growing) for policy in rules["policies"] or ()]
    farthest = max if growing == (select == "Max") else min
    return farthest(limits, default=current)


def _policy_limit(history: History, policy: Obj, current: int, now_s: float, *, growing: bool) -> int:
    changed = sum(change for moment_s, change in history.changes if moment_s > now_s - policy["periodSeconds"])
    start = current - changed
    value: int = policy["value"]
    if policy["type"] == "Pods":
        return int(start + value) if growing else int(start - value)
    if growing:
        return math.ceil(start * (1 + value / 100))
    return int(start * (1 - value / 100))
