"""An application of a test's own that users come to by an Ingress or by an HTTPRoute."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, colour_service
from bluegreen.kube import NotFound
from bluegreen.localkube import UNPRIVILEGED_OFFSET
from tests.apps import App

Obj = dict[str, Any]
NAME = "front"
SERVICE = "gremlinsai-service"
TEAM = "kubectl-client-side-apply"
"""The field manager by which a team writes its route."""


class Front(App):
    """The application with a route before it, as a team makes it: it leads to the live Service."""

    kind = "Ingress"
    switch_by = "ingress"

    def __init__(self, cluster: localkube.Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.make(SERVICE)

    def environment(self, tag: str, **more: str) -> dict[str, str]:
        """The settings of a release that switches by the route."""
        return super().environment(tag, **{"SWITCH_BY": self.switch_by, "ROUTE_NAME": NAME, **more})

    def make(self, service: str, name: str = NAME) -> None:
        """The Ingress: one path for the application, one for somebody else."""
        paths = [leads("/", service), leads("/others", "others-service")]
        spec = {"rules": [{"http": {"paths": paths}}]}
        obj = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec}
        self.kube.create(obj, manager=TEAM)

    @property
    def route(self) -> Obj:
        """The route as it is now."""
        found = self.kube.get(self.kind, NAME)
        assert found is not None
        return found

    @property
    def backends(self) -> list[str]:
        """Where the route leads: names of Services."""
        (rule,) = self.route["spec"]["rules"]
        return [path["backend"]["service"]["name"] for path in rule["http"]["paths"]]

    @property
    def url(self) -> str:
        """Where users come in."""
        deadline = Deadline(10)
        while not (entries := (self.route.get("status") or {}).get("loadBalancer", {}).get("ingress")):
            assert not deadline.expired
        return _open(entries[0]["ip"], 80)

    def leads_to(self, colour: Colour) -> bool:
        """Whether all of the application's traffic is at a colour, by the route and by the live Service."""
        return self.backends == [colour_service(SERVICE, colour), "others-service"] and self.live is colour

    def rests_at(self, colour: Colour, tag: str) -> None:
        """What has to be true when a release is over, however it ended."""
        assert self.leads_to(colour), (self.backends, self.live)
        assert self.tag(colour) == tag
        deadline = Deadline(20)
        while True:  # users are at work: an autoscaler may just add a pod, or a pod on a busy machine miss a probe
            try:
                self.at_rest()
                for each in Colour:
                    behind = set(self.pods(each)) if each is colour else set()
                    assert self.endpoints(colour_service(SERVICE, each)) == behind
                return
            except AssertionError:
                if deadline.expired:
                    raise


def leads(path: str, service: str) -> Obj:
    """A path of an Ingress."""
    return {"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"name": "http"}}}}


def _open(address: str, port: int) -> str:
    """The URL of an address of the embedded cluster; a port that this user may not bind is open so much higher."""
    for number in (port, port + UNPRIVILEGED_OFFSET):
        with socket.socket() as attempt:
            if attempt.connect_ex((address, number)) == 0:
                return f"http://{address}:{number}"
    raise AssertionError(f"{address}:{port} is not open")


GATEWAY_API = "gateway.networking.k8s.io/v1"


class Gated(Front):
    """The same behind an HTTPRoute with a host of its own, at a Gateway."""

    kind = "HTTPRoute"
    switch_by = "httproute"
    host = "shop.test"

    def make(self, service: str, name: str = NAME) -> None:
        """Install the Gateway API where it is not; make the Gateway, the route, and the Service of somebody else."""
        ports = {"ports": [{"port": 80}]}
        self.kube.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "others-service"}, "spec": ports})
        for definition in localkube.gateway_api():
            self.kube.apply(definition)
        self._await_definitions()
        listener = {"name": "http", "port": 8000, "protocol": "HTTP"}
        spec: Obj = {"gatewayClassName": localkube.GATEWAY_CLASS, "listeners": [listener]}
        self.kube.create({"apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": {"name": "gate"}, "spec": spec})
        others = {"matches": [{"path": {"value": "/others"}}], "backendRefs": [{"name": "others-service", "port": 80}]}
        rules = [{"backendRefs": [{"name": service, "port": 80}]}, others]
        spec = {"parentRefs": [{"name": "gate"}], "hostnames": [self.host], "rules": rules}
        obj = {"apiVersion": GATEWAY_API, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}
        self.kube.create(obj, manager=TEAM)

    def _await_definitions(self) -> None:
        deadline = Deadline(10)
        while True:
            try:
                served = {each["kind"] for each in self.kube.raw(f"/apis/{GATEWAY_API}")["resources"]}
            except NotFound:
                served = set()
            if served >= {"Gateway", "HTTPRoute"}:
                return
            assert not deadline.expired

    @property
    def weights(self) -> dict[str, int]:
        """The weights of the application's backends."""
        return {ref["name"]: ref["weight"] for ref in self.route["spec"]["rules"][0]["backendRefs"]}

    @property
    def url(self) -> str:
        """Where users come in."""
        deadline = Deadline(10)
        while True:
            gateway = self.kube.get("Gateway", "gate")
            assert gateway is not None
            status = gateway.get("status") or {}
            truths = {each["type"]: each["status"] for each in status.get("conditions") or []}
            if truths.get("Programmed") == "True":
                return _open(status["addresses"][0]["value"], 8000)
            assert not deadline.expired

    def leads_to(self, colour: Colour) -> bool:
        """Whether all of the application's traffic is at a colour, by the route and by the live Service."""
        other = self.weights.get(colour_service(SERVICE, colour.other), 0)
        return bool(self.weights.get(colour_service(SERVICE, colour)) and not other) and self.live is colour


@contextmanager
def ended_tls(url: str, certificate: Path, key: Path) -> Iterator[str]:
    """An HTTPS address on loopback before a plain one, as a load balancer that ends TLS; its URL."""
    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop, tasks = asyncio.new_event_loop(), set[asyncio.Task[None]]()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            behind_reader, behind_writer = await asyncio.open_connection(parts.hostname, parts.port)
            await asyncio.gather(pump(reader, behind_writer), pump(behind_reader, writer))
        finally:
            tasks.discard(task)

    async def end() -> None:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
