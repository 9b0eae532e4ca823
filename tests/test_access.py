"""Ways to an application: which address is taken, what an explicit choice means, and forwards through the API."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import json
import os
import resource
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from bluegreen import access, environment, manifests, portforward
from bluegreen.access import CLUSTER, LOAD_BALANCER, NODE_PORT, PORT_FORWARD, Access, Address
from bluegreen.clock import Deadline
from bluegreen.errors import CannotStartError, TimeoutExpiredError
from bluegreen.kube import Kube, connect
from bluegreen.localkube import Cluster
from bluegreen.settings import Settings, load
from tests.faulty_api import Fault, FaultyApi
from tests.test_kube import kube_for

SERVICES = "/api/v1/namespaces/ns/services"
PODS = "/api/v1/namespaces/ns/pods"
NODES = "/api/v1/nodes"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices"


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of this machine that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def refusing() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with FaultyApi() as api:
        yield api


@pytest.fixture
def kube(api: FaultyApi) -> Iterator[Kube]:
    kube = kube_for(api.url)
    yield kube
    kube.close()


def settings(way: str = "auto") -> Settings:
    return load({"ACCESS": way, "NAMESPACE": "ns", "SERVICE_NAME": "live"})


def fill(api: FaultyApi, port: int, *, address: str = "127.0.0.1", balancer: str = "", node_port: int = 0) -> None:
    """A Service ``live`` with a port ``http``, one node and no pods."""
    entry = {"name": "http", "port": port, **({"nodePort": node_port} if node_port else {})}
    status = {"loadBalancer": {"ingress": [{"ip": balancer}]}} if balancer else {}
    spec = {"clusterIP": address, "ports": [entry]}
    api.put(f"{SERVICES}/live", {"kind": "Service", "spec": spec, "status": status})
    addresses = [{"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "127.0.0.1"}]
    api.put(NODES, {"items": [{"metadata": {"name": "n1"}, "status": {"addresses": addresses}}]})


def test_an_address_is_a_url() -> None:
    assert Address("10.0.0.1", 80, CLUSTER).url == "http://10.0.0.1:80"
    assert Address("::1", 80, CLUSTER).url == "http://[::1]:80"
    assert str(Address("h", 1, NODE_PORT)) == "http://h:1 (NodePort)"


def test_the_users_way_is_taken_first(api: FaultyApi, kube: Kube, listening: int) -> None:
    fill(api, listening, balancer="127.0.0.1", node_port=listening)
    assert Access(kube, settings()).live() == Address("127.0.0.1", listening, LOAD_BALANCER)


def test_a_way_that_answers_is_taken_before_one_that_does_not(
    api: FaultyApi, kube: Kube, listening: int, refusing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "PATIENCE_S", 0.1)
    fill(api, refusing, balancer="127.0.0.1", node_port=listening)
    assert Access(kube, settings()).live() == Address("127.0.0.1", listening, NODE_PORT)


def test_a_better_way_is_given_a_moment_to_come_alive(
    listening: int, refusing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Address] = []
    better, worse = Address("127.0.0.1", refusing, LOAD_BALANCER), Address("127.0.0.1", listening, NODE_PORT)

    def look(address: Address) -> int | None:
        looks.append(address)
        return errno.ECONNREFUSED if address == better and looks.count(better) < 3 else None

    monkeypatch.setattr(access, "look", look)
    assert access.answering([better, worse]) == better
    assert looks.count(better) == 3


def test_a_service_without_pods_refuses_and_is_still_a_way(api: FaultyApi, kube: Kube, refusing: int) -> None:
    fill(api, refusing, balancer="127.0.0.1")
    assert Access(kube, settings()).live().via == LOAD_BALANCER


def test_cluster_addresses_are_for_nodes_on_this_machine(api: FaultyApi, kube: Kube, listening: int) -> None:
    fill(api, listening)
    assert Access(kube, settings()).live().via == CLUSTER


def test_cluster_addresses_of_other_machines_are_not_tried(api: FaultyApi, kube: Kube, listening: int) -> None:
    fill(api, listening, address="192.0.2.1")
    found = Access(kube, settings())
    assert found.live().via == PORT_FORWARD
    found.close()


def test_inside_the_cluster_its_addresses_are_good(
    api: FaultyApi, kube: Kube, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(api, listening, address="192.0.2.1")
    monkeypatch.setattr(access, "in_this_cluster", lambda server: server == api.url)
    assert Access(kube, settings()).live().via == CLUSTER


def test_a_pod_of_another_cluster_is_not_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert access.in_this_cluster("https://10.0.0.1:443")
    assert not access.in_this_cluster("https://10.0.0.10:443")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert not access.in_this_cluster("https://10.0.0.1:443")


def test_without_the_right_to_see_nodes_the_pods_tell(api: FaultyApi, kube: Kube, listening: int) -> None:
    fill(api, listening)
    api.put(f"{PODS}/a", {"status": {"hostIP": "127.0.0.1"}})
    api.fail(None, Fault(403))
    assert Access(kube, settings()).live().via == CLUSTER


@pytest.mark.parametrize("way", [LOAD_BALANCER, NODE_PORT])
def test_a_way_that_is_not_there_is_refused_by_name(api: FaultyApi, kube: Kube, listening: int, way: str) -> None:
    fill(api, listening)
    with pytest.raises(CannotStartError, match=f"ACCESS={way}: Service live has no such address"):
        Access(kube, settings(way)).live()


def test_a_chosen_way_is_taken_whether_it_answers_or_not(api: FaultyApi, kube: Kube, refusing: int) -> None:
    fill(api, refusing, address="192.0.2.1")
    assert Access(kube, settings(CLUSTER)).live() == Address("192.0.2.1", refusing, CLUSTER)


def test_a_missing_service_or_port_is_named(api: FaultyApi, kube: Kube, listening: int) -> None:
    with pytest.raises(CannotStartError, match="no Service live-preview in namespace ns"):
        Access(kube, settings()).preview()
    fill(api, listening)
    with pytest.raises(CannotStartError, match="Service live has no port named metrics"):
        Access(kube, settings()).live("metrics")


def pod(ip: str = "127.0.0.1", port: int = 8080) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": port}]
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"ports": ports}]}, "status": {"podIP": ip}}


def test_a_pod_is_reached_by_its_own_address(api: FaultyApi, kube: Kube, listening: int) -> None:
    fill(api, listening)
    api.put(f"{PODS}/p", pod())
    assert Access(kube, settings()).pod("p") == Address("127.0.0.1", 8080, CLUSTER)
    assert Access(kube, settings()).pod(pod("127.9.9.9")).host == "127.9.9.9"
    with pytest.raises(CannotStartError, match="no port named metrics"):
        Access(kube, settings()).pod(pod(), "metrics")
    with pytest.raises(CannotStartError, match="no pod q"):
        Access(kube, settings()).pod("q")


def test_the_first_answer_is_awaited_with_a_deadline(api: FaultyApi, refusing: int) -> None:
    served = Address("127.0.0.1", int(api.url.rpartition(":")[2]), CLUSTER)
    api.fail(Fault(cut="before"), Fault(cut="before"), Fault(404))
    assert access.await_reachable(served, Deadline(5)) < 5
    assert len(api.seen) == 3
    with pytest.raises(TimeoutExpiredError, match=r"answers: not so after .*refused"):
        access.await_reachable(Address("127.0.0.1", refusing, CLUSTER), Deadline(0.1))


def test_an_address_that_hangs_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "CONNECT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        first = socket.create_connection(("127.0.0.1", port))  # fills the backlog: the next one hangs
        second = socket.socket()
        second.setblocking(False)
        second.connect_ex(("127.0.0.1", port))
        assert access.look(Address("127.0.0.1", port, CLUSTER)) is not None
        first.close()
        second.close()


# --- forwards -------------------------------------------------------------------------------------------------


class ForwardingApi:
    """An API server that forwards to one port by websocket (v4.channel.k8s.io), as a kubelet does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []
        self.gone: set[str] = set()
        self.changes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.handlers: set[asyncio.Task[Any]] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(10)

    def change(self, ready: dict[str, Any]) -> None:
        """Tell who watches EndpointSlices of a new state."""
        change = {"type": "MODIFIED", "object": ready}
        asyncio.run_coroutine_threadsafe(_put(self.changes, change), self.loop).result(10)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_get(f"{PODS}/{{pod}}/portforward", self._forward)
        app.router.add_get("/{path:.*}", self._read)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def _stop(self) -> None:
        """End the connections, and let the loop close their transports."""
        handlers = [handler for handler in self.handlers if not handler.done()]
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await self.runner.cleanup()
        for _ in range(10):
            await asyncio.sleep(0)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            return await self._watch(request)
        empty: dict[str, Any] = {"metadata": {"resourceVersion": "1"}, "items": []}
        answers = {f"{PODS}/p": pod("192.0.2.7"), f"{SERVICES}/live": SERVICE, SLICES: {**empty, "items": [SLICE]}}
        return web.json_response(answers.get(request.path, empty))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Nothing changes, unless ``changes`` says so."""
        response = web.StreamResponse()
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)
        while True:
            await response.write(json.dumps(await self.changes.get()).encode() + b"\n")

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        pod_name = request.match_info["pod"]
        self.asked.append(f"{pod_name} {request.query['ports']}")
        if pod_name in self.gone:
            return web.json_response({"kind": "Status", "message": f'pods "{pod_name}" not found'}, status=404)
        ws = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await ws.prepare(request)
        number = int(request.query["ports"])
        for channel in (0, 1):
            await ws.send_bytes(bytes([channel, number % 256, number // 256]))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)

        async def back() -> None:
            while data := await reader.read(65536):
                await ws.send_bytes(b"\0" + data)
            await ws.close()

        task = asyncio.create_task(back())
        self.handlers.add(task)
        try:
            async for message in ws:
                if message.type is WSMsgType.BINARY:
                    writer.write(message.data[1:])
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            writer.close()
            await writer.wait_closed()
        return ws


SERVICE = {"kind": "Service", "metadata": {"name": "live"}, "spec": {"ports": [{"name": "http", "port": 80}]}}


async def _put(queue: asyncio.Queue[dict[str, Any]], item: dict[str, Any]) -> None:
    await queue.put(item)


SLICE = {
    "metadata": {"name": "live-1", "resourceVersion": "1"},
    "ports": [{"name": "metrics", "port": 9090}, {"name": "http", "port": 8080}],
    "endpoints": [
        {"conditions": {"ready": False}, "targetRef": {"name": "not-ready"}},
        {"conditions": {"ready": True}, "targetRef": {"name": "p"}},
    ],
}


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets."""

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    server = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield int(server.getsockname()[1])
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def exchange(address: Address, content: bytes) -> bytes:
    with socket.create_connection((address.host, address.port), timeout=10) as connection:
        connection.sendall(content)
        received = b""
        while len(received) < len(content):
            received += connection.recv(65536)
        return received


def test_a_forward_reaches_a_pod_and_a_services_ready_pod(echo: int) -> None:
    server = ForwardingApi(echo)
    with server as url:
        kube = kube_for(url)
        found = Access(kube, settings())
        content = b"hello " * 50_000
        assert exchange(found.pod("p"), content) == content
        live = found.live()
        assert live.via == PORT_FORWARD
        assert found.live() == live
        assert exchange(live, content) == content
        assert exchange(live, b"again") == b"again"
        assert server.asked == ["p 8080"] * 3
        found.close()
        kube.close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((live.host, live.port), timeout=5)


def with_pods(*names: str, version: str = "2") -> dict[str, Any]:
    """The EndpointSlice with these pods ready."""
    ready = [{"conditions": {"ready": True}, "targetRef": {"name": name}} for name in names]
    return {**SLICE, "metadata": {"name": "live-1", "resourceVersion": version}, "endpoints": ready}


def test_connections_go_to_the_pods_that_are_ready_now_and_ask_the_api_for_nothing_else(echo: int) -> None:
    server = ForwardingApi(echo)
    with server as url:
        kube = kube_for(url)
        found = Access(kube, settings())
        live = found.live()
        assert exchange(live, b"first") == b"first"
        before = kube.transport.requests
        server.change(with_pods("q"))
        deadline = Deadline(10)
        while server.asked[-1] != "q 8080":
            assert exchange(live, b"next") == b"next"
            assert not deadline.expired
        assert kube.transport.requests == before
        found.close()
        kube.close()


def test_a_pod_that_is_gone_is_passed_over(echo: int) -> None:
    """It went a moment ago, and its EndpointSlice says so only later."""
    server = ForwardingApi(echo)
    server.gone.add("p")
    with server as url:
        kube = kube_for(url)
        found = Access(kube, settings())
        live = found.live()
        server.change(with_pods("p", "q"))
        for _ in range(4):
            assert exchange(live, b"whoever is there") == b"whoever is there"
        assert {"p 8080", "q 8080"} <= set(server.asked)
        found.close()
        kube.close()


def test_a_forward_goes_on_when_the_service_is_looked_at_again(echo: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portforward, "LOOK_AGAIN_S", 0.05)
    with ForwardingApi(echo) as url:
        kube = kube_for(url)
        found = Access(kube, settings())
        live = found.live()
        deadline = Deadline(10)
        before = kube.transport.requests
        while kube.transport.requests < before + 9:  # three times: the Service, its slices, their watch
            assert exchange(live, b"still here") == b"still here"
            assert not deadline.expired
        found.close()
        kube.close()


def test_many_connections_are_open_at_once(echo: int) -> None:
    """More than select() could look at: 1,100 descriptors and more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip("this user may not open 4,096 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    server = ForwardingApi(echo)
    try:
        with server as url, ExitStack() as closing:
            kube = kube_for(url)
            found = Access(kube, settings())
            live = found.live()
            held = [closing.enter_context(socket.create_connection((live.host, live.port), 30)) for _ in range(350)]
            for connection in held:
                connection.sendall(b"still here")
            assert [connection.recv(100) for connection in held] == [b"still here"] * len(held)
            found.close()
            kube.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_forward_to_nobody_closes_its_connection(api: FaultyApi, kube: Kube, listening: int) -> None:
    fill(api, listening, address="192.0.2.1")
    found = Access(kube, settings(PORT_FORWARD))
    address = found.live()
    with socket.create_connection((address.host, address.port), timeout=10) as connection:
        assert connection.recv(1) == b""
    found.close()


# --- on a running cluster -------------------------------------------------------------------------------------


def test_every_way_leads_to_the_sample(cluster: Cluster) -> None:
    env = {"CLUSTER": cluster.context, "KUBECONFIG": str(cluster.kubeconfig), "NAMESPACE": f"access-{os.getpid()}"}
    own = load({**env, "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0", "REPLICAS": "1"})
    kube = connect(own)
    environment.set_up(kube, own)
    try:
        kube.create(manifests.render(own, "deployment", COLOUR="blue")[0])
        switch = [{"op": "replace", "path": "/spec/selector/version", "value": "blue"}]
        for name in (own.service_name, own.preview_service_name):
            kube.json_patch("Service", name, switch)
        kube.wait(
            "Deployment",
            lambda found: True if any(d.get("status", {}).get("availableReplicas") for d in found) else None,
            deadline=Deadline(30),
            awaited="the sample is available",
        )
        for way in ("auto", LOAD_BALANCER, NODE_PORT, CLUSTER, PORT_FORWARD):
            found = Access(kube, dataclasses.replace(own, access=way))
            address = found.live()
            access.await_reachable(address, Deadline(10))
            assert address.via == way or way == "auto"
            assert b"v1.0.0" in urllib.request.urlopen(f"{address.url}/").read()
            expected = PORT_FORWARD if way == PORT_FORWARD else CLUSTER
            assert found.preview().via == expected, "the preview is not published, whatever was chosen"
        [pod] = kube.list("Pod")
        assert b"# TYPE" in urllib.request.urlopen(f"{found.pod(pod, 'metrics').url}/metrics").read()
        assert kube.logs(pod["metadata"]["name"])
        found.close()
    finally:
        environment.reset(kube, own)
        kube.close()
