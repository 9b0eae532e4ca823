"""What the server fills in."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.canonical import time_text
from bluegreen.localkube.defaults import apply_defaults, image_tag, qos_class
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.validation import validate

Obj = dict[str, Any]


def defaulted(kind: str, /, **body: Any) -> Obj:
    obj = copy.deepcopy(body)
    apply_defaults(KINDS[kind], obj)
    return obj


def pod_spec(**fields: Any) -> Obj:
    return {"containers": [{"name": "app", "image": "a:1"}], **fields}


def container_of(**fields: Any) -> Obj:
    spec = {"containers": [{"name": "app", "image": "a:1", **fields}]}
    found: Obj = defaulted("Pod", metadata={"name": "p"}, spec=spec)["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("kind", sorted(name for name, kind in KINDS.items() if kind.group != "metrics.k8s.io"))
def test_defaults_stand_alone_and_are_idempotent(kind: str) -> None:
    once = defaulted(kind)
    assert (once["apiVersion"], once["kind"]) == (KINDS[kind].api_version, kind)
    assert defaulted(kind, **once) == once


def test_a_pod() -> None:
    pod = defaulted("Pod", metadata={"name": "p"}, spec=pod_spec())
    spec = {key: value for key, value in pod["spec"].items() if key != "containers"}
    assert spec == {
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }
    assert pod["spec"]["containers"] == [
        {
            "name": "app",
            "image": "a:1",
            "imagePullPolicy": "IfNotPresent",
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
        }
    ]
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_zero_values_that_go_leaves_out_are_gone_and_pointers_stay() -> None:
    spec = {"replicas": 0, "minReadySeconds": 0, "paused": False, "template": {"spec": pod_spec(hostNetwork=False)}}
    made = defaulted("Deployment", spec=spec)
    assert made["spec"]["replicas"] == 0
    assert not {"minReadySeconds", "paused"} & made["spec"].keys()
    assert "hostNetwork" not in made["spec"]["template"]["spec"]


def test_unknown_fields_are_dropped() -> None:
    assert "odd" not in defaulted("ConfigMap", data={"a": "1"}, odd=1)


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("a", "latest"),
        ("a:b", "b"),
        ("host:5000/a", "latest"),
        ("host:5000/a:v1", "v1"),
        ("a@sha256:0", ""),
        ("a:b@sha256:0", "b"),
        ("A", ""),
        ("", ""),
    ],
)
def test_image_tags(image: str, tag: str) -> None:
    assert image_tag(image) == tag


def test_only_the_latest_is_always_pulled() -> None:
    assert container_of(image="a")["imagePullPolicy"] == "Always"
    assert container_of(image="a:latest")["imagePullPolicy"] == "Always"
    assert container_of(image="a:1")["imagePullPolicy"] == "IfNotPresent"
    assert container_of(image="a", imagePullPolicy="Never")["imagePullPolicy"] == "Never"


def test_probes_ports_and_hooks() -> None:
    made = container_of(
        ports=[{"containerPort": 80}],
        readinessProbe={"httpGet": {"port": 80}},
        livenessProbe={"grpc": {"port": 80}, "periodSeconds": 3},
        lifecycle={"preStop": {"httpGet": {"port": 80}}},
    )
    assert made["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    timing = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    assert made["readinessProbe"] == {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, **timing}
    assert made["livenessProbe"] == {"grpc": {"port": 80, "service": ""}, **timing, "periodSeconds": 3}
    assert made["lifecycle"]["preStop"]["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}


def test_requests_follow_limits_in_pods_only() -> None:
    resources = {"limits": {"cpu": "1000m", "memory": "1.5Gi"}, "requests": {"cpu": "0.5"}}
    assert container_of(resources=resources)["resources"]["requests"] == {"cpu": "500m", "memory": "1536Mi"}
    template = {"spec": {"containers": [{"name": "app", "image": "a", "resources": resources}]}}
    made = defaulted("Deployment", spec={"template": template})
    kept = made["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert kept == {"limits": {"cpu": "1", "memory": "1536Mi"}, "requests": {"cpu": "500m"}}


def test_resources_are_rounded_up_to_thousandths() -> None:
    assert container_of(resources={"limits": {"cpu": "1.0005"}})["resources"]["limits"] == {"cpu": "1001m"}


def test_volumes() -> None:
    volumes = [
        {"name": "e"},
        {"name": "s", "secret": {"secretName": "x"}},
        {"name": "c", "configMap": {"name": "x"}},
        {"name": "h", "hostPath": {"path": "/x"}},
        {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        {"name": "d", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    made = defaulted("Pod", metadata={"name": "p"}, spec=pod_spec(volumes=volumes))["spec"]["volumes"]
    assert made[0] == {"name": "e", "emptyDir": {}}
    assert made[1]["secret"]["defaultMode"] == made[2]["configMap"]["defaultMode"] == 0o644
    assert made[3]["hostPath"] == {"path": "/x", "type": ""}
    assert made[4]["projected"]["sources"] == [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}]
    assert made[5]["downwardAPI"]["items"][0]["fieldRef"] == {"apiVersion": "v1", "fieldPath": "metadata.labels"}


def test_the_service_account_is_named_twice() -> None:
    spec = defaulted("Pod", metadata={"name": "p"}, spec=pod_spec(serviceAccountName="sa"))["spec"]
    assert spec["serviceAccount"] == spec["serviceAccountName"] == "sa"
    old = defaulted("Pod", metadata={"name": "p"}, spec=pod_spec(serviceAccount="sa"))["spec"]
    assert old["serviceAccountName"] == "sa"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "0"}}], "BestEffort"),
    ],
)
def test_quality_of_service(resources: list[Obj], expected: str) -> None:
    containers = [{"name": f"c{i}", "image": "a", "resources": each} for i, each in enumerate(resources)]
    pod = defaulted("Pod", metadata={"name": "p"}, spec={"containers": containers})
    assert pod["status"]["qosClass"] == qos_class(pod["spec"]) == expected


def test_a_deployment_recreates_without_rolling_values() -> None:
    made = defaulted("Deployment", spec={"strategy": {"type": "Recreate"}, "template": {"spec": pod_spec()}})
    assert made["spec"]["strategy"] == {"type": "Recreate"}
    assert made["spec"]["progressDeadlineSeconds"] == 600
    assert made["spec"]["revisionHistoryLimit"] == 10


def test_a_job_takes_its_template_s_labels() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod_spec(restartPolicy="Never")}
    made = defaulted("Job", metadata={"name": "j"}, spec={"template": template})
    assert made["metadata"]["labels"] == {"a": "b"}
    assert (made["spec"]["completions"], made["spec"]["parallelism"], made["spec"]["backoffLimit"]) == (1, 1, 6)
    parallel = defaulted("Job", spec={"parallelism": 3, "template": template})
    assert "completions" not in parallel["spec"]


def test_services_by_type() -> None:
    ports = [{"port": 80}]
    plain = defaulted("Service", spec={"ports": ports})["spec"]
    assert plain == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
        "internalTrafficPolicy": "Cluster",
    }
    balanced = defaulted("Service", spec={"type": "LoadBalancer", "ports": ports})["spec"]
    assert balanced["externalTrafficPolicy"] == "Cluster"
    assert balanced["allocateLoadBalancerNodePorts"] is True
    sticky = defaulted("Service", spec={"sessionAffinity": "ClientIP", "ports": ports})["spec"]
    assert sticky["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    external = defaulted("Service", spec={"type": "ExternalName", "externalName": "x.y"})["spec"]
    assert external == {"type": "ExternalName", "externalName": "x.y", "sessionAffinity": "None"}


def test_an_autoscaler() -> None:
    made = defaulted(
        "HorizontalPodAutoscaler", spec={"maxReplicas": 3, "behavior": {"scaleUp": {"selectPolicy": "Min"}}}
    )
    target = {"type": "Utilization", "averageUtilization": 80}
    assert made["spec"]["minReplicas"] == 1
    assert made["spec"]["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    up, down = made["spec"]["behavior"]["scaleUp"], made["spec"]["behavior"]["scaleDown"]
    assert (up["selectPolicy"], up["stabilizationWindowSeconds"], len(up["policies"])) == ("Min", 0, 2)
    assert "stabilizationWindowSeconds" not in down
    assert made["status"] == {"currentMetrics": None, "desiredReplicas": 0}


def test_a_network_policy_is_about_egress_where_it_has_rules() -> None:
    assert defaulted("NetworkPolicy", spec={})["spec"]["policyTypes"] == ["Ingress"]
    assert defaulted("NetworkPolicy", spec={"egress": [{}]})["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_string_data_becomes_data() -> None:
    made = defaulted("Secret", stringData={"user": "ada", "pw": "new"}, data={"pw": "b2xk"})
    assert made["data"] == {"user": "YWRh", "pw": "bmV3"}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


def test_bindings_name_their_group() -> None:
    subjects = [{"kind": "User", "name": "ada"}, {"kind": "ServiceAccount", "name": "sa", "namespace": "n"}]
    made = defaulted("RoleBinding", roleRef={"kind": "Role", "name": "r"}, subjects=subjects)
    assert made["roleRef"]["apiGroup"] == made["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    assert "apiGroup" not in made["subjects"][1]


def test_times_are_kept_in_utc() -> None:
    assert time_text("2026-01-01T02:00:00+02:00", micro=False) == "2026-01-01T00:00:00Z"
    assert time_text("2026-01-01T00:00:00.5Z", micro=True) == "2026-01-01T00:00:00.500000Z"


RECORDED = Path(__file__).parents[1] / "conformance" / "recordings"


@pytest.mark.parametrize("file", sorted(path.name for path in RECORDED.glob("defaults.*.json")))
def test_what_a_real_cluster_filled_in_is_neither_changed_nor_refused(file: str) -> None:
    for step in json.loads((RECORDED / file).read_text()):
        body = step["body"]
        kind = KINDS.get(body.get("kind", "")) if isinstance(body, dict) else None
        if kind is None or step["status"] != 201 or not kind.stored:
            continue
        recorded = json.loads(
            json.dumps(body)
            .replace("<time>", "2026-01-01T00:00:00.000000Z" if kind.kind == "Lease" else "2026-01-01T00:00:00Z")
            .replace("<dur>", "500m")
            .replace("<ip>", "10.0.0.1")
            .replace("<ns>", "n")
        )
        again = defaulted(kind.kind, **recorded)
        again = {key: value for key, value in again.items() if key in recorded}
        if kind.kind == "Lease":
            again["metadata"]["creationTimestamp"] = recorded["metadata"]["creationTimestamp"]
        assert again == recorded
        assert validate(kind, defaulted(kind.kind, **recorded), None) == []
