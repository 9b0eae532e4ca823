"""An application with a worker that must not run twice, and a witness that it never did.

The worker is a program that holds a file locked as long as it runs. It takes its time to end, as one does that finishes
what it has begun; a second one that finds the file locked writes that down.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from bluegreen import localkube
from bluegreen.clock import Deadline
from tests.apps import App

NAME = "gremlinsai-backend"
Object = dict[str, object]
WORKER = "team/worker"
BAD = "team/worker:crashes"

PROGRAM = """
import fcntl, os, signal, sys, time
lock, log, version = sys.argv[1:]
def note(word):
    with open(log, "a") as file:
        file.write(f"{word} {version}\\n")
held = open(lock, "a")
try:
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    note("twice")
    sys.exit(1)
note("began")
def end(*_):
    time.sleep(0.4)
    note("ended")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    signal.pause()
"""


class WithWorker(App):
    """An application of a team's own YAML: what answers users is called as the tests' other applications."""

    def __init__(self, cluster: localkube.Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        self.manifests, self.log = folder / f"{self.namespace}-yaml", folder / f"{self.namespace}.log"
        self.manifests.mkdir()
        program, lock = folder / "worker.py", folder / f"{self.namespace}.lock"
        program.write_text(PROGRAM)
        for version in ("v1", "v2"):
            words = [sys.executable, str(program), str(lock), str(self.log), version]
            cluster.add_image(f"{WORKER}-{self.namespace}:{version}", words)
        cluster.add_image(BAD, [sys.executable, "-c", "raise SystemExit(1)"])
        self.write("v1")

    def write(self, version: str, worker: str = "", *, marked: str = "true") -> None:
        """Write the manifests, with a version of the worker, or with another image for it."""
        image = worker or f"{WORKER}-{self.namespace}:{version}"
        pod_ip = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
        probe = {"httpGet": {"path": "/api/v1/health/ready", "port": 8080}, "periodSeconds": 1}
        web = {"name": "app", "image": "gremlinsai/backend:v0", "env": [pod_ip], "readinessProbe": probe}
        objects = [
            deployment(NAME, 2, web),
            deployment("worker", 1, {"name": "worker", "image": image}, {"bluegreen/active-only": marked}),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "gremlinsai-service"},
                "spec": {"selector": {"app": NAME}, "ports": [{"port": 80, "targetPort": 8080}]},
            },
        ]
        (self.manifests / "app.yaml").write_text(yaml.safe_dump_all(objects))

    def environment(self, tag: str, **more: str) -> dict[str, str]:
        """The settings of a release of one version."""
        own = {"MANIFESTS": str(self.manifests), "HEALTH_CHECK_URL": "http://localhost:8080/api/v1/health/health"}
        return super().environment(tag, **own, **more)

    # --- what became of the worker -----------------------------------------------------------------------------------

    def said(self) -> list[str]:
        """What the workers wrote down, in order."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def sizes(self) -> dict[str, int]:
        """The wanted number of workers in each colour."""
        found = {obj["metadata"]["name"]: int(obj["spec"]["replicas"]) for obj in self.kube.list("Deployment")}
        return {name.removeprefix("worker-"): size for name, size in found.items() if name.startswith("worker-")}

    def assert_one_works(self) -> None:
        """The worker runs in the live colour, once, and at no time did two of them."""
        live = str(self.live)
        deadline = Deadline(20)
        while not (self.said() and self.said()[-1].startswith("began")):
            assert not deadline.expired, self.said()
        assert "twice" not in " ".join(self.said()), self.said()
        assert {colour for colour, size in self.sizes().items() if size} == {live}
        assert [line.split()[0] for line in self.said()] == (["began", "ended"] * len(self.said()))[: len(self.said())]


def deployment(name: str, size: int, container: Object, annotations: dict[str, str] | None = None) -> Object:
    """A Deployment as a team writes it."""
    labels = {"app": name}
    metadata = {"name": name, "annotations": annotations or {}}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 5, "containers": [container]}}
    spec = {"replicas": size, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
