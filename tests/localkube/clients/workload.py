"""What the tests of clients deploy."""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

from bluegreen.localkube import Cluster

Obj = dict[str, Any]
IDLE = "test/idle:v1"
NEXT = "test/idle:v2"
SHELL = "test/clients-shell:v1"
WEB = "test/clients-web:v1"  # answers every request on port 8080 of the pod's address
SERVER = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello from the pod")
    def log_message(self, *_): pass
print("serves", flush=True)
http.server.HTTPServer((os.environ["POD_IP"], 8080), Answer).serve_forever()
"""
DEPLOYMENT: Obj = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": IDLE}], "terminationGracePeriodSeconds": 0},
        },
    },
}


def add_images(cluster: Cluster) -> None:
    """Register the programs."""
    cluster.add_image(IDLE, ["sleep", "600"])
    cluster.add_image(NEXT, ["sleep", "600"])
    cluster.add_image(SHELL, ["sh"])
    cluster.add_image(WEB, [sys.executable, "-c", SERVER])


def pod(image: str = IDLE, name: str = "one", **container: Any) -> Obj:
    """A pod of one container."""
    spec = {"containers": [{"name": "c", "image": image, **container}], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def deployment(image: str = IDLE, **spec: Any) -> Obj:
    """The Deployment with another image or spec."""
    made = deepcopy(DEPLOYMENT)
    made["spec"] |= spec
    made["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return made


def rolled_out(found: Obj) -> bool:
    """Whether a Deployment, as plain JSON, is where its spec asks for: what kubectl rollout status looks at."""
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return False
    counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    return counts == {wanted}
