"""An application of a test's own, released without pytest on the tests' cluster, and what must always be true of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluegreen import localkube, settings
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj, live_colour
from bluegreen.errors import CannotStartError, TimeoutExpiredError
from bluegreen.journal import Journal, Record
from bluegreen.kube import Kube, connect_handle
from bluegreen.release import Release
from bluegreen.settings import Settings
from bluegreen.traffic import slice_pods

CHECKOUT = Path(__file__).resolve().parents[1]
IMAGE = "gremlinsai/backend"

QUICK = {
    "REPLICAS": "2",
    "HEALTH_CHECK_TIMEOUT": "30",
    "ROLLBACK_TIMEOUT": "10",
    "DRAIN_TIMEOUT": "3",
    "LEASE_DURATION": "1",
    "CPU_REQUEST": "50m",
    "MEMORY_REQUEST": "64Mi",
}
"""Shorter waits and smaller pods than the defaults: what is tested is the order of things."""


@dataclass
class Driven:
    """A release that ran in a process of its own."""

    code: int
    said: dict[str, Any] = field(default_factory=dict)
    log: str = ""


class App:
    """One application in a namespace of its own."""

    def __init__(self, cluster: localkube.Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.namespace = f"app-{uuid.uuid4().hex[:8]}"
        self.kube: Kube = connect_handle(str(cluster.kubeconfig), cluster.context, self.namespace)

    def environment(self, tag: str, **more: str) -> dict[str, str]:
        """The settings of a release of one version, as environment variables."""
        own = {
            "NAMESPACE": self.namespace,
            "DOCKER_IMAGE": f"{IMAGE}:{tag}",
            "REPORTS_DIR": str(self.folder / "reports"),
        }
        return {**QUICK, **own, **more}

    def settings(self, tag: str, **more: str) -> Settings:
        """The same, read."""
        return settings.load(self.environment(tag, **more))

    def release(self, tag: str, **more: str) -> Release:
        """A release that was not begun."""
        folder = self.folder / uuid.uuid4().hex[:8]
        return Release(self.settings(tag, **more), self.kube, out_dir=folder, progress=lambda _: None)

    def released(self, tag: str, **more: str) -> Release:
        """A release that went all the way."""
        release = self.release(tag, **more)
        try:
            release.begin()
            release.promote()
            release.watch_tick()
            release.finish()
        finally:
            release.close()
        return release

    def begun_as_soon_as_free(self, tag: str, **more: str) -> Release:
        """A release that has begun, once a holder that is gone has lost its lock."""
        deadline = Deadline(20)
        while True:
            release = self.release(tag, **more)
            try:
                release.begin()
                return release
            except CannotStartError:
                release.close()
                assert not deadline.expired

    def driven(self, tag: str, *arguments: str, **more: str) -> Driven:
        """A release in a process of its own, which the arguments may kill."""
        command, environment = self.command(tag, *arguments, **more)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        return Driven(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)

    def command(self, tag: str, *arguments: str, **more: str) -> tuple[list[str], dict[str, str]]:
        """The command and the environment of such a process."""
        command = [sys.executable, "-m", "tests.driver", "--kubeconfig", str(self.cluster.kubeconfig)]
        command += ["--context", self.cluster.context, "--reports", str(self.folder / uuid.uuid4().hex[:8]), *arguments]
        return command, {**os.environ, **self.environment(tag, **more), "PYTHONPATH": str(CHECKOUT)}

    def remove(self) -> None:
        """Delete the namespace; its pods with little grace."""
        for deployment in self.kube.list("Deployment"):
            self.kube.delete("Deployment", deployment["metadata"]["name"])
        for pod in self.kube.list("Pod"):
            self.kube.delete("Pod", pod["metadata"]["name"], grace_s=0)
        self.kube.delete("Namespace", self.namespace)
        self.kube.close()

    # --- what is there -----------------------------------------------------------------------------------------------

    @property
    def service(self) -> Obj:
        """The live Service."""
        found = self.kube.get("Service", "gremlinsai-service")
        assert found is not None
        return found

    @property
    def live(self) -> Colour | None:
        """The colour that live traffic is at."""
        return live_colour(self.service)

    @property
    def record(self) -> Record | None:
        """The journal's present record."""
        return Journal(self.kube, self.settings("v0")).read()

    def deployment(self, colour: Colour) -> Obj | None:
        """A colour's Deployment."""
        return self.kube.get("Deployment", f"gremlinsai-backend-{colour}")

    def tag(self, colour: Colour) -> str:
        """The version a colour's Deployment runs."""
        deployment = self.deployment(colour)
        assert deployment is not None
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2])

    def pods(self, colour: Colour) -> list[str]:
        """The names of a colour's pods."""
        found = self.kube.list("Pod", labels=f"app=gremlinsai-backend,version={colour}")
        return [pod["metadata"]["name"] for pod in found]

    def endpoints(self, service: str = "gremlinsai-service") -> set[str]:
        """The ready pods behind a Service."""
        return slice_pods(self.kube.list("EndpointSlice", labels=f"kubernetes.io/service-name={service}"))

    def at_rest(self) -> None:
        """What must be true when no release runs, whatever happened before."""
        record, live = self.record, self.live
        assert record is not None
        assert not record.unfinished, record
        lease = self.kube.get("Lease", "gremlinsai-backend-release")
        assert lease is not None
        assert not lease["spec"]["holderIdentity"], lease["spec"]
        preview = self.kube.get("Service", "gremlinsai-service-preview")
        assert preview is not None
        assert preview["spec"]["selector"]["version"] == "none"
        for colour in Colour:
            deployment = self.deployment(colour)
            size = deployment["spec"]["replicas"] if deployment is not None else 0
            assert (size > 0) is (colour is live), f"{colour} has {size} pods, live is {live}"
            self.await_size(colour)
        assert self.endpoints() == (set(self.pods(live)) if live is not None else set())

    def await_size(self, colour: Colour) -> None:
        """Wait until a colour has the pods its Deployment asks for: an autoscaler may just have changed it."""
        deadline = Deadline(20)
        while True:
            deployment, pods = self.deployment(colour), self.pods(colour)
            size = deployment["spec"]["replicas"] if deployment is not None else 0
            if len(pods) == size:
                return
            assert not deadline.expired, f"{colour} has to have {size} pods, but has {pods}"

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Every version that the live Service's selector has meanwhile; "?" for a selector that is no colour's."""
        seen: list[str] = []
        ready, over = threading.Event(), threading.Event()

        def note(services: list[Obj]) -> bool | None:
            for service in services:
                selector = service["spec"].get("selector") or {}
                word = selector.get("version", "?") if selector.get("app") == "gremlinsai-backend" else "?"
                if not seen or seen[-1] != word:
                    seen.append(word)
            ready.set()
            return True if over.is_set() else None

        def follow() -> None:
            fields = "metadata.name=gremlinsai-service"
            try:
                self.kube.wait("Service", note, fields=fields, deadline=Deadline(300), awaited="the end", on_tick=tick)
            except (TimeoutExpiredError, _Over):
                return

        def tick() -> None:
            if over.is_set():
                raise _Over

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield seen
        finally:
            over.set()
            thread.join(10)


class _Over(Exception):
    """The watched time is over."""
