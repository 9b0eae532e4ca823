"""health: the application says of itself that it is well, on every pod and through the Service, again and again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bluegreen import gate
from bluegreen.plugin.measuring import Target, ask
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("health")

ROUNDS = 5
"""How often each is asked in a row: a dependency that comes and goes shows between two answers."""


def paths(settings: Settings) -> dict[str, str]:
    return {
        "health": settings.health_path,
        "ready": f"{settings.health_base}/ready",
        "live": f"{settings.health_base}/live",
    }


@pytest.mark.parametrize("check", ["health", "ready", "live"])
def test_every_pod_says_it_is_well(target: Target, settings: Settings, note: Any, check: str) -> None:
    pods = target.pods()
    assert pods, f"{target.release.deployment} has no pod to ask"
    answers = []
    for pod in pods:
        with target.pod_client(pod) as client:
            where = f"Pod {pod['metadata']['name']} {paths(settings)[check]}"
            answers += [ask(client, paths(settings)[check], where) for _ in range(ROUNDS)]
    note("answers", len(answers))
    gate.require([made for answer in answers for made in gate.healthy(answer, must_say=check == "health")])


@pytest.mark.parametrize("check", ["health", "ready", "live"])
def test_the_service_says_it_is_well(preview: httpx.Client, target: Target, settings: Settings, check: str) -> None:
    path = paths(settings)[check]
    before = target.proof_of_origin()
    answers = [ask(preview, path, f"Service {target.release.preview_name} {path}") for _ in range(ROUNDS)]
    said = [made for answer in answers for made in gate.healthy(answer, must_say=check == "health")]
    gate.require([*before, *said, *target.proof_of_origin()])
