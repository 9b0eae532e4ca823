"""network: from inside the cluster the Service's name resolves and each port answers; every ready pod gets requests."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bluegreen import gate, network
from bluegreen.clock import Deadline
from bluegreen.plugin.measuring import Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("network")

REQUESTS_A_POD = 10
"""Requests through the Service for each pod; with random choice one of three pods is missed once in 200,000 runs."""


@pytest.fixture(scope="module")
def seen(target: Target, settings: Settings) -> network.Seen:
    """What a pod inside the cluster saw of the Service."""
    image = settings.network_test_image or target.release.image
    ports = {port["name"]: f"{port['port']}{settings.health_path}" for port in target.plain_ports()}
    deadline = Deadline(min(60.0, settings.validation_timeout))
    name = target.release.preview_name
    return network.look(target.cluster, name, ports, image=image, app_name=target.release.app_name, deadline=deadline)


def test_the_name_resolves_inside_the_cluster(seen: network.Seen, target: Target, note: Any) -> None:
    note("address", seen.address)
    assert seen.address, f"{target.release.preview_name} does not resolve inside the cluster"
    wanted = target.service()["spec"]["clusterIP"]
    assert wanted in ("None", seen.address), f"{target.release.preview_name} resolves to {seen.address}, not {wanted}"


def test_each_port_answers_inside_the_cluster(seen: network.Seen, target: Target) -> None:
    silent = [name for name in (port["name"] for port in target.plain_ports()) if not seen.ports.get(name)]
    assert not silent, f"no answer inside the cluster from {target.release.preview_name} on: {', '.join(silent)}"


def test_every_ready_pod_is_in_the_endpoint_slices(target: Target) -> None:
    gate.require(gate.endpoints(target.pods(), target.endpoint_slices()))


def test_every_pod_answers_on_each_port(target: Target, settings: Settings) -> None:
    silent = []
    for pod in target.pods():
        for port in target.plain_ports():
            with target.pod_client(pod, port["name"]) as client:
                try:
                    client.get(settings.health_path)
                except httpx.HTTPError as error:
                    silent.append(f"{pod['metadata']['name']} on {port['name']} ({type(error).__name__})")
    assert not silent, "no answer from " + ", ".join(silent)


def test_every_pod_gets_requests(candidate: httpx.Client, target: Target, settings: Settings, note: Any) -> None:
    before = target.request_counts()
    if not before:
        pytest.skip(f"no pod exposes {settings.request_counter}, so requests cannot be counted")
    path = settings.api_paths.split()[0]
    for _ in range(REQUESTS_A_POD * len(before)):
        candidate.get(path)
    after = target.request_counts()
    moved = {name: after.get(name, 0) - count for name, count in before.items()}
    note("requests by pod", moved)
    idle = [name for name, count in moved.items() if count < 1]
    assert not idle, f"{REQUESTS_A_POD * len(before)} requests through the Service, and none reached {', '.join(idle)}"
