"""Service ports: where connections go, how they end, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.network import Network, claim_network
from bluegreen.localkube.proxy import Proxy, openings, targets
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.store import Store

Obj = dict[str, Any]
SERVICE, SLICE = KINDS["Service"], KINDS["EndpointSlice"]
READY = {"ready": True, "serving": True, "terminating": False}
LEAVING = {"ready": False, "serving": True, "terminating": True}
DEAD = {"ready": False, "serving": False, "terminating": True}


def endpoint_slice(*endpoints: tuple[str, Obj], port: int = 8080, name: str = "http") -> Obj:
    meta = {"name": "web-1", "namespace": "n", "labels": {"kubernetes.io/service-name": "web"}}
    found = [{"addresses": [address], "conditions": conditions} for address, conditions in endpoints]
    ports = [{"name": name, "port": port, "protocol": "TCP"}]
    return {"metadata": meta, "addressType": "IPv4", "endpoints": found, "ports": ports}


# ------------------------------------------------------------------------------------------------------------ deciding


def test_connections_go_to_ready_endpoints_of_the_port() -> None:
    one = endpoint_slice(("10.0.0.1", READY), ("10.0.0.2", DEAD), ("10.0.0.3", {}))
    assert targets([one], "http") == (("10.0.0.1", 8080), ("10.0.0.3", 8080))
    assert targets([one], "other") == ()
    assert targets([endpoint_slice(("10.0.0.1", READY), name="")], "") == (("10.0.0.1", 8080),)


def test_without_a_ready_endpoint_those_that_leave_still_serve() -> None:
    assert targets([endpoint_slice(("10.0.0.1", LEAVING), ("10.0.0.2", DEAD))], "http") == (("10.0.0.1", 8080),)
    assert targets([endpoint_slice(("10.0.0.1", LEAVING), ("10.0.0.2", READY))], "http") == (("10.0.0.2", 8080),)


def service(**spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}]
    return {"metadata": {"name": "web", "namespace": "n"}, "spec": {"clusterIP": "127.9.16.2", "ports": ports, **spec}}


def test_every_address_of_a_service_is_opened() -> None:
    ingress = {"status": {"loadBalancer": {"ingress": [{"ip": "127.9.32.1"}]}}}
    found = openings({**service(), **ingress}, [endpoint_slice(("10.0.0.1", READY))], "127.9.0.1")
    opened = [(opening.address, opening.port) for opening in found]
    assert opened == [("127.9.16.2", 80), ("127.9.32.1", 80), ("127.9.0.1", 30080)]


def test_nothing_is_opened_without_an_endpoint_for_headless_services_and_for_udp() -> None:
    one = [endpoint_slice(("10.0.0.1", READY))]
    assert openings(service(), [], "127.9.0.1") == []
    assert openings(service(clusterIP="None"), one, "127.9.0.1") == []
    udp = [{"name": "http", "port": 80, "protocol": "UDP"}]
    assert openings(service(ports=udp), one, "127.9.0.1") == []


def test_session_affinity_is_a_time() -> None:
    def affinity(**spec: Any) -> int:
        return openings(service(**spec), [endpoint_slice(("10.0.0.1", READY))], "127.9.0.1")[0].rule.affinity_s

    assert affinity() == 0
    assert affinity(sessionAffinity="ClientIP") == 10800
    config = {"clientIP": {"timeoutSeconds": 5}}
    assert affinity(sessionAffinity="ClientIP", sessionAffinityConfig=config) == 5


# ------------------------------------------------------------------------------------------------------------- serving


class Backend:
    """A server that says its name, then echoes what it is sent until the other side ends."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address, self.connections = name, address, 0
        self.closed: asyncio.Event = asyncio.Event()

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, self.address, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError):
            writer.write(f"{self.name}\n".encode())
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
        writer.close()
        self.closed.set()

    def stop(self) -> None:
        self._server.close()


class Place:
    """A proxy over a Service ``web`` (port 8000) and its endpoints."""

    def __init__(self, registry: Registry, network: Network, proxy: Proxy) -> None:
        self.registry, self.network, self.proxy = registry, network, proxy
        self.backends: dict[str, Backend] = {}
        self.port = 8080

    async def backend(self, name: str) -> Backend:
        """A further endpoint's server."""
        backend = self.backends[name] = Backend(name, self.network.take_pod_address())
        await backend.start(self.port)
        return backend

    async def endpoints(self, **conditions: Obj) -> None:
        """State which backends there are, and let the proxy see it."""
        self._state_endpoints(conditions)
        await asyncio.sleep(0)

    def _state_endpoints(self, conditions: dict[str, Obj]) -> None:
        found = endpoint_slice(*((self.backends[name].address, state) for name, state in conditions.items()))
        if self.registry.store.get(SLICE, "n", "web-1") is None:
            self.registry.create(SLICE, "n", found)
            return
        live = self.registry.get(SLICE, "n", "web-1")
        self.registry.update(SLICE, "n", "web-1", {**found, "metadata": live["metadata"]}, manager="test")

    @property
    def service(self) -> Obj:
        return self.registry.get(SERVICE, "n", "web")

    async def connect(self, address: str = "", port: int = 8000) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(address or self.service["spec"]["clusterIP"], port)

    async def ask(self, address: str = "", port: int = 8000) -> str:
        """Who answers a new connection."""
        reader, writer = await self.connect(address, port)
        name = (await reader.readline()).decode().strip()
        writer.close()
        await writer.wait_closed()
        return name

    async def refused(self, address: str = "", port: int = 8000) -> bool:
        try:
            return await self.ask(address, port) == ""
        except ConnectionError:
            return True


@contextlib.asynccontextmanager
async def proxied(path: Path, **spec: Any) -> AsyncIterator[Place]:
    registry, network = Registry(Store()), claim_network(path / "network", str(path))
    registry.create(KINDS["Namespace"], "", {"metadata": {"name": "n"}})
    stop = network.follow(registry)
    proxy = Proxy(registry, network)
    await proxy.start()
    place = Place(registry, network, proxy)
    try:
        ports = [{"name": "http", "port": 8000, "targetPort": 8080}]
        registry.create(
            SERVICE, "n", {"metadata": {"name": "web"}, "spec": {"ports": ports, "selector": {"a": "b"}, **spec}}
        )
        yield place
    finally:
        await proxy.stop()
        for backend in place.backends.values():
            backend.stop()
        stop()
        network.release()
        await asyncio.sleep(0)


def with_proxy(path: Path, test: Callable[[Place], Awaitable[None]], **spec: Any) -> None:
    async def whole() -> None:
        async with proxied(path, **spec) as place:
            await test(place)

    asyncio.run(asyncio.wait_for(whole(), 30))


def test_connections_are_spread_over_the_ready_endpoints(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        for name in ("a", "b", "c"):
            await place.backend(name)
        await place.endpoints(a=READY, b=READY, c=DEAD)
        answers = [await place.ask() for _ in range(6)]
        assert sorted(answers) == ["a"] * 3 + ["b"] * 3

    with_proxy(tmp_path, test)


def test_without_endpoints_connections_are_refused(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("a")
        assert await place.refused()
        await place.endpoints(a=READY)
        assert await place.ask() == "a"
        await place.endpoints(a=DEAD)
        assert await place.refused()
        await place.endpoints(a=READY)
        assert await place.ask() == "a"

    with_proxy(tmp_path, test)


def test_a_switch_moves_new_connections_at_once_and_leaves_the_old_where_they_are(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        for name in ("blue", "green"):
            await place.backend(name)
        await place.endpoints(blue=READY)
        reader, writer = await place.connect()
        assert await reader.readline() == b"blue\n"
        await place.endpoints(green=READY)
        assert [await place.ask() for _ in range(4)] == ["green"] * 4
        writer.write(b"still there?")
        assert await reader.readexactly(12) == b"still there?"
        writer.close()

    with_proxy(tmp_path, test)


def test_changes_may_be_made_to_lag(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        for name in ("blue", "green"):
            await place.backend(name)
        await place.endpoints(blue=READY)
        place.proxy.lag_s = 0.2
        await place.endpoints(green=READY)
        assert await place.ask() == "blue"
        async with asyncio.timeout(10):
            while await place.ask() == "blue":
                pass

    with_proxy(tmp_path, test)


def test_a_side_that_ends_leaves_the_other_open(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        backend = await place.backend("a")
        await place.endpoints(a=READY)
        reader, writer = await place.connect()
        assert await reader.readline() == b"a\n"
        writer.write(b"last words")
        writer.write_eof()
        assert await reader.read() == b"last wordsbye"
        await backend.closed.wait()
        writer.close()

    with_proxy(tmp_path, test)


def test_much_data_passes_whole_through_a_slow_reader(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("a")
        await place.endpoints(a=READY)
        reader, writer = await place.connect()
        await reader.readline()
        sent = bytes(range(256)) * 40_000  # 10 MB, more than all buffers on the way
        writing = asyncio.create_task(send(writer, sent))
        received = bytearray()
        while len(received) < len(sent):
            received += await reader.read(100_000)
            await asyncio.sleep(0)
        await writing
        assert bytes(received[: len(sent)]) == sent
        writer.close()

    async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    with_proxy(tmp_path, test)


def test_an_endpoint_that_refuses_is_passed_over(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("a")
        gone = await place.backend("gone")
        gone.stop()
        await place.endpoints(a=READY, gone=READY)
        assert [await place.ask() for _ in range(4)] == ["a"] * 4

    with_proxy(tmp_path, test)


def test_where_all_endpoints_refuse_the_client_is_reset(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        gone = await place.backend("gone")
        gone.stop()
        await place.endpoints(gone=READY)
        reader, writer = await place.connect()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()

    with_proxy(tmp_path, test)


def test_a_reset_is_passed_on(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        address = place.network.take_pod_address()
        with socket.create_server((address, place.port)) as listening:
            listening.setblocking(False)
            place.backends["a"] = Backend("a", address)  # which this socket is, for once
            await place.endpoints(a=READY)
            reader, writer = await place.connect()
            accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            accepted.close()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            del place.backends["a"]

    with_proxy(tmp_path, test)


def test_affinity_keeps_a_client_at_its_endpoint(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        for name in ("a", "b"):
            await place.backend(name)
        await place.endpoints(a=READY, b=READY)
        first = await place.ask()
        assert [await place.ask() for _ in range(4)] == [first] * 4
        other = {"a": "b", "b": "a"}[first]
        await place.endpoints(**{other: READY})
        assert await place.ask() == other

    with_proxy(tmp_path, test, sessionAffinity="ClientIP")


def test_a_load_balancer_answers_on_all_its_addresses(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("a")
        await place.endpoints(a=READY)
        await asyncio.sleep(0.01)
        ingress = place.service["status"]["loadBalancer"]["ingress"][0]["ip"]
        node_port = place.service["spec"]["ports"][0]["nodePort"]
        assert await place.ask() == "a"
        assert await place.ask(ingress) == "a"
        assert await place.ask(place.network.node_address, node_port) == "a"

    with_proxy(tmp_path, test, type="LoadBalancer")


def test_a_port_in_use_is_said_in_an_event(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("a")
        with socket.create_server((place.service["spec"]["clusterIP"], 8000)):
            await place.endpoints(a=READY)
            await asyncio.sleep(0.01)
        [event] = place.registry.list(KINDS["Event"], "n")
        assert event["reason"] == "PortNotOpened"
        assert event["involvedObject"]["name"] == "web"
        assert "8000 cannot be opened: Address already in use" in event["message"]

    with_proxy(tmp_path, test)


def test_udp_ports_carry_a_warning(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await asyncio.sleep(0)
        [event] = place.registry.list(KINDS["Event"], "n")
        assert (event["type"], event["reason"]) == ("Warning", "ProtocolNotForwarded")

    with_proxy(tmp_path, test, ports=[{"name": "dns", "port": 53, "protocol": "UDP"}])


def test_a_deleted_service_closes_its_ports_and_stopping_ends_connections(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("a")
        await place.endpoints(a=READY)
        address = place.service["spec"]["clusterIP"]
        reader, writer = await place.connect()
        assert await reader.readline() == b"a\n"
        place.registry.delete(SERVICE, "n", "web")
        await asyncio.sleep(0)
        assert await place.refused(address)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        writer.close()

    with_proxy(tmp_path, test)
