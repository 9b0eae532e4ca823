"""network: from inside the cluster the Service's name resolves and each port answers; every ready pod gets requests."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bluegreen import gate, network
from bluegreen.clock import Deadline
from bluegreen.kube import Forbidden
from bluegreen.plugin.measuring import GATE_HEADERS, Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("network")

REQUESTS_A_POD = 10
"""Requests through the Service for each pod; with random choice one of three pods is missed once in 200,000 runs."""


PORT_TIMEOUT_S = 3.0  # a choice: a pod that answers at all answers its health check within this


def status_of(target: Target, pod: dict[str, Any], port: str, path: str) -> tuple[int | None, str]:
    """The status that a pod answers with on a port, or None and what happened instead."""
    try:
        with target.pod_client(pod, port) as client:
            return client.get(path, timeout=PORT_TIMEOUT_S).status_code, ""
    except httpx.HTTPError as error:
        return None, f"{type(error).__name__} {error}".strip()


def two_on_one_connection(url: str, path: str) -> tuple[int, str]:
    """How many of two requests were answered on one connection, and why not both."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=PORT_TIMEOUT_S)
    answers = 0
    try:
        for _ in range(2):
            if answers and connection.sock is None:
                return answers, "it closed the connection after the first"
            connection.request("GET", path, headers=dict(GATE_HEADERS))
            connection.getresponse().read()
            answers += 1
    except (OSError, HTTPException) as error:
        return answers, f"{type(error).__name__} {error}".strip()
    finally:
        connection.close()
    return answers, ""


@pytest.fixture(scope="module")
def seen(target: Target, settings: Settings) -> network.Seen:
    """What a pod inside the cluster saw of the Service."""
    image = settings.network_test_image or target.release.image
    service, names = target.service(), [port["name"] for port in target.plain_ports()]
    ports = {name: f"{target.access.port_inside(service, name)}{settings.health_path}" for name in names}
    deadline = Deadline(min(60.0, settings.validation_timeout))
    name = target.release.preview_name
    release = target.release
    return network.look(
        target.cluster,
        name,
        ports,
        image=image,
        app_name=release.app_name,
        deadline=deadline,
        like=target.deployment()["spec"]["template"]["spec"],
        release=release.release_id,
    )


def test_the_name_resolves_inside_the_cluster(seen: network.Seen, target: Target, note: Any) -> None:
    note("address", seen.address)
    gate.require(gate.resolves(target.release.preview_name, [seen.address] if seen.address else [], target.service()))


def test_each_port_answers_inside_the_cluster(seen: network.Seen, target: Target) -> None:
    where = f"Service {target.release.preview_name}, asked from inside the cluster"
    names = [port["name"] for port in target.plain_ports()]
    gate.require([check for name in names for check in gate.answered(name, seen.ports.get(name) or None, where)])


def test_every_ready_pod_is_in_the_endpoint_slices(target: Target) -> None:
    gate.require(target.proof_of_origin())


def test_every_pod_answers_on_each_port(target: Target, settings: Settings) -> None:
    checks, ports = [], target.plain_ports()
    for pod in target.pods():
        for port in ports:
            inside = str(port.get("targetPort", port["port"]))
            status, problem = status_of(target, pod, inside, settings.health_path)
            checks += gate.answered(port["name"], status, f"Pod {pod['metadata']['name']}", problem)
    gate.require(checks)


def test_no_policy_shuts_its_pods_in(target: Target) -> None:
    try:
        policies = target.network_policies()
    except Forbidden:
        pytest.skip("this account may not read NetworkPolicies")
    ports = {port["name"]: port["containerPort"] for port in target.container_ports() if port.get("name")}
    gate.require([*gate.admitted(policies, target.pod_labels(), ports), *target.proof_of_origin()])


def test_the_mesh_is_in_every_pod(target: Target) -> None:
    namespace = target.cluster.get("Namespace", target.release.namespace)
    checks = gate.sidecars(namespace or {}, target.pods())
    if not checks:
        pytest.skip("neither the namespace nor the pods ask for a service mesh's sidecar")
    gate.require(checks)


def test_connections_are_kept_open(target: Target, settings: Settings) -> None:
    if not settings.keep_alive:
        pytest.skip("KEEP_ALIVE=false: this application closes its connections")
    url = target.release.preview_urls["http"]
    answers, problem = two_on_one_connection(url, settings.api_paths.split()[0])
    gate.require(gate.kept_open(answers, problem, f"Service {target.release.preview_name}"))


def test_every_pod_gets_requests(preview: httpx.Client, target: Target, settings: Settings, note: Any) -> None:
    before = target.request_counts()
    if not before:
        pytest.skip(f"no pod exposes {settings.request_counter}, so requests cannot be counted")
    path = settings.api_paths.split()[0]
    for _ in range(REQUESTS_A_POD * len(before)):
        preview.get(path)
    after = target.request_counts()
    moved = {name: int(after.get(name, 0) - count) for name, count in before.items()}
    note("requests by pod", moved)
    gate.require(gate.reached_every_pod(moved, target.pods(), REQUESTS_A_POD * len(before)))
