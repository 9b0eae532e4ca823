"""Ctrl-C and SIGTERM, before and after the switch: everything is put back, and the run says so."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from bluegreen.clock import Deadline

from .conftest import App, assert_nobody_felt_it

V1, V2 = "gremlinsai/backend:v1.0.0", "gremlinsai/backend:v1.1.0"


def await_colour(app: App, colour: str) -> None:
    """Wait until the live Service selects a colour."""

    def selects(found: list[dict[str, Any]]) -> bool | None:
        return found[0]["spec"]["selector"]["version"] == colour or None if found else None

    name = "metadata.name=gremlinsai-service"
    app.kube.wait("Service", selects, fields=name, deadline=Deadline(60), awaited=f"live is {colour}")


def await_pods(app: App, colour: str) -> None:
    """Wait until a colour has pods."""
    app.kube.wait("Pod", lambda pods: pods or None, labels=f"version={colour}", deadline=Deadline(60), awaited="pods")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["while the gate runs", "after the switch"])
@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupted_release_is_put_back(app: App, number: signal.Signals, moment: str, times: int) -> None:
    assert app.release(V1).code == 0
    process = app.start(DOCKER_IMAGE=V2, POST_SWITCH_WATCH="120")
    if moment == "after the switch":
        await_colour(app, "green")
    else:
        await_pods(app, "green")
    for _ in range(times):
        process.send_signal(number)
    result = app.result(process)
    assert result.code == 2, result.output
    assert result.record["outcome"] == "interrupted"
    assert result.record["colour_after"] == "blue"
    assert app.live_colour() == "blue"
    assert app.replicas().get("green", 0) == 0
    assert_nobody_felt_it(result.record)
    assert "Traceback" not in result.output
