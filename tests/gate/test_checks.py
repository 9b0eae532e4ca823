"""Checks of the gate that need no cluster: policies, configuration, health and errors under load, whole answers."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen import gate, metrics

LABELS = {"app": "shop", "version": "green"}
PORTS = {"http": 8080}


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "wall"}, "spec": {"podSelector": {}, **spec}}


OPEN = {"ports": [{"port": "http"}]}
DNS = {"ports": [{"port": 53, "protocol": "UDP"}]}


@pytest.mark.parametrize(
    "policies",
    [
        [],
        [policy(policyTypes=["Ingress"], ingress=[{}])],
        [policy(ingress=[OPEN])],
        [policy(ingress=[{"ports": [{"port": 8000, "endPort": 8090}]}])],
        [policy(policyTypes=["Ingress"]), policy(policyTypes=["Ingress"], ingress=[OPEN])],  # they add up
        [policy(podSelector={"matchLabels": {"version": "blue"}}, policyTypes=["Ingress"])],  # not ours
        [policy(podSelector={"matchExpressions": [{"key": "version", "operator": "NotIn", "values": ["green"]}]})],
        [policy(policyTypes=["Egress"], egress=[DNS])],
        [policy(ingress=[OPEN], egress=[{}])],
    ],
)
def test_policies_that_let_the_pods_be_used(policies: list[Any]) -> None:
    assert all(check.passed for check in gate.admitted(policies, LABELS, PORTS))


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ([policy(policyTypes=["Ingress"])], "lets nobody reach port http (8080)"),
        ([policy()], "lets nobody reach port http (8080)"),
        ([policy(ingress=[{"ports": [{"port": 9090}]}])], "lets nobody reach port http (8080)"),
        (
            [policy(ingress=[OPEN], egress=[{"ports": [{"port": 5432}]}])],
            "does not let this colour's pods look up names",
        ),
        ([policy(policyTypes=["Egress"])], "does not let this colour's pods look up names"),
        ([policy(policyTypes=["Egress"], egress=[{"to": [{"podSelector": {}}]}])], "pods look up names"),
    ],
)
def test_policies_that_shut_the_pods_in(policies: list[Any], said: str) -> None:
    failed = [check.sentence for check in gate.admitted(policies, LABELS, PORTS) if not check.passed]
    assert len(failed) == 1
    assert said in failed[0]
    assert "NetworkPolicy wall" in failed[0]


def deployment(**container: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "app", **container}], **container.pop("pod", {})}
    return {"metadata": {"name": "shop-green"}, "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    "given",
    [
        deployment(),
        deployment(env=[{"name": "COLOUR", "value": "green"}], envFrom=[{"configMapRef": {"name": "settings-green"}}]),
        deployment(envFrom=[{"configMapRef": {"name": "bluebird"}}]),
    ],
)
def test_configuration_of_its_own(given: dict[str, Any]) -> None:
    assert all(check.passed for check in gate.own_configuration(given, "green", "blue"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (deployment(env=[{"name": "COLOUR", "value": "blue"}]), "tells its pods that they are blue"),
        (deployment(envFrom=[{"secretRef": {"name": "blue-secrets"}}]), "from blue-secrets, which is blue's"),
        (
            deployment(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x-blue", "key": "a"}}}]),
            "from x-blue, which is blue's",
        ),
        (deployment(pod={"volumes": [{"secret": {"secretName": "tls-blue"}}]}), "from tls-blue, which is blue's"),
        (deployment(pod={"volumes": [{"configMap": {"name": "c-blue"}}]}), "from c-blue, which is blue's"),
    ],
)
def test_configuration_of_the_other_colour(given: dict[str, Any], said: str) -> None:
    failed = [check.sentence for check in gate.own_configuration(given, "green", "blue") if not check.passed]
    assert len(failed) == 1
    assert said in failed[0]


def exposition(count: float) -> metrics.Exposition:
    return metrics.parse(f"# TYPE errors_total counter\nerrors_total {count}\n")


def test_errors_that_only_the_application_counts() -> None:
    few = gate.errors_counted(exposition(1), exposition(6), "errors_total", 100, 0.95, "Pod a")
    many = gate.errors_counted(exposition(1), exposition(8), "errors_total", 100, 0.95, "Pod a")
    assert few[0].passed
    assert many[0].sentence == "Pod a counted 7 errors in errors_total under 100 requests; 5 are allowed."
    assert gate.errors_counted(exposition(1), exposition(8), "others_total", 100, 0.95, "Pod a") == []


def test_health_under_load() -> None:
    fine = [gate.Look("a", "")] * 9 + [gate.Look("a", "no answer")]
    bad = [*fine, gate.Look("b", ""), gate.Look("b", "not ready"), gate.Look("b", "not ready")]
    assert [check.passed for check in gate.well_throughout(fine)] == [True]
    failed = [check.sentence for check in gate.well_throughout(bad) if not check.passed]
    assert failed == ["Pod b was not well in 2 of 3 looks during the load test: not ready"]


def test_an_answer_that_did_not_come() -> None:
    missing = gate.Answer.missing("Pod a GET /", "ReadTimeout")
    for checks in (gate.healthy(missing), gate.succeeded(missing), gate.version(missing, "X-Version", "v1")):
        assert [check.sentence for check in checks] == ["Pod a GET / was not answered: ReadTimeout."]


def test_json_must_be_called_so() -> None:
    answer = gate.Answer("GET /", 200, {"content-type": "text/html; charset=utf-8"}, "{}")
    failed = [check.sentence for check in gate.succeeded(answer) if not check.passed]
    assert failed == ["GET / calls its answer text/html and not application/json."]
    assert all(
        c.passed for c in gate.succeeded(gate.Answer("GET /", 200, {"content-type": "application/hal+json"}, "{}"))
    )
