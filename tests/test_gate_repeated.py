"""Several measurements of the load, judged together: noise refuses no good release, and a bad one stays bad."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bluegreen import gate, load
from bluegreen.gate.repeated import surely_within, tail
from bluegreen.thresholds import Limits, Thresholds

LIMITS = Thresholds(Limits(success=0.95, p95_ms=500, requests=100))


def look(failures: int = 0, requests: int = 1000, p95_ms: int = 20, lag_ms: int = 0, **figures: Any) -> load.LoadResult:
    """One measurement of one endpoint."""
    entry = {"method": "GET", "path": "/", "requests": requests, "failures": failures, "max_ms": float(p95_ms)}
    entry["histogram_ms"] = {str(p95_ms): requests}
    plain = {"seconds": 10.0, "users": 5, "rate": 100.0, "late": 0, "dropped": 0, "errors": []}
    return load.read({**plain, "endpoints": [entry], "lags_ms": {str(lag_ms): 10}, **figures})


GOOD, SLOW, LATE = look(), look(p95_ms=900), look(p95_ms=600, lag_ms=400)


def verdict(*results: load.LoadResult) -> str:
    """What is known after these measurements: again, pass, fail or unproven."""
    if gate.load_again(results, LIMITS):
        return "again"
    wrong = [check for check in gate.loads(results, LIMITS) if not check.passed]
    return "pass" if not wrong else "unproven" if all(check.unproven for check in wrong) else "fail"


@pytest.mark.parametrize(
    ("results", "wanted"),
    [
        ((GOOD,), "pass"),
        ((SLOW,), "again"),
        ((SLOW, SLOW), "fail"),
        ((SLOW, GOOD), "again"),
        ((SLOW, GOOD, GOOD), "pass"),
        ((SLOW, GOOD, SLOW), "fail"),
        ((LATE,), "again"),
        ((LATE, GOOD), "pass"),
        ((LATE, LATE, LATE), "unproven"),
        ((LATE, SLOW, GOOD), "unproven"),
        ((look(30),), "pass"),
        ((look(50),), "again"),
        ((look(200),), "fail"),
        ((look(55),), "again"),
        ((look(55), look(20)), "pass"),
        ((look(55), look(40)), "again"),
        ((look(55), look(40), look(50)), "pass"),
        ((look(55), look(60), look(58)), "fail"),
        ((look(0, requests=50),), "again"),
        ((look(0, requests=50), GOOD), "pass"),
        ((look(0, requests=50),) * 3, "unproven"),
        ((look(rate=1000.0, late=900, overslept=800),), "again"),
        ((look(rate=1000.0, late=900, overslept=800), GOOD), "pass"),
        ((look(rate=1000.0, unanswered=20),), "fail"),
    ],
)
def test_what_is_known_after_so_many_measurements(results: tuple[load.LoadResult, ...], wanted: str) -> None:
    assert verdict(*results) == wanted


def released(error_rate: float, seed: int) -> str:
    """The verdict on an application with this error rate, measured as often as is needed."""
    chance, results = random.Random(seed), list[load.LoadResult]()
    while True:
        results.append(look(sum(chance.random() < error_rate for _ in range(1000))))
        if (said := verdict(*results)) != "again":
            return said


@pytest.mark.parametrize(
    ("error_rate", "wanted", "at_least"),
    [(0.03, "pass", 1.0), (0.04, "pass", 0.95), (0.06, "fail", 0.95), (0.07, "fail", 0.99)],
)
def test_error_rates_on_both_sides_of_the_limit(error_rate: float, wanted: str, at_least: float) -> None:
    """One sample of 1000 would refuse 8 of 100 releases that fail 4 %, and let 8 of 100 through that fail 6 %."""
    verdicts = [released(error_rate, seed) for seed in range(150)]
    assert verdicts.count(wanted) >= at_least * len(verdicts)


def test_a_machine_that_is_busy_for_a_while_refuses_no_good_release() -> None:
    """Of all measurements one in ten is disturbed: one sample would refuse one release in ten, this one in thirty."""

    def once(seed: int) -> str:
        chance, results = random.Random(seed), list[load.LoadResult]()
        while not results or verdict(*results) == "again":
            results.append(SLOW if chance.random() < 0.1 else GOOD)
        return verdict(*results)

    verdicts = [once(seed) for seed in range(400)]
    assert verdicts.count("pass") >= 0.96 * len(verdicts)
    assert verdicts.count("pass") < len(verdicts), "the simulation disturbs too little to show anything"


def test_the_tails_of_the_binomial() -> None:
    assert tail(0, 100, 0.05) == 1.0
    assert tail(1, 100, 0.0) == pytest.approx(0.0)
    assert tail(5, 10, 0.5) == pytest.approx(0.623, abs=0.001)
    assert surely_within(0, 100, 0.05)
    assert not surely_within(4, 100, 0.05)


def test_what_is_close_is_said() -> None:
    assert gate.load_warnings([GOOD], LIMITS) == []
    assert gate.load_warnings([look(p95_ms=480)], LIMITS) == ["p95 took 480 ms, close to its limit of 500 ms"]
    assert gate.load_warnings([SLOW, GOOD, GOOD], LIMITS) == [
        "p95 was within its limit in 2 of 3 measurements; in one it was 900 ms"
    ]
    [said] = gate.load_warnings([look(48)], LIMITS)
    assert said == "success rate is 95.20% of 1,000 requests: chance alone may have kept it at 95.00%"


def test_an_endpoint_that_fails_more_often_than_not_is_broken() -> None:
    """4 % of all requests, which the success rate of 95 % lets through, are all of one endpoint's."""
    good = {"method": "GET", "path": "/", "requests": 960, "failures": 0, "max_ms": 9.0, "histogram_ms": {"9": 960}}
    bad = {**good, "method": "POST", "path": "/chat", "requests": 40, "failures": 40, "histogram_ms": {"9": 40}}
    plain = {"seconds": 10.0, "users": 5, "rate": 100.0, "late": 0, "dropped": 0, "errors": []}
    result = load.read({**plain, "endpoints": [good, bad]})
    [wrong] = [check for check in gate.load(result, LIMITS) if not check.passed]
    assert "POST /chat: 0 of 40 requests succeeded" in wrong.sentence
    assert not gate.load_again([result], LIMITS)
    assert [check.name for check in gate.loads([result, result], LIMITS) if not check.passed] == [wrong.name]
