"""What processes really use, as kubectl shows it: an autoscaler that follows, and a limit that ends a container."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta

import pytest

from bluegreen.clock import Deadline, sleep_s
from bluegreen.localkube import Cluster
from tests.localkube.kubectl import Kubectl, rows
from tests.localkube.kubectl.workload import in_time, ordered

BUSY = "test/busy:v1"  # uses all the CPU it gets
HUNGRY = "test/hungry:v1"  # uses more and more memory

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: test/busy:v1, resources: {requests: {cpu: 10m}, limits: {cpu: 100m}}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: hungry}
spec:
  terminationGracePeriodSeconds: 0
  initContainers: [{name: sidecar, image: test/idle:v1, restartPolicy: Always}]
  containers: [{name: main, image: test/hungry:v1, resources: {limits: {memory: 48Mi}}}]
"""


@pytest.fixture(scope="module")
def appetites(cluster: Cluster) -> None:
    cluster.add_image(BUSY, [sys.executable, "-c", "while True: pass"])
    more = "held = []\nwhile True: held.append(bytearray(1 << 20))"
    cluster.add_image(HUNGRY, [sys.executable, "-c", more])


def test_an_autoscaler_follows_what_processes_use(kubectl: Kubectl, appetites: None) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    kubectl("rollout", "status", "deployment/busy", "--timeout=30s")
    in_time(kubectl, "top", "pods", holds="busy-")
    _until_measured_since_ready(kubectl)
    kubectl("autoscale", "deployment", "busy", "--min=1", "--max=3", "--cpu=50%")
    kubectl("wait", "--for=jsonpath={.spec.replicas}=3", "deployment/busy", "--timeout=40s")
    (row,) = rows(in_time(kubectl, "get", "hpa", "busy", holds="%/50%"))
    assert int(row[2].removeprefix("cpu: ").removesuffix("%/50%")) > 50
    shown = kubectl("describe", "hpa", "busy")
    ordered(shown, "Min replicas: 1", "Max replicas: 3", "Conditions:")
    assert "reason: cpu resource utilization (percentage of request) above target" in shown


def _until_measured_since_ready(kubectl: Kubectl) -> None:
    """An autoscaler passes over what was measured while a pod was not ready yet."""
    ready = kubectl(
        "get", "pods", "-o", "jsonpath={.items[0].status.conditions[?(@.type=='Ready')].lastTransitionTime}"
    )
    deadline = Deadline(20)
    while True:
        (used,) = json.loads(kubectl("get", "pods.metrics.k8s.io", "-o", "json"))["items"]
        window = timedelta(seconds=float(used["window"].removesuffix("s")))
        if datetime.fromisoformat(used["timestamp"]) - window >= datetime.fromisoformat(ready):
            return
        assert not deadline.expired, used
        sleep_s(0.3)


def test_a_container_that_takes_too_much_memory_is_killed_and_starts_again(kubectl: Kubectl, appetites: None) -> None:
    kubectl("apply", "-f", "-", stdin=POD)
    shown = in_time(kubectl, "describe", "pod", "hungry", holds="Last State:     Terminated")
    ordered(shown, "main:", "Last State: Terminated", "Reason: OOMKilled", "Exit Code: 137")
    (row,) = rows(kubectl("get", "pod", "hungry"))
    assert int(row[3].split()[0]) >= 1
    sidecar = "jsonpath={.status.initContainerStatuses[0].restartCount}"
    assert kubectl("get", "pod", "hungry", "-o", sidecar) == "0"
