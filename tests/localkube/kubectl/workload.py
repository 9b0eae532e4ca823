"""What the tests of kubectl deploy: light programs as images, and a Deployment of them."""

from __future__ import annotations

import sys

from bluegreen.clock import Deadline, sleep_s
from bluegreen.localkube import Cluster
from tests.localkube.kubectl import Kubectl

IDLE = "test/idle:v1"  # prints a line and waits
NEXT = "test/idle:v2"
BROKEN = "test/broken:v1"  # prints a line and fails
WEB = "test/web:v1"  # answers every request on port 8080 of the pod's address
SHELL = "test/shell:v1"
MISSING = "test/none:v1"

SERVER = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello from the pod")
    def log_message(self, *_): pass
http.server.HTTPServer((os.environ["POD_IP"], 8080), Answer).serve_forever()
"""
WAITING = ["sh", "-c", "echo started; trap 'exit 0' TERM; while :; do sleep 1 & wait; done"]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: test/idle:v1
        env: [{name: COLOUR, value: blue}]
        ports: [{name: http, containerPort: 8080}]
"""


def add_images(cluster: Cluster) -> None:
    """Register the programs."""
    cluster.add_image(IDLE, WAITING)
    cluster.add_image(NEXT, WAITING, {"VERSION": "2"})
    cluster.add_image(BROKEN, ["sh", "-c", "echo broken; exit 3"])
    cluster.add_image(WEB, [sys.executable, "-c", SERVER])
    cluster.add_image(SHELL, ["sh"])


def deploy(kubectl: Kubectl, manifest: str = DEPLOYMENT) -> None:
    """Apply it and wait for its rollout."""
    kubectl("apply", "-f", "-", stdin=manifest)
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")


def a_pod(kubectl: Kubectl, image: str = IDLE, name: str = "one", *more: str) -> None:
    """A pod of its own, labelled run=test."""
    kubectl("run", name, f"--image={image}", "--labels=run=test", *more)


def started(kubectl: Kubectl, image: str = IDLE, name: str = "one", *more: str) -> None:
    """A pod that is ready."""
    a_pod(kubectl, image, name, *more)
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")


def in_time(kubectl: Kubectl, *arguments: str, holds: str = "") -> str:
    """What a command prints once it succeeds and its output holds a word: for what follows some time later."""
    deadline = Deadline(20)
    while True:
        done = kubectl.run(*arguments)
        if done.returncode == 0 and holds in done.stdout:
            return done.stdout
        assert not deadline.expired, done.stderr or done.stdout
        sleep_s(0.2)


def ordered(text: str, *expected: str) -> None:
    """Lines that stand in a text in this order, whatever stands between them; blanks in a row count as one."""
    lines = iter(" ".join(line.split()) for line in text.splitlines())
    for line in expected:
        assert line in lines, f"no line {line!r}, or not there, in:\n{text}"
