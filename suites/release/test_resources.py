"""resources: what stands in the cluster is what was asked for, all of it ready, and it can be kept and scaled."""

from __future__ import annotations

import pytest

from bluegreen import gate
from bluegreen.colour import Colour
from bluegreen.plugin.measuring import Target

pytestmark = pytest.mark.stage("resources")


def test_the_candidate_became_available(target: Target) -> None:
    release = target.release
    gate.require(gate.available(release.deployment, release.available, release.unavailable_reason))


def test_the_image_is_exactly_the_one_asked_for(target: Target) -> None:
    gate.require(gate.image(target.deployment(), target.pods(), target.release.image))


def test_replicas_are_desired_ready_and_available(target: Target) -> None:
    others = [(found, found["spec"]["replicas"]) for found in target.other_deployments()]
    wanted = [(target.deployment(), target.release.replicas), *others]
    gate.require([check for found, size in wanted for check in gate.replicas(found, size)])


def test_pods_are_ready_and_never_restarted(target: Target) -> None:
    gate.require(gate.pods_ready(target.pods(), target.release.replicas))
    for found in target.other_deployments():
        gate.require(gate.pods_ready(target.pods_of(found), found["spec"]["replicas"]))


def test_requests_and_limits_are_set(target: Target) -> None:
    wanted = target.plan.resources()
    if not any(wanted.values()):
        pytest.skip("the application's manifests set neither requests nor limits")
    gate.require(gate.requests_and_limits(target.deployment(), wanted))


def test_probes_are_set(target: Target) -> None:
    gate.require(gate.probes(target.deployment()))


def test_its_configuration_is_its_own(target: Target) -> None:
    colour = target.release.candidate
    gate.require(gate.own_configuration(target.deployment(), colour, str(Colour(colour).other)))


def test_a_disruption_budget_holds_its_pods(target: Target) -> None:
    wanted = target.plan.budget(Colour(target.release.candidate))
    if wanted is None:
        pytest.skip("the application's manifests hold no PodDisruptionBudget for these pods")
    gate.require(gate.disruption_budget(target.disruption_budget(), wanted[1]))


def test_an_autoscaler_targets_it(target: Target) -> None:
    wanted = target.plan.scaling(Colour(target.release.candidate))
    if wanted is None:
        pytest.skip("the application's manifests hold no HorizontalPodAutoscaler for it")
    gate.require(gate.autoscaler(target.autoscaler(), target.release.deployment, wanted.least, wanted.most))


def test_services_offer_its_ports(target: Target) -> None:
    found = target.live_service()["spec"]["ports"]
    ports = {port.get("name", ""): port["port"] for port in found if port.get("name") != "https"}
    main = target.plan.service_port
    assert {main} & {*ports, *map(str, ports.values())}, f"Service {target.release.service_name} has no port {main}"
    gate.require(gate.service(target.service(), target.labels, ports))


def test_the_preview_shows_the_candidate_and_nothing_else(target: Target) -> None:
    gate.require(target.proof_of_origin())


def test_usage_is_within_limits(target: Target) -> None:
    pods = target.pods()
    usage = target.usage(pods)
    if not usage:
        pytest.skip(
            "the cluster has no figures of these pods (metrics.k8s.io); after the load test they are asked again"
        )
    gate.require(gate.usage(usage, pods))
