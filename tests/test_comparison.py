"""Two releases beside each other: real servers under one load, and what they say of themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from bluegreen import comparison, gate
from bluegreen.compare import Judgement
from bluegreen.comparison import BY_LOAD, BY_METRICS, Side
from bluegreen.metrics import Exposition, parse, scrape
from bluegreen.settings import Settings
from bluegreen.settings import load as load_settings
from tests.backend import Backend, backend

HISTOGRAM = "gremlinsai_api_request_duration_seconds"


def settings(**env: str) -> Settings:
    """Settings of a short comparison of two samples that both state v1."""
    given = {"COMPARE": "live", "COMPARE_DURATION": "4", "LOAD_WARMUP": "1", "LOAD_USERS": "10", "LOAD_RATE": "150"}
    return load_settings({"DOCKER_IMAGE": "app:v1", **given, **env})


def side(server: Backend) -> Side:
    return Side(lambda: [server.url], "v1", lambda: [scrape(f"{server.url}/metrics")])


def test_two_of_the_same_are_alike_and_a_slow_one_is_worse(tmp_path: Path) -> None:
    with backend() as live, backend() as same, backend("slow") as slow:
        good = comparison.run(settings(), side(same), side(live), tmp_path / "good")
        bad = comparison.run(settings(LOAD_RATE="90", LOAD_USERS="60"), side(slow), side(live), tmp_path / "bad")
    assert not [row for row in good.rows if row.finding.judgement is Judgement.WORSE], good.to_json()
    gate.require(check for check in gate.compared(good) if not check.unproven)
    assert {row.endpoint for row in good.rows if row.source == BY_LOAD} == {
        "GET /",
        "GET /api/v1/capabilities",
        "all endpoints",
    }
    worse = [row for row in bad.rows if row.source == BY_LOAD and row.finding.ratio]
    assert [row.finding.judgement for row in worse] == [Judgement.WORSE, Judgement.WORSE]
    with pytest.raises(gate.CheckError, match=r"GET /, by the load test: it takes \d+\.\d\d times as long as live"):
        gate.require(gate.compared(bad))


def test_a_time_in_which_a_pod_went_away_does_not_count(tmp_path: Path) -> None:
    with backend() as live, backend() as stays, backend() as goes:
        answers = iter([[stays.url, goes.url], [stays.url]])
        side_of = Side(lambda: next(answers, [stays.url]), "v1", lambda: [])
        found = comparison.run(settings(COMPARE_DURATION="2"), side_of, side(live), tmp_path)
        assert "1 of the pods asked went away meanwhile" in found.remarks[0]
        assert found.rows
        never = iter([url] for _ in range(4) for url in (goes.url, stays.url))
        coming_and_going = Side(lambda: next(never), "v1", list)
        nothing = comparison.run(settings(COMPARE_DURATION="1"), coming_and_going, side(live), tmp_path)
    with pytest.raises(gate.NoEvidenceError, match=r"was not compared with live: .* do not count"):
        gate.require(gate.compared(nothing))


def exposition(buckets: Mapping[str, int], errors: int = 0, answers: int = 400) -> Exposition:
    """What an application says of itself."""
    lines = [f"# TYPE {HISTOGRAM} histogram"]
    lines += [f'{HISTOGRAM}_bucket{{method="GET",endpoint="/",le="{le}"}} {count}' for le, count in buckets.items()]
    last = list(buckets.values())[-1]
    lines += [
        f'{HISTOGRAM}_count{{method="GET",endpoint="/"}} {last}',
        f'{HISTOGRAM}_sum{{method="GET",endpoint="/"}} 1',
    ]
    lines += ["# TYPE gremlinsai_api_requests_total counter"]
    lines += [f'gremlinsai_api_requests_total{{status="200"}} {answers - errors}']
    lines += [f'gremlinsai_api_requests_total{{status="500"}} {errors}']
    return parse("\n".join(lines) + "\n")


NOTHING = exposition({"0.01": 0, "0.1": 0, "+Inf": 0}, answers=0)
FAST = exposition({"0.01": 300, "0.1": 390, "+Inf": 400})


def judged(candidate: Exposition, live: Exposition) -> dict[str, Judgement]:
    rows, _ = comparison.by_metrics(settings(), ([NOTHING], [NOTHING]), ([candidate], [live]))
    assert {row.source for row in rows} == {BY_METRICS}
    return {row.endpoint: row.finding.judgement for row in rows}


def test_the_applications_own_times_and_errors_are_compared() -> None:
    assert judged(FAST, FAST) == {"GET /": Judgement.ALIKE, "errors": Judgement.ALIKE}
    slower = exposition({"0.01": 100, "0.1": 300, "+Inf": 400})
    assert judged(slower, FAST)["GET /"] is Judgement.WORSE
    assert judged(FAST, slower)["GET /"] is Judgement.ALIKE
    failing = exposition({"0.01": 300, "0.1": 390, "+Inf": 400}, errors=16)
    assert judged(failing, FAST) == {"GET /": Judgement.ALIKE, "errors": Judgement.WORSE}


def test_only_what_came_since_the_first_scrape_counts() -> None:
    slow = exposition({"0.01": 0, "0.1": 0, "+Inf": 400})
    later = exposition({"0.01": 300, "0.1": 390, "+Inf": 800}, answers=800)
    rows, _ = comparison.by_metrics(settings(), ([slow], [NOTHING]), ([later], [FAST]))
    assert {row.endpoint: row.finding.judgement for row in rows}["GET /"] is Judgement.ALIKE


def test_what_cannot_be_compared_is_said() -> None:
    few = exposition({"0.01": 10, "0.1": 10, "+Inf": 10}, answers=10)
    rows, remarks = comparison.by_metrics(settings(), ([NOTHING], [NOTHING]), ([few], [FAST]))
    assert rows == []
    assert re.match(r"GET /: 10 and 400 answers counted prove nothing", remarks[0])
    empty = parse("# TYPE other counter\nother_total 1\n")
    assert "Not both sides counted" in comparison.by_metrics(settings(), ([], []), ([empty], [FAST]))[1][0]
    without = settings(METRICS="gremlinsai_api_requests_total:counter")
    assert "METRICS names no histogram" in comparison.by_metrics(without, ([], []), ([FAST], [FAST]))[1][0]
