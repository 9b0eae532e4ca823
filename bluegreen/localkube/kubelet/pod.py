"""One pod from the moment it is bound to the node until it is gone: its containers in their order, its status, its end.

A pod's life is one task. Whatever changes calls ``touch``; the status is then written once, however much changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from datetime import datetime
from typing import Any

from bluegreen import clock
from bluegreen.localkube.images import InvalidReferenceError
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.kubelet import pod_report, unsupported
from bluegreen.localkube.kubelet.container import EPHEMERAL, INITS, MAINS, ContainerRun
from bluegreen.localkube.kubelet.env import SEEN, SOURCE, Environment
from bluegreen.localkube.kubelet.grace import Grace
from bluegreen.localkube.kubelet.launch import Mount
from bluegreen.localkube.kubelet.machine import Machine
from bluegreen.localkube.kubelet.pod_report import Seen
from bluegreen.localkube.kubelet.volumes import TOKEN_VOLUME, VolumeError, Volumes
from bluegreen.localkube.status import ApiError

Obj = dict[str, Any]
POD = KINDS["Pod"]
LOG = logging.getLogger(__name__)
DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
VOLUME_RETRY_S = 2.0  # a missing ConfigMap or Secret is noticed at once when it comes; this is for the rest
NO_NAMESPACES = (
    "this system permits no mount namespaces (not as root and not as an unprivileged user namespace), so volumes "
    "cannot be mounted: run the cluster as root, or allow unprivileged user namespaces"
)


class PodRun:
    """A pod that this node runs."""

    def __init__(self, machine: Machine, pod: Obj) -> None:
        self.machine, self.pod = machine, pod
        meta, spec = pod["metadata"], pod["spec"]
        self.namespace, self.name, self.uid = str(meta["namespace"]), str(meta["name"]), str(meta["uid"])
        self.title = f"{self.name}_{self.namespace}({self.uid})"
        self.hostname = str(spec.get("hostname") or self.name)[:63]
        self.directory = machine.directory / self.uid
        self.restart_policy = str(spec.get("restartPolicy", "Always"))
        self.address = ""
        self._seen = clock.micro_timestamp()
        self._variables: dict[str, str] | None = None
        self._volumes: Volumes | None = None
        self._config_changed = asyncio.Event()
        self._moved = asyncio.Event()
        self._stop = asyncio.Event()
        self._grace: Grace | None = None
        self._ends = False
        self._failure: tuple[str, str] | None = None
        self._sandbox = False
        status = pod.get("status") or {}
        self._start_time = status.get("startTime") or clock.timestamp()
        self.inits = self._runs(INITS, status.get("initContainerStatuses"))
        self.mains = self._runs(MAINS, status.get("containerStatuses"))
        self.ephemerals = self._runs(EPHEMERAL, status.get("ephemeralContainerStatuses"))
        self._debugging: list[asyncio.Task[Any]] = []

    def _runs(self, field: str, before: list[Obj] | None) -> list[ContainerRun]:
        known = {status["name"]: status for status in before or ()}
        return [ContainerRun(self, spec, field, known.get(spec["name"])) for spec in self.pod["spec"].get(field) or ()]

    # -- what containers ask ---------------------------------------------------
    @property
    def grace_s(self) -> float:
        """How long a container may take to stop, in seconds."""
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    @property
    def containers(self) -> list[ContainerRun]:
        """All containers, init containers first."""
        return self.inits + self.mains + self.ephemerals

    @property
    def environment(self) -> Environment:
        """Resolves variables with what the pod and its namespace say now."""
        if self._variables is None:
            self._variables = self.machine.service_variables(self.pod)
        status = {**(self.pod.get("status") or {}), **self._addresses()}
        lookup = self.machine.lookup(self.namespace)
        return Environment({**self.seen, "status": status}, lookup, self._variables, self.machine.allocatable)

    @property
    def seen(self) -> Obj:
        """The pod as its containers see it: with the annotations that the kubelet makes in its own copy."""
        meta = self.pod["metadata"]
        annotations = {**(meta.get("annotations") or {}), SEEN: self._seen, SOURCE: "api"}
        return {**self.pod, "metadata": {**meta, "annotations": annotations}}

    @property
    def volumes(self) -> Volumes:
        """The pod's volumes."""
        if self._volumes is None:
            self._volumes = Volumes(self.directory, lambda: self.environment, self.machine.token)
        return self._volumes

    def waiting_state(self) -> Obj:
        """What a container shows before anything was tried."""
        reason = "PodInitializing" if self.pod["spec"].get("initContainers") else "ContainerCreating"
        return {"waiting": {"reason": reason}}

    def event(self, type_: str, reason: str, message: str, field: str = "") -> None:
        """Record an event about the pod, or about the part of it that ``field`` names."""
        about = {**self.pod, "fieldPath": field} if field else self.pod
        self.machine.registry.event(about, type_, reason, message, "kubelet", host=self.machine.node_name)

    async def wait_for_config(self, timeout_s: float) -> None:
        """Until a ConfigMap or Secret of the namespace changed, or the time is up."""
        self._config_changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._config_changed.wait()

    def system_mounts(self) -> list[Mount]:
        """The files that every container of the pod sees in /etc."""
        files = {"hosts": self.machine.hosts_file(self.pod, self.address), "hostname": f"{self.hostname}\n"}
        if resolv_conf := self.machine.resolv_conf(self.pod):
            files["resolv.conf"] = resolv_conf
        for name, text in files.items():
            self._write_file(name, text)
        return [Mount(str(self.directory / name), f"/etc/{name}", False) for name in files]

    def _write_file(self, name: str, text: str) -> None:
        """Write in place: containers have this very file mounted."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / name
        if path.exists() and path.read_text() == text:
            return
        with path.open("r+" if path.exists() else "w") as file:
            file.write(text)
            file.truncate()
        path.chmod(0o644)

    # -- what the kubelet tells ------------------------------------------------
    def update(self, pod: Obj) -> None:
        """The pod's object changed."""
        before, self.pod = self.pod, pod
        meta = pod["metadata"]
        if pod["spec"] != before["spec"]:
            self._redefine(pod["spec"])
        if meta.get("deletionTimestamp"):
            self.stop(float(meta.get("deletionGracePeriodSeconds") or 0))
        if any(meta.get(key) != before["metadata"].get(key) for key in ("labels", "annotations")):
            self.refresh_volumes()
        if (pod.get("status") or {}).get("conditions") != (before.get("status") or {}).get("conditions"):
            self.touch()  # somebody else's readiness gate

    def _redefine(self, spec: Obj) -> None:
        """Images are what may change in containers; those for debugging are added."""
        specs = {each["name"]: each for field in (INITS, MAINS) for each in spec.get(field) or ()}
        for container in self.inits + self.mains:
            container.redefine(specs[container.name])
        known = {container.name for container in self.ephemerals}
        for each in spec.get(EPHEMERAL) or ():
            if each["name"] not in known:
                self.ephemerals.append(ContainerRun(self, each, EPHEMERAL))
                self._debug(self.ephemerals[-1])

    def _debug(self, container: ContainerRun) -> None:
        """Run a container that was added for debugging, once there is a place for it."""
        if self._sandbox and not self._ends:
            self._debugging.append(asyncio.create_task(container.run(), name=f"{container.name} of {self.title}"))

    def stop(self, grace_s: float) -> None:
        """Bring it to its end within the grace period; again with less time makes it quicker."""
        if self._grace is None:
            self._grace = Grace(grace_s)
            self._stop.set()
        else:
            self._grace.shorten(grace_s)

    def config_changed(self) -> None:
        """A ConfigMap or Secret of the namespace changed."""
        self._config_changed.set()
        self.refresh_volumes()

    def refresh_volumes(self) -> None:
        """Write anew what volumes show; what is missing now stays as it was."""
        if self._volumes and not self._ends:
            with contextlib.suppress(VolumeError):
                self._volumes.set_up(self.seen, self._group())

    def refresh_hosts(self) -> None:
        """Write the hosts file anew, for containers that have it."""
        if (self.directory / "hosts").exists():
            self._write_file("hosts", self.machine.hosts_file(self.pod, self.address))

    # -- its life --------------------------------------------------------------
    async def run(self) -> None:
        """From here to the end; the pod's object is removed when it was deleted."""
        if not self.pod["metadata"].get("deletionTimestamp"):
            await self._live_and_end()
        if self._grace is not None:
            self._remove()

    async def _live_and_end(self) -> None:
        for warning in unsupported.warnings(self.pod["spec"]):
            self.event("Warning", "NotEmulated", warning)
        self.touch()
        try:
            await self._live_until_told()
            await self._stop_containers()
        finally:
            self._free_address()
        self._sandbox, self._ends = False, True
        for container in self.containers:
            container.show_end()
        self.write()

    def _make_sandbox(self) -> None:
        """Give the pod its address: it may start containers from now on."""
        network = self.machine.network
        self.address = network.node_address if self.pod["spec"].get("hostNetwork") else network.take_pod_address()
        self._sandbox = True
        for container in self.ephemerals:
            self._debug(container)
        self.touch()

    def _free_address(self) -> None:
        if not self.pod["spec"].get("hostNetwork"):
            self.machine.network.free_pod_address(self.address)

    async def _live_until_told(self) -> None:
        """Live until all containers have ended for good, the pod is deleted, or its time is up."""
        life = asyncio.create_task(self._live(), name=f"life of {self.title}")
        told = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({life, told}, timeout=self._time_left_s(), return_when=asyncio.FIRST_COMPLETED)
            if not life.done() and not told.done():
                self._failure = DEADLINE
                self.event("Normal", *DEADLINE)
        finally:
            for task in (told, life, *self._debugging):
                task.cancel()
            results = await asyncio.gather(life, *self._debugging, return_exceptions=True)
        if isinstance(results[0], Exception):
            LOG.error("the life of pod %s failed", self.title, exc_info=results[0])
            self.event("Warning", "FailedSync", f"error syncing pod: {results[0]}")
            await self._stop.wait()

    def _time_left_s(self) -> float | None:
        limit_s = self.pod["spec"].get("activeDeadlineSeconds")
        if limit_s is None:
            return None
        began = datetime.fromisoformat(self._start_time)
        return max(0.0, float(limit_s) - (clock.utc() - began).total_seconds())

    async def _live(self) -> None:
        """Volumes, init containers one after the other, sidecars beside them, then the containers together."""
        if self._needs_volumes():
            await self._set_up_volumes()
        self._make_sandbox()
        sidecars: list[asyncio.Task[Any]] = []
        try:
            for container in self.inits:
                if container.sidecar:
                    sidecars.append(asyncio.create_task(container.run()))
                    await self._until_started(container)
                else:
                    container.begin_anew()
                    if (await container.run()).code != 0:
                        return
            async with asyncio.TaskGroup() as group:
                for container in self.mains:
                    group.create_task(container.run())
        finally:
            for task in sidecars:
                task.cancel()
            await asyncio.gather(*sidecars, return_exceptions=True)

    async def _until_started(self, sidecar: ContainerRun) -> None:
        """Wait until a sidecar runs and its startup probe has succeeded: those behind it may start then."""
        while not sidecar.started:
            self._moved.clear()
            await self._moved.wait()

    def _needs_volumes(self) -> bool:
        """Whether any container runs a program that could look at a volume."""
        if not self.pod["spec"].get("volumes"):
            return False
        return any(
            container.spec.get("command") or not self._idle(container.spec["image"]) for container in self.containers
        )

    def _idle(self, name: str) -> bool:
        try:
            image = self.machine.images.resolve(name)
        except InvalidReferenceError:
            return False
        return image is not None and not image.command

    async def _set_up_volumes(self) -> None:
        """Until all volumes are there; without namespaces a pod with volumes of its own waits for ever."""
        while True:
            try:
                self._check_mountable()
                self.volumes.set_up(self.seen, self._group())
            except VolumeError as error:
                self.event("Warning", "FailedMount", str(error))
                await self.wait_for_config(VOLUME_RETRY_S)
            else:
                return

    def _check_mountable(self) -> None:
        own = [v["name"] for v in self.pod["spec"]["volumes"] if not v["name"].startswith(TOKEN_VOLUME)]
        if own and self.machine.namespaces == "none":
            raise VolumeError(f'MountVolume.SetUp failed for volume "{own[0]}" : {NO_NAMESPACES}')

    def _group(self) -> int | None:
        group: int | None = (self.pod["spec"].get("securityContext") or {}).get("fsGroup")
        return group

    async def _stop_containers(self) -> None:
        """The containers together, then the sidecars, last first; all within one grace period."""
        grace = self._grace or Grace(self.grace_s)
        mains = [c for c in self.containers if not c.sidecar]
        await asyncio.gather(*(c.stop(grace, f"Stopping container {c.name}") for c in mains))
        for container in reversed([c for c in self.inits if c.sidecar]):
            await container.stop(grace, f"Stopping container {container.name}")

    def _remove(self) -> None:
        """Let the object go, and all files."""
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        with contextlib.suppress(ApiError):
            self.machine.registry.delete(POD, self.namespace, self.name, options)

    def forget_files(self) -> None:
        """Delete logs, volumes and all else that lay on disk."""
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- its status ------------------------------------------------------------
    def touch(self) -> None:
        """Something changed: write the status soon."""
        self._moved.set()
        self.machine.writes.add(self.write)

    def write(self) -> None:
        """Write the status where it differs from what the API has."""

        def change(pod: Obj) -> None:
            if pod["metadata"]["uid"] == self.uid:
                pod["status"] = pod_report.status(pod, self._seen_now())

        try:
            self.machine.registry.modify(POD, self.namespace, self.name, change, manager="kubelet")
        except ApiError as error:
            LOG.warning("status of pod %s: %s", self.title, error.message)

    def _seen_now(self) -> Seen:
        by_name = [sorted(group, key=lambda each: each.name) for group in (self.mains, self.ephemerals)]
        inits, mains, ephemerals = ([each.status() for each in group] for group in (self.inits, *by_name))
        return Seen(
            inits,
            mains,
            ephemerals,
            start_time=self._start_time,
            addresses=self._addresses(),
            sandbox=self._sandbox,
            node_ready=self.machine.node_ready,
            deleted=self._grace is not None,
            over=self._ends,
            failure=self._failure,
        )

    def _addresses(self) -> Obj:
        node = self.machine.network.node_address
        found: Obj = {"hostIP": node, "hostIPs": [{"ip": node}]}
        if self.address:
            found |= {"podIP": self.address, "podIPs": [{"ip": self.address}]}
        return found
