"""The hash of pod templates, against hashes that Kubernetes' own code (k8s.io/api v0.34.1) computed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bluegreen.localkube.controllers.template_hash import as_go, template_hash

Obj = dict[str, Any]
PROBE = {
    "httpGet": {"path": "/api/v1/health/ready", "port": 8080, "scheme": "HTTP"},
    "periodSeconds": 1,
    "timeoutSeconds": 1,
    "successThreshold": 1,
    "failureThreshold": 3,
}
TEMPLATE: Obj = {
    "metadata": {"labels": {"app": "web", "version": "blue"}},
    "spec": {
        "terminationGracePeriodSeconds": 2,
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "containers": [
            {
                "name": "app",
                "image": "gremlinsai/backend:v1.0.0",
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "readinessProbe": PROBE,
            }
        ],
    },
}


def with_container(**fields: Any) -> Obj:
    changed = copy.deepcopy(TEMPLATE)
    changed["spec"]["containers"][0].update(fields)
    return changed


RICH: Obj = copy.deepcopy(TEMPLATE)
RICH["metadata"]["annotations"] = {"prometheus.io/scrape": "true", "a": "é"}
RICH["spec"] |= {
    "nodeSelector": {"z": "1", "a": "2"},
    "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
    "volumes": [
        {"name": "v", "emptyDir": {"sizeLimit": "500Mi"}},
        {"name": "c", "configMap": {"name": "n", "defaultMode": 420, "items": [{"key": "a", "path": "b"}]}},
    ],
}
RICH["spec"]["containers"][0] |= {
    "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    "env": [
        {"name": "A", "value": "b"},
        {"name": "C", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
    ],
    "envFrom": [{"configMapRef": {"name": "x"}}],
    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "2"]}}},
    "securityContext": {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}},
    "volumeMounts": [{"name": "v", "mountPath": "/x", "readOnly": True}],
}


CASES = [
    pytest.param(TEMPLATE, None, "55f8786965", id="plain, as recorded"),
    pytest.param(TEMPLATE, 0, "5d6f49b597", id="first collision"),
    pytest.param(TEMPLATE, 3, "77f9c5d9db", id="third collision"),
    pytest.param(RICH, None, "5df7b4dbfc", id="much of what pods have"),
    pytest.param(with_container(resources={"limits": {"memory": "0"}}), None, "856dbd9cb4", id="quantity 0"),
    pytest.param(with_container(resources={"limits": {"memory": "100m"}}), None, "5dc5576bcc", id="quantity 100m"),
    pytest.param(with_container(resources={"limits": {"memory": "1500m"}}), None, "855b566bc5", id="quantity 1500m"),
    pytest.param(with_container(resources={"limits": {"memory": "2"}}), None, "5788745cb8", id="quantity 2"),
    pytest.param(with_container(resources={"limits": {"memory": "1000"}}), None, "5d6c59f74", id="quantity 1000"),
    pytest.param(with_container(resources={"limits": {"memory": "12M"}}), None, "79bdb9bd7c", id="quantity 12M"),
    pytest.param(with_container(resources={"limits": {"memory": "8Mi"}}), None, "7c6fc4fd59", id="quantity 8Mi"),
    pytest.param(with_container(resources={"limits": {"memory": "7Mi"}}), None, "69bd4c49d8", id="quantity 7Mi"),
    pytest.param(with_container(resources={"limits": {"memory": "1Gi"}}), None, "6fff7f7b64", id="quantity 1Gi"),
    pytest.param(
        with_container(resources={"limits": {"memory": "128974848"}}), None, "6cb866768", id="quantity 128974848"
    ),
    pytest.param(with_container(resources={"limits": {"memory": "5e6"}}), None, "68fbffc6f8", id="quantity 5e6"),
]


@pytest.mark.parametrize(("template", "collisions", "expected"), CASES)
def test_equals_what_kubernetes_computes(template: Obj, collisions: int | None, expected: str) -> None:
    assert template_hash(template, collisions) == expected


def test_empty_and_absent_are_the_same() -> None:
    assert template_hash(with_container(env=[], command=None)) == template_hash(TEMPLATE)


def test_every_field_matters() -> None:
    assert template_hash(with_container(image="gremlinsai/backend:v1.1.0")) != template_hash(TEMPLATE)
    assert "Image:(string)gremlinsai/backend:v1.0.0" in as_go(TEMPLATE)
