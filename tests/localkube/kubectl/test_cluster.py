"""kubectl and the cluster itself: what it serves, who may do what, what is used, its node."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen import localkube
from tests.localkube.kubectl import Kubectl, rows, workload
from tests.localkube.kubectl.workload import WEB, deploy, in_time, ordered, started


def test_kubectl_is_the_real_one(kubectl: Kubectl) -> None:
    shown = subprocess.run(kubectl.command("version", "--client"), capture_output=True, text=True, check=True)
    assert "Client Version: v1." in shown.stdout


def test_what_is_served_is_listed(kubectl: Kubectl) -> None:
    ordered(
        kubectl("api-resources"),
        "NAME SHORTNAMES APIVERSION NAMESPACED KIND",
        "configmaps cm v1 true ConfigMap",
        "pods po v1 true Pod",
        "deployments deploy apps/v1 true Deployment",
        "horizontalpodautoscalers hpa autoscaling/v2 true HorizontalPodAutoscaler",
        "roles rbac.authorization.k8s.io/v1 true Role",
    )
    wide = kubectl("api-resources", "--api-group=apps", "-o", "wide")
    assert "create,delete,deletecollection,get,list,patch,update,watch   all" in wide
    assert {"apps/v1", "batch/v1", "v1", "metrics.k8s.io/v1beta1"} <= set(kubectl("api-versions").split())
    assert "pods" in kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").split()
    assert "Server Version: v1.34" in kubectl("version")
    assert "Kubernetes control plane is running at https://127.0.0.1:" in kubectl("cluster-info")
    assert kubectl("get", "--raw", "/readyz") == "ok"


def test_create_token_gives_one_that_lets_in(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "rolebinding", "reader", "--clusterrole=view", f"--serviceaccount={kubectl.namespace}:reader")
    token = kubectl("create", "token", "reader").strip()
    other = kubectl.home / "kubeconfig"
    other.write_text(kubectl.kubeconfig.read_text().replace(_admin(kubectl), token))
    as_reader = Kubectl(other, kubectl.namespace, kubectl.home)
    as_reader("get", "pods")
    assert "(Forbidden)" in as_reader.refused("delete", "configmap", "kube-root-ca.crt")
    assert f"system:serviceaccount:{kubectl.namespace}:reader" in as_reader("auth", "whoami")


def _admin(kubectl: Kubectl) -> str:
    view = kubectl("config", "view", "--raw", "-o", "jsonpath={.users[0].user.token}")
    assert len(view) > 20
    return view


def test_a_command_without_a_token_gets_nothing(kubectl: Kubectl) -> None:
    bare = kubectl.home / "bare"
    bare.write_text(kubectl.kubeconfig.read_text().replace(_admin(kubectl), "not-the-token"))
    said = Kubectl(bare, kubectl.namespace, kubectl.home).refused("get", "pods")
    assert "Unauthorized" in said or "must be logged in" in said


def test_auth_can_i_answers_for_others(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods").strip() == "yes"
    assert kubectl.run("auth", "can-i", "create", "pods", "--as=somebody").stdout.strip() == "no"
    ordered(kubectl("auth", "can-i", "--list"), "Resources Non-Resource URLs Resource Names Verbs", "*.* [] [] [*]")
    kubectl("create", "role", "r", "--verb=get", "--resource=pods/log", "--resource-name=one")
    kubectl("create", "rolebinding", "r", "--role=r", "--user=somebody")
    assert kubectl("auth", "can-i", "get", "pods/one", "--subresource=log", "--as=somebody").strip() == "yes"
    assert "pods/log [] [one] [get]" in [
        " ".join(line.split()) for line in kubectl("auth", "can-i", "--list", "--as=somebody").splitlines()
    ]
    assert kubectl("auth", "whoami", "--as=bob", "--as-group=team").split()[2:] == [
        "Username", "bob", "Groups", "[team", "system:authenticated]",
    ]  # fmt: skip


def test_top_shows_what_processes_use(kubectl: Kubectl) -> None:
    started(kubectl, WEB)
    (row,) = rows(in_time(kubectl, "top", "pods", "--sum=false"))
    assert row[0] == "one"
    assert row[1].endswith("m")
    assert int(row[2].removesuffix("Mi")) >= 1  # an interpreter that serves HTTP
    (contained,) = rows(kubectl("top", "pod", "one", "--containers"))
    assert contained[:2] == ["one", "one"]
    shown = in_time(kubectl, "top", "nodes")
    assert shown.splitlines()[0].split() == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
    assert rows(shown)[0][0] == "localkube"
    table = kubectl("get", "pods.metrics.k8s.io")
    assert table.splitlines()[0].split() == ["NAME", "CPU", "MEMORY", "WINDOW"]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl with a cluster of its own, whose node nobody else needs."""
    with localkube.running() as cluster:
        workload.add_images(cluster)
        yield Kubectl(cluster.kubeconfig, "default", tmp_path)


def test_cordon_drain_and_uncordon(own: Kubectl) -> None:
    assert own("cordon", "localkube") == "node/localkube cordoned\n"
    assert "Ready,SchedulingDisabled" in own("get", "nodes")
    own("uncordon", "localkube")
    assert own("taint", "node", "localkube", "a=b:NoSchedule") == "node/localkube tainted\n"
    ordered(own("describe", "node", "localkube"), "Taints: a=b:NoSchedule")
    assert own("taint", "node", "localkube", "a-") == "node/localkube untainted\n"
    deploy(own)
    own("create", "pdb", "web", "--selector=app=web", "--min-available=1")
    own("wait", "--for=jsonpath={.status.currentHealthy}=1", "pdb/web", "--timeout=20s")
    refused = own.refused("drain", "localkube", "--timeout=1s")
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused
    own("delete", "pdb", "web")
    drained = own("drain", "localkube", "--timeout=30s")
    assert drained.endswith("node/localkube drained\n")
    waiting = in_time(own, "describe", "pod", "-l", "app=web", "--show-events", holds="FailedScheduling")
    assert "1 node(s) were unschedulable" in waiting
    assert own("uncordon", "localkube") == "node/localkube uncordoned\n"
    own("rollout", "status", "deployment/web", "--timeout=30s")
    assert "Node localkube status is now: NodeSchedulable" in own("describe", "node", "localkube")
