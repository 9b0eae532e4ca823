"""What the server refuses, with which reason and in which words."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.localkube import decoding, schema
from bluegreen.localkube.defaults import apply_defaults
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.validation import validate

Obj = dict[str, Any]

MISSING, WRONG, UNKNOWN = "FieldValueRequired", "FieldValueInvalid", "FieldValueNotSupported"
TWICE, CLOSED = "FieldValueDuplicate", "FieldValueForbidden"
FIXED = "field is immutable"
DNS_LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"
SELECTED = {"matchLabels": {"app": "a"}}
CONTAINER = {"name": "app", "image": "a:1"}
TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [CONTAINER]}}
METRIC = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
HTTP = {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}
REVIEWER = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}

RIGHT: dict[str, Obj] = {
    "ClusterRole": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "ClusterRoleBinding": {"roleRef": {**REVIEWER, "kind": "ClusterRole"}, "subjects": []},
    "ConfigMap": {"data": {"a.b-c_d": "1"}, "binaryData": {"e": "AA=="}},
    "Deployment": {"spec": {"selector": SELECTED, "template": TEMPLATE}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
    "Endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 3,
            "metrics": [METRIC],
        }
    },
    "Ingress": {"spec": {"rules": [{"host": "a.example", "http": HTTP}]}},
    "Job": {"spec": {"completions": 1, "template": {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}}},
    "Lease": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}},
    "LimitRange": {
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "max": {"cpu": "2"},
                    "default": {"cpu": "1"},
                    "maxLimitRequestRatio": {"cpu": "4"},
                },
                {"type": "Pod", "max": {"memory": "1Gi"}},
            ]
        }
    },
    "Namespace": {},
    "NetworkPolicy": {"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}},
    "Node": {},
    "Pod": {"spec": {"containers": [CONTAINER]}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": SELECTED}},
    "PriorityClass": {"value": 1000},
    "ReplicaSet": {"spec": {"selector": SELECTED, "template": TEMPLATE}},
    "ResourceQuota": {"spec": {"hard": {"pods": "3", "requests.cpu": "1"}}},
    "Role": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "RoleBinding": {"roleRef": REVIEWER, "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "b"}]},
    "Secret": {"data": {"a": "AA=="}},
    "Service": {"spec": {"ports": [{"port": 80}], "selector": {"app": "a"}}},
    "ServiceAccount": {},
}
"""One object of every kind that may be stored."""


def made(kind: str, /, *path: str | int, value: Any = None, drop: bool = False) -> Obj:
    """The right object of a kind with one place changed, as it reaches validation."""
    obj = copy.deepcopy(RIGHT[kind])
    obj["metadata"] = {"name": "one", "uid": "u-1"}
    if KINDS[kind].namespaced:
        obj["metadata"]["namespace"] = "ns"
    if kind == "Job":
        _as_job(obj)
    at: Any = obj
    for step in path[:-1]:
        at = at[step] if isinstance(step, int) else at.setdefault(step, {})
    if drop:
        del at[path[-1]]
    elif not path:
        at.update(copy.deepcopy(value or {}))
    else:
        at[path[-1]] = copy.deepcopy(value)
    apply_defaults(KINDS[kind], obj)
    return obj


def _as_job(obj: Obj) -> None:
    """The selector and the labels that every Job is given before it is looked at."""
    name = {f"{prefix}job-name": "one" for prefix in ("", "batch.kubernetes.io/")}
    uid = {f"{prefix}controller-uid": "u-1" for prefix in ("", "batch.kubernetes.io/")}
    obj["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    obj["spec"]["template"]["metadata"] = {"labels": {**name, **uid}}


def causes(kind: str, obj: Obj, old: Obj | None = None) -> list[tuple[str, str, str]]:
    return [(cause.field, cause.reason, cause.message) for cause in validate(KINDS[kind], obj, old)]


@pytest.mark.parametrize("kind", sorted(RIGHT))
def test_right_objects_pass_and_may_stay(kind: str) -> None:
    obj = made(kind)
    old = copy.deepcopy(obj)
    old["metadata"]["resourceVersion"] = obj["metadata"]["resourceVersion"] = "1"
    assert causes(kind, made(kind)) == []
    assert causes(kind, obj, old) == []


LIMIT = ("spec", "limits", 0)
SPEC_OF_POD = ("spec", "containers", 0)
PODS = ("spec", "template", "spec")

REFUSED: list[tuple[str, tuple[str | int, ...], Any, str, str, str]] = [
    # metadata, of any kind
    (
        "ConfigMap",
        ("metadata", "name"),
        "A_b",
        "metadata.name",
        WRONG,
        'Invalid value: "A_b": a lowercase RFC 1123 sub',
    ),
    ("ConfigMap", ("metadata", "labels"), {"a b": "1"}, "metadata.labels", WRONG, 'Invalid value: "a b": name part'),
    (
        "ConfigMap",
        ("metadata", "labels"),
        {"a": "-"},
        "metadata.labels",
        WRONG,
        'Invalid value: "-": a valid label must',
    ),
    ("ConfigMap", ("metadata", "annotations"), {"/": "1"}, "metadata.annotations", WRONG, 'Invalid value: "/": prefix'),
    ("ConfigMap", ("metadata", "finalizers"), ["a"], "metadata.finalizers[0]", WRONG, 'Invalid value: "a": name is '),
    ("Namespace", ("metadata", "name"), "a.b", "metadata.name", WRONG, f'Invalid value: "a.b": {DNS_LABEL}'),
    ("Service", ("metadata", "name"), "9a", "metadata.name", WRONG, 'Invalid value: "9a": a DNS-1035 label must'),
    # pods
    ("Pod", ("spec", "containers"), [], "spec.containers", MISSING, "Required value"),
    ("Pod", (*SPEC_OF_POD, "name"), "", "spec.containers[0].name", MISSING, "Required value"),
    ("Pod", (*SPEC_OF_POD, "name"), "A", "spec.containers[0].name", WRONG, f'Invalid value: "A": {DNS_LABEL}'),
    ("Pod", (*SPEC_OF_POD, "image"), "", "spec.containers[0].image", MISSING, "Required value"),
    ("Pod", (*SPEC_OF_POD, "image"), " a", "spec.containers[0].image", WRONG, "must not have leading or trailing wh"),
    ("Pod", ("spec", "containers"), [CONTAINER, CONTAINER], "spec.containers[1].name", TWICE, 'Duplicate value: "app"'),
    ("Pod", ("spec", "initContainers"), [CONTAINER], "spec.initContainers[0].name", TWICE, 'Duplicate value: "app"'),
    ("Pod", ("spec", "restartPolicy"), "X", "spec.restartPolicy", UNKNOWN, '"Always", "OnFailure", "Never"'),
    ("Pod", ("spec", "dnsPolicy"), "X", "spec.dnsPolicy", UNKNOWN, 'Unsupported value: "X": supported values: '),
    ("Pod", ("spec", "nodeName"), "A_", "spec.nodeName", WRONG, 'Invalid value: "A_"'),
    (
        "Pod",
        ("spec", "activeDeadlineSeconds"),
        0,
        "spec.activeDeadlineSeconds",
        WRONG,
        "must be between 1 and 2147483647",
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "imagePullPolicy"),
        "Maybe",
        "spec.containers[0].imagePullPolicy",
        UNKNOWN,
        'Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "ports"),
        [{"containerPort": 70000}],
        "spec.containers[0].ports[0].containerPort",
        WRONG,
        "Invalid value: 70000: must be between 1 and 65535, inclusive",
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "ports"),
        [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}],
        "spec.containers[0].ports[1].name",
        TWICE,
        'Duplicate value: "a"',
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "resources"),
        {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
        "spec.containers[0].resources.requests",
        WRONG,
        'Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "resources"),
        {"requests": {"memory": "-1"}},
        "spec.containers[0].resources.requests[memory]",
        WRONG,
        'Invalid value: "-1": must be greater than or equal to 0',
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "env"),
        [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "spec.containers[0].env[0].valueFrom",
        WRONG,
        'Invalid value: "": may not be specified when `value` is not empty',
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "volumeMounts"),
        [{"name": "v", "mountPath": "/v"}],
        "spec.containers[0].volumeMounts[0].name",
        "FieldValueNotFound",
        'Not found: "v"',
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "livenessProbe"),
        {},
        "spec.containers[0].livenessProbe",
        MISSING,
        "Required value: must specify a handler type",
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "livenessProbe"),
        {"tcpSocket": {"port": 1}, "successThreshold": 2},
        "spec.containers[0].livenessProbe.successThreshold",
        WRONG,
        "Invalid value: 2: must be 1",
    ),
    (
        "Pod",
        ("spec", "volumes"),
        [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}],
        "spec.volumes[1].name",
        TWICE,
        'Duplicate value: "v"',
    ),
    (
        "Pod",
        ("spec", "volumes"),
        [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}],
        "spec.volumes[0].hostPath",
        CLOSED,
        "Forbidden: may not specify more than 1 volume type",
    ),
    ("Pod", ("spec", "schedulingGates"), [{"name": "a b"}], "spec.schedulingGates[0]", WRONG, "name part must consist"),
    ("Pod", ("spec", "dnsConfig"), {"searches": ["A"]}, "spec.dnsConfig.searches[0]", WRONG, "characters, '_', '-' or"),
    (
        "Pod",
        ("spec",),
        {"containers": [CONTAINER], "hostUsers": False, "hostPID": True},
        "spec.HostPID",
        CLOSED,
        "Forbidden: when `pod.Spec.HostUsers` is false",
    ),
    (
        "Pod",
        ("spec",),
        {
            "containers": [{**CONTAINER, "resources": {"requests": {"memory": "2Gi"}}}],
            "resources": {"requests": {"memory": "1Gi"}},
        },
        "spec.resources.requests[memory]",
        WRONG,
        'Invalid value: "1Gi": must be greater than or equal to aggregate container requests of 2Gi',
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "volumeMounts"),
        [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}],
        "spec.containers[0].volumeMounts.mountPropagation",
        CLOSED,
        "available only to privileged containers",
    ),
    (
        "Pod",
        (*SPEC_OF_POD, "resources"),
        {"limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}},
        "spec.containers[0].resources.limits[hugepages-2Mi]",
        WRONG,
        'Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
    ),
    # workloads
    (
        "Job",
        ("spec", "managedBy"),
        "me",
        "spec.managedBy",
        WRONG,
        'must be a domain-prefixed path (such as "acme.io/foo',
    ),
    (
        "Job",
        ("spec", "successPolicy"),
        {"rules": [{"succeededIndexes": "2-1"}]},
        "spec.successPolicy",
        WRONG,
        "requires indexed completion mode",
    ),
    (
        "Deployment",
        ("spec", "replicas"),
        -1,
        "spec.replicas",
        WRONG,
        "Invalid value: -1: must be greater than or equal",
    ),
    ("Deployment", ("spec", "selector"), None, "spec.selector", MISSING, "Required value"),
    (
        "Deployment",
        (*PODS, "restartPolicy"),
        "Never",
        f"{'.'.join(PODS)}.restartPolicy",
        UNKNOWN,
        'supported values: "Al',
    ),
    (
        "Deployment",
        ("spec", "strategy"),
        {"type": "X"},
        "spec.strategy",
        UNKNOWN,
        'Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
    ),
    (
        "ReplicaSet",
        ("spec", "selector"),
        {"matchLabels": {"a b": "c"}},
        "spec.selector",
        WRONG,
        'Invalid value: {"matchLabels":{"a b":"c"}}: invalid label selector',
    ),
    (
        "Deployment",
        ("spec", "selector"),
        {},
        "spec.selector",
        WRONG,
        "Invalid value: {}: empty selector is invalid for deployment",
    ),
    (
        "Deployment",
        ("spec", "selector"),
        {"matchLabels": {"app": "b"}},
        "spec.template.metadata.labels",
        WRONG,
        'Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    ),
    (
        "Deployment",
        ("spec", "strategy"),
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
        "spec.strategy.rollingUpdate.maxUnavailable",
        WRONG,
        "Invalid value: 0: may not be 0 when `maxSurge` is 0",
    ),
    (
        "Deployment",
        ("spec", "strategy"),
        {"type": "Recreate", "rollingUpdate": {}},
        "spec.strategy.rollingUpdate",
        CLOSED,
        "Forbidden: may not be specified when strategy `type` is 'Recreate'",
    ),
    (
        "Deployment",
        ("spec", "progressDeadlineSeconds"),
        0,
        "spec.progressDeadlineSeconds",
        WRONG,
        "Invalid value: 0: must be greater than minReadySeconds",
    ),
    (
        "ReplicaSet",
        ("spec", "minReadySeconds"),
        -1,
        "spec.minReadySeconds",
        WRONG,
        "Invalid value: -1: must be greater",
    ),
    (
        "ReplicaSet",
        ("spec", "selector"),
        {"matchLabels": {"app": "b"}},
        "spec.template.metadata.labels",
        WRONG,
        "`selector` does not match template `labels`",
    ),
    (
        "Job",
        ("spec", "backoffLimit"),
        -1,
        "spec.backoffLimit",
        WRONG,
        "Invalid value: -1: must be greater than or equal",
    ),
    ("Job", (*PODS, "restartPolicy"), "Always", f"{'.'.join(PODS)}.restartPolicy", MISSING, '"OnFailure", "Never"'),
    ("Job", ("spec", "completionMode"), "X", "spec.completionMode", UNKNOWN, '"NonIndexed", "Indexed"'),
    # services and what carries them
    ("Service", ("spec", "ports"), [], "spec.ports", MISSING, "Required value"),
    ("Service", ("spec", "type"), "X", "spec.type", UNKNOWN, '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'),
    ("Service", ("spec", "ports", 0, "port"), 0, "spec.ports[0].port", WRONG, "must be between 1 and 65535, inclusive"),
    ("Service", ("spec", "ports", 0, "protocol"), "X", "spec.ports[0].protocol", UNKNOWN, '"SCTP", "TCP", "UDP"'),
    ("Service", ("spec", "sessionAffinity"), "X", "spec.sessionAffinity", UNKNOWN, '"ClientIP", "None"'),
    ("Service", ("spec", "ports"), [{"port": 1}, {"port": 2}], "spec.ports[0].name", MISSING, "Required value"),
    ("EndpointSlice", ("addressType",), "X", "addressType", UNKNOWN, '"FQDN", "IPv4", "IPv6"'),
    (
        "EndpointSlice",
        ("endpoints",),
        [{"addresses": []}],
        "endpoints[0].addresses",
        MISSING,
        "must contain at least 1",
    ),
    (
        "Endpoints",
        ("subsets",),
        [{"ports": [{"port": 1}]}],
        "subsets[0]",
        MISSING,
        "Required value: must specify `addr",
    ),
    ("Ingress", ("spec", "rules"), [], "spec", WRONG, "either `defaultBackend` or `rules` must be specified"),
    ("Ingress", ("spec", "rules"), [{"host": "1.2.3.4"}], "spec.rules[0].host", WRONG, "must be a DNS name, not an IP"),
    (
        "Ingress",
        ("spec", "rules"),
        [{"http": {"paths": [{"path": "a", "pathType": "Exact", "backend": BACKEND}]}}],
        "spec.rules[0].http.paths[0].path",
        WRONG,
        'Invalid value: "a": must be an absolute path',
    ),
    (
        "Ingress",
        ("spec", "rules"),
        [{"http": {"paths": [{"path": "/", "backend": BACKEND}]}}],
        "spec.rules[0].http.paths[0].pathType",
        MISSING,
        "Required value: pathType must be specified",
    ),
    ("NetworkPolicy", ("spec", "policyTypes"), ["X"], "spec.policyTypes[0]", UNKNOWN, '"Ingress", "Egress"'),
    # limits and scaling
    (
        "PodDisruptionBudget",
        ("spec", "minAvailable"),
        "x%",
        "spec.minAvailable",
        WRONG,
        "a valid percent string must be",
    ),
    (
        "PodDisruptionBudget",
        ("spec", "maxUnavailable"),
        1,
        "spec",
        WRONG,
        "minAvailable and maxUnavailable cannot be bot",
    ),
    ("HorizontalPodAutoscaler", ("spec", "maxReplicas"), 0, "spec.maxReplicas", WRONG, "Invalid value: 0: must be gre"),
    ("HorizontalPodAutoscaler", ("spec", "minReplicas"), 4, "spec.maxReplicas", WRONG, "to `minReplicas`"),
    ("ResourceQuota", ("spec", "hard"), {"pods": "1.5"}, "spec.hard[pods]", WRONG, "must be an integer"),
    ("ResourceQuota", ("spec", "scopes"), ["X"], "spec.scopes", WRONG, "unsupported scope"),
    (
        "LimitRange",
        (*LIMIT, "type"),
        "Box",
        "spec.limits[0].type",
        WRONG,
        "must be a standard limit type or fully qual",
    ),
    (
        "LimitRange",
        (*LIMIT, "type"),
        "Pod",
        "spec.limits[0].default",
        CLOSED,
        "may not be specified when `type` is 'Pod'",
    ),
    ("LimitRange", ("spec", "limits", 1, "type"), "Container", "spec.limits[1].type", TWICE, 'value: "Container"'),
    (
        "LimitRange",
        (*LIMIT, "min"),
        {"cpu": "3"},
        "spec.limits[0].min[cpu]",
        WRONG,
        "min value 3 is greater than max value 2",
    ),
    (
        "LimitRange",
        (*LIMIT, "default"),
        {"cpu": "3"},
        "spec.limits[0].default[cpu]",
        WRONG,
        '"2": default value 3 is gr',
    ),
    (
        "LimitRange",
        (*LIMIT, "max"),
        {"box": "1"},
        "spec.limits[0].max[box]",
        WRONG,
        "must be a standard resource for con",
    ),
    (
        "LimitRange",
        (*LIMIT, "maxLimitRequestRatio"),
        {"cpu": "500m"},
        "spec.limits[0].maxLimitRequestRatio[cpu]",
        WRONG,
        "ratio 500m is less than 1",
    ),
    (
        "LimitRange",
        (*LIMIT, "min"),
        {"cpu": "1"},
        "spec.limits[0].maxLimitRequestRatio[cpu]",
        WRONG,
        "ratio 4 is greater than max/min = 2.000000",
    ),
    (
        *("EndpointSlice", ("endpoints", 0, "hints"), {"forZones": [{"name": "z"}, {"name": "z"}]}),
        *("endpoints[0].hints.forZones[1].name", TWICE, '"z"'),
    ),
    ("PriorityClass", ("value",), 1_000_000_001, "value", CLOSED, "user defined priority is 1000000000"),
    (
        "PriorityClass",
        ("metadata", "name"),
        "system-x",
        "metadata.name",
        CLOSED,
        "system-x is not a known system priority",
    ),
    ("PriorityClass", ("preemptionPolicy",), "May", "preemptionPolicy", UNKNOWN, '"PreemptLowerPriority", "Never"'),
    # who may do what
    (
        "Role",
        ("rules", 0, "verbs"),
        [],
        "rules[0].verbs",
        MISSING,
        "Required value: verbs must contain at least one valu",
    ),
    (
        "Role",
        ("rules", 0, "nonResourceURLs"),
        ["/"],
        "rules[0].nonResourceURLs",
        WRONG,
        "namespaced rules cannot apply",
    ),
    ("RoleBinding", ("roleRef", "kind"), "X", "roleRef.kind", UNKNOWN, 'supported values: "Role", "ClusterRole"'),
    ("RoleBinding", ("subjects", 0, "name"), "", "subjects[0].name", MISSING, "Required value"),
    ("ClusterRoleBinding", ("roleRef", "kind"), "Role", "roleRef.kind", UNKNOWN, 'supported values: "ClusterRole"'),
    # the rest
    (
        "ConfigMap",
        ("data",),
        {"a/b": "1"},
        "data[a/b]",
        WRONG,
        "a valid config key must consist of alphanumeric characte",
    ),
    (
        "ConfigMap",
        ("data",),
        {"e": "1"},
        "data[e]",
        WRONG,
        'Invalid value: "e": duplicate of key present in binaryData',
    ),
    ("ConfigMap", ("data",), {"a": "x" * (1 << 20)}, "[]", "FieldValueTooLong", "may not be more than 1048576 bytes"),
    ("Secret", ("type",), "kubernetes.io/tls", "data[tls.crt]", MISSING, "Required value"),
    ("Lease", ("spec", "leaseDurationSeconds"), 0, "spec.leaseDurationSeconds", WRONG, "must be greater than 0"),
    (
        "Secret",
        (),
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "WzFd"}},
        "data[.dockerconfigjson]",
        WRONG,
        "json: cannot unmarshal array into Go value of type map[string]interface {}",
    ),
    (
        "Node",
        ("spec", "taints"),
        [{"key": "a", "effect": "NoExecute"}, {"key": "a", "effect": "NoExecute"}],
        "metadata.taints[1]",
        TWICE,
        '"TimeAdded":null}: taints must be unique by key and effect pair',
    ),
    ("Node", ("spec", "taints"), [{"key": "a", "effect": "X"}], "metadata.taints[0].effect", UNKNOWN, '"NoSchedule"'),
]


@pytest.mark.parametrize(("kind", "path", "value", "field", "reason", "words"), REFUSED)
def test_refused_creates(
    kind: str, path: tuple[str | int, ...], value: Any, field: str, reason: str, words: str
) -> None:
    found = [(at, why, text) for at, why, text in causes(kind, made(kind, *path, value=value)) if at == field]
    assert any(why == reason and words in text for _, why, text in found), causes(kind, made(kind, *path, value=value))


CHANGES: list[tuple[str, tuple[str | int, ...], Any, str, str, str]] = [
    ("Deployment", ("spec", "selector"), {"matchLabels": {"app": "a", "b": "c"}}, "spec.selector", WRONG, FIXED),
    ("ReplicaSet", ("spec", "selector"), {"matchLabels": {"app": "a", "b": "c"}}, "spec.selector", WRONG, FIXED),
    ("Job", ("spec", "selector"), {"matchLabels": {"app": "b"}}, "spec.selector", WRONG, FIXED),
    ("Job", (*PODS, "containers", 0, "image"), "b:2", "spec.template", WRONG, FIXED),
    ("Job", ("spec", "completions"), 5, "spec.completions", WRONG, FIXED),
    ("Pod", ("spec", "nodeSelector"), {"a": "b"}, "spec", CLOSED, "pod updates may not change fields other than `spec"),
    ("Pod", (*SPEC_OF_POD, "command"), ["a"], "spec", CLOSED, "pod updates may not change fields other than `spec"),
    (
        "Pod",
        ("spec", "containers"),
        [CONTAINER, {**CONTAINER, "name": "b"}],
        "spec.containers",
        CLOSED,
        "add or remove",
    ),
    ("RoleBinding", ("roleRef", "name"), "other", "roleRef", WRONG, "cannot change roleRef"),
    ("ClusterRoleBinding", ("roleRef", "name"), "other", "roleRef", WRONG, "cannot change roleRef"),
    ("Secret", ("type",), "kubernetes.io/other", "type", WRONG, FIXED),
    ("EndpointSlice", ("addressType",), "IPv6", "addressType", WRONG, FIXED),
]


@pytest.mark.parametrize(("kind", "path", "value", "field", "reason", "words"), CHANGES)
def test_refused_changes(
    kind: str, path: tuple[str | int, ...], value: Any, field: str, reason: str, words: str
) -> None:
    old, new = made(kind), made(kind, *path, value=value)
    found = [(at, why, text) for at, why, text in causes(kind, new, old) if at == field]
    assert any(why == reason and words in text for _, why, text in found), causes(kind, new, old)


ALLOWED: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("Deployment", ("spec", "replicas"), 0),
    ("Deployment", (*PODS, "containers", 0, "image"), "b:2"),
    ("Job", ("spec", "parallelism"), 2),
    ("Job", ("spec", "suspend"), True),
    ("Pod", (*SPEC_OF_POD, "image"), "b:2"),
    ("Pod", ("spec", "activeDeadlineSeconds"), 5),
    ("Pod", ("spec", "tolerations"), [{"operator": "Exists"}]),
    ("Pod", ("metadata", "labels"), {"a": "b"}),
    ("RoleBinding", ("subjects",), []),
    ("Service", ("spec", "ports", 0, "port"), 81),
    ("Service", ("spec", "type"), "NodePort"),
    ("PodDisruptionBudget", ("spec", "minAvailable"), 2),
    ("Ingress", ("spec", "rules", 0, "host"), "b.example"),
]


@pytest.mark.parametrize(("kind", "path", "value"), ALLOWED)
def test_allowed_changes(kind: str, path: tuple[str | int, ...], value: Any) -> None:
    assert causes(kind, made(kind, *path, value=value), made(kind)) == []


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_what_is_immutable_stays_so(kind: str) -> None:
    frozen = made(kind, "immutable", value=True)
    assert causes(kind, made(kind, "immutable", value=True), frozen) == []
    changed = made(kind, "data", value={"a": "BB=="})
    wanted = "Forbidden: field is immutable when `immutable` is set"
    assert causes(kind, changed, frozen)[0] == ("immutable", CLOSED, wanted)
    assert ("data", CLOSED, wanted) in causes(kind, changed, frozen)


def test_a_cluster_ip_stays() -> None:
    old = made("Service", "spec", "clusterIP", value="10.0.0.1")
    new = made("Service", "spec", "clusterIP", value="10.0.0.2")
    old["spec"]["clusterIPs"], new["spec"]["clusterIPs"] = ["10.0.0.1"], ["10.0.0.2"]
    text = 'Invalid value: ["10.0.0.2"]: may not change once set'
    assert causes("Service", new, old) == [("spec.clusterIPs[0]", WRONG, text)]


GATED = {"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "b"}}


def test_a_waiting_pod_may_be_told_more_but_not_less() -> None:
    old = made("Pod", value={"spec": {**RIGHT["Pod"]["spec"], **GATED}})
    more = made("Pod", value={"spec": {**RIGHT["Pod"]["spec"], **GATED, "nodeSelector": {"a": "b", "c": "d"}}})
    less = made("Pod", value={"spec": {**RIGHT["Pod"]["spec"], **GATED, "nodeSelector": {"c": "d"}}})
    assert causes("Pod", more, old) == []
    text = 'Invalid value: {"c":"d"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)'
    assert causes("Pod", less, old) == [("spec.nodeSelector", WRONG, text)]


@pytest.mark.parametrize(
    ("indexes", "why"),
    [
        ("0,2-1", "non-increasing order, previous: 2, current: 1"),
        ("1,0", "non-increasing order, previous: 1, current: 0"),
        ("a", 'cannot convert string to integer for index: "a"'),
        ("9", 'too large index: "9"'),
        ("1-2-3", "at most two parts separated by '-'"),
    ],
)
def test_indexes_that_are_enough(indexes: str, why: str) -> None:
    rule = {"succeededIndexes": indexes}
    obj = made("Job", "spec", "successPolicy", value={"rules": [rule]})
    obj["spec"] |= {"completionMode": "Indexed", "completions": 5}
    ((field, reason, text),) = causes("Job", obj)
    assert (field, reason) == ("spec.successPolicy.rules[0].succeededIndexes", WRONG)
    assert why in text


def test_every_wrong_field_is_named_in_order() -> None:
    spec = {"replicas": -1, "selector": {}, "template": {"spec": {"containers": [{}]}}}
    deployment = {"metadata": {"name": "A", "namespace": "ns"}, "spec": spec}
    apply_defaults(KINDS["Deployment"], deployment)
    assert [field for field, _, _ in causes("Deployment", deployment)] == [
        "metadata.name",
        "spec.replicas",
        "spec.selector",
        "spec.template.spec.containers[0].name",
        "spec.template.spec.containers[0].image",
    ]


def _values(field: schema.Field, depth: int) -> st.SearchStrategy[Any]:
    if field.item is not None and field.type == "list":
        return st.lists(_values(field.item, depth + 1), max_size=2)
    if field.item is not None and field.type == "map":
        return st.dictionaries(st.sampled_from(["a", "b.c/d", "_", ""]), _values(field.item, depth + 1), max_size=2)
    if field.is_struct:
        return _structs(field.struct, depth + 1)
    return {
        "string": st.sampled_from(["", "a", "A_b", "1.2.3.4", "a.b", "Never", "5%"]),
        "boolean": st.booleans(),
        "quantity": st.sampled_from(["1", "500m", "-1", "1.5Gi"]),
        "intOrString": st.sampled_from([0, 80, -1, "x", "50%"]),
        "time": st.just("2026-01-01T00:00:00Z"),
        "microTime": st.just("2026-01-01T00:00:00.000000Z"),
        "bytes": st.sampled_from(["", "AA=="]),
        "any": st.just({}),
    }.get(field.type, st.sampled_from([-1, 0, 1, 70000]))


def _structs(struct: schema.Struct, depth: int = 0) -> st.SearchStrategy[Obj]:
    if depth > 7:
        return st.just({})

    def filled(names: list[str]) -> st.SearchStrategy[Obj]:
        return st.fixed_dictionaries({name: _values(struct.fields[name], depth) for name in names})

    return st.lists(st.sampled_from(sorted(struct.fields)), max_size=4, unique=True).flatmap(filled)


@pytest.mark.parametrize("kind", sorted(RIGHT))
@settings(max_examples=30)
@given(data=st.data())
def test_nothing_that_can_be_decoded_breaks_it(kind: str, data: st.DataObject) -> None:
    objs: list[Obj] = []
    for _ in range(2):
        obj = data.draw(_structs(schema.of_kind(kind)))
        obj["metadata"] = {"name": "one", "uid": "u-1", **obj.get("metadata", {})}
        decoding.check(kind, obj)
        apply_defaults(KINDS[kind], obj)
        objs.append(obj)
    for old in (None, objs[1]):
        assert all(cause.reason.startswith("FieldValue") for cause in validate(KINDS[kind], objs[0], old))
