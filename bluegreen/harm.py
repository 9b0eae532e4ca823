"""Whether live traffic got worse. Pure: what the probe found in, a sentence out."""

from __future__ import annotations

from bluegreen.probe.result import ProbeResult

FAILURES_ENOUGH = 3
"""Failed requests that are needed at least; a choice: one may be the network's, at 20 a second three are 0.15 s."""

SHARE_ENOUGH = 0.01
"""The share of failed requests, above what failed before, that counts as harm; a choice: the load gate allows 5 %."""


def harm(result: ProbeResult, since: str, share: float = 1.0) -> str | None:
    """The sentence that says how live got worse after the first mark of this name, or None when it did not.

    ``share``: of live traffic, what may have caused it; of a small one so much less is harm.

    In a first release nothing counts until the first good answer, so that nothing is harmed that never worked.
    """
    at_s = next((mark.at_s for mark in result.marks if mark.name == since), None)
    if at_s is None or not result.failed:
        return None
    before = [bucket for bucket in result.timeline if bucket.at_s + result.bucket_s <= at_s]
    failed_before, asked_before = sum(bucket.failed for bucket in before), sum(bucket.requests for bucket in before)
    failed, asked = result.failed - failed_before, result.requests - asked_before
    usual = failed_before / asked_before if asked_before else 0.0
    if failed < FAILURES_ENOUGH or failed <= (usual + SHARE_ENOUGH * share) * max(asked, 1):
        return None
    first = result.first_failures[0] if result.first_failures else "no answer"
    return f"live traffic got worse: {failed} of {asked} requests failed; the first: {first}."
