"""Stage load: what several measurements say together, and whether another one is needed. Pure.

One sample is noisy: other programs on the machine make a good release slow for a while, and 94.8 % of a few hundred
requests may well be 95 % of all. So what is beyond a limit is measured again, up to ``LOOKS`` times:

* a share of successes is judged by all requests together. It is within or beyond its limit for certain when an
  application just at the limit would fail so seldom, or so often, in less than ``CHANCE`` of all tests (exact binomial
  tails); until then it is measured again, and at last judged by the share itself;
* a time or a rate is judged by the majority of the measurements: an application that is slow is slow again, a machine
  that was busy for a while is not.

A first measurement that is clearly within all limits is enough. What was close is said as a warning.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bluegreen.gate.check import Check
from bluegreen.gate.load_limits import load
from bluegreen.load import LoadResult
from bluegreen.thresholds import Thresholds

LOOKS = 3
"""A choice: two of three is the smallest majority that one bad measurement cannot make."""

CHANCE = 0.01
"""How unlikely a share must be for an application that keeps its limit before it counts as beyond it at once."""

NEAR = 0.9
"""The warning band: a time above nine tenths of its limit is within it, and is told."""

SUCCESS = ": success rate"
NOISY = (": p50", ": p95", ": p99", ": slowest", ": rate", ": generator")
"""Ends of the names of checks that noise can fail."""


def load_again(results: Sequence[LoadResult], thresholds: Thresholds) -> bool:
    """Whether another measurement can change what is known: something is beyond its limit, and not for certain."""
    if len(results) >= LOOKS:
        return False
    known = [_known(name, looks, results, thresholds) for name, looks in _by_name(results, thresholds)]
    return False not in known and None in known


def _known(name: str, looks: Sequence[Check], results: Sequence[LoadResult], thresholds: Thresholds) -> bool | None:
    """Whether a check passes, as far as it is decided; None: another measurement may tell."""
    if name.endswith(SUCCESS):
        failed, requests, wanted = _pooled(results, thresholds, name)
        if not failed or surely_within(failed, requests, 1 - wanted):
            return True
        return False if tail(failed, requests, 1 - wanted) < CHANCE else None
    if not name.endswith(NOISY):  # noise does not explain it: a failure stays one
        wrong = any(not look.passed and not look.unproven for look in looks)
        return False if wrong else (True if any(look.passed for look in looks) else None)
    passed, beyond = _votes(name, looks, results)
    if passed > LOOKS // 2 or (passed and not beyond):
        return True
    return False if beyond > LOOKS // 2 else None


def loads(results: Sequence[LoadResult], thresholds: Thresholds) -> list[Check]:
    """The checks of all measurements together, by their names."""
    if len(results) == 1:
        return load(results[0], thresholds)
    return [_together(name, looks, results, thresholds) for name, looks in _by_name(results, thresholds)]


def load_warnings(results: Sequence[LoadResult], thresholds: Thresholds) -> list[str]:
    """What passed and was close: a sentence each."""
    return [sentence for name, looks in _by_name(results, thresholds) for sentence in _warned(name, looks)] + [
        f"{name.removeprefix('load: ')} is {1 - _share_failed(failed, requests):.2%} of {requests:,} requests: chance "
        f"alone may have kept it at {wanted:.2%}"
        for name, _ in _by_name(results, thresholds)
        if name.endswith(SUCCESS)
        for failed, requests, wanted in [_pooled(results, thresholds, name)]
        if failed and _share_failed(failed, requests) <= 1 - wanted and not surely_within(failed, requests, 1 - wanted)
    ]


def tail(failed: int, requests: int, rate: float) -> float:
    """How probable at least so many failures are when each request fails with this probability."""
    if failed <= 0:
        return 1.0
    return max(0.0, 1.0 - sum(_binomial(k, requests, rate) for k in range(failed)))


def surely_within(failed: int, requests: int, rate: float) -> bool:
    """Whether so few failures are improbable for an application that fails at just this rate."""
    return sum(_binomial(k, requests, rate) for k in range(failed + 1)) < CHANCE


def _binomial(count: int, of: int, rate: float) -> float:
    if rate <= 0 or rate >= 1:
        return float(count == (of if rate >= 1 else 0))
    ways = math.lgamma(of + 1) - math.lgamma(count + 1) - math.lgamma(of - count + 1)
    return math.exp(ways + count * math.log(rate) + (of - count) * math.log1p(-rate))


def _by_name(results: Sequence[LoadResult], thresholds: Thresholds) -> Iterator[tuple[str, list[Check]]]:
    looks: dict[str, list[Check]] = {}
    for result in results:
        for check in load(result, thresholds):
            looks.setdefault(check.name, []).append(check)
    yield from looks.items()


def _together(name: str, looks: Sequence[Check], results: Sequence[LoadResult], thresholds: Thresholds) -> Check:
    """One check of several: it says what the measurements say together."""
    bad = [look for look in looks if not look.passed and not look.unproven]
    good = [look for look in looks if look.passed]
    if name.endswith(SUCCESS):
        return _success(name, looks[-1] if not bad else bad[-1], results, thresholds)
    known = _known(name, looks, results, thresholds)
    if known:
        return good[-1] if good else replace(looks[-1], passed=True, unproven=False)
    if not name.endswith(NOISY):
        return bad[0] if bad else looks[-1]
    passed, beyond = _votes(name, looks, results)
    if known is False:
        return replace(bad[-1], sentence=f"{bad[-1].sentence} So in {beyond} of {len(results)} measurements.")
    last = bad[-1] if bad else looks[-1]
    said = f"{last.sentence} Within its limit in {passed} of {len(results)} measurements: too few to tell."
    return replace(last, unproven=True, sentence=said)


def _success(name: str, look: Check, results: Sequence[LoadResult], thresholds: Thresholds) -> Check:
    failed, requests, wanted = _pooled(results, thresholds, name)
    share = 1 - _share_failed(failed, requests)
    sentence = (
        f"In {len(results)} measurements {share:.2%} of {requests:,} requests succeeded, {wanted:.2%} are wanted."
    )
    if share < wanted:
        sentence += f" In the last of them that failed: {look.sentence}"
    return Check(name, share >= wanted, f"{share:.4f}", f"at least {wanted:g}", sentence)


def _votes(name: str, looks: Sequence[Check], results: Sequence[LoadResult]) -> tuple[int, int]:
    """How many measurements were within the limit, and how many beyond it; the others could not tell."""
    silent = len(results) - len(looks) if name.endswith(": generator") else 0  # it is looked at where it was slow only
    beyond = sum(not look.passed and not look.unproven for look in looks)
    return sum(look.passed for look in looks) + silent, beyond


def _warned(name: str, looks: Sequence[Check]) -> Iterator[str]:
    title, bad = name.removeprefix("load: "), [look for look in looks if not look.passed]
    if name.endswith(NOISY) and bad and len(bad) < len(looks):
        within = len(looks) - len(bad)
        yield f"{title} was within its limit in {within} of {len(looks)} measurements; in one it was {bad[0].measured}"
    last = looks[-1]
    if name.endswith((": p50", ": p95", ": p99", ": slowest")) and last.passed:
        took_ms, limit_ms = _number(last.measured), _number(last.wanted)
        if limit_ms and took_ms > NEAR * limit_ms:
            yield f"{title} took {took_ms:g} ms, close to its limit of {limit_ms:g} ms"


def _number(text: str) -> float:
    return float(text.removeprefix("at most ").removesuffix(" ms"))


def _pooled(results: Sequence[LoadResult], thresholds: Thresholds, name: str) -> tuple[int, int, float]:
    """Failures and requests of all measurements, and the share wanted: of all endpoints, or of the one named."""
    endpoint = name.removeprefix("load: ").removesuffix(SUCCESS.removeprefix(": ")).removesuffix(": ")
    if endpoint in thresholds.endpoints:
        found = [e for result in results for e in result.endpoints if f"{e.method} {e.path}" == endpoint]
        wanted = thresholds.endpoints[endpoint].success
    else:
        found, wanted = list(results), thresholds.all.success  # type: ignore[arg-type]  # both count alike
    return sum(one.failures for one in found), sum(one.requests for one in found), wanted or 0.0


def _share_failed(failed: int, requests: int) -> float:
    return failed / requests if requests else 0.0
