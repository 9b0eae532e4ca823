"""load: under load the candidate keeps its success rate, its latency, its pods, and its limits of CPU and memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bluegreen import gate, load, load_pods, thresholds
from bluegreen.plugin.measuring import Target
from bluegreen.plugin.watching import HealthWatch, Users
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("load")


def test_it_bears_the_load(target: Target, settings: Settings, run_dir: Path, note: Callable[[str, Any], None]) -> None:
    pods, before = target.pods(), target.scrapes()
    wanted, results = thresholds.load(settings), list[load.LoadResult]()
    with HealthWatch(target, [settings.health_path, f"{settings.health_base}/ready"]) as watch:
        while not results or (gate.load_again(results, wanted) and target.has_time_for(settings.load_test_duration)):
            results.append(measure(target, settings, run_dir, wanted))
    note("load", results[-1].to_json())
    note("requests", sum(result.requests for result in results))
    note("success rate", round(results[-1].success_rate, 4))
    note("p95 ms", results[-1].p95_ms)
    if number := load_pods.workers(settings, target.release.preview_via):
        note("load made by", f"{number} in the cluster as pods")
    if len(results) > 1:
        note("measurements", len(results))
    if warnings := gate.load_warnings(results, wanted):
        note("warnings", warnings)
    judged = gate.loads(results, wanted)
    size, after = int(target.deployment()["spec"]["replicas"]), target.pods()
    pods_after = [*gate.restarts_unchanged(pods, after, size), *gate.usage(target.usage(after), after)]
    errors = target.errors_since(before, sum(result.requests for result in results))
    gate.require([*judged, *pods_after, *gate.well_throughout(watch.looks), *errors])


def measure(target: Target, settings: Settings, run_dir: Path, wanted: thresholds.Thresholds) -> load.LoadResult:
    """Load the candidate once, from this machine or from pods in the cluster; without figures nothing is proven."""
    try:
        if number := load_pods.workers(settings, target.release.preview_via):
            return load_pods.run(target.cluster, settings, load.Plan(target.inside_url()), run_dir, number)
        url = target.release.preview_urls["http"]
        return load.run(settings, url, run_dir, hopeless=partial(gate.hopeless, thresholds=wanted))
    except load.LoadTestError as error:
        unknown = gate.Check.unknown("load: generator", "no figures", "figures", str(error))
        raise gate.NoEvidenceError([unknown]) from error


def test_no_request_fails_while_a_pod_leaves(
    target: Target, settings: Settings, note: Callable[[str, Any], None]
) -> None:
    if not settings.shutdown_test:
        pytest.skip("SHUTDOWN_TEST=false: no pod is taken away")
    pod, path = target.pods()[0]["metadata"]["name"], settings.api_paths.split()[0]
    with Users(target.release.preview_urls["http"], path) as users:
        target.replace_pod(pod)
    note("requests", len(users.answers))
    gate.require([check for answer in users.answers for check in gate.succeeded(answer, in_json=False)])
