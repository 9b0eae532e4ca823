"""Records of releases as the report gets them: made up, deterministic, in the shapes that real ones have."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from bluegreen.compare import Sample, judge
from bluegreen.comparison import BY_LOAD, Comparison, Row
from bluegreen.load import read
from bluegreen.probe import SWITCH, SWITCHED, Answer, ProbeResult, summarise

STARTED = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
SWITCH_S = 32.0


def answers(seconds: float = 58.0, rate: float = 20.0, failed_from_s: float | None = None) -> list[Answer]:
    """A probe's answers: v1.0.0 until shortly after the switch, kept connections until the drain, then v1.1.0."""
    dice, made = random.Random(7), []
    for number in range(int(seconds * rate)):
        at_s, fresh = number / rate, number % 2 == 0
        moved_s = SWITCH_S + (0.06 if fresh else 20.4)
        ms = dice.lognormvariate(1.1, 0.45) + (dice.random() < 0.01) * 40
        version, error = ("v1.1.0" if at_s > moved_s else "v1.0.0"), ""
        if failed_from_s is not None and failed_from_s <= at_s < failed_from_s + 1.2 and version == "v1.1.0":
            error = "status"
        made.append(Answer(at_s, round(ms, 3), 0.4, fresh, 500 if error else 200, version, error))
    return made


def probe_result(failed_from_s: float | None = None, seconds: float = 58.0) -> ProbeResult:
    """A probe's result across a switch."""
    marks = [("stand up green", 1.2), ("gate", 4.0), ("load", 9.1), (SWITCH, SWITCH_S), (SWITCHED, SWITCH_S + 0.12)]
    marks += [("drain blue", 52.2), ("retire blue", 54.0)] if failed_from_s is None else [("switch back", 38.4)]
    return summarise(answers(seconds, failed_from_s=failed_from_s), marks, 0.0, STARTED, False)


def probe(failed_from_s: float | None = None) -> dict[str, Any]:
    """The same as it goes into a record."""
    return probe_result(failed_from_s).to_json()


def load(slow_ms: int = 0) -> dict[str, Any]:
    """A load test's result; ``slow_ms`` is added to every answer."""
    dice, endpoints = random.Random(11), []
    for path in ("/", "/api/v1/capabilities"):
        counts = Counter(str(slow_ms + round(dice.lognormvariate(1.0, 0.6))) for _ in range(2700))
        endpoints.append(
            {
                "method": "GET",
                "path": path,
                "requests": 2700,
                "failures": 0,
                "max_ms": slow_ms + 61.2,
                "histogram_ms": dict(counts),
            }
        )
    figures = {"seconds": 18.0, "users": 20, "rate": 300.0, "late": 3, "dropped": 0, "endpoints": endpoints}
    return read({**figures, "errors": []}).to_json()


def compared(times: float = 1.0, mode: str = "live") -> dict[str, Any]:
    """A comparison with what is live; ``times``: how much slower the candidate is at one of two endpoints."""
    dice = random.Random(12)

    def sample(factor: float) -> Sample:
        return Sample([round(8 * factor * dice.lognormvariate(0, 0.35), 2) for _ in range(700)])

    pairs = {"GET /": (sample(1.0), sample(1.0)), "GET /api/v1/capabilities": (sample(times), sample(1.0))}
    rows = [Row(BY_LOAD, name, finding) for name, finding in judge(pairs).items()]
    remark = "GET /api/v1/health/live: 3 and 3 answers counted prove nothing: 50 of each are wanted"
    return Comparison(mode, 18.0, rows, [remark]).to_json()


def stage(verdict: str = "pass", *tests: tuple[str, str, str]) -> dict[str, Any]:
    """A stage of some tests, each (name, outcome, sentence)."""
    rows = [
        {"name": name, "outcome": outcome, "duration_s": 0.214, "sentence": sentence, "measured": {}}
        for name, outcome, sentence in tests
    ]
    return {"verdict": verdict, "duration_s": round(0.214 * len(tests), 3), "tests": rows}


def switched() -> dict[str, Any]:
    """A release that went well, blue to green."""
    good = {
        "resources": ["the_deployment_runs_the_exact_image", "all_replicas_are_available", "no_pod_was_restarted"],
        "health": ["health_is_good_through_the_preview", "every_pod_is_healthy_several_times_in_a_row"],
        "api": ["the_root_answers", "an_unknown_path_is_404", "the_version_is_the_candidates"],
        "monitoring": ["pods_tell_prometheus_where_to_scrape", "the_request_counter_moves"],
        "network": ["the_service_name_resolves_in_the_cluster", "every_ready_pod_gets_requests"],
        "load": ["the_candidate_carries_the_load"],
        "production": ["live_selects_the_candidate", "nobody_was_harmed_during_the_watch"],
    }
    return {
        "outcome": "switched",
        "reason": "",
        "image": "gremlinsai/backend:v1.1.0",
        "digest": "sha256:4f0c1f6de8c5f2b7c2a7a4b5b8de8c0f14f1c27a3a04b7c94f6df9d91a1e7c55",
        "version": "v1.1.0",
        "namespace": "gremlinsai",
        "service": "gremlinsai-service",
        "cluster": "local",
        "release_id": "20260304-093000-7f3a",
        "started_at": "2026-03-04T09:30:00Z",
        "started_by": {"user": "mara", "commit": "1ea74fcbd2", "ci_job": "https://ci.example.com/jobs/4711"},
        "colour_before": "blue",
        "colour_after": "green",
        "candidate": "green",
        "replicas": 3,
        "stages": {name: stage("pass", *((f"test_{t}", "passed", "") for t in tests)) for name, tests in good.items()},
        "probe": probe(),
        "load": load(),
        "compare": compared(),
        "steps": [
            {"name": "take the lock", "started_s": 0.0, "duration_s": 0.1, "detail": "epoch 12"},
            {"name": "stand up green", "started_s": 1.2, "duration_s": 2.1, "detail": "3 replicas, as many as blue"},
            {"name": "gate", "started_s": 4.0, "duration_s": 27.6, "detail": ""},
            {"name": "switch", "started_s": 32.0, "duration_s": 0.12, "detail": "blue -> green"},
            {"name": "watch", "started_s": 32.1, "duration_s": 20.0, "detail": "POST_SWITCH_WATCH=20"},
            {"name": "drain blue", "started_s": 52.2, "duration_s": 1.8, "detail": "0 connections left"},
            {"name": "retire blue", "started_s": 54.0, "duration_s": 0.6, "detail": "scaled to zero"},
        ],
        "patches": [
            {
                "service": "gremlinsai-service",
                "operations": [
                    {"op": "test", "path": "/spec/selector/version", "value": "blue"},
                    {"op": "test", "path": "/metadata/resourceVersion", "value": "1841"},
                    {"op": "replace", "path": "/spec/selector/version", "value": "green"},
                ],
                "sent_at": "2026-03-04T09:30:32Z",
            }
        ],
        "drain": {"colour": "blue", "how": "its connections were gone after 1.8 s", "observed": True},
        "durations_s": {"begin": 3.4, "gate": 27.6, "switch": 0.12, "watch": 20.0, "drain": 1.8, "total": 58.2},
        "settings": {"LOAD_P95_MS": 500, "NAMESPACE": "gremlinsai"},
        "evidence": {},
        "recovered": None,
    }


def refused() -> dict[str, Any]:
    """A release that the gate refused under load, with its evidence."""
    record = switched()
    sentence = (
        "95 of 100 answers took up to 812 ms under 25 requests/s, and 500 ms are allowed (half took 803 ms, 99 of 100 "
        "822 ms)."
    )
    record["stages"]["load"] = stage("fail", ("test_the_candidate_carries_the_load", "failed", sentence))
    record["stages"]["production"] = stage("not-run")
    record |= {
        "outcome": "gate-failed",
        "reason": "the gate is not passed (load fail)",
        "colour_after": "blue",
        "load": load(slow_ms=800),
        "compare": compared(times=1.4, mode="copy"),
        "patches": [],
        "evidence": {
            "colour": "green",
            "captured_at": "2026-03-04T09:30:31Z",
            "file": "evidence-green.json",
            "problems": [],
            "events": [
                {
                    "time": "2026-03-04T09:30:02Z",
                    "type": "Normal",
                    "reason": "Started",
                    "object": "Pod/gremlinsai-backend-green-abc",
                    "message": "Started container backend",
                    "count": 1,
                },
                {
                    "time": "2026-03-04T09:30:09Z",
                    "type": "Warning",
                    "reason": "Unhealthy",
                    "object": "Pod/gremlinsai-backend-green-abc",
                    "message": "Readiness probe failed: <b>HTTP</b> 503",
                    "count": 4,
                },
            ],
            "logs": {"gremlinsai-backend-green-abc/backend": '{"event": "listening", "http": 8080}\n'},
            "objects": {"Deployment/gremlinsai-backend-green": {"kind": "Deployment", "spec": {"replicas": 3}}},
        },
    }
    return record


def rolled_back() -> dict[str, Any]:
    """A release that failed after the switch and went back."""
    record = switched()
    record["probe"] = probe(failed_from_s=37.2)
    sentence = "24 requests to live failed: the answer was an error (500)."
    record["stages"]["production"] = stage("fail", ("test_nobody_was_harmed", "failed", sentence))
    return record | {"outcome": "rolled-back", "reason": sentence, "colour_after": "blue"}
