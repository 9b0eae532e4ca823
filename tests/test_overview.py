"""What ``bluegreen status`` shows, from plain data and from a cluster."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from bluegreen import overview, settings
from bluegreen.colour import Colour
from bluegreen.journal import Record, Step
from bluegreen.kube import Kube, connect_handle
from bluegreen.localkube import Cluster
from bluegreen.overview import ColourState, Overview

BLUE = ColourState(Colour.BLUE, "app-blue", "app:v1", desired=0, ready=0, autoscaler="")
GREEN = ColourState(Colour.GREEN, "app-green", "app:v2", desired=3, ready=2, autoscaler="3 to 20")


def a_release(step: Step = Step.CLOSED, **more: Any) -> Record:
    return Record(
        id="r1",
        step=step,
        image="app:v2",
        version="v2",
        candidate=Colour.GREEN,
        live=Colour.BLUE,
        live_image="app:v1",
        live_version="v1",
        replicas=3,
        started_at="2026-01-01T00:00:00Z",
        started_by={"user": "ann"},
        **more,
    )


def shown(**more: Any) -> str:
    plain: dict[str, Any] = {
        "namespace": "team",
        "context": "here",
        "traffic": "app sends it to green",
        "live": Colour.GREEN,
        "endpoints": 2,
        "colours": (BLUE, GREEN),
        "release": None,
    }
    return overview.text(Overview(**(plain | more)))


def test_both_colours_stand_in_a_table_with_the_live_one_marked() -> None:
    lines = shown().splitlines()
    assert lines[0] == "team on here"
    assert lines[1] == "live traffic: app sends it to green, 2 ready endpoints"
    assert lines[3].split() == ["blue", "-", "app-blue", "app:v1", "0/0", "-"]
    assert lines[4].split() == ["green", "live", "app-green", "app:v2", "2/3", "3", "to", "20"]


def test_nothing_deployed_is_said() -> None:
    text = shown(colours=(), live=None, traffic="none: app selects nobody")
    assert "colours: none is deployed" in text
    assert "last release: none" in text
    assert "endpoint" not in text


def test_the_last_release_is_told_with_its_outcome() -> None:
    text = shown(release=a_release(outcome="gate-failed", reason="load: too slow", ended_at="2026-01-01T00:01:00Z"))
    assert "app:v2 to green, started 2026-01-01T00:00:00Z by ann" in text
    assert "gate-failed at 2026-01-01T00:01:00Z: load: too slow" in text


def test_a_release_that_is_not_over_says_what_mends_it() -> None:
    text = shown(release=a_release(Step.WATCHING))
    assert "it is watching" in text
    assert "bluegreen recover" in text


def test_endpoints_that_are_not_ready_do_not_count() -> None:
    endpoints = [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}, {}]
    assert overview.ready_endpoints([{"endpoints": endpoints}, {"endpoints": None}]) == 2


@pytest.fixture
def kube(cluster: Cluster) -> Any:
    connected = connect_handle(str(cluster.kubeconfig), cluster.context, f"status-{uuid.uuid4().hex[:6]}")
    connected.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": connected.namespace}})
    yield connected
    connected.delete("Namespace", connected.namespace)
    connected.close()


def a_service(selector: dict[str, str]) -> dict[str, Any]:
    spec = {"selector": selector, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gremlinsai-service"}, "spec": spec}


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (None, "there is no Service gremlinsai-service"),
        ({"app": "a", "version": "none"}, "selects nobody"),
        ({"app": "a", "version": "blue"}, "gremlinsai-service sends it to blue, 0 ready endpoints"),
        ({"app": "a"}, "is not blue, green or none"),
    ],
)
def test_where_traffic_goes_is_read_from_the_live_service(kube: Kube, selector: Any, said: str) -> None:
    if selector is not None:
        kube.create(a_service(selector))
    wanted = settings.load({"NAMESPACE": kube.namespace})
    assert said in overview.text(overview.read(kube, wanted))
