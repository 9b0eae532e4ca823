"""kubectl describe: what a person reads of every kind that is served."""

from __future__ import annotations

import pytest

from tests.localkube.kubectl import Kubectl
from tests.localkube.kubectl.workload import DEPLOYMENT, IDLE, a_pod, deploy, in_time, ordered

FULL = DEPLOYMENT.replace(
    "      containers:", "      initContainers: [{name: init, image: test/shell:v1}]\n      containers:"
)
FULL += """        resources: {requests: {cpu: 50m}, limits: {memory: 64Mi}}
        readinessProbe: {exec: {command: ["true"]}}
        volumeMounts: [{name: config, mountPath: /etc/config}]
      volumes: [{name: config, configMap: {name: kube-root-ca.crt}}]
"""


def test_a_deployment_and_its_replica_set(kubectl: Kubectl) -> None:
    deploy(kubectl)
    ordered(
        kubectl("describe", "deployment", "web"),
        "Name: web",
        "Labels: app=web",
        "Annotations: deployment.kubernetes.io/revision: 1",
        "Selector: app=web",
        "Replicas: 1 desired | 1 updated | 1 total | 1 available | 0 unavailable",
        "StrategyType: RollingUpdate",
        "RollingUpdateStrategy: 25% max unavailable, 25% max surge",
        "Pod Template:",
        "Image: test/idle:v1",
        "Port: 8080/TCP (http)",
        "Environment:",
        "COLOUR: blue",
        "Conditions:",
        "Available True MinimumReplicasAvailable",
        "Progressing True NewReplicaSetAvailable",
        "OldReplicaSets: <none>",
        "Events:",
    )
    shown = kubectl("describe", "rs", "-l", "app=web", "--show-events")
    ordered(
        shown,
        "Controlled By: Deployment/web",
        "Replicas: 1 current / 1 desired",
        "Pods Status: 1 Running / 0 Waiting / 0 Succeeded / 0 Failed",
    )
    assert "SuccessfulCreate" in shown
    assert "Created pod: web-" in shown


def test_a_pod(kubectl: Kubectl) -> None:
    deploy(kubectl, FULL)
    name = kubectl("get", "pod", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
    shown = kubectl("describe", "pod", name)
    ordered(
        shown,
        f"Name: {name}",
        "Priority: 0",
        "Service Account: default",
        "Status: Running",
        "Init Containers:",
        "State: Terminated",
        "Reason: Completed",
        "Exit Code: 0",
        "Containers:",
        "main:",
        "Image: test/idle:v1",
        "State: Running",
        "Ready: True",
        "Restart Count: 0",
        "Limits:",
        "memory: 64Mi",
        "Requests:",
        "cpu: 50m",
        "Readiness: exec [true] delay=0s timeout=1s period=10s successThreshold=1 failureThreshold=3",
        "COLOUR: blue",
        "/etc/config from config (rw)",
        "Conditions:",
        "PodReadyToStartContainers True",
        "Initialized True",
        "Ready True",
        "ContainersReady True",
        "PodScheduled True",
        "Volumes:",
        "Type: ConfigMap (a volume populated by a ConfigMap)",
        "QoS Class: Burstable",
        "Events:",
    )
    assert f"Successfully assigned {kubectl.namespace}/{name} to localkube" in shown
    assert "Started container main" in shown


def test_a_service_and_its_endpoints(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=http")
    address = kubectl("get", "pod", "-l", "app=web", "-o", "jsonpath={.items[0].status.podIP}")
    shown = in_time(kubectl, "describe", "service", "web", holds=f"{address}:8080")
    ordered(
        shown,
        "Selector: app=web",
        "Type: ClusterIP",
        "IP Families: IPv4",
        "Port: <unset> 80/TCP",
        "TargetPort: http/TCP",
        f"Endpoints: {address}:8080",
        "Session Affinity: None",
    )
    ordered(
        kubectl("describe", "endpointslice", "-l", "kubernetes.io/service-name=web"),
        "AddressType: IPv4",
        "<unset> 8080 TCP",
        f"- Addresses: {address}",
        "Ready: true",
        "NodeName: localkube",
    )
    ordered(kubectl("describe", "endpoints", "web"), "Subsets:", f"Addresses: {address}", "NotReadyAddresses: <none>")


def test_a_node(kubectl: Kubectl) -> None:
    a_pod(kubectl)
    shown = in_time(kubectl, "describe", "node", "localkube", holds=kubectl.namespace)
    ordered(
        shown,
        "Name: localkube",
        "Taints: <none>",
        "Unschedulable: false",
        "HolderIdentity: localkube",
        "Conditions:",
        "Addresses:",
        "Hostname: localkube",
        "Capacity:",
        "Allocatable:",
        "System Info:",
        "Operating System: linux",
        "Container Runtime Version: process://1.0",
        "Allocated resources:",
        "Events:",
    )
    assert "Node localkube status is now: NodeReady" in shown


def test_a_job(kubectl: Kubectl) -> None:
    kubectl("create", "job", "once", "--image=test/shell:v1")
    kubectl("wait", "--for=condition=complete", "job/once", "--timeout=30s")
    shown = kubectl("describe", "job", "once")
    ordered(
        shown,
        "Name: once",
        "Parallelism: 1",
        "Completions: 1",
        "Completion Mode: NonIndexed",
        "Suspend: false",
        "Backoff Limit: 6",
        "Pods Statuses: 0 Active (0 Ready) / 1 Succeeded / 0 Failed",
        "Events:",
    )
    assert "batch.kubernetes.io/job-name=once" in shown.partition("Parallelism")[0]
    assert "Job completed" in shown


def test_an_autoscaler(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu=50%")
    shown = in_time(kubectl, "describe", "hpa", "web", holds="FailedGetResourceMetric")
    ordered(
        shown,
        "Reference: Deployment/web",
        "resource cpu on pods (as a percentage of request): <unknown> / 50%",
        "Min replicas: 1",
        "Max replicas: 3",
        "Conditions:",
        "AbleToScale True SucceededGetScale the HPA controller was able to get the target's current scale",
    )
    assert "the HPA was unable to compute the replica count: failed to get cpu utilization: " in shown


@pytest.mark.parametrize(
    ("create", "target", "lines"),
    [
        (["configmap", "x", "--from-literal=a=b"], "cm/x", ["Data", "====", "a:", "----", "b", "BinaryData"]),
        (["secret", "generic", "x", "--from-literal=a=bcd"], "secret/x", ["Type: Opaque", "a: 3 bytes"]),
        (["serviceaccount", "x"], "sa/x", ["Image pull secrets: <none>"]),
        (["quota", "x", "--hard=pods=5,cpu=2"], "quota/x", ["Resource Used Hard", "cpu 0 2", "pods 0 5"]),
        (["pdb", "x", "--selector=a=b", "--min-available=1"], "pdb/x",
         ["Min available: 1", "Selector: a=b", "Allowed disruptions: 0", "Current: 0", "Desired: 1", "Total: 0"]),
        (["role", "x", "--verb=get,list", "--resource=pods"], "role/x", ["PolicyRule:", "pods [] [] [get list]"]),
        (["rolebinding", "x", "--clusterrole=view", "--user=u"], "rolebinding/x",
         ["Kind: ClusterRole", "Name: view", "User u"]),
        (["ingress", "x", "--rule=a.example/p=web:80"], "ingress/x",
         ["Rules:", "a.example", '/p web:80 (<error: services "web" not found>)']),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_create_made(kubectl: Kubectl, create: list[str], target: str, lines: list[str]) -> None:
    kubectl("create", *create)
    shown = in_time(kubectl, "describe", target, holds="Allowed disruptions:" if target == "pdb/x" else "")
    ordered(shown, "Name: x", *lines)


def test_a_namespace_shows_its_quota(kubectl: Kubectl) -> None:
    a_pod(kubectl, IDLE)
    kubectl("create", "quota", "few", "--hard=pods=3")
    in_time(kubectl, "get", "quota", "few", holds="pods: 1/3")
    shown = kubectl("describe", "namespace", kubectl.namespace)
    ordered(shown, "Status: Active", "Resource Quotas", "Name: few", "pods 1 3")
