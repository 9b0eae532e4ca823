"""A whole control plane in memory, in a time of its own: nothing waits, hours pass at once.

The pods' side is played by ``Pods``: the tests' input, as a kubelet would write it.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers import Manager, Options
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.store import Change, Store

Obj = dict[str, Any]
NAMESPACE = "test"
EPOCH = datetime(2031, 1, 1, tzinfo=UTC)


class JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for a timer it moves the time on to it."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self.now_s += timeout
        return super().select(0)


class Cluster:
    """Registry and controllers over an empty store with one namespace and one large node."""

    def __init__(self, monkeypatch: Any, *, cpu: str = "1000", pods: str = "100000", **options: Any) -> None:
        self._selector = JumpingSelector()
        self.loop = asyncio.SelectorEventLoop(self._selector)
        monkeypatch.setattr(self.loop, "time", lambda: self._selector.now_s)
        monkeypatch.setattr(clock, "now_s", lambda: self._selector.now_s)
        ticks = itertools.count()  # two looks at the clock never see the same moment

        def utc() -> datetime:
            return EPOCH + timedelta(seconds=self._selector.now_s, microseconds=next(ticks))

        monkeypatch.setattr(clock, "utc", utc)
        self.store = Store()
        self.registry = Registry(self.store)
        self.manager = Manager(self.registry, Options(authority="PEM", **options))
        self.pods = Pods(self)
        self.do(self.manager.start)
        self.create("Namespace", {"metadata": {"name": NAMESPACE}})
        self.node("node", cpu=cpu, pods=pods)

    def close(self) -> None:
        self.do(self.manager.stop)
        self.loop.close()

    # -- running -----------------------------------------------------------------------
    def do(self, function: Callable[[], Any]) -> Any:
        """Call a function where the controllers run, and let them finish what it set off."""

        async def call() -> Any:
            result = function()
            if asyncio.iscoroutine(result):
                result = await result
            await self._settle()
            return result

        return self.loop.run_until_complete(call())

    async def _settle(self) -> None:
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.manager.idle else 0

    def after(self, seconds: float) -> None:
        """Let time pass."""
        self.do(lambda: asyncio.sleep(seconds))

    # -- objects -----------------------------------------------------------------------
    def create(self, kind: str, obj: Obj, namespace: str = NAMESPACE) -> Obj:
        where = namespace if KINDS[kind].namespaced else ""
        made: Obj = self.do(lambda: self.registry.create(KINDS[kind], where, obj, manager="tests"))
        return made

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Obj:
        where = namespace if KINDS[kind].namespaced else ""
        obj = self.store.get(KINDS[kind], where, name)
        assert obj is not None, f"{kind} {name} is not there"
        return obj

    def find(self, kind: str, name: str, namespace: str = NAMESPACE) -> Obj | None:
        return self.store.get(KINDS[kind], namespace if KINDS[kind].namespaced else "", name)

    def list(self, kind: str, labels: str = "", namespace: str = NAMESPACE) -> list[Obj]:
        return self.registry.list(KINDS[kind], namespace if KINDS[kind].namespaced else "", labels)

    def merge(self, kind: str, name: str, body: Obj, subresource: str = "") -> Obj:
        where = NAMESPACE if KINDS[kind].namespaced else ""

        def patch() -> Obj:
            return self.registry.patch(
                KINDS[kind], where, name, "merge", body, manager="tests", subresource=subresource
            )[0]

        patched: Obj = self.do(patch)
        return patched

    def delete(self, kind: str, name: str, **options: Any) -> None:
        where = NAMESPACE if KINDS[kind].namespaced else ""
        self.do(lambda: self.registry.delete(KINDS[kind], where, name, options))

    def node(self, name: str, *, cpu: str = "1000", memory: str = "1000Gi", pods: str = "100000", **spec: Any) -> Obj:
        status = {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        labels = {"kubernetes.io/hostname": name}
        return self.create("Node", {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})

    def events(self, kind: str, name: str = "") -> list[tuple[str, str]]:
        """(reason, message) of what happened to objects of a kind, in order."""
        found = [each for each in self.list("Event") if each["involvedObject"]["kind"] == kind]
        named = [each for each in found if name in ("", each["involvedObject"]["name"])]
        ordered = sorted(named, key=lambda each: int(each["metadata"]["resourceVersion"]))
        return [(each["reason"], each["message"]) for each in ordered]


class Pods:
    """Plays the kubelet: runs pods as soon as they have a node, ends them as soon as they are asked to go."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.start = True  # whether bound pods get an address
        self.ready = True  # whether they are ready then
        self.stop = True  # whether pods asked to go are gone at once
        self._numbers = itertools.count(1)
        cluster.store.subscribe(KINDS["Pod"], self._follow)

    def _follow(self, change: Change) -> None:
        pod, loop = change.object, self._cluster.loop
        if change.type == "DELETED":
            return
        if "deletionTimestamp" in pod["metadata"]:
            if self.stop:
                loop.call_soon(self._remove, pod)
        elif self.start and pod["spec"].get("nodeName") and not pod["status"].get("podIP"):
            loop.call_soon(self._run, pod)

    def _remove(self, pod: Obj) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if self._cluster.store.get(KINDS["Pod"], namespace, name) is not None:
            self._cluster.registry.delete(KINDS["Pod"], namespace, name, {"gracePeriodSeconds": 0})

    def _run(self, pod: Obj) -> None:
        number = next(self._numbers)
        address = f"127.9.{number // 250}.{number % 250 + 1}"
        fields = {"phase": "Running", "podIP": address, "startTime": clock.timestamp()}
        self._write(pod, fields, "True" if self.ready else "False")

    def _write(self, pod: Obj, fields: Obj, ready: str) -> None:
        def change(copy: Obj) -> None:
            status = copy.setdefault("status", {})
            if status.get("podIP") and "podIP" in fields:
                return
            status.update(fields)
            others = [each for each in status.get("conditions") or () if each["type"] != "Ready"]
            condition = {"type": "Ready", "status": ready, "lastTransitionTime": clock.timestamp()}
            status["conditions"] = [*others, condition]

        meta = pod["metadata"]
        self._cluster.registry.modify(KINDS["Pod"], meta["namespace"], meta["name"], change, manager="kubelet")

    def set_ready(self, name: str, ready: bool) -> None:
        """Make a running pod ready or not."""
        pod = self._cluster.get("Pod", name)
        self._cluster.do(lambda: self._write(pod, {}, str(ready)))

    def end(self, name: str, phase: str) -> None:
        """Let a pod run to its end: Succeeded or Failed."""
        pod = self._cluster.get("Pod", name)
        ended = {"terminated": {"exitCode": int(phase == "Failed"), "finishedAt": clock.timestamp()}}
        statuses = [{"name": "c", "state": ended, "restartCount": 0, "ready": False}]
        self._cluster.do(lambda: self._write(pod, {"phase": phase, "containerStatuses": statuses}, "False"))


def names(objects: list[Obj]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def template(labels: Obj | None = None, *, image: str = "app:1", requests: Obj | None = None, **spec: Any) -> Obj:
    resources = {"resources": {"requests": requests}} if requests else {}
    container = {"name": "c", "image": image, **resources}
    return {"metadata": {"labels": labels or {"app": "web"}}, "spec": {"containers": [container], **spec}}


def deployment(
    name: str = "web", replicas: int = 2, *, image: str = "app:1", pod: Obj | None = None, **spec: Any
) -> Obj:
    labels = {"app": name}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(labels, image=image, **(pod or {})),
            **spec,
        },
    }


def service(name: str = "web", selector: Obj | None = None, **spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {"metadata": {"name": name}, "spec": {"selector": selector or {"app": "web"}, "ports": ports, **spec}}


def conditions(obj: Obj) -> dict[str, tuple[str, str]]:
    """Type -> (status, reason)."""
    found = (obj.get("status") or {}).get("conditions") or ()
    return {each["type"]: (each["status"], each.get("reason", "")) for each in found}
