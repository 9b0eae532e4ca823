"""api: what users ask for answers, an unknown path is a 404, and it is the candidate's version that answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bluegreen import gate
from bluegreen.plugin.measuring import Target, ask
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("api")

UNKNOWN_PATH = "/bluegreen-no-such-page"


def get(client: httpx.Client, path: str, who: str) -> gate.Answer:
    return ask(client, path, f"{who} GET {path}")


def test_each_api_path_answers_with_json(preview: httpx.Client, settings: Settings, target: Target) -> None:
    who = f"Service {target.release.preview_name}"
    answers = [get(preview, path, who) for path in settings.api_paths.split()]
    gate.require([check for answer in answers for check in gate.succeeded(answer)])


def test_metrics_are_answered(preview: httpx.Client, target: Target) -> None:
    answer = get(preview, target.metrics_path(), f"Service {target.release.preview_name}")
    gate.require(gate.succeeded(answer, in_json=False))


def test_an_unknown_path_is_not_found(preview: httpx.Client, target: Target) -> None:
    gate.require(gate.found_nothing(get(preview, UNKNOWN_PATH, f"Service {target.release.preview_name}")))


def test_head_is_no_fault(preview: httpx.Client, settings: Settings, target: Target) -> None:
    path = settings.api_paths.split()[0]
    gate.require(gate.head(ask(preview, path, f"Service {target.release.preview_name} HEAD {path}", method="HEAD")))


def test_every_pod_answers_with_the_version_of_the_candidate(target: Target, settings: Settings, note: Any) -> None:
    checks = target.proof_of_origin()  # for an application that states no version, what stands behind is the proof
    for pod in target.pods():
        with target.pod_client(pod) as client:
            for path in settings.api_paths.split():
                answer = get(client, path, f"Pod {pod['metadata']['name']}")
                checks += gate.succeeded(answer)
                checks += gate.version(answer, settings.version_header, target.release.version)
    note("checks", len(checks))
    gate.require(checks)


def test_the_service_answers_with_the_version_of_the_candidate(
    preview: httpx.Client, target: Target, settings: Settings
) -> None:
    who, path = f"Service {target.release.preview_name}", settings.api_paths.split()[0]
    answers = [get(preview, path, who) for _ in range(2 * target.release.replicas)]
    said = [check for a in answers for check in gate.version(a, settings.version_header, target.release.version)]
    gate.require([*said, *target.proof_of_origin()])
