"""kubectl get, events and explain: what is printed of what is there."""

from __future__ import annotations

import json

import pytest

from tests.localkube.kubectl import Kubectl, rows
from tests.localkube.kubectl.workload import BROKEN, MISSING, a_pod, deploy, in_time


@pytest.mark.parametrize(
    ("kind", "wide", "shown"),
    [
        ("deploy", False, "NAME READY UP-TO-DATE AVAILABLE AGE"),
        ("deploy", True, "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR"),
        ("rs", True, "NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR"),
        ("pod", False, "NAME READY STATUS RESTARTS AGE"),
        ("pod", True, "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"),
        ("svc", True, "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR"),
        ("node", True, "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION "
                       "CONTAINER-RUNTIME"),
        ("event", True, "LAST SEEN TYPE REASON OBJECT SUBOBJECT SOURCE MESSAGE FIRST SEEN COUNT NAME"),
        ("cm", False, "NAME DATA AGE"),
        ("sa", False, "NAME SECRETS AGE"),
        ("ns", False, "NAME STATUS AGE"),
    ],
)  # fmt: skip
def test_columns_are_those_of_a_real_cluster(kubectl: Kubectl, kind: str, wide: bool, shown: str) -> None:
    namespace = "default" if kind == "svc" else kubectl.namespace
    if kind in ("deploy", "rs", "pod", "event"):
        deploy(kubectl)
    printed = kubectl("get", kind, "-n", namespace, *(["-o", "wide"] if wide else []))
    assert " ".join(printed.splitlines()[0].split()) == shown
    assert len(printed.splitlines()) > 1


def test_rows_say_how_things_are(kubectl: Kubectl) -> None:
    deploy(kubectl)
    a_pod(kubectl, MISSING, "never")
    assert [row[:4] for row in rows(kubectl("get", "deployments"))] == [["web", "1/1", "1", "1"]]
    in_time(kubectl, "get", "pod", "never", holds="ImagePull")
    (web,) = rows(kubectl("get", "pods", "-l", "app=web", "-o", "wide"))
    assert web[1:4] == ["1/1", "Running", "0"]
    assert web[5].startswith("127.")
    assert web[6:] == ["localkube", "<none>", "<none>"]
    kinds = {name.partition("/")[0] for name in kubectl("get", "all", "-o", "name").split()}
    assert kinds == {"pod", "deployment.apps", "replicaset.apps"}


def test_short_names_and_full_names_are_taken(kubectl: Kubectl) -> None:
    kubectl("get", "cm,secret,sa,ep,endpointslice,quota,pdb,hpa,ing,netpol,role,rolebinding,lease")
    assert "configmap/kube-root-ca.crt" in kubectl("get", "cm,deployments.v1.apps,jobs.batch", "--show-kind")


def test_other_forms(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "one", "--from-literal=key=value")
    assert json.loads(kubectl("get", "cm", "one", "-o", "json"))["data"] == {"key": "value"}
    assert "key: value" in kubectl("get", "cm", "one", "-o", "yaml")
    assert json.loads(kubectl("get", "cm", "one", "-o", "jsonpath-as-json={.data}")) == [{"key": "value"}]
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.data.key}") == "value"
    own = kubectl("get", "cm", "one", "-o", "custom-columns=K:.data.key,N:.none")
    assert own.split() == ["K", "N", "value", "<none>"]
    assert "configmap/one\n" in kubectl("get", "cm", "-o", "name")
    assert kubectl("get", "cm", "one", "-o", "go-template={{.data.key}}") == "value"
    listed = json.loads(kubectl("get", "cm", "-o", "json"))
    assert (listed["kind"], [item["kind"] for item in listed["items"]]) == ("List", ["ConfigMap", "ConfigMap"])
    assert "managedFields" in kubectl("get", "cm", "one", "-o", "yaml", "--show-managed-fields")


def test_labels_fields_and_all_namespaces_select(kubectl: Kubectl) -> None:
    for name in ("one", "two"):
        kubectl("create", "configmap", name)
        kubectl("label", "cm", name, f"name={name}")
    assert kubectl("get", "cm", "-l", "name in (one,three)", "-o", "name") == "configmap/one\n"
    assert kubectl("get", "cm", "-l", "!name", "-o", "name") == "configmap/kube-root-ca.crt\n"
    assert kubectl("get", "cm", "--field-selector", "metadata.name=two", "-o", "name") == "configmap/two\n"
    assert kubectl("get", "cm", "-A", "-l", "name=one").split()[:3] == ["NAMESPACE", "NAME", "DATA"]
    (row,) = rows(kubectl("get", "cm", "one", "-L", "name", "--show-labels"))
    assert row[3:] == ["one", "name=one"]
    sorted_names = kubectl("get", "cm", "--sort-by=.metadata.name", "-o", "name", "--chunk-size=1").split()
    assert sorted_names == ["configmap/kube-root-ca.crt", "configmap/one", "configmap/two"]
    assert "field label not supported: spec.x" in kubectl.refused("get", "pods", "--field-selector", "spec.x=y")


def test_w_shows_changes_as_they_come(kubectl: Kubectl) -> None:
    with kubectl.start("get", "cm", "-w", "--output-watch-events") as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().split() == ["EVENT", "NAME", "DATA", "AGE"]
        assert watching.stdout.readline().split()[:2] == ["ADDED", "kube-root-ca.crt"]
        kubectl("create", "configmap", "late")
        assert watching.stdout.readline().split()[:3] == ["ADDED", "late", "0"]
        kubectl("patch", "cm", "late", "-p", '{"data": {"a": "b"}}')
        assert watching.stdout.readline().split()[:3] == ["MODIFIED", "late", "1"]
        kubectl("delete", "cm", "late")
        assert watching.stdout.readline().split()[:3] == ["DELETED", "late", "1"]
        watching.terminate()


def test_events_are_listed_and_watched(kubectl: Kubectl) -> None:
    with kubectl.start("events", "--watch", "--types=Warning") as watching:
        deploy(kubectl)
        listed = kubectl("events", "--for", "deployment/web")
        assert listed.splitlines()[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
        assert "ScalingReplicaSet   Deployment/web   Scaled up replica set web-" in listed
        assert "Started" in kubectl("get", "events", "--field-selector", "involvedObject.kind=Pod,reason=Started")
        a_pod(kubectl, MISSING, "never")
        assert watching.stdout is not None
        head, first = watching.stdout.readline(), watching.stdout.readline()
        assert head.split()[:2] == ["LAST", "SEEN"]
        assert first.split()[1:4] == ["Warning", "Failed", "Pod/never"]
        watching.terminate()


def test_explain_describes_fields(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "deployment.spec.strategy.rollingUpdate")
    assert shown.startswith("GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n")
    assert "FIELD: rollingUpdate <RollingUpdateDeployment>" in shown
    assert "maxSurge\t<IntOrString>" in shown
    assert "containers\t<[]Container> -required-" in kubectl("explain", "pod.spec", "--recursive")
    assert "ENUM:\n    Always\n    IfNotPresent\n    Never\n" in kubectl(
        "explain", "pod.spec.containers.imagePullPolicy"
    )
    assert 'field "nope" does not exist' in kubectl.refused("explain", "pod.spec.nope")


def test_what_is_not_served_is_refused_in_kubernetes_own_words(kubectl: Kubectl) -> None:
    assert 'the server doesn\'t have a resource type "statefulsets"' in kubectl.refused("get", "statefulsets")
    manifest = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}}"
    assert 'no matches for kind "StatefulSet" in version "apps/v1"' in kubectl.refused(
        "apply", "-f", "-", stdin=manifest
    )
    said = kubectl.refused("certificate", "approve", "x")
    assert 'no matches for kind "CertificateSigningRequest"' in said or "doesn't have a resource type" in said
    assert 'Error from server (NotFound): configmaps "none" not found' in kubectl.refused("get", "cm", "none")
    assert kubectl("get", "cm", "none", "--ignore-not-found") == ""


def test_restarts_say_when_the_last_one_was(kubectl: Kubectl) -> None:
    a_pod(kubectl, BROKEN, "bad")
    (row,) = rows(in_time(kubectl, "get", "pod", "bad", holds=" ago)"))
    assert int(row[3].split()[0]) >= 1
    assert row[2] in ("CrashLoopBackOff", "Error")
