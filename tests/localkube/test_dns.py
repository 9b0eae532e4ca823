"""The cluster's DNS: names, types, codes, over UDP and TCP."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.dns import AAAA, SRV, A, Dns, Zone, encode_name, resolv_conf, respond
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.slices import Slices
from bluegreen.localkube.store import Store

Obj = dict[str, Any]


def service(name: str, **spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    spec = {"clusterIP": "127.9.16.5", "type": "ClusterIP", "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "n"}, "spec": spec}


def endpoints(name: str, *entries: Obj) -> Obj:
    meta = {"name": f"{name}-1", "namespace": "n", "labels": {"kubernetes.io/service-name": name}}
    kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    return {**kind, "metadata": meta, "addressType": "IPv4", "endpoints": list(entries)}


@pytest.fixture
def store() -> Store:
    store = Store()
    store.put(KINDS["Service"], service("web"))
    store.put(KINDS["Service"], service("headless", clusterIP="None"))
    store.put(KINDS["Service"], service("out", type="ExternalName", externalName="example.org", clusterIP=""))
    ready = {"addresses": ["127.9.128.1"], "conditions": {"ready": True}, "hostname": "first"}
    store.put(
        KINDS["EndpointSlice"],
        endpoints("headless", ready, {"addresses": ["127.9.128.2"], "conditions": {"ready": False}}),
    )
    return store


def query(name: str, type_: int = A, number: int = 7) -> bytes:
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + encode_name(name) + struct.pack("!2H", type_, 1)


def ask(store: Store, name: str, type_: int = A) -> tuple[int, list[bytes]]:
    """(code, record data) of an answer."""
    answer = respond(Zone(store, Slices(store)), query(name, type_))
    assert answer is not None
    return parsed(answer, len(query(name, type_)))


def parsed(answer: bytes, at: int) -> tuple[int, list[bytes]]:
    number, flags, _, count, _, _ = struct.unpack_from("!6H", answer)
    assert (number, flags & 0x8000) == (7, 0x8000)
    found = []
    for _ in range(count):
        size = struct.unpack_from("!H", answer, at + 10)[0]
        found.append(answer[at + 12 : at + 12 + size])
        at += 12 + size
    return flags & 0xF, found


@pytest.mark.parametrize("name", ["web.n.svc.cluster.local", "WEB.n.SVC.cluster.local."])
def test_a_service_is_its_address(store: Store, name: str) -> None:
    assert ask(store, name) == (0, [socket.inet_aton("127.9.16.5")])


def test_a_headless_service_is_its_ready_endpoints(store: Store) -> None:
    assert ask(store, "headless.n.svc.cluster.local") == (0, [socket.inet_aton("127.9.128.1")])
    assert ask(store, "first.headless.n.svc.cluster.local") == (0, [socket.inet_aton("127.9.128.1")])
    assert ask(store, "second.headless.n.svc.cluster.local") == (3, [])


@pytest.mark.parametrize(
    "name",
    ["none.n.svc.cluster.local", "web.other.svc.cluster.local", "web.cluster.local", "a.b.c.web.n.svc.cluster.local"],
)
def test_names_that_do_not_exist(store: Store, name: str) -> None:
    assert ask(store, name) == (3, [])


def test_a_name_that_exists_has_no_other_types(store: Store) -> None:
    assert ask(store, "web.n.svc.cluster.local", AAAA) == (0, [])


def test_ports_are_srv_records(store: Store) -> None:
    code, [data] = ask(store, "_http._tcp.web.n.svc.cluster.local", SRV)
    assert code == 0
    assert struct.unpack_from("!3H", data) == (0, 100, 80)
    assert data[6:] == encode_name("web.n.svc.cluster.local")


def test_an_external_name_is_an_alias(store: Store) -> None:
    assert ask(store, "out.n.svc.cluster.local") == (0, [encode_name("example.org")])


def test_names_outside_the_cluster_are_refused_so_that_the_next_server_is_asked(store: Store) -> None:
    assert ask(store, "example.org")[0] == 5


@pytest.mark.parametrize(
    "message", [b"", b"\0", b"\0\7" + b"\xff" * 10, query("a")[:-3], b"\0\7" + bytes(10) + b"\xc0\x0c"]
)
def test_nonsense_gets_no_answer_or_a_format_error(store: Store, message: bytes) -> None:
    answer = respond(Zone(store, Slices(store)), message)
    assert answer is None or struct.unpack_from("!2H", answer)[1] & 0xF == 1


def test_the_answer_changes_with_the_store(store: Store) -> None:
    slices = Slices(store)
    zone = Zone(store, slices)
    both = [{"addresses": [f"127.9.128.{number}"], "conditions": {}} for number in (1, 2)]
    store.put(KINDS["EndpointSlice"], endpoints("headless", *both))
    assert len(zone.lookup("headless.n.svc.cluster.local", A)[1]) == 2
    store.remove(KINDS["EndpointSlice"], "n", "headless-1")
    assert zone.lookup("headless.n.svc.cluster.local", A) == (3, [])


def test_it_answers_over_udp_and_tcp(store: Store) -> None:
    async def test() -> None:
        with socket.socket() as probe:  # a port that is free for both
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        dns = Dns(store, "127.0.0.1", port)
        await dns.start()
        assert dns.open
        try:
            asked = query("web.n.svc.cluster.local")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_sendto(sock, asked, ("127.0.0.1", port))
                answer = await asyncio.get_running_loop().sock_recv(sock, 512)
            assert parsed(answer, len(asked)) == (0, [socket.inet_aton("127.9.16.5")])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(len(asked).to_bytes(2, "big") + asked)
            assert await reader.readexactly(2 + len(answer)) == len(answer).to_bytes(2, "big") + answer
            writer.close()
            await writer.wait_closed()
        finally:
            await dns.stop()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_a_port_that_is_taken_leaves_it_closed(store: Store, tmp_path: Path) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            dns = Dns(store, "127.0.0.1", taken.getsockname()[1])
            await dns.start()
            assert not dns.open
            assert dns.zone.hosts("n")[0].startswith("127.9.128.1\theadless.n.svc.cluster.local")
            await dns.stop()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_resolv_conf_asks_the_cluster_first_and_then_the_hosts_servers() -> None:
    host = "search corp.example\nnameserver 10.0.0.53\noptions timeout:1\n"
    assert resolv_conf(host, "127.9.0.10", "n").splitlines() == [
        "search n.svc.cluster.local svc.cluster.local cluster.local corp.example",
        "nameserver 127.9.0.10",
        "nameserver 10.0.0.53",
        "options ndots:5",
    ]
