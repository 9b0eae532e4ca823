"""Whether one sample is worse than another: rank tests with their effect sizes. Pure, and standard library only.

Comes in: what two releases measured under the same load in the same minute. Goes out: a ``Finding`` in three values,
for "too little to tell" is an answer of its own and no pass.

Times are judged by their ratio. The Mann-Whitney U test [1] knows no distribution, only ranks; multiplying one sample
by ``r`` before ranking tests whether the other is ``r`` times as large. Hence, all from the same test:

* the ratio: the ``r`` at which both rank alike (the Hodges-Lehmann estimate [2] of a shift of the logarithms);
* its confidence interval: every ``r`` that the test does not reject;
* *worse*: the test rejects that the ratio is at most ``WORSE`` (10 %); so chance alone makes it say so in ``ALPHA`` of
  comparisons at the very most, and hardly ever of equal samples;
* *alike*: the test rejects that the ratio is ``UNBEARABLE`` (15 %) or more;
* *unclear*: neither; more data is needed.

Shares (of failures, and of answers in the slow tail) are judged by Fisher's exact test [3]. Several endpoints are
corrected for by Holm's method [4].

[1] Mann, Whitney (1947), Annals of Mathematical Statistics 18; variance with ties: Lehmann, Nonparametrics (1975), 1.4.
[2] Hodges, Lehmann (1963), Annals of Mathematical Statistics 34.
[3] Fisher (1935), Journal of the Royal Statistical Society 98; tails by the hypergeometric distribution.
[4] Holm (1979), Scandinavian Journal of Statistics 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

WORSE = 1.10
"""A choice: pods of one and the same release differ by a few percent; what is slower by more than this is the code."""

UNBEARABLE = 1.15
"""What may not be called alike. The promise is that a release 20 % slower does not get through; the way there and back
is the same for both sides and dilutes the ratio that a client sees, here by up to a quarter of the regression."""

ALPHA = 0.01
"""How often equal samples may be called worse, over all endpoints together; Kayenta's judge uses 0.02."""

BETA = 0.025
"""How often a regression of ``UNBEARABLE`` may be called alike."""

MIN_POINTS = 50
"""With fewer answers on either side nothing is said: the normal approximation of U is good from some 20 on, and a
share of 4 % shows in 50 answers twice."""

TAIL = 0.95
"""The part of all answers, of both sides together, whose slowest is where the slow tail may begin."""

TAIL_FACTOR = 2.0
"""The slow tail: answers that took more than so many times that long. A choice: noise stretches answers by less."""

TAIL_EXCESS = 0.004
"""How much larger the share of slow answers must be to count, besides being no chance: less than one in a hundred, so
that a release which is slow at p99 only is found."""

ERROR_EXCESS = 0.002
"""The same for failures: a fifth of one percent."""

_NORMAL = NormalDist()


class Judgement(StrEnum):
    """What a comparison says."""

    ALIKE = "alike"
    WORSE = "worse"
    UNCLEAR = "unclear"  # too little data, or too much noise, to say either


@dataclass(frozen=True)
class Ranks:
    """The Mann-Whitney test of one sample against another.

    ``u``: of how many pairs the first is the larger, ties counting half. ``z``: that, standardised, with tie correction
    and continuity correction. ``p_greater``: one-sided. ``delta``: Cliff's delta, from -1 to 1: by how much more often
    the first is the larger than the smaller.
    """

    u: float
    z: float
    p_greater: float
    delta: float


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> Ranks:
    """Test whether ``first`` tends to be larger. Raises ValueError for an empty sample."""
    counts: dict[float, list[int]] = {}
    for side, sample in enumerate((first, second)):
        for value in sample:
            counts.setdefault(value, [0, 0])[side] += 1
    return of_counts([(a, b) for _, (a, b) in sorted(counts.items())])


def of_counts(groups: Sequence[tuple[float, float]]) -> Ranks:
    """The same test of counts: how often each side took each value, from the smallest value to the largest.

    A value may be a range (a bucket of a histogram): everything within it is a tie.
    """
    n, m = sum(a for a, _ in groups), sum(b for _, b in groups)
    if not n or not m:
        raise ValueError("a sample is empty")
    u = below = ties = 0.0
    for a, b in groups:
        u += a * (below + b / 2)
        below += b
        ties += (a + b) ** 3 - (a + b)
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 1e-12 * n * m:  # all values are the same
        return Ranks(u, 0.0, 1.0, 0.0)
    surplus = u - n * m / 2
    z = (surplus - 0.5) / math.sqrt(variance)
    return Ranks(u, z, math.erfc(z / math.sqrt(2)) / 2, 2 * u / (n * m) - 1)


@dataclass(frozen=True)
class Ratio:
    """How many times as large the first sample is, with a confidence interval of 95 %."""

    estimate: float
    low: float
    high: float


def ratio(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Ratio:
    """The ratio of two positive samples and its confidence interval, by inverting the Mann-Whitney test."""
    away = _NORMAL.inv_cdf(0.5 + confidence / 2)
    ranks = _Scaled(first, second)
    return Ratio(ranks.where(0.0), ranks.where(away), ranks.where(-away))


class _Scaled:
    """Two samples whose second is multiplied before they are ranked; logarithms, sorted once."""

    def __init__(self, first: Sequence[float], second: Sequence[float]) -> None:
        if not first or not second:
            raise ValueError("a sample is empty")
        self._first, self._second = sorted(map(_log, first)), sorted(map(_log, second))
        n, m = len(first), len(second)
        self._half = n * m / 2
        self._deviation = math.sqrt(n * m * (n + m + 1) / 12)

    def z(self, by: float) -> float:
        """The first sample against the second multiplied by ``by``, standardised."""
        shift, below, equal_from, u = math.log(by), 0, 0, 0.0
        second = self._second
        for value in self._first:
            wanted = value - shift
            while below < len(second) and second[below] < wanted - 1e-12:
                below += 1
            equal_from = max(equal_from, below)
            while equal_from < len(second) and second[equal_from] <= wanted + 1e-12:
                equal_from += 1
            u += below + (equal_from - below) / 2
        return (u - self._half) / self._deviation

    def where(self, z: float) -> float:
        """The factor at which the test gives this ``z``: it falls as the factor grows."""
        low, high = math.exp(self._first[0] - self._second[-1]), math.exp(self._first[-1] - self._second[0])
        for _ in range(30):  # to a billionth of the range of the logarithms
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.z(middle) > z else (low, middle)
        return math.sqrt(low * high)


def _log(value: float) -> float:
    return math.log(max(value, 1e-6))  # no answer takes no time: what is shown as 0 is below the clock's grain


def fisher_greater(bad: int, of: int, other_bad: int, other_of: int) -> float:
    """The one-sided p of Fisher's exact test: how likely so many or more of the bad ones fall on the first side."""
    total, wrong = of + other_of, bad + other_bad
    norm = _log_choose(total, of)
    tail = (
        math.exp(_log_choose(wrong, k) + _log_choose(total - wrong, of - k) - norm)
        for k in range(bad, min(wrong, of) + 1)
        if of - k <= total - wrong
    )
    return min(1.0, sum(tail))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values corrected for there being several: compare each with one and the same level."""
    corrected: dict[str, float] = {}
    worst = 0.0
    for place, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, p * (len(p_values) - place)))
        corrected[name] = worst
    return corrected


# --- judging ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """What one release answered at one endpoint: the times of its good answers in milliseconds, and its failures."""

    times_ms: Sequence[float]
    failures: int = 0

    @property
    def requests(self) -> int:
        """Good and bad answers."""
        return len(self.times_ms) + self.failures


@dataclass(frozen=True)
class Finding:
    """One endpoint compared. ``p`` is corrected for the number of tests; ``why`` is one sentence."""

    judgement: Judgement
    why: str
    requests: tuple[int, int]  # candidate, live
    failures: tuple[int, int]
    median_ms: tuple[float, float]
    ratio: Ratio | None
    p: float
    delta: float  # Cliff's delta of the times


def judge(pairs: Mapping[str, tuple[Sample, Sample]], looks: int = 1) -> dict[str, Finding]:
    """Compare (candidate, live) at each endpoint; three tests an endpoint, all corrected together.

    ``looks``: how often this may be asked of growing samples, until nothing is unclear; each look then gets its part of
    the error rates (Bonferroni), so that they hold for all looks together.
    """
    tested = {
        f"{name}\n{test}": p
        for name, (candidate, live) in pairs.items()
        if _enough(candidate, live)
        for test, p in _tests(candidate, live).items()
    }
    if len(pairs) > 1:
        tested[ALL] = fisher_greater(*_pooled(pairs, 0), *_pooled(pairs, 1))
    corrected = {test: min(1.0, p * looks) for test, p in holm(tested).items()}
    findings = {
        name: _finding(candidate, live, {test: corrected[f"{name}\n{test}"] for test in _TESTS}, looks)
        if _enough(candidate, live)
        else _too_little(candidate, live)
        for name, (candidate, live) in pairs.items()
    }
    return {**findings, ALL: _failures(pairs, corrected[ALL])} if len(pairs) > 1 else findings


ALL = "all endpoints"
"""The row in which the failures of all endpoints are judged together: few at each may be many in all."""


def _pooled(pairs: Mapping[str, tuple[Sample, Sample]], side: int) -> tuple[int, int]:
    """Failures and requests of one side, at all endpoints together."""
    samples = [pair[side] for pair in pairs.values()]
    return sum(sample.failures for sample in samples), sum(sample.requests for sample in samples)


def _failures(pairs: Mapping[str, tuple[Sample, Sample]], p: float) -> Finding:
    (bad, of), (live_bad, live_of) = _pooled(pairs, 0), _pooled(pairs, 1)
    worse = p < ALPHA and bad / max(1, of) - live_bad / max(1, live_of) >= ERROR_EXCESS
    judgement = Judgement.WORSE if worse else Judgement.ALIKE
    if min(of, live_of) < MIN_POINTS:
        judgement = Judgement.UNCLEAR
    why = f"{bad} of {of} requests failed, live's {live_bad} of {live_of}"
    return Finding(judgement, why, (of, live_of), (bad, live_bad), (0.0, 0.0), None, p, 0.0)


_TESTS = ("times", "tail", "failures")


def _enough(candidate: Sample, live: Sample) -> bool:
    return min(candidate.requests, live.requests) >= MIN_POINTS and bool(candidate.times_ms and live.times_ms)


def _tests(candidate: Sample, live: Sample) -> dict[str, float]:
    slow, slow_live = slow_tail(candidate.times_ms, live.times_ms)
    scaled = [time * WORSE for time in live.times_ms]
    return {
        "times": mann_whitney(candidate.times_ms, scaled).p_greater,
        "tail": fisher_greater(slow, len(candidate.times_ms), slow_live, len(live.times_ms)),
        "failures": fisher_greater(candidate.failures, candidate.requests, live.failures, live.requests),
    }


def slow_tail(first: Sequence[float], second: Sequence[float]) -> tuple[int, int]:
    """How many of each side's answers lie in the slow tail.

    Where it begins depends on both samples together and not on which is which, so that Fisher's test stays exact.
    """
    both = sorted([*first, *second])
    begins = both[min(len(both) - 1, math.ceil(TAIL * len(both)) - 1)] * TAIL_FACTOR
    return sum(time > begins for time in first), sum(time > begins for time in second)


def _finding(candidate: Sample, live: Sample, p: Mapping[str, float], looks: int) -> Finding:
    times = ratio(candidate.times_ms, live.times_ms)
    judgement, why, which = _verdict(candidate, live, p, times, looks)
    return Finding(
        judgement=judgement,
        why=why,
        requests=(candidate.requests, live.requests),
        failures=(candidate.failures, live.failures),
        median_ms=(_median(candidate.times_ms), _median(live.times_ms)),
        ratio=times,
        p=p[which],
        delta=mann_whitney(candidate.times_ms, live.times_ms).delta,
    )


def _verdict(
    candidate: Sample, live: Sample, p: Mapping[str, float], times: Ratio, looks: int
) -> tuple[Judgement, str, str]:
    """The judgement, the sentence, and the test that it rests on; failures first, for they weigh most."""
    excess = candidate.failures / candidate.requests - live.failures / live.requests
    if p["failures"] < ALPHA and excess >= ERROR_EXCESS:
        why = f"{candidate.failures} of {candidate.requests} requests failed, live's {live.failures} of {live.requests}"
        return Judgement.WORSE, why, "failures"
    if p["times"] < ALPHA:
        return Judgement.WORSE, f"it takes {times.estimate:.2f} times as long as live ({_interval(times)})", "times"
    slow, slow_live = slow_tail(candidate.times_ms, live.times_ms)
    if p["tail"] < ALPHA and slow / len(candidate.times_ms) - slow_live / len(live.times_ms) >= TAIL_EXCESS:
        why = f"{slow} of {len(candidate.times_ms)} answers are far slower than most, live's {slow_live}"
        return Judgement.WORSE, f"{why} of {len(live.times_ms)}", "tail"
    if mann_whitney(candidate.times_ms, [time * UNBEARABLE for time in live.times_ms]).z > -_NORMAL.inv_cdf(
        1 - BETA / looks
    ):
        why = f"a regression of {UNBEARABLE - 1:.0%} cannot be ruled out ({_interval(times)}): more data is needed"
        return Judgement.UNCLEAR, why, "times"
    return Judgement.ALIKE, f"no worse than live ({_interval(times)})", "times"


def _interval(times: Ratio) -> str:
    return f"{times.low:.2f} to {times.high:.2f} times"


def _too_little(candidate: Sample, live: Sample) -> Finding:
    requests = (candidate.requests, live.requests)
    why = f"{requests[0]} and {requests[1]} requests prove nothing: {MIN_POINTS} answers of each are wanted"
    if candidate.requests >= MIN_POINTS <= live.requests:
        why = (
            f"{len(candidate.times_ms)} and {len(live.times_ms)} of {requests[0]} and {requests[1]} were answered well"
        )
    medians = (_median(candidate.times_ms), _median(live.times_ms))
    failed_only_here = not candidate.times_ms and live.times_ms and min(requests) >= MIN_POINTS
    judgement = Judgement.WORSE if failed_only_here else Judgement.UNCLEAR
    return Finding(judgement, why, requests, (candidate.failures, live.failures), medians, None, 1.0, 0.0)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
