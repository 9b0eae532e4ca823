"""Whole releases by a route: the worked examples of docs/switching.md, run as the documented account for releases."""

from __future__ import annotations

import json
import shlex
from typing import Any

import jsonschema
import yaml

from bluegreen import localkube
from tests.pages import block

from .conftest import CHECKOUT, App, Result, assert_nobody_felt_it
from .test_role import ended

PAGE = "docs/switching.md"
V1, V2 = "gremlinsai/backend:v1.0.0", "gremlinsai/backend:v1.1.0"


def exported(title: str) -> dict[str, str]:
    """The settings of a documented command."""
    lines = [line for line in block(PAGE, title).splitlines() if line.startswith("export ")]
    words = [word for line in lines for word in shlex.split(line)[1:]]
    return dict(word.split("=", 1) for word in words)


def made(app: App, title: str) -> None:
    """The documented objects, in the application's namespace, which was set up before."""
    app.environment()
    found: dict[str, Any] = yaml.safe_load(block(PAGE, title))
    for obj in found.get("items") or [found]:
        app.kube.apply(obj, manager="kubectl")


def assert_switched_by_route(result: Result, kind: str) -> None:
    """It went all the way, users came in by the route, and the record says so."""
    assert result.code == 0, result.output
    assert result.record["outcome"] == "switched"
    assert result.record["reached_by"]["live"] == "route", result.output
    assert result.record["patches"][0]["kind"] == kind
    assert_nobody_felt_it(result.record)
    jsonschema.validate(result.record, json.loads((CHECKOUT / "docs" / "release.schema.json").read_text()))


def test_the_documented_release_by_an_ingress(app: App) -> None:
    app.always |= exported("release by the Ingress")
    made(app, "front.yaml: the Ingress")
    assert ended(app, "finish", DOCKER_IMAGE=V1) == "switched"
    checked = app.command("preflight", DOCKER_IMAGE=V2)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert_switched_by_route(app.release(V2, "-n", "2"), "Ingress")
    assert "Ingress front sends it to green" in app.command("status").stdout
    again = app.command("setup", CLUSTER="local")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Ingress front sends it to green" in app.command("status").stdout


def test_the_documented_release_by_an_http_route_and_in_steps(app: App) -> None:
    for definition in localkube.gateway_api():
        app.kube.apply(definition)
    app.always |= exported("release by the HTTPRoute")
    made(app, "front.yaml: a Gateway")
    assert ended(app, "finish", DOCKER_IMAGE=V1) == "switched"
    steps = {**exported("release in steps"), "TRAFFIC_STEP_WATCH": "1"}
    result = app.release(V2, **steps)
    assert_switched_by_route(result, "HTTPRoute")
    assert [step["percent"] for step in result.record["shares"]] == [5, 25]
    assert "Switch in steps" in (result.reports / "report.html").read_text()
    assert "25 % to green" in (result.reports / "summary.md").read_text()
    judged = app.result(app.start(suite="suites/validate", DOCKER_IMAGE=V2))
    assert judged.code == 0, judged.output
