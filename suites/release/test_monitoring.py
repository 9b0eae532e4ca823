"""monitoring: what a Prometheus would scrape is there, parses, and moves with the requests that are made."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen import gate
from bluegreen.plugin.measuring import Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("monitoring")

REQUESTS = 5
"""Good requests to each pod, whose counter must move by as many. Few: bad images show load faults only under load."""


def test_pods_are_annotated_for_scraping(target: Target) -> None:
    path = target.metrics_path()
    gate.require([check for pod in target.pods() for check in gate.scrape_annotations(pod, path)])


def test_every_pods_metrics_have_the_right_types(target: Target, settings: Settings, note: Any) -> None:
    wanted = dict(entry.split(":") for entry in settings.metrics.split())
    checks = []
    for pod in target.pods():
        found, where = target.scrape(pod), f"Pod {pod['metadata']['name']}"
        checks += [*gate.families(found, wanted, where), *gate.histograms(found, wanted, where)]
        checks += gate.well_formed(found, wanted, where)
    note("metrics", len(wanted))
    gate.require(checks)


def test_counters_move_with_requests_and_count_no_server_error(target: Target, settings: Settings) -> None:
    path, counter = settings.api_paths.split()[0], settings.request_counter
    checks = []
    for pod in target.pods():
        where, before = f"Pod {pod['metadata']['name']}", target.scrape(pod)
        with target.pod_client(pod) as client:
            for _ in range(REQUESTS):
                client.get(path)
        after = target.scrape(pod)
        checks += gate.counted(before, after, counter, REQUESTS, where)
        checks += gate.no_server_errors(before, after, counter, where)
    gate.require(checks)
