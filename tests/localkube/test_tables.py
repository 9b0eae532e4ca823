"""What kubectl prints: columns by kind, and the words in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bluegreen import clock
from bluegreen.localkube import tables
from bluegreen.localkube.cell_words import human_duration
from bluegreen.localkube.kinds import KINDS

Obj = dict[str, Any]


def ago(seconds: float) -> str:
    return (clock.utc() - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def meta(name: str = "a", **more: Any) -> Obj:
    return {"name": name, "creationTimestamp": ago(1230), **more}


def cells(kind: str, obj: Obj) -> dict[str, Any]:
    """The row by column name."""
    names = [column["name"] for column in tables.definitions(KINDS[kind])]
    return dict(zip(names, tables.row(KINDS[kind], obj)["cells"], strict=True))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (599, "9m59s"),
        (600, "10m"),
        (179 * 60, "179m"),
        (3 * 3600, "3h"),
        (7 * 3600 + 59 * 60, "7h59m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (7 * 86400 + 23 * 3600, "7d23h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (731 * 86400, "2y1d"),
        (2920 * 86400, "8y"),
        (3000 * 86400, "8y"),
    ],
)
def test_durations_are_written_as_kubernetes_writes_them(seconds: float, shown: str) -> None:
    assert human_duration(seconds) == shown


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("Pod", "Name Ready Status Restarts Age IP+ Node+ Nominated_Node+ Readiness_Gates+"),
        ("Service", "Name Type Cluster-IP External-IP Port(s) Age Selector+"),
        ("Deployment", "Name Ready Up-to-date Available Age Containers+ Images+ Selector+"),
        ("ConfigMap", "Name Data Age"),
    ],
)
def test_columns_and_which_of_them_are_wide(kind: str, columns: str) -> None:
    shown = [
        column["name"].replace(" ", "_") + ("+" if column["priority"] else "")
        for column in tables.definitions(KINDS[kind])
    ]
    assert shown == columns.split()


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.stored], ids=lambda kind: kind.kind)
def test_every_kind_fills_every_column_of_a_bare_object(kind: Any) -> None:
    obj = {"metadata": meta(), "spec": {}, "status": {}}
    row = tables.row(kind, obj)
    assert len(row["cells"]) == len(tables.definitions(kind))


CONTAINERS = [{"name": "app"}, {"name": "proxy"}]
RUNNING = {"running": {"startedAt": "2024-01-01T00:00:00Z"}}


def a_pod(status: Obj, *, deleted: bool = False, **spec: Any) -> Obj:
    more = {"deletionTimestamp": ago(1)} if deleted else {}
    return {"metadata": meta(**more), "spec": {"containers": CONTAINERS[:1], **spec}, "status": status}


def ended(exit_code: int, **more: Any) -> Obj:
    return {"terminated": {"exitCode": exit_code, **more}}


def container(state: Obj, name: str = "app", **more: Any) -> Obj:
    return {"name": name, "state": state, "restartCount": 0, "ready": "running" in state, **more}


@pytest.mark.parametrize(
    ("pod", "word"),
    [
        (a_pod({"phase": "Pending"}), "Pending"),
        (a_pod({"phase": "Failed", "reason": "Evicted"}), "Evicted"),
        (a_pod({"phase": "Running", "containerStatuses": [container(RUNNING)]}), "Running"),
        (a_pod({"phase": "Running", "containerStatuses": [container(RUNNING)]}, deleted=True), "Terminating"),
        (a_pod({"phase": "Succeeded", "containerStatuses": [container(ended(0, reason="Completed"))]}), "Completed"),
        (
            a_pod({"phase": "Failed", "containerStatuses": [container(ended(1, reason="Error"))]}, deleted=True),
            "Error",
        ),
        (a_pod({"phase": "Failed", "containerStatuses": [container(ended(3))]}), "ExitCode:3"),
        (a_pod({"phase": "Failed", "containerStatuses": [container(ended(137, signal=9))]}), "Signal:9"),
        (
            a_pod({"phase": "Pending", "containerStatuses": [container({"waiting": {"reason": "ErrImagePull"}})]}),
            "ErrImagePull",
        ),
        (
            a_pod(
                {"phase": "Pending", "initContainerStatuses": [container(RUNNING, "init")]},
                initContainers=[{"name": "init"}, {"name": "second"}],
            ),
            "Init:0/2",
        ),
        (
            a_pod(
                {"phase": "Pending", "initContainerStatuses": [container(ended(1, reason="Error"), "init")]},
                initContainers=[{"name": "init"}],
            ),
            "Init:Error",
        ),
        (
            a_pod(
                {
                    "phase": "Running",
                    "containerStatuses": [
                        container(ended(0, reason="Completed")),
                        container(RUNNING, "proxy"),
                    ],
                    "conditions": [{"type": "Ready", "status": "False"}],
                },
                containers=CONTAINERS,
            ),
            "NotReady",
        ),
    ],
)
def test_the_status_word_of_a_pod_says_what_holds_it_up(pod: Obj, word: str) -> None:
    assert cells("Pod", pod)["Status"] == word


def test_a_pod_counts_ready_containers_and_restarts() -> None:
    restarted = container(RUNNING, restartCount=2, lastState=ended(1, finishedAt=ago(630)))
    status = {"phase": "Running", "containerStatuses": [restarted, container({"waiting": {}}, "proxy")]}
    row = cells("Pod", a_pod(status, containers=CONTAINERS, nodeName="n1"))
    assert row["Ready"] == "1/2"
    assert row["Restarts"] == "2 (10m ago)"
    assert (row["IP"], row["Node"], row["Age"]) == ("<none>", "n1", "20m")


def test_a_service_shows_node_ports_and_a_pending_balancer() -> None:
    spec = {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.1",
        "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
        "selector": {"b": "2", "a": "1"},
    }
    row = cells("Service", {"metadata": meta(), "spec": spec, "status": {"loadBalancer": {}}})
    assert row["Port(s)"] == "80:30080/TCP,53/UDP"
    assert row["External-IP"] == "<pending>"
    assert row["Selector"] == "a=1,b=2"
    given = {"metadata": meta(), "spec": spec, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.9"}]}}}
    assert cells("Service", given)["External-IP"] == "127.0.0.9"


def test_a_deployment_shows_ready_of_desired_and_its_selector() -> None:
    spec = {
        "replicas": 3,
        "selector": {
            "matchLabels": {"app": "x"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["b", "a"]}],
        },
        "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}, {"name": "d", "image": "j:2"}]}},
    }
    status = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}
    row = cells("Deployment", {"metadata": meta(), "spec": spec, "status": status})
    assert (row["Ready"], row["Up-to-date"], row["Available"]) == ("2/3", 3, 2)
    assert (row["Containers"], row["Images"], row["Selector"]) == ("c,d", "i:1,j:2", "app=x,tier in (a,b)")


def test_an_autoscaler_shows_what_it_measures_against_what_it_aims_at() -> None:
    def resource(name: str, key: str, value: Any) -> Obj:
        return {"type": "Resource", "resource": {"name": name, key: value}}

    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "minReplicas": 3,
        "maxReplicas": 20,
        "metrics": [
            resource("cpu", "target", {"type": "Utilization", "averageUtilization": 70}),
            resource("memory", "target", {"type": "Utilization", "averageUtilization": 80}),
        ],
    }
    status = {"currentReplicas": 3, "currentMetrics": [resource("cpu", "current", {"averageUtilization": 12})]}
    row = cells("HorizontalPodAutoscaler", {"metadata": meta(), "spec": spec, "status": status})
    assert row["Targets"] == "cpu: 12%/70%, memory: <unknown>/80%"
    assert (row["Reference"], row["MinPods"], row["MaxPods"]) == ("Deployment/web", "3", 20)


@pytest.mark.parametrize(
    ("include", "kind"), [("", "PartialObjectMetadata"), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap")]
)
def test_a_row_carries_as_much_of_the_object_as_was_asked_for(include: str, kind: str) -> None:
    obj = {"kind": "ConfigMap", "metadata": meta(), "data": {"k": "v"}}
    assert tables.row(KINDS["ConfigMap"], obj, include)["object"]["kind"] == kind


def test_a_row_carries_no_object_when_none_was_asked_for() -> None:
    assert tables.row(KINDS["ConfigMap"], {"metadata": meta()}, "None")["object"] is None


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", True),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json;as=Table;v=v1;g=meta.k8s.io", True),
        ("application/json", False),
        ("application/json, application/json;as=Table;v=v1;g=meta.k8s.io", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_a_table_is_given_to_who_prefers_one(accept: str, wanted: bool) -> None:
    assert tables.wants_table(accept) is wanted


def test_pods_that_have_ended_say_so_beside_their_cells() -> None:
    ended = {"metadata": meta(), "spec": {"containers": []}, "status": {"phase": "Failed"}}
    (condition,) = tables.row(KINDS["Pod"], ended)["conditions"]
    assert (condition["reason"], condition["message"]) == ("Failed", "The pod failed.")
    assert "conditions" not in tables.row(KINDS["Pod"], {**ended, "status": {"phase": "Running"}})


def test_restarts_of_init_containers_that_are_over_are_not_counted() -> None:
    specs = [{"name": "once"}, {"name": "side", "restartPolicy": "Always"}]
    last = {"lastState": {"terminated": {"finishedAt": ago(300)}}}
    inits = [
        {"name": "once", "restartCount": 5, "state": {"terminated": {"exitCode": 0}}, **last},
        {"name": "side", "restartCount": 2, "started": False, "state": {"running": {}}},
    ]
    status = {"phase": "Running", "initContainerStatuses": inits, "containerStatuses": []}
    spec = {"containers": [{"name": "c"}], "initContainers": specs}
    pod = {"metadata": meta(), "spec": spec, "status": status}
    assert (cells("Pod", pod)["Restarts"], cells("Pod", pod)["Status"]) == ("7 (5m ago)", "Init:1/2")
    status["conditions"] = [{"type": "Initialized", "status": "True"}]
    assert cells("Pod", pod)["Restarts"] == "2"


@pytest.mark.parametrize(
    ("subsets", "shown"),
    [
        ([], "<none>"),
        ([{"notReadyAddresses": [{"ip": "1.1.1.1"}], "ports": [{"port": 80}]}], ""),
        ([{"addresses": [{"ip": "1.1.1.1"}]}], "1.1.1.1"),
        ([{"addresses": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.2"}], "ports": [{"port": 80}, {"port": 81}]}],
         "1.1.1.1:80,1.1.1.2:80,1.1.1.1:81 + 1 more..."),
    ],
)  # fmt: skip
def test_endpoints_of_every_shape(subsets: list[Obj], shown: str) -> None:
    assert cells("Endpoints", {"metadata": meta(), "subsets": subsets})["Endpoints"] == shown


def test_a_slice_without_numbers_shows_names() -> None:
    row = cells("EndpointSlice", {"metadata": meta(), "addressType": "IPv4", "ports": [{"name": "http"}, {}]})
    assert (row["Ports"], row["Endpoints"]) == ("http,*", "<unset>")


def test_an_event_names_who_reported_it() -> None:
    told = {
        "metadata": meta(),
        "involvedObject": {},
        "reportingComponent": "s",
        "reportingInstance": "s-1",
        "source": {},
    }
    assert cells("Event", told)["Source"] == "s, s-1"


def test_an_autoscaler_without_a_stated_target_has_its_own() -> None:
    metrics = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}},
        {"type": "Object", "object": {"target": {"averageValue": "5"}}},
    ]
    hpa = {"metadata": meta(), "spec": {"metrics": metrics, "maxReplicas": 1}}
    assert cells("HorizontalPodAutoscaler", hpa)["Targets"] == "cpu: <unknown>/<auto>, <unknown>/5 (avg)"


def test_measurements_are_printed_as_metrics_server_does() -> None:
    used = [{"usage": {"cpu": "1500000n", "memory": "2048Ki"}}, {"usage": {"cpu": "2m", "memory": "1Mi"}}]
    row = cells("PodMetrics", {"metadata": meta(), "containers": used, "window": "1.2s"})
    assert list(row.values())[1:] == ["3500000n", "3072Ki", "1.2s"]
