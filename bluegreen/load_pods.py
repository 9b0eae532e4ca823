"""The load test spread over machines: locust's own master and workers, as pods in the cluster.

The master is a pod too, so that its workers reach it on any cluster; its figures come back in its log, through the API.
A ConfigMap brings the locust file; it belongs to the master's pod and goes with it.
"""

from __future__ import annotations

import json
import math
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from bluegreen import load, localkube, manifests
from bluegreen.access import PORT_FORWARD
from bluegreen.availability import hopeless_pod
from bluegreen.clock import Deadline
from bluegreen.colour import Obj
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube
from bluegreen.load import LoadResult, LoadTestError, Plan
from bluegreen.portforward import too_much
from bluegreen.settings import Settings

SUMMARY = "loadtest-summary "
"""Begins the line of the master's log that holds all figures; the locust file writes it."""

LOCAL_IMAGE = "bluegreen/locust:local"
"""What the embedded cluster runs: the locust of this very Python."""

START_S = 120.0
"""A choice: how much longer than the test itself the pods may take, image pulls included."""

EXPECT_S = 60
"""How long the master waits for its workers; then it begins without those that did not come."""


WORKER_RPS = 1000.0
"""Requests a second for each worker that is added unasked. A choice: one makes several thousand on a CPU of its own."""


def workers(settings: Settings, via: str) -> int:
    """How many pods make the load; 0: it is made here. ``via``: by which way the application is reached from here.

    LOAD_WORKERS, or as many as are needed where the only way is a port-forward that cannot carry the load.
    """
    rate_rps = load.rate_rps(settings)
    if settings.load_workers or via != PORT_FORWARD:
        return settings.load_workers
    if not too_much(rate_rps, settings.load_users, kept=settings.keep_alive):
        return 0
    return math.ceil(rate_rps / WORKER_RPS)


def image(settings: Settings) -> str:
    """The image that locust runs in: LOAD_IMAGE, or locust's own of the version installed here."""
    return settings.load_image or (LOCAL_IMAGE if settings.embedded else f"locustio/locust:{version('locust')}")


def run(kube: Kube, settings: Settings, plan: Plan, out_dir: Path, number: int) -> LoadResult:
    """Run a load test by a number of pods and a master, and give its figures. Whatever ends it removes the pods.

    Raises:
        TimeoutExpiredError: it was not done in time; says what a pod was waiting for.
        LoadTestError: the master wrote no figures, or began without a worker.
    """
    if settings.embedded and not settings.load_image:
        localkube.add_image(localkube.DEFAULT_NAME, LOCAL_IMAGE, [sys.executable, "-m", "locust"])
    deadline = Deadline(settings.load_test_duration + START_S)
    name = f"{settings.app_name}-load-{uuid.uuid4().hex[:6]}"
    with _removed(kube) as names:
        master = _start(kube, settings, names, f"{name}-master", name, _master(settings, plan, number))
        kube.create(_config(name, master))
        address = _address(kube, f"{name}-master", deadline)
        for each in range(number):
            worker = ["-f", FILE, "--worker", "--master-host", address]
            _start(kube, settings, names, f"{name}-{each}", name, worker)
        _await_end(kube, f"{name}-master", deadline)
        log = kube.logs(f"{name}-master", tail_lines=None)
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / "locust.log").write_text("\n".join(line for line in log.splitlines() if not line.startswith(SUMMARY)))
    return _result(log, number)


FILE = "/loadtest/locustfile.py"


def _master(settings: Settings, plan: Plan, number: int) -> list[str]:
    waits = ["--expect-workers", str(number), "--expect-workers-max-wait", str(EXPECT_S)]
    return [
        *("-f", FILE, "--headless", "--only-summary", "--master", "--master-bind-host", "$(POD_IP)", *waits),
        *(load.escaped(argument) for argument in load.arguments(settings, plan)),
        *("--summary-file", "-"),
    ]


def _start(kube: Kube, settings: Settings, names: list[str], name: str, config: str, arguments: Sequence[str]) -> Obj:
    values = {"LOAD_POD": name, "LOAD_CONFIG": config, "LOAD_IMAGE": image(settings)}
    [pod] = manifests.render(settings, "load-pod", **values)
    pod["spec"]["containers"][0]["args"] = list(arguments)
    names.append(name)
    return kube.create(pod)


def _config(name: str, master: Obj) -> Obj:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": master["metadata"]["name"], "uid": master["metadata"]["uid"]}
    labels = {"app.kubernetes.io/managed-by": "bluegreen"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
        "data": {"locustfile.py": load.locustfile().read_text(encoding="utf-8")},
    }


@contextmanager
def _removed(kube: Kube) -> Iterator[list[str]]:
    """The names of the pods made; they are removed at the end, whatever happens."""
    names: list[str] = []
    try:
        yield names
    finally:
        for name in names:
            with suppress(HarnessError):
                kube.delete("Pod", name, grace_s=1)


def _address(kube: Kube, name: str, deadline: Deadline) -> str:
    """The address of the master, once it runs. Raises LoadTestError as soon as it is clear that it will not."""

    def address(pods: list[Obj]) -> str | None:
        if reason := next(filter(None, map(hopeless_pod, pods)), ""):
            remedy = "Set LOAD_IMAGE to an image of locust that the nodes can pull, or ask for less with LOAD_RATE."
            raise LoadTestError(f"The load test cannot be made by pods: {reason.rstrip('.')}.", remedy)
        status = next((pod.get("status") or {} for pod in pods), {})
        return str(status["podIP"]) if status.get("podIP") and status.get("phase") != "Pending" else None

    return kube.wait(
        "Pod",
        address,
        fields=f"metadata.name={name}",
        deadline=deadline,
        awaited=f"pod {name} runs",
        seen=_waiting,
    )


def _await_end(kube: Kube, name: str, deadline: Deadline) -> None:
    kube.wait(
        "Pod",
        lambda pods: (
            True if any((p.get("status") or {}).get("phase") in ("Succeeded", "Failed") for p in pods) else None
        ),
        fields=f"metadata.name={name}",
        deadline=deadline,
        awaited=f"the load test in pod {name} ends",
        seen=_waiting,
    )


def _phase(pod: Obj) -> str:
    return str((pod.get("status") or {}).get("phase"))


def _waiting(pods: list[Obj]) -> str:
    """What a pod is waiting for, in the cluster's words."""
    statuses = [s for p in pods for s in (p.get("status") or {}).get("containerStatuses") or []]
    waiting = [(s.get("state") or {}).get("waiting") or {} for s in statuses]
    said = [f"{w.get('reason')} {w.get('message', '')}".strip() for w in waiting if w]
    return "; ".join(said) or "; ".join(map(_phase, pods))


def _result(log: str, number: int) -> LoadResult:
    line = next((line for line in log.splitlines() if line.startswith(SUMMARY)), "")
    if not line:
        last = (log.strip().splitlines() or ["it said nothing"])[-1][:300]
        raise LoadTestError(f"The load test's master wrote no figures: {last}", "Look at LOAD_IMAGE and LOAD_WORKERS.")
    found = load.read(json.loads(line.removeprefix(SUMMARY)))
    if found.workers < number:
        raise LoadTestError(
            f"Of {number} locust workers {found.workers} came within {EXPECT_S} s.",
            "Look whether the cluster has room for their pods, or ask for fewer with LOAD_WORKERS.",
        )
    return found
