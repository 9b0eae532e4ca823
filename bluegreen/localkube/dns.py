"""The cluster's DNS: names of Services (and of endpoints of headless ones), over UDP and TCP.

In comes a query, out goes what the store says now. Names outside the cluster's domain are refused, so that a resolver
asks the next name server of its list (the host's own, see ``resolv_conf``); nothing is forwarded. Where port 53 may
not be bound, ``open`` stays False and pods resolve Services by their hosts file (``hosts``).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.slices import Slices, ready_endpoints
from bluegreen.localkube.store import Store

SERVICE = KINDS["Service"]
DOMAIN = "cluster.local"
PORT = 53
TTL_S = 5  # what CoreDNS's kubernetes plugin answers by default
A, CNAME, SOA, AAAA, SRV, ANY = 1, 5, 6, 28, 33, 255
IN = 1
NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 3, 4, 5
UDP_LIMIT = 512  # bytes of an answer over UDP without EDNS (RFC 1035)
_SERVERS = 3  # a resolver asks no more
_HEADER = struct.Struct("!6H")


@dataclass(frozen=True)
class Record:
    """One resource record: its type and its data, encoded."""

    type: int
    data: bytes


@dataclass(frozen=True)
class Question:
    """What a query asks: ``end`` is where the question ends in the message."""

    number: int
    flags: int
    name: str
    type: int
    end: int


class Zone:
    """What the names of the cluster mean."""

    def __init__(self, store: Store, slices: Slices) -> None:
        self._store, self._slices = store, slices

    def lookup(self, name: str, type_: int) -> tuple[int, list[Record]]:
        """The answer's code and records for a name (lower case, no final dot)."""
        if name != DOMAIN and not name.endswith(f".{DOMAIN}"):
            return REFUSED, []
        *labels, kind = name.removesuffix(DOMAIN).removesuffix(".").split(".")
        if kind == "pod" and len(labels) == 2:
            found = _pod_address(labels[0])
        elif kind == "svc" and len(labels) >= 2:
            found = self._service(labels)
        else:
            found = [] if kind in ("", "svc", "pod") and len(labels) < 2 else None
        if found is None:
            return NXDOMAIN, []
        return NOERROR, [record for record in found if type_ in (record.type, ANY) or record.type == CNAME]

    def _service(self, labels: list[str]) -> list[Record] | None:
        """Records of ``[host. or _port._protocol.]service.namespace``; None where there is no such name."""
        *before, name, namespace = labels
        service = self._store.get(SERVICE, namespace, name)
        if service is None or len(before) > 2:
            return None
        if len(before) == 2:
            return self._ports(service, before[0].removeprefix("_"), before[1].removeprefix("_"))
        if before:
            return [_address(a) for a, host in self._endpoints(service) if host == before[0]] or None
        if service["spec"].get("type") == "ExternalName":
            return [Record(CNAME, encode_name(service["spec"]["externalName"]))]
        return [_address(address) for address in self.addresses(service)] or None

    def addresses(self, service: Obj) -> list[str]:
        """The addresses a Service's name stands for: its own, or its ready endpoints' where it is headless."""
        cluster_ip = service["spec"].get("clusterIP") or ""
        if cluster_ip == "None":
            return list(dict.fromkeys(address for address, _ in self._endpoints(service)))
        return [cluster_ip] if cluster_ip else []

    def _endpoints(self, service: Obj) -> Iterator[tuple[str, str]]:
        if service["spec"].get("clusterIP") == "None":
            meta = service["metadata"]
            yield from ready_endpoints(self._slices.of((meta["namespace"], meta["name"])))

    def _ports(self, service: Obj, port_name: str, protocol: str) -> list[Record] | None:
        meta = service["metadata"]
        target = encode_name(f"{meta['name']}.{meta['namespace']}.svc.{DOMAIN}")
        found = [
            Record(SRV, struct.pack("!3H", 0, 100, port["port"]) + target)
            for port in service["spec"].get("ports") or ()
            if port.get("name") == port_name and port.get("protocol", "TCP").lower() == protocol
        ]
        return found or None

    def hosts(self, namespace: str) -> list[str]:
        """The Services as lines of a hosts file, as a pod of that namespace may call them."""
        lines = []
        for service in self._store.list(SERVICE):
            meta = service["metadata"]
            full = f"{meta['name']}.{meta['namespace']}"
            names = f"{full}.svc.{DOMAIN} {full}.svc {full}"
            if meta["namespace"] == namespace:
                names += f" {meta['name']}"
            lines += [f"{address}\t{names}" for address in self.addresses(service)]
        return lines


def _address(address: str) -> Record:
    return Record(A, ipaddress.IPv4Address(address).packed)


def _pod_address(label: str) -> list[Record] | None:
    """``127-0-0-1.namespace.pod`` is 127.0.0.1, whoever has it."""
    try:
        return [_address(label.replace("-", "."))]
    except ValueError:
        return None


def encode_name(name: str) -> bytes:
    """A name as labels with their lengths."""
    labels = [label.encode("ascii", "replace")[:63] for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read_question(message: bytes) -> Question:
    """The one question of a query. Raises ValueError for what is none."""
    if len(message) < _HEADER.size:
        raise ValueError("too short")
    number, flags, questions, *_ = _HEADER.unpack_from(message)
    if flags & 0x8000 or questions != 1:
        raise ValueError("not a query")
    at, labels = _HEADER.size, []
    while size := message[at]:
        if size > 63:
            raise ValueError("a compressed name in a question")
        labels.append(message[at + 1 : at + 1 + size].decode("ascii", "replace"))
        at += 1 + size
    (type_, class_) = struct.unpack_from("!2H", message, at + 1)
    if class_ not in (IN, ANY):
        raise ValueError("not of the internet class")
    return Question(number, flags, ".".join(labels).lower(), type_, at + 5)


def respond(zone: Zone, message: bytes, limit: int = UDP_LIMIT) -> bytes | None:
    """The answer to a message; None where none is due. One longer than ``limit`` is cut and marked so."""
    try:
        question = read_question(message)
    except (ValueError, IndexError, struct.error):
        if len(message) < 2:
            return None
        return _HEADER.pack(int.from_bytes(message[:2], "big"), 0x8000 | FORMERR, 0, 0, 0, 0)
    if question.flags & 0x7800:
        code, records = NOTIMP, list[Record]()
    else:
        code, records = zone.lookup(question.name, question.type)
    body = b"".join(
        struct.pack("!HHHIH", 0xC00C, record.type, IN, TTL_S, len(record.data)) + record.data for record in records
    )
    asked = message[_HEADER.size : question.end]
    # answer, authoritative, recursion as it was asked for
    flags = 0x8400 | (question.flags & 0x0100) | code
    if _HEADER.size + len(asked) + len(body) > limit:
        return _HEADER.pack(question.number, flags | 0x0200, 1, 0, 0, 0) + asked
    return _HEADER.pack(question.number, flags, 1, len(records), 0, 0) + asked + body


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # no subclass of it before Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if answer := respond(self._zone, data):
            self._transport.sendto(answer, addr)


class Dns:
    """The server on the cluster's DNS address."""

    def __init__(self, store: Store, address: str, port: int = PORT) -> None:
        self._store, self.address, self.port = store, address, port
        self.open = False
        self.zone: Zone
        self._stack = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Answer from now on, where the port may be bound."""
        slices = Slices(self._store)
        self._stack.callback(slices.stop)
        self.zone = Zone(self._store, slices)
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self.zone), local_addr=(self.address, self.port)
            )
            self._stack.callback(transport.close)
            server = await asyncio.start_server(self._serve, self.address, self.port)
            self._stack.callback(server.close)
        except OSError:
            return
        self.open = True

    async def stop(self) -> None:
        """Answer no more."""
        self.open = False
        await self._stack.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, TimeoutError):
            async with asyncio.timeout(10):  # a choice: clients ask at once
                while True:
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    answer = respond(self.zone, await reader.readexactly(size), 65535)
                    if answer:
                        writer.write(len(answer).to_bytes(2, "big") + answer)
                        await writer.drain()
        writer.close()


def resolv_conf(host: str, address: str, namespace: str) -> str:
    """A pod's resolv.conf: the cluster's DNS first, then the host's name servers, from the host's own file."""
    servers = [line for line in host.splitlines() if line.split()[:1] == ["nameserver"]]
    searched = f"{namespace}.svc.{DOMAIN} svc.{DOMAIN} {DOMAIN}"
    own = next((line.split()[1:] for line in host.splitlines() if line.split()[:1] == ["search"]), [])
    lines = [f"search {' '.join([searched, *own])}", f"nameserver {address}", *servers[:2], "options ndots:5"]
    return "\n".join(lines) + "\n"


def with_config(text: str, config: Mapping[str, Any]) -> str:
    """A resolv.conf with what a pod's dnsConfig adds: servers and searches behind, options by name in their place."""
    found: dict[str, list[str]] = {"nameserver": [], "search": [], "options": []}
    for line in text.splitlines():
        key, *values = line.split() or [""]
        if key in found:
            found[key] += values
    servers = list(dict.fromkeys([*found["nameserver"], *(config.get("nameservers") or ())]))
    searches = list(dict.fromkeys([*found["search"], *(config.get("searches") or ())]))
    options = {option.partition(":")[0]: option for option in found["options"]}
    for option in config.get("options") or ():
        value = option.get("value")
        options[option["name"]] = option["name"] if value is None else f"{option['name']}:{value}"
    lines = [f"search {' '.join(searches)}"] if searches else []
    lines += [f"nameserver {server}" for server in servers[:_SERVERS]]
    lines += [f"options {' '.join(options.values())}"] if options else []
    return "".join(f"{line}\n" for line in lines)
