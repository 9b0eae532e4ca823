"""The comparison's statistics: known values, stated error rates confirmed by simulation, and too little data."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen import compare
from bluegreen.compare import Judgement, Sample, fisher_greater, holm, judge, mann_whitney, ratio

# --- known values -----------------------------------------------------------------------------------------------------


def test_the_textbook_example_of_mann_and_whitney() -> None:
    """All pairs by hand: of 9 pairs the first is larger in 8."""
    found = mann_whitney([7, 8, 9], [1, 2, 8.5])
    assert (found.u, found.delta) == (7, pytest.approx(5 / 9))


@pytest.mark.parametrize(
    ("first", "second", "u", "p"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0], 12.5, 0.5422350133116141),
        ([3.1, 4.2, 5.3, 6.4, 7.5, 8.6], [1.0, 2.0, 3.0, 4.0, 5.0], 27.0, 0.017881883295488944),
        ([1, 1, 2, 2, 3, 3], [1, 1, 1, 2, 2, 2], 24.0, 0.1706633212981749),
    ],
)
def test_it_gives_what_scipy_gives(first: list[float], second: list[float], u: float, p: float) -> None:
    """scipy 1.17: mannwhitneyu(first, second, alternative="greater", method="asymptotic", use_continuity=True)."""
    found = mann_whitney(first, second)
    assert found.u == u
    assert found.p_greater == pytest.approx(normal_p(first, second), abs=1e-12)
    assert found.p_greater == pytest.approx(p, abs=1e-12)


def normal_p(first: list[float], second: list[float]) -> float:
    """U by counting pairs and its variance by counting ties, written out another way."""
    n, m = len(first), len(second)
    u = sum((a > b) + (a == b) / 2 for a in first for b in second)
    ties = [both.count(value) for both in [[*first, *second]] for value in set(both)]
    variance = n * m * (n + m + 1) / 12 - n * m * sum(t**3 - t for t in ties) / (12 * (n + m) * (n + m - 1))
    return 0.5 * math.erfc((u - n * m / 2 - 0.5) / math.sqrt(2 * variance))


def test_it_is_close_to_the_exact_distribution_of_small_samples() -> None:
    """Every way to share seven values out: the exact p is a count."""
    first, second = [2.0, 4.0, 6.0, 7.0], [1.0, 3.0, 5.0]
    u = mann_whitney(first, second).u
    everything = [*first, *second]
    shares = list(itertools.combinations(everything, 4))
    as_large = sum(mann_whitney(share, [v for v in everything if v not in share]).u >= u for share in shares)
    assert mann_whitney(first, second).p_greater == pytest.approx(as_large / len(shares), abs=0.02)


def test_all_the_same_is_no_difference() -> None:
    found = mann_whitney([5.0] * 100, [5.0] * 80)
    assert (found.p_greater, found.delta) == (1.0, 0.0)


def test_the_tea_lady() -> None:
    """Fisher's own example: four of four found is 1/70, three or more 17/70."""
    assert fisher_greater(4, 4, 0, 4) == pytest.approx(1 / 70)
    assert fisher_greater(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher_greater(0, 10, 3, 10) == pytest.approx(1.0)


def test_shares_are_judged_as_scipy_judges_them() -> None:
    """scipy 1.17: fisher_exact([[12, 5], [88, 95]], alternative="greater")."""
    assert fisher_greater(12, 100, 5, 100) == pytest.approx(0.06308943063184522)


def test_holms_own_correction() -> None:
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert corrected == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


@given(st.lists(st.floats(0.1, 100), min_size=3, max_size=40), st.floats(0.2, 5))
def test_a_sample_and_its_multiple_have_that_ratio(sample: list[float], factor: float) -> None:
    found = ratio([value * factor for value in sample], sample)
    assert found.low <= found.estimate * 1.0001
    assert found.estimate <= found.high * 1.0001
    assert found.low * 0.999 <= factor <= found.high * 1.001


@given(st.integers(0, 60), st.integers(0, 60))
def test_fishers_tail_is_what_is_counted(bad: int, other: int) -> None:
    p = fisher_greater(bad, 60, other, 60)
    total = math.comb(120, 60)
    tail = sum(
        math.comb(bad + other, k) * math.comb(120 - bad - other, 60 - k) for k in range(bad, min(60, bad + other) + 1)
    )
    assert p == pytest.approx(min(1.0, tail / total), rel=1e-6)


# --- error rates, by simulation ---------------------------------------------------------------------------------------

POINTS = 700
"""Answers of each release at an endpoint at which the error rates are promised: five seconds of a default load test."""

SIGMA = 0.35
"""The spread of the logarithm of the times: p95 is 1.8 times the median, as of a healthy service on a busy machine."""


def times(chance: random.Random, factor: float, number: int = POINTS, sigma: float = SIGMA) -> list[float]:
    """Answers of a service: log-normal around 20 ms, to hundredths of a millisecond, and one in 200 far slower."""
    return [
        round(20 * factor * chance.lognormvariate(0, sigma) * (8 if chance.random() < 0.005 else 1), 2)
        for _ in range(number)
    ]


def judgements(seed: int, rounds: int, factor: float, number: int = POINTS, endpoints: int = 3) -> list[Judgement]:
    """The worst judgement of each of so many simulated comparisons; only the first endpoint differs."""
    chance = random.Random(seed)
    order = [Judgement.ALIKE, Judgement.UNCLEAR, Judgement.WORSE]
    found = []
    for _ in range(rounds):
        pairs = {
            f"/{place}": (
                Sample(times(chance, factor if place == 0 else 1.0, number)),
                Sample(times(chance, 1.0, number)),
            )
            for place in range(endpoints)
        }
        found.append(max((one.judgement for one in judge(pairs).values()), key=order.index))
    return found


def test_equal_releases_are_called_worse_in_fewer_than_one_of_a_hundred_comparisons() -> None:
    found = judgements(seed=1, rounds=40, factor=1.0)
    assert found.count(Judgement.WORSE) == 0
    assert found.count(Judgement.UNCLEAR) == 0


def test_a_regression_of_20_percent_is_let_through_in_fewer_than_one_of_twenty() -> None:
    found = judgements(seed=2, rounds=40, factor=1.2)
    assert found.count(Judgement.ALIKE) == 0
    assert found.count(Judgement.WORSE) >= 36


@pytest.mark.parametrize("number", [60, 120])
def test_with_few_answers_a_regression_is_unclear_rather_than_alike(number: int) -> None:
    """A regression of 20 % is called alike in at most BETA of the cases, however little is known."""
    found = judgements(seed=3, rounds=80, factor=1.2, number=number, endpoints=1)
    assert found.count(Judgement.ALIKE) <= 6
    assert found.count(Judgement.UNCLEAR) > 0


# --- judging ----------------------------------------------------------------------------------------------------------


def one(candidate: Sample, live: Sample) -> compare.Finding:
    return judge({"GET /": (candidate, live)})["GET /"]


def test_too_little_data_is_no_pass() -> None:
    chance = random.Random(4)
    found = one(Sample(times(chance, 1.0, 49)), Sample(times(chance, 1.0)))
    assert found.judgement is Judgement.UNCLEAR
    assert "49 and 700 requests prove nothing" in found.why
    assert one(Sample([]), Sample([])).judgement is Judgement.UNCLEAR


@pytest.mark.parametrize(("share", "number"), [(0.01, 1500), (0.04, 300)])
def test_a_few_percent_of_failures_are_found(share: float, number: int) -> None:
    chance = random.Random(5)
    bad = round(share * number)
    found = one(Sample(times(chance, 1.0, number - bad), bad), Sample(times(chance, 1.0, number)))
    assert found.judgement is Judgement.WORSE
    assert f"{bad} of {number} requests failed, live's 0" in found.why


def test_few_failures_at_each_endpoint_are_found_in_all_together() -> None:
    chance = random.Random(10)
    pairs = {f"/{n}": (Sample(times(chance, 1.0, 395), 5), Sample(times(chance, 1.0, 400))) for n in range(4)}
    found = judge(pairs)
    assert {name: one.judgement for name, one in found.items() if name != compare.ALL} == dict.fromkeys(
        pairs, Judgement.ALIKE
    )
    assert found[compare.ALL].judgement is Judgement.WORSE
    assert found[compare.ALL].why == "20 of 1600 requests failed, live's 0 of 1600"


def test_failures_that_live_has_as_well_are_no_regression() -> None:
    chance = random.Random(6)
    found = one(Sample(times(chance, 1.0, 980), 20), Sample(times(chance, 1.0, 985), 15))
    assert found.judgement is Judgement.ALIKE


def test_a_release_that_is_slow_at_p99_only_is_found() -> None:
    chance = random.Random(7)
    slow = [value * 10 if chance.random() < 0.015 else value for value in times(chance, 1.0, 1500)]
    found = one(Sample(slow), Sample(times(chance, 1.0, 1500)))
    assert found.judgement is Judgement.WORSE
    assert "far slower than most" in found.why


def test_a_faster_release_is_alike() -> None:
    chance = random.Random(8)
    found = one(Sample(times(chance, 0.7)), Sample(times(chance, 1.0)))
    assert found.judgement is Judgement.ALIKE
    assert found.ratio is not None
    assert found.ratio.high < 0.8


def test_a_release_that_never_answers_well_is_worse_and_not_unclear() -> None:
    chance = random.Random(9)
    assert one(Sample([], 400), Sample(times(chance, 1.0))).judgement is Judgement.WORSE
