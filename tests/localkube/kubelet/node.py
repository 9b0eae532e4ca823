"""A node for tests: a store, a registry and a kubelet in this process, in a directory of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.localkube.dns import Dns
from bluegreen.localkube.images import Images
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.kubelet.kubelet import Kubelet
from bluegreen.localkube.kubelet.logs import LogOptions
from bluegreen.localkube.network import Network, claim_network
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.store import Store

Obj = dict[str, Any]
NAMESPACE = "test"
SHELL = "example.org/shell:v1"  # an image whose command is a shell
DEADLINE_S = 20.0


@dataclass
class Node:
    """What a test of the kubelet works with."""

    registry: Registry
    kubelet: Kubelet
    network: Network
    images: Images
    path: Path

    def create(self, kind: str, name: str, **body: Any) -> Obj:
        """Store an object in the test's namespace."""
        named = {"metadata": {"name": name, **body.pop("metadata", {})}, **body}
        return self.registry.create(KINDS[kind], NAMESPACE, named)

    def pod(self, name: str, *containers: Obj, **spec: Any) -> Obj:
        """Create a pod that is bound to the node."""
        metadata = spec.pop("metadata", {})
        spec = {"nodeName": "localkube", "containers": list(containers), "terminationGracePeriodSeconds": 2, **spec}
        return self.create("Pod", name, metadata=metadata, spec=spec)

    def get(self, name: str) -> Obj | None:
        """The pod as it is now."""
        return self.registry.store.get(KINDS["Pod"], NAMESPACE, name)

    async def until(self, name: str, condition: Callable[[Obj], Any]) -> Obj:
        """Wait until a pod is so; gives it."""

        def now() -> Obj | None:
            pod = self.get(name)
            return pod if pod is not None and condition(pod) else None

        found = await self.wait(now, lambda: self.get(name))
        assert found is not None
        return found

    async def gone(self, name: str) -> None:
        """Wait until a pod is gone."""
        await self.wait(lambda: self.get(name) is None)

    async def wait(self, condition: Callable[[], Any], seen: Callable[[], Any] = lambda: "") -> Any:
        """Wait until something holds: asked after every change of a pod or an event, and now and then; gives it."""
        changed = asyncio.Event()
        store = self.registry.store
        stops = [store.subscribe(KINDS[kind], lambda _: changed.set()) for kind in ("Pod", "Event")]
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not (found := condition()):
                    changed.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), 0.05)
                return found
        except TimeoutError:
            raise AssertionError(f"not so after {DEADLINE_S} s; last seen: {seen()}") from None
        finally:
            for stop in stops:
                stop()

    async def log(self, name: str, container: str = "", **options: Any) -> str:
        """What a container said."""
        pieces = self.kubelet.logs(NAMESPACE, name, container, LogOptions(**options))
        return b"".join([piece async for piece in pieces]).decode()

    def raw_log(self, name: str) -> str:
        """All log files of a pod as they stand on disk."""
        pod = self.get(name)
        assert pod is not None
        logs = self.path / "pods" / pod["metadata"]["uid"] / "logs"
        return "".join(file.read_text() for file in sorted(logs.rglob("*.log")))

    def events(self, name: str) -> list[tuple[str, str]]:
        """(reason, message) of all events about a pod."""
        found = self.registry.list(KINDS["Event"], NAMESPACE)
        return [(e["reason"], e["message"]) for e in found if e["involvedObject"]["name"] == name]

    def delete(self, name: str, grace_s: int | None = None) -> None:
        """Delete a pod as a client would."""
        options = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        self.registry.delete(KINDS["Pod"], NAMESPACE, name, options)


def shell(script: str, name: str = "app", **more: Any) -> Obj:
    """A container that runs a shell script."""
    return {"name": name, "image": SHELL, "command": ["sh", "-c", script], **more}


def state_of(pod: Obj, index: int = 0, field: str = "containerStatuses") -> Obj:
    """The state of a pod's container."""
    statuses = (pod.get("status") or {}).get(field) or []
    found: Obj = statuses[index]["state"] if statuses else {}
    return found


def is_running(pod: Obj) -> bool:
    """Whether the pod's first container runs."""
    return "running" in state_of(pod)


def is_ready(pod: Obj) -> bool:
    """Whether the pod's condition Ready is True."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def has_ended(pod: Obj) -> bool:
    """Whether the pod has ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def waits_for(reason: str) -> Callable[[Obj], bool]:
    """A condition: the first container waits for that reason."""
    return lambda pod: state_of(pod).get("waiting", {}).get("reason") == reason


def token(_pod: Obj, audience: str, seconds: int) -> str:
    """A stand-in for what the authority signs."""
    return f"token for {audience or 'the API'} of {seconds} s"


def new_registry(store: Store) -> Registry:
    """A registry with the test's namespace and its service account."""
    registry = Registry(store)
    if store.get(KINDS["Namespace"], "", NAMESPACE) is None:
        registry.create(KINDS["Namespace"], "", {"metadata": {"name": NAMESPACE}})
        registry.create(KINDS["ServiceAccount"], NAMESPACE, {"metadata": {"name": "default"}})
        root = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "certificate"}}
        registry.create(KINDS["ConfigMap"], NAMESPACE, root)
    return registry


@contextlib.asynccontextmanager
async def running(
    path: Path, store: Store | None = None, namespaces: str | None = None, names: bool = True
) -> AsyncIterator[Node]:
    """A node that runs. ``namespaces``: as if the system permitted those ("none", "user", "root").

    ``names`` False: its DNS cannot be opened.
    """
    registry = new_registry(store or Store())
    network = claim_network(path / "network", str(path))
    images = Images(path / "images.json")
    images.add(SHELL, ["sh"])
    images.add("example.org/python:v1", [sys.executable])
    dns = Dns(registry.store, network.dns_address if names else "192.0.2.1")  # an address nobody has (RFC 5737)
    await dns.start()
    api = ("127.0.0.1", 6443)
    kubelet = Kubelet(registry, images, network, state_dir=path / "pods", api=api, token=token, dns=dns)
    await kubelet.start()
    if namespaces is not None:
        kubelet.machine.namespaces = namespaces
    try:
        yield Node(registry, kubelet, network, images, path)
    finally:
        await kubelet.stop()
        await dns.stop()
        network.release()


def on_node(
    path: Path, test: Callable[[Node], Awaitable[None]], namespaces: str | None = None, names: bool = True
) -> None:
    """Run a test on a node of its own."""

    async def whole() -> None:
        async with running(path, namespaces=namespaces, names=names) as node:
            await test(node)

    run(whole())


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine with a deadline."""
    asyncio.run(asyncio.wait_for(test, 60))
