"""monitoring: what a Prometheus would scrape is there, parses, and moves with the requests that are made."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen import gate, metrics
from bluegreen.plugin.measuring import Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("monitoring")

REQUESTS = 5
"""Good requests to each pod, whose counter must move by as many. Few: bad images show load faults only under load."""


def test_pods_are_annotated_for_scraping(target: Target) -> None:
    gate.require(gate.scrape_annotations(target.pods()))


def test_every_pods_metrics_have_the_right_types(target: Target, settings: Settings, note: Any) -> None:
    wanted = dict(entry.split(":") for entry in settings.metrics.split())
    checks = []
    for pod in target.pods():
        checks += gate.metric_types(pod["metadata"]["name"], target.scrape(pod), wanted)
    note("metrics", len(wanted))
    gate.require(checks)


def test_counters_move_with_requests_and_count_no_server_error(target: Target, settings: Settings, note: Any) -> None:
    path = settings.api_paths.split()[0]
    checks, moved = [], {}
    for pod in target.pods():
        name = pod["metadata"]["name"]
        before = target.scrape(pod)
        with target.pod_client(pod) as client:
            for _ in range(REQUESTS):
                client.get(path)
        after = target.scrape(pod)
        moved[name] = metrics.total(after, settings.request_counter) - metrics.total(before, settings.request_counter)
        checks += gate.counter_moved(name, before, after, settings.request_counter, at_least=REQUESTS)
    note("requests counted", moved)
    gate.require(checks)
