"""health: the application says of itself that it is well, on every pod and through the Service, again and again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bluegreen import gate
from bluegreen.plugin.measuring import Target
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
    checks = []
    for pod in pods:
        with target.pod_client(pod) as client:
            for _ in range(ROUNDS):
                checks += gate.health(pod["metadata"]["name"], check, client.get(paths(settings)[check]))
    note("answers", len(checks))
    gate.require(checks)


@pytest.mark.parametrize("check", ["health", "ready", "live"])
def test_the_service_says_it_is_well(candidate: httpx.Client, target: Target, settings: Settings, check: str) -> None:
    checks = [*target.proof_of_origin()]
    for _ in range(ROUNDS):
        checks += gate.health(f"Service {target.release.preview_name}", check, candidate.get(paths(settings)[check]))
    gate.require([*checks, *target.proof_of_origin()])
