"""The embedded cluster answers what a real Kubernetes 1.34 answered, wording included."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from bluegreen import localkube
from tests.conformance import replay
from tests.conformance.clients import of_context, of_embedded

SCENARIOS = dict(replay.scenarios())


@pytest.fixture(scope="module")
def client(cluster: localkube.Cluster) -> Iterator[httpx.Client]:
    with of_embedded(cluster) as client:
        yield client


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_answers_as_recorded(client: httpx.Client, name: str) -> None:
    steps, crash = replay.run(client, SCENARIOS[name])
    failures = replay.compare(replay.recording(name), steps, crash, exact=True)
    assert not failures, "\n".join(f"step {f.step} {f.request}: {'; '.join(f.differences)}" for f in failures)


def test_every_recording_has_its_scenario() -> None:
    recorded = {file.stem for file in (replay.HERE / "recordings").glob("*.json")}
    assert recorded == set(SCENARIOS)


def test_a_difference_is_found() -> None:
    want = replay.recording("objects.patches")
    assert not replay.compare(want, want, None, exact=True)
    for number, step in enumerate(want):
        other = [*want[:number], {**step, "status": 299}, *want[number + 1 :]]
        assert [failure.step for failure in replay.compare(want, other, None)] == [number]
    assert [failure.step for failure in replay.compare(want, want[:-1], "KeyError")] == [len(want) - 1]


def test_a_context_of_a_kubeconfig_will_do_as_well(cluster: localkube.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(cluster.kubeconfig))
    with of_context(cluster.context) as client:
        assert client.get("/api/v1/secrets").status_code == 200
