"""Stage load: what became of the pods, and what they said of themselves, while the load test ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.gate.check import Check
from bluegreen.metrics import Exposition, delta

Obj = Mapping[str, Any]


def restarts_unchanged(before: Sequence[Obj], after: Sequence[Obj], wanted: int | None = None) -> list[Check]:
    """No pod was restarted or replaced during the load test.

    ``wanted``: how many pods the Deployment is to have now. Where the autoscaler took that number down and nothing
    stands in place of those that are gone, nothing happened to them but that.
    """
    first, last = _restarts(before), _restarts(after)
    gone = sorted(set(first) - set(last))
    if set(last) <= set(first) and len(last) == wanted:
        gone = []
    return [
        Check.that("pods during the load test", not gone, ", ".join(gone), "none gone", f"Gone: {', '.join(gone)}."),
        *(
            Check.equal(f"Pod {name}: restarts", count, first.get(name, 0), "it was restarted during the load test")
            for name, count in last.items()
        ),
    ]


def _restarts(pods: Sequence[Obj]) -> dict[str, int]:
    return {
        pod["metadata"]["name"]: sum(c.get("restartCount", 0) for c in pod["status"].get("containerStatuses", []))
        for pod in pods
    }


def errors_counted(
    before: Exposition, after: Exposition, counter: str, requests: float, success_rate: float, where: str
) -> list[Check]:
    """The application's own counter of errors climbed by no more than the share of requests that may fail.

    An answer of 200 can hide a failure that the application itself counts. Nothing is checked without the counter.
    """
    more = delta(before, after, counter)
    if not counter or more is None:
        return []
    allowed = (1 - success_rate) * requests
    otherwise = f"{where} counted {more:g} errors in {counter} under {requests:g} requests; {allowed:g} are allowed."
    return [Check.that(f"{where}: {counter}", more <= allowed, more, f"at most {allowed:g}", otherwise)]


@dataclass(frozen=True)
class Look:
    """What one pod said of itself at one moment of the load test; ``problem`` is empty when it was well."""

    pod: str
    problem: str


FEW = 1
"""A choice: so many looks of one pod may go wrong before it counts: on a busy machine a connection may break."""


def well_throughout(looks: Sequence[Look]) -> list[Check]:
    """Every pod said during the load test that it is well, again and again."""
    pods = sorted({look.pod for look in looks})
    return [_well([look for look in looks if look.pod == pod], pod) for pod in pods]


def _well(looks: Sequence[Look], pod: str) -> Check:
    bad = [look.problem for look in looks if look.problem]
    few = f"Pod {pod} was not well in {len(bad)} of {len(looks)} looks during the load test: {bad[0] if bad else ''}"
    name = f"Pod {pod}: health during the load test"
    return Check.that(name, len(bad) <= FEW, f"{len(bad)} of {len(looks)} bad", f"at most {FEW} bad", few)
