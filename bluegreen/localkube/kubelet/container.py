"""One container of a pod over all its lives: image, configuration, start, probes, end, back-off, again.

``run`` goes on until the restart policy wants no more; cancelling it leaves the running program to ``stop``.
Its state is kept as the API shows it (``status``).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from bluegreen import clock
from bluegreen.localkube.images import Image
from bluegreen.localkube.kubelet import ending, hooks
from bluegreen.localkube.kubelet.answers import go_duration
from bluegreen.localkube.kubelet.backoff import BackOff
from bluegreen.localkube.kubelet.describe import describe
from bluegreen.localkube.kubelet.env import ConfigError
from bluegreen.localkube.kubelet.files import SCHEME, keep_latest_log, log_file
from bluegreen.localkube.kubelet.grace import Grace
from bluegreen.localkube.kubelet.handlers import Place, ports_of
from bluegreen.localkube.kubelet.launch import Container, ContainerSpec, Exit, StartError
from bluegreen.localkube.kubelet.pod_status import restartable
from bluegreen.localkube.kubelet.probes import Kind, Prober
from bluegreen.localkube.kubelet.pulling import RETRY_S, SHOWN_S, Puller
from bluegreen.localkube.kubelet.volumes import VolumeError

if TYPE_CHECKING:
    from bluegreen.localkube.kubelet.pod import PodRun

Obj = dict[str, Any]
T = TypeVar("T")
INITS, MAINS, EPHEMERAL = "initContainers", "containers", "ephemeralContainers"
"""The lists of a pod's spec in which containers stand."""
RUNTIME = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)
LOST = Exit(255)  # of a program that ended with an earlier daemon


class Idle:
    """Stands for a program where an image runs none: it exists until it is told to stop."""

    pid = 0

    def __init__(self) -> None:
        self.ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def signal(self, _number: int) -> None:
        """Any signal ends it, well."""
        if not self.ended.done():
            self.ended.set_result(Exit(0))


class ContainerRun:
    """One container of one pod."""

    def __init__(self, pod: PodRun, spec: Obj, field: str, before: Obj | None = None) -> None:
        """``field``: the pod's list that it stands in. ``before``: its status from the life of an earlier daemon,
        whose processes are gone.
        """
        self.pod, self.spec, self.name = pod, spec, str(spec["name"])
        self.field, self.init, self.ephemeral = field, field == INITS, field == EPHEMERAL
        self.sidecar = self.init and restartable(spec)
        self.instance: Container | Idle | None = None
        self.out_of_memory = False  # whether the watch over memory killed it
        self.state: Obj = pod.waiting_state()
        self.last_state: Obj = {}
        self.restarts, self.container_id, self.image_name, self.image_id = 0, "", str(spec["image"]), ""
        self._prober: Prober | None = None
        self._probing: asyncio.Task[None] | None = None
        self._env: dict[str, str] = {}
        self._started = ""
        self._starting = False  # there is an instance that the state does not show yet
        self._hook_failure: str | None = None  # what a failed postStart hook of this instance said
        self._back_off = BackOff()
        self._redefined, self._anew = asyncio.Event(), False
        self._puller = self._new_puller()
        if before and before.get("containerID"):
            self._resume(before)

    def _resume(self, before: Obj) -> None:
        """Take over from an earlier daemon: what ran then was killed with it."""
        self.restarts, self.container_id = before["restartCount"], before["containerID"]
        self.image_name, self.image_id = before["image"], before["imageID"]
        self.last_state = before.get("lastState") or {}
        self.state = before["state"]
        if running := self.state.get("running"):
            self._started = running.get("startedAt", "")
            self.state = self._terminated(LOST, "Unknown")

    def _new_puller(self) -> Puller:
        machine, policy = self.pod.machine, self.spec.get("imagePullPolicy", "IfNotPresent")
        return Puller(
            machine.images, str(self.spec["image"]), policy, self._wait, self.event, lambda: machine.faults.pull_delay_s
        )

    def redefine(self, spec: Obj) -> None:
        """The pod's object has another image for it: what runs, or waits for the old one, gives way."""
        changed, self.spec = spec["image"] != self.spec["image"], spec
        if changed:
            self._puller, self._back_off = self._new_puller(), BackOff()
            self._redefined.set()

    def begin_anew(self) -> None:
        """Run once more what had ended: an init container of a pod whose machine was restarted."""
        if "terminated" in self.state:
            self.last_state, self.state = self.state, self.pod.waiting_state()

    # -- what the API shows ----------------------------------------------------
    def status(self) -> Obj:
        """The container's status."""
        shown: Obj = {
            "name": self.name,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.image_name,
            "imageID": self.image_id,
        }
        if not self.ephemeral:
            shown["started"] = self.started
        if self.container_id:
            shown["containerID"], shown["resources"] = self.container_id, self.spec.get("resources") or {}
            if requests := shown["resources"].get("requests"):
                shown["allocatedResources"] = requests
        if mounts := self.spec.get("volumeMounts"):
            shown["volumeMounts"] = [_mount_status(mount) for mount in mounts]
        return shown

    @property
    def running(self) -> bool:
        """Whether a program runs (or an idle container exists)."""
        return self.instance is not None and not self.instance.ended.done()

    @property
    def started(self) -> bool:
        """Whether it runs and its startup probe has succeeded."""
        return "running" in self.state and (self._prober is None or self._prober.outcome.started)

    @property
    def ready(self) -> bool:
        """Whether it counts as ready: by its probe, or, for an init container, by having ended well."""
        if self.ephemeral:
            return False  # nobody waits for it
        if self.init and not self.sidecar:
            return bool("terminated" in self.state and self.state["terminated"]["exitCode"] == 0)
        return self.started and (self._prober is None or self._prober.outcome.ready)

    def event(self, type_: str, reason: str, message: str) -> None:
        """Record an event about this container."""
        self.pod.event(type_, reason, message, f"spec.{self.field}{{{self.name}}}")

    def _wait(self, reason: str, message: str) -> None:
        """Show that it waits, and why."""
        self._leave({"waiting": {"reason": reason, "message": message}})
        self.pod.touch()

    def _terminated(self, ended: Exit, reason: str, message: str = "") -> Obj:
        shown: Obj = {"exitCode": ended.code, "reason": reason}
        if message:
            shown["message"] = message
        shown |= {"startedAt": self._started, "finishedAt": clock.timestamp(), "containerID": self.container_id}
        return {"terminated": shown}

    # -- its lives -------------------------------------------------------------
    async def run(self) -> Exit:
        """Run it, again and again as the restart policy says; gives how it ended for good."""
        before = self.state.get("terminated")
        ended = Exit(before["exitCode"]) if before else await self._once()
        while self._anew or self._again(ended):
            await self._pause(clock.now_s())
            ended = await self._once()
        return ended

    def _again(self, ended: Exit) -> bool:
        if self.ephemeral:
            return False
        policy = "Always" if self.sidecar else self.pod.restart_policy
        if self.init and not self.sidecar and policy == "Always":
            policy = "OnFailure"
        return policy == "Always" or (policy == "OnFailure" and ended.code != 0)

    @property
    def _keeps_its_end(self) -> bool:
        """Whether it shows how it ended while it waits to start again: a sidecar whose pod's policy alone would not
        restart it, as the kubelet's ShouldContainerBeRestarted knows no sidecars."""
        code = (self.state.get("terminated") or {}).get("exitCode")
        return self.sidecar and (code == 0 or self.pod.restart_policy == "Never")

    async def _pause(self, ended_s: float) -> None:
        """Wait out the back-off after an end, shown as CrashLoopBackOff after the end itself; none after the first."""
        if self._back_off.remaining_s(ended_s, clock.now_s()) > 0:
            await self._unless_redefined(asyncio.sleep(SHOWN_S, True))
        remaining_s = self._back_off.remaining_s(ended_s, clock.now_s())
        if remaining_s > 0 and not self._redefined.is_set():
            title, waits = self.pod.title, go_duration(self._back_off.current_s)
            if not self._keeps_its_end:
                self._wait("CrashLoopBackOff", f"back-off {waits} restarting failed container={self.name} pod={title}")
            self.event("Warning", "BackOff", f"Back-off restarting failed container {self.name} in pod {title}")
            await self._unless_redefined(asyncio.sleep(remaining_s, True))
        self._back_off.advance(clock.now_s())

    async def _once(self) -> Exit:
        """One life: until the program has ended, whatever ended it."""
        found = None
        while found is None:
            self._redefined.clear()
            found = await self._unless_redefined(self._prepared())
        image, container_id, spec = found
        self._anew = False
        try:
            await self._start(image, container_id, spec)
        except StartError as error:
            return await self._failed_to_start(error)
        return await self._watch()

    async def _unless_redefined(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """What is waited for; None when the container was redefined before it came."""
        task, redefined = asyncio.ensure_future(waiting), asyncio.ensure_future(self._redefined.wait())
        try:
            await asyncio.wait([task, redefined], return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            for each in (task, redefined):
                each.cancel()
            await asyncio.gather(task, redefined, return_exceptions=True)

    async def _prepared(self) -> tuple[Image, str, ContainerSpec | None]:
        """The image, a new instance's id, and what it runs."""
        image = await self._puller.image()
        return image, *await self._configured(image)

    async def _configured(self, image: Image) -> tuple[str, ContainerSpec | None]:
        """A new instance's id and what it runs, once everything that it names is there."""
        while True:
            container_id = f"{SCHEME}{secrets.token_hex(32)}"
            try:
                spec, warning = describe(self.pod, self.spec, image, container_id)
            except (ConfigError, VolumeError) as error:
                await self._not_created("CreateContainerConfigError", str(error))
                continue
            except OSError as error:  # of this machine: a full disk, no more memory
                await self._not_created("CreateContainerError", str(error))
                continue
            if warning:
                self.event("Warning", "RunsAsClusterUser", warning)
            self._env = spec.env if spec else {}
            return container_id, spec

    async def _not_created(self, reason: str, message: str) -> None:
        """Show why there is no container yet, until something changes or some time has passed."""
        self._wait(reason, message)
        self.event("Warning", "Failed", f"Error: {message}")
        await self.pod.wait_for_config(RETRY_S)

    async def _start(self, image: Image, container_id: str, spec: ContainerSpec | None) -> None:
        """Start the program and its hook; until they are through, the API shows what was before. Raises StartError."""
        self.event("Normal", "Created", f"Created container: {self.name}")
        self._started, self.out_of_memory, self._starting = clock.timestamp(), False, True
        if self.container_id:
            keep_latest_log(log_file(self.pod.directory, self.name, self.container_id))
        try:
            if spec is None:
                self.instance = Idle()
            else:
                self.instance = started = self.pod.machine.launch(spec)
                await asyncio.shield(started.started)
            self.event("Normal", "Started", f"Started container {self.name}")
            hook = (self.spec.get("lifecycle") or {}).get("postStart")
            good = not hook or await self._post_start(hook)
        finally:
            self._succeed(image, container_id)
        if not good:
            return
        self._leave({"running": {"startedAt": self._started}})
        self._begin_probing()
        self.pod.touch()

    def _succeed(self, image: Image, container_id: str) -> None:
        """From now on it is this instance."""
        self.restarts += bool(self.container_id)
        self.container_id, self.image_name, self.image_id = container_id, image.name, image.image_id

    def _leave(self, state: Obj) -> None:
        """Show another state; how it ended before becomes its last state."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state, self._starting = state, False

    def place(self) -> Place:
        """Where this container's probes and hooks act."""
        instance = self.instance if isinstance(self.instance, Container) else None
        return Place(self.pod.address, ports_of(self.spec), instance, self._env)

    async def _post_start(self, hook: Obj) -> bool:
        """Run the hook while the container still shows as waiting; one that fails costs the program its life."""
        answer = await hooks.act(hook, self.place(), self.name, self.pod.title)
        if not answer.ok:
            self._hook_failure = answer.message
            self.event("Warning", "FailedPostStartHook", "PostStartHook failed")
            await self.stop(Grace(self.pod.grace_s), "FailedPostStartHook")
        return answer.ok

    def _begin_probing(self) -> None:
        if any(self.spec.get(kind) for kind in Kind):
            self._prober = Prober(self.spec, self.place(), changed=self.pod.touch, event=self.event)
            self._probing = asyncio.create_task(self._prober.run(), name=f"probes of {self.pod.title} {self.name}")

    async def _failed_to_start(self, error: StartError) -> Exit:
        """The runtime refused the program: exit code 128, reason StartError."""
        message = f"{RUNTIME}{error.sentence}: unknown"
        self.event("Warning", "Failed", f"Error: {message}")
        self._started = "1970-01-01T00:00:00Z"  # as containerd reports what never ran
        self._leave(self._terminated(Exit(128), "StartError", message))
        if self._again(Exit(128)):
            self._wait("RunContainerError", message)
            await asyncio.sleep(SHOWN_S)
        self.pod.touch()
        return Exit(128)

    async def _watch(self) -> Exit:
        """Wait for the end of the running program; a failed startup or liveness probe, or another image, bring it."""
        assert self.instance is not None
        signs = [self._redefined] if self.sidecar or not self.init else []
        signs += [self._prober.outcome.unhealthy] if self._prober else []
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(sign.wait()) for sign in signs]
        try:
            await asyncio.wait([self.instance.ended, *waits], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        if not self.instance.ended.done():
            await self._replace()
        ended = await asyncio.shield(self.instance.ended)
        self._record_end(ended)
        if self._hook_failure is not None and self._again(ended):
            self._wait("PostStartHookError", self._hook_failure)
        self._hook_failure = None
        return ended

    async def _replace(self) -> None:
        """Stop what runs, because it is sick or because it is to be something else, whatever the restart policy."""
        if self._redefined.is_set():
            self._anew = True
            await self.stop(Grace(self.pod.grace_s), f"Container {self.name} definition changed, will be restarted")
        elif self._prober:
            await self._kill_unhealthy(self._prober.outcome.failed or Kind.LIVENESS)

    async def _kill_unhealthy(self, kind: Kind) -> None:
        probe = self.spec.get(kind) or {}
        grace_s = probe.get("terminationGracePeriodSeconds") or self.pod.grace_s
        restarted = ", will be restarted" if self._again(Exit(137)) else ""
        await self.stop(Grace(grace_s), f"Container {self.name} failed {kind.word.lower()} probe{restarted}")

    def _record_end(self, ended: Exit) -> None:
        """Show how the program ended."""
        self._stop_probing()
        reason = "Completed" if ended.code == 0 else "Error"
        if ended.code and (ended.out_of_memory or self.out_of_memory):
            reason = "OOMKilled"
        self._leave(self._terminated(ended, reason, ending.message(self, ended.code)))
        self.pod.touch()

    def _stop_probing(self) -> None:
        if self._probing:
            self._probing.cancel()
        self._probing = self._prober = None

    # -- its end ---------------------------------------------------------------
    async def stop(self, grace: Grace, why: str) -> None:
        """Stop the program: preStop hook, SIGTERM, the grace period, SIGKILL."""
        if self.running:
            self.event("Normal", "Killing", why)
            if self._prober:
                self._prober.stop_liveness()
            await ending.stop(self, grace)

    def show_end(self) -> None:
        """After ``stop`` of a container whose ``run`` was cancelled: show how it ended."""
        shown = self._starting or "running" in self.state
        if shown and self.instance and self.instance.ended.done():
            self._record_end(self.instance.ended.result())


def _mount_status(mount: Obj) -> Obj:
    shown = {"name": mount["name"], "mountPath": mount["mountPath"]}
    return shown | ({"readOnly": True, "recursiveReadOnly": "Disabled"} if mount.get("readOnly") else {})
