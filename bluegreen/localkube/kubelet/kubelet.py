"""The node's agent: follows pods bound to its node and runs each; serves their logs, programs and measurements."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from bluegreen.localkube.dns import Dns
from bluegreen.localkube.images import Images
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.kubelet import capabilities, cgroups, logs, node
from bluegreen.localkube.kubelet.attachments import Attachment, Silence
from bluegreen.localkube.kubelet.container import ContainerRun
from bluegreen.localkube.kubelet.execs import ExecSession
from bluegreen.localkube.kubelet.files import log_file
from bluegreen.localkube.kubelet.heartbeat import Heartbeat
from bluegreen.localkube.kubelet.launch import Container
from bluegreen.localkube.kubelet.logs import LogOptions
from bluegreen.localkube.kubelet.machine import Faults, Machine, node_says_ready
from bluegreen.localkube.kubelet.pod import POD, PodRun
from bluegreen.localkube.kubelet.streams import NotStreamedError, Streams
from bluegreen.localkube.kubelet.usage import Usage, Watcher, processes, trees
from bluegreen.localkube.network import Network
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]
LOG = logging.getLogger(__name__)
ENDED = ("Succeeded", "Failed")
STOP_GRACE_S = 1.0  # for programs to end by themselves when the cluster goes down; a choice


class Kubelet:
    """Runs the pods of one node, from ``start()`` until ``stop()``."""

    def __init__(
        self,
        registry: Registry,
        images: Images,
        network: Network,
        *,
        state_dir: Path,
        api: tuple[str, int],
        token: Callable[[Obj, str, int], str],
        dns: Dns | None = None,
        node_name: str = node.NAME,
        allocatable: Mapping[str, str] | None = None,
    ) -> None:
        """``state_dir``: where pods' files lie. ``token``: (pod, audience, seconds) -> a service account's token."""
        self.faults = Faults()
        self.machine = Machine(
            registry=registry,
            images=images,
            network=network,
            directory=state_dir,
            node_name=node_name,
            allocatable={**node.ALLOCATABLE, **(allocatable or {})},
            api=api,
            token=token,
            namespaces="none",
            path=container_path(),
            dns=dns,
            faults=self.faults,
        )
        self._runs: dict[str, PodRun] = {}  # by uid
        self._by_namespace: dict[str, dict[str, PodRun]] = {}  # the same
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changes: deque[Change] = deque()
        self._hosts_stale = False
        self._unsubscribe: list[Callable[[], None]] = []
        self._watcher = Watcher(self._containers)
        self.heartbeat = Heartbeat(registry, node_name)

    # -- running ---------------------------------------------------------------
    async def start(self) -> None:
        """Register the node and take up its pods."""
        machine, store = self.machine, self.machine.registry.store
        machine.namespaces = capabilities.here().namespaces
        machine.cgroups = cgroups.find(f"localkube-{machine.network.number}")
        machine.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        node.event(machine.registry, machine.node_name, "Starting", "Starting kubelet.")
        self.register_node()
        subscriptions: dict[str, Callable[[Change], None]] = {
            "Pod": self._pod_changed,
            "ConfigMap": self._config_changed,
            "Secret": self._config_changed,
            "Node": self._node_changed,
        }
        if machine.dns and not machine.dns.open:
            subscriptions |= {"Service": self._names_changed, "EndpointSlice": self._names_changed}
        self._unsubscribe = [store.subscribe(KINDS[kind], callback) for kind, callback in subscriptions.items()]
        pods = store.list(POD)
        self._drop_files_of_others({pod["metadata"]["uid"] for pod in pods})
        for pod in pods:
            self._sync(pod)
        self._watcher.start()
        self.heartbeat.start()

    async def stop(self) -> None:
        """End all programs; the pods' objects stay as they are, and run again at the next start."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        self._watcher.stop()
        self.heartbeat.stop()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._end_programs()
        self.machine.cgroups.clear()
        self._runs.clear()
        self._by_namespace.clear()

    async def _end_programs(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            launched = list(self.machine.launched)
            for container in launched:
                container.signal(number)
            if launched:
                await asyncio.wait([container.gone for container in launched], timeout=STOP_GRACE_S)

    def register_node(self) -> None:
        """Write the node's object, with the readiness that ``faults`` asks for."""
        machine = self.machine
        node.register(
            machine.registry,
            machine.node_name,
            machine.network.node_address,
            machine.allocatable,
            ready=self.faults.ready,
        )

    def _drop_files_of_others(self, uids: set[str]) -> None:
        """Delete the files of pods that went while no kubelet ran."""
        for path in self.machine.directory.iterdir():
            if path.name not in uids:
                _remove_tree(path)

    # -- following -------------------------------------------------------------
    def _pod_changed(self, change: Change) -> None:
        if not self._changes:
            asyncio.get_running_loop().call_soon(self._work)
        self._changes.append(change)

    def _work(self) -> None:
        while self._changes:
            change = self._changes.popleft()
            if change.type == "DELETED":
                self._gone(change.object)
            else:
                self._sync(change.object)

    def _sync(self, pod: Obj) -> None:
        """One pod as it is now."""
        if pod["spec"].get("nodeName") != self.machine.node_name:
            return
        uid = pod["metadata"]["uid"]
        if uid not in self._runs:
            if _over(pod):
                return
            self._runs[uid] = PodRun(self.machine, pod)
            self._by_namespace.setdefault(self._runs[uid].namespace, {})[uid] = self._runs[uid]
            self._tasks[uid] = asyncio.create_task(self._run(self._runs[uid]), name=f"pod {self._runs[uid].title}")
        self._runs[uid].update(pod)

    async def _run(self, run: PodRun) -> None:
        try:
            await self.machine.starts.take()
            await run.run()
        except Exception:
            LOG.exception("pod %s failed", run.title)
        finally:
            if asyncio.current_task() is self._tasks.get(run.uid) and not _cancelled():
                del self._tasks[run.uid]
                self._runs.pop(run.uid, None)
                self._leave_namespace(run)
                self._forget_if_gone(run)

    def _leave_namespace(self, run: PodRun) -> None:
        runs = self._by_namespace.get(run.namespace, {})
        runs.pop(run.uid, None)
        if not runs:
            self._by_namespace.pop(run.namespace, None)

    def _forget_if_gone(self, run: PodRun) -> None:
        present = self.machine.registry.store.get(POD, run.namespace, run.name)
        if present is None or present["metadata"]["uid"] != run.uid:
            run.forget_files()

    def _gone(self, pod: Obj) -> None:
        """The pod's object is gone: whatever still runs of it ends."""
        uid = pod["metadata"]["uid"]
        run = self._runs.get(uid)
        if run is None:
            _remove_tree(self.machine.directory / uid)
        else:
            run.stop(0)

    def _config_changed(self, change: Change) -> None:
        for run in self._by_namespace.get(change.namespace, {}).values():
            self.machine.writes.add(run.config_changed)

    def _node_changed(self, change: Change) -> None:
        """Pods are as ready as they can be where their node is; a cordon is noted."""
        before, now = change.previous, change.object
        if change.name != self.machine.node_name:
            return
        if not before or node_says_ready(before) != node_says_ready(now):
            for run in self._runs.values():
                run.touch()
        if before and (word := node.cordon_word(before, now)):
            node.event(self.machine.registry, change.name, word)

    def _names_changed(self, _change: Change) -> None:
        if not self._hosts_stale:
            self._hosts_stale = True
            asyncio.get_running_loop().call_soon(self._refresh_hosts)

    def _refresh_hosts(self) -> None:
        self._hosts_stale = False
        for run in self._runs.values():
            run.refresh_hosts()

    # -- serving ---------------------------------------------------------------
    def logs(self, namespace: str, name: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """A container's output. Raises ApiError at once for what cannot be served."""
        pod = self.machine.registry.get(POD, namespace, name)
        logs.check_options(name, options)
        container = logs.choose_container(pod, container)
        instance = logs.choose_instance(pod, container, options.previous)
        path = log_file(self.machine.directory / pod["metadata"]["uid"], container, instance)
        return logs.read(path, options, lambda: not self._is_running(pod["metadata"]["uid"], container, instance))

    def _is_running(self, uid: str, container: str, instance: str) -> bool:
        run = self._runs.get(uid)
        found = next((c for c in run.containers if c.name == container), None) if run else None
        return bool(found and found.running and found.container_id == instance)

    def exec(
        self, namespace: str, name: str, container: str, argv: list[str], *, stdin: bool, tty: bool
    ) -> ExecSession:
        """Run a program in a container. Raises ApiError, and NotStreamedError where it does not run."""
        found, asked = self._running_container(namespace, name, container)
        if found is None or not isinstance(found.instance, Container):
            raise NotStreamedError(f'container not found ("{asked}")')
        env = dict(found.place().env)
        return ExecSession(found.instance, argv, env, stdin=stdin, tty=tty)

    async def attach(self, namespace: str, name: str, container: str, *, stdin: bool) -> Streams:
        """Be attached to a container's program. Raises ApiError, and NotStreamedError where it does not run."""
        found, asked = self._running_container(namespace, name, container)
        if found is None or found.instance is None:
            raise NotStreamedError(f"container {asked} not found in pod {name}_{namespace}")
        if not isinstance(found.instance, Container):
            return Silence(found.instance.ended)
        once = bool(found.spec.get("stdinOnce"))
        attachment = Attachment(found.instance, stdin=stdin and bool(found.spec.get("stdin")), once=once)
        await attachment.begun
        return attachment

    def _running_container(self, namespace: str, name: str, container: str) -> tuple[ContainerRun | None, str]:
        """A container that runs, or None; and the name of the one that is meant."""
        pod = self.machine.registry.get(POD, namespace, name)
        container = logs.choose_container(pod, container)
        run = self._runs.get(pod["metadata"]["uid"])
        running = [each for each in run.containers if each.name == container and each.running] if run else []
        return (running[0] if running else None), container

    def pod_address(self, namespace: str, name: str) -> str:
        """The address of a running pod, for port-forwarding; "" when it has none."""
        pod = self.machine.registry.get(POD, namespace, name)
        return str((pod.get("status") or {}).get("podIP") or "")

    # -- faults on demand ------------------------------------------------------
    def kill(self, namespace: str, name: str) -> None:
        """Kill a pod's programs; its restart policy says what follows. 409 when none runs."""
        for container in self._some_programs_of(namespace, name):
            container.signal(signal.SIGKILL)

    def freeze(self, namespace: str, name: str, frozen: bool) -> None:
        """Stop all processes of a pod where they are (409 when there are none), or let them go on."""
        programs = self._some_programs_of(namespace, name) if frozen else self._programs_of(namespace, name)
        roots = [container.pid for container in programs]
        for pids in trees(processes(), roots).values():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def _some_programs_of(self, namespace: str, name: str) -> list[Container]:
        programs = self._programs_of(namespace, name)
        if not programs:
            raise ApiError(409, "Conflict", f"pod {namespace}/{name} runs no process", {})
        return programs

    def _programs_of(self, namespace: str, name: str) -> list[Container]:
        pod = self.machine.registry.get(POD, namespace, name)
        run = self._runs.get(pod["metadata"]["uid"])
        instances = [container.instance for container in run.containers if container.running] if run else []
        return [instance for instance in instances if isinstance(instance, Container)]

    # -- measuring -------------------------------------------------------------
    def usage(self) -> Usage:
        """CPU and memory of every running container, measured."""
        return self._watcher.usage()

    def _containers(self) -> list[tuple[PodRun, Any]]:
        return [
            (run, container)
            for run in self._runs.values()
            for container in run.containers
            if container.running and isinstance(container.instance, Container)
        ]


def container_path() -> str:
    """PATH for containers: this interpreter's programs first, then what this process has."""
    own = os.path.dirname(sys.executable)
    return ":".join([own, os.environ.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])


def _over(pod: Obj) -> bool:
    """Whether nothing is left to do for a pod: it has ended, or only finalizers hold its object."""
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        return not meta.get("deletionGracePeriodSeconds")
    return (pod.get("status") or {}).get("phase") in ENDED


def _cancelled() -> bool:
    task = asyncio.current_task()
    return bool(task and task.cancelling())


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
