"""api: what users ask for answers, an unknown path is a 404, and it is the candidate's version that answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bluegreen import gate
from bluegreen.plugin.measuring import Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("api")

UNKNOWN_PATH = "/bluegreen-no-such-page"


def test_each_api_path_answers_with_json(candidate: httpx.Client, settings: Settings) -> None:
    gate.require([check for path in settings.api_paths.split() for check in gate.json_answer(candidate.get(path))])


def test_metrics_are_answered(candidate: httpx.Client, target: Target) -> None:
    path = target.metrics_path()
    answer = candidate.get(path)
    assert answer.status_code == 200, f"GET {path} answered {answer.status_code}, not 200"


def test_an_unknown_path_is_not_found(candidate: httpx.Client) -> None:
    answer = candidate.get(UNKNOWN_PATH)
    assert answer.status_code == 404, f"GET {UNKNOWN_PATH} answered {answer.status_code}, not 404"


def test_every_pod_answers_with_the_version_of_the_candidate(target: Target, settings: Settings, note: Any) -> None:
    header, wanted = settings.version_header, target.release.version
    if not header:
        gate.require(target.proof_of_origin())  # it states no version: what stands behind the address is the proof
        return
    stated: dict[str, str] = {}
    for pod in target.pods():
        with target.pod_client(pod) as client:
            for path in settings.api_paths.split():
                answer = client.get(path)
                stated[f"{pod['metadata']['name']} {path}"] = answer.headers.get(header, "")
    note("answers", len(stated))
    assert stated, f"{target.release.deployment} has no pod to ask"
    wrong = {place: said for place, said in stated.items() if said != wanted}
    assert not wrong, f"{header} is not {wanted!r}: " + ", ".join(f"{at} says {said!r}" for at, said in wrong.items())


def test_the_service_answers_with_the_version_of_the_candidate(
    candidate: httpx.Client, target: Target, settings: Settings
) -> None:
    header, wanted = settings.version_header, target.release.version
    gate.require(target.proof_of_origin())
    said = {candidate.get(settings.api_paths.split()[0]).headers.get(header, "") for _ in range(2 * target.release.replicas)}
    assert not header or said == {wanted}, f"{header} through the Service is {sorted(said)}, not {wanted!r}"
