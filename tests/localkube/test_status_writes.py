"""Writes to /status and /finalize: what of them is refused. The rules are Kubernetes' Validate...StatusUpdate."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError
from tests.localkube.serving import new_registry

Obj = dict[str, Any]
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
SELECTOR = {"matchLabels": {"a": "b"}}
PORTS = [{"port": 80}]
SPECS: dict[str, Obj] = {
    "Deployment": {"selector": SELECTOR, "template": TEMPLATE},
    "ReplicaSet": {"selector": SELECTOR, "template": TEMPLATE},
    "PodDisruptionBudget": {"selector": SELECTOR},
    "HorizontalPodAutoscaler": {
        "maxReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    },
    "ResourceQuota": {"hard": {"pods": "1"}},
    "Service": {"type": "LoadBalancer", "ports": PORTS},
    "Pod": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]},
}
CONDITION = {"type": "Ready", "status": "True", "reason": "Yes", "lastTransitionTime": "2026-01-01T00:00:00Z"}


@pytest.fixture
def registry() -> Registry:
    return new_registry()


def stored(registry: Registry, kind: str, spec: Obj | None = None) -> None:
    body = {"metadata": {"name": "x"}, "spec": spec or SPECS[kind]}
    registry.create(KINDS[kind], "default", body, manager="test")


def patched(registry: Registry, kind: str, status: Obj, name: str = "x") -> Obj:
    namespace = "default" if KINDS[kind].namespaced else ""
    write = {"manager": "test", "subresource": "status"}
    return registry.patch(KINDS[kind], namespace, name, "merge", {"status": status}, **write)[0]


def causes(registry: Registry, kind: str, status: Obj, name: str = "x") -> list[tuple[str, str]]:
    with pytest.raises(ApiError) as refusal:
        patched(registry, kind, status, name)
    assert refusal.value.code == 422
    return [(cause["field"], cause["message"]) for cause in (refusal.value.details or {})["causes"]]


NEGATIVE = "Invalid value: -1: must be greater than or equal to 0"


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("Deployment", "replicas"),
        ("Deployment", "observedGeneration"),
        ("ReplicaSet", "fullyLabeledReplicas"),
        ("PodDisruptionBudget", "disruptionsAllowed"),
        ("HorizontalPodAutoscaler", "desiredReplicas"),
    ],
)
def test_a_count_is_not_negative(registry: Registry, kind: str, key: str) -> None:
    stored(registry, kind)
    assert (f"status.{key}", NEGATIVE) in causes(registry, kind, {key: -1})


def test_no_part_of_the_replicas_is_larger_than_all_of_them(registry: Registry) -> None:
    """ValidateDeploymentStatus."""
    stored(registry, "Deployment")
    counts = {"replicas": 1, "updatedReplicas": 2, "readyReplicas": 0, "availableReplicas": 1}
    assert causes(registry, "Deployment", counts) == [
        ("status.updatedReplicas", "Invalid value: 2: cannot be greater than status.replicas"),
        ("status.availableReplicas", "Invalid value: 1: cannot be greater than readyReplicas"),
    ]
    patched(registry, "Deployment", {"collisionCount": 2})
    assert causes(registry, "Deployment", {"collisionCount": None}) == [
        ("status.collisionCount", "Invalid value: 0: cannot be decremented")
    ]


def test_conditions_of_the_common_type_are_whole(registry: Registry) -> None:
    """apimachinery's ValidateConditions, which disruption budgets use."""
    stored(registry, "PodDisruptionBudget")
    wrong = [{**CONDITION, "status": "Maybe"}, {**CONDITION, "reason": "not one word", "lastTransitionTime": None}]
    found = dict(causes(registry, "PodDisruptionBudget", {"conditions": wrong}))
    assert found["status.conditions[0].status"].endswith('supported values: "False", "True", "Unknown"')
    assert found["status.conditions[1].type"] == 'Duplicate value: "Ready"'
    assert found["status.conditions[1].lastTransitionTime"] == "Required value"
    assert "a condition reason must start with alphabetic character" in found["status.conditions[1].reason"]
    patched(registry, "PodDisruptionBudget", {"conditions": [CONDITION]})


def test_a_pod_that_ended_stays_ended(registry: Registry) -> None:
    """ValidatePodStatusUpdate: state transitions, quality of service and addresses."""
    stored(registry, "Pod")
    ended = {"name": "c", "state": {"terminated": {"exitCode": 1}}}
    patched(registry, "Pod", {"containerStatuses": [ended], "qosClass": "BestEffort"})
    again = {"name": "c", "state": {"running": {}}}
    assert causes(registry, "Pod", {"containerStatuses": [again]}) == [
        ("status.containerStatuses[0].state", "Forbidden: may not be transitioned to non-terminated state")
    ]
    assert [field for field, _ in causes(registry, "Pod", {"qosClass": "Burstable"})] == ["status.qosClass"]
    assert [field for field, _ in causes(registry, "Pod", {"podIPs": [{"ip": "x"}]})] == ["status.podIPs[0]"]
    odd = {"conditions": [{"type": "a b", "status": "True"}]}
    assert [field for field, _ in causes(registry, "Pod", odd)] == ["metadata.conditions[0].Type"]


def test_a_load_balancers_status(registry: Registry) -> None:
    """ValidateLoadBalancerStatus; an address without a mode is a virtual one (SetDefaults_Service)."""
    stored(registry, "Service")
    entries = patched(registry, "Service", {"loadBalancer": {"ingress": [{"ip": "10.1.2.3"}]}})["status"]
    assert entries["loadBalancer"]["ingress"] == [{"ip": "10.1.2.3", "ipMode": "VIP"}]
    wrong = {"loadBalancer": {"ingress": [{"hostname": "10.1.2.3", "ipMode": "VIP"}]}}
    assert causes(registry, "Service", wrong) == [
        ("status.loadBalancer.ingress[0].ipMode", "Forbidden: may not be specified when `ip` is not set"),
        (
            "status.loadBalancer.ingress[0].hostname",
            'Invalid value: "10.1.2.3": must be a DNS name, not an IP address',
        ),
    ]


def test_only_a_load_balancer_has_addresses(registry: Registry) -> None:
    stored(registry, "Service", {"ports": PORTS})
    assert causes(registry, "Service", {"loadBalancer": {"ingress": [{"ip": "10.1.2.3"}]}}) == [
        ("status.loadBalancer.ingress", "Forbidden: may only be used when `spec.type` is 'LoadBalancer'")
    ]


def test_a_quotas_status_counts_what_a_quota_can(registry: Registry) -> None:
    stored(registry, "ResourceQuota")
    found = causes(registry, "ResourceQuota", {"hard": {"pods": "1"}, "used": {"pods": "500m"}})
    assert found == [("status.used[pods]", 'Invalid value: "500m": must be an integer')]


def test_a_namespaces_phase_is_not_for_clients(registry: Registry) -> None:
    """ValidateNamespaceStatusUpdate and ValidateNamespaceFinalizeUpdate."""
    assert causes(registry, "Namespace", {"phase": "Terminating"}, "default") == [
        ("status.Phase", "Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty")
    ]
    body = {"metadata": {"name": "default"}, "spec": {"finalizers": ["mine"]}}
    with pytest.raises(ApiError, match=r"spec.finalizers\[0\].*nor is it fully qualified"):
        registry.update(KINDS["Namespace"], "", "default", body, manager="test", subresource="finalize")


def test_the_cluster_itself_is_believed(registry: Registry) -> None:
    """Controllers write what they counted, in whatever order they counted it."""
    stored(registry, "Deployment")
    written = registry.modify(KINDS["Deployment"], "default", "x", lambda obj: obj.update(status={"readyReplicas": 2}))
    assert written is not None
    assert written["status"]["readyReplicas"] == 2


def test_a_job_is_over_in_one_way_and_for_good(registry: Registry) -> None:
    stored(registry, "Job", {"suspend": True, "template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}})
    assert causes(registry, "Job", {"active": -1}) == [
        ("status.active", "Invalid value: -1: must be greater than or equal to 0")
    ]
    both = [{"type": name, "status": "True"} for name in ("Complete", "Failed")]
    said = [message for _, message in causes(registry, "Job", {"conditions": both})]
    assert "Invalid value: cannot set Complete=True and Failed=true conditions" in said
    assert "Required value: startTime is required for finished job" in said
    assert ("status.ready", "Invalid value: 2: cannot set more ready pods than active") in causes(
        registry, "Job", {"ready": 2, "active": 1}
    )
