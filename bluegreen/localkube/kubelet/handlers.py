"""What probes do: an HTTP request, a TCP connection or a program inside the container; ``hooks`` uses them too.

In comes a handler as it stands in a pod, out goes an ``Answer``: whether it went well, and the sentence Kubernetes
(Go's libraries) would write about it. Never raises for what the container does.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from bluegreen.localkube.kubelet import grpc
from bluegreen.localkube.kubelet.answers import Answer, go_duration
from bluegreen.localkube.kubelet.launch import Container, StartError

Obj = dict[str, Any]
OUTPUT_LIMIT = 10 * 1024  # bytes of an answer that are read, as the kubelet limits them
REDIRECTS = 10
USER_AGENT = "kube-probe/1.34"
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")  # OpenSSL's reasons for an answer in clear
_ERRNO_WORDS = {
    errno.ECONNREFUSED: "connect: connection refused",
    errno.EHOSTUNREACH: "connect: no route to host",
    errno.ENETUNREACH: "connect: network is unreachable",
    errno.EADDRNOTAVAIL: "connect: cannot assign requested address",
}


@dataclass(frozen=True)
class Place:
    """Where a handler acts: the pod's address, the container's named ports, its running instance and variables."""

    address: str
    ports: Mapping[str, int]
    container: Container | None
    env: Mapping[str, str]

    def port(self, given: int | str) -> int:
        """A port's number. Raises ValueError for a name that no port of the container has."""
        if isinstance(given, int):
            return given
        number = self.ports.get(given) or (int(given) if given.isdigit() else 0)
        if not number:
            raise ValueError(f"couldn't find port: {given}")
        return number


def ports_of(container: Obj) -> dict[str, int]:
    """The named ports of a container."""
    return {port["name"]: port["containerPort"] for port in container.get("ports") or () if port.get("name")}


async def act(handler: Obj, place: Place, timeout_s: float) -> Answer:
    """Carry out a probe's action."""
    try:
        if "httpGet" in handler:
            return await http_get(handler["httpGet"], place, timeout_s)
        if "tcpSocket" in handler:
            return await tcp_connect(handler["tcpSocket"], place, timeout_s)
        if "exec" in handler:
            return await execute(handler["exec"].get("command") or [], place, timeout_s)
        if "grpc" in handler:
            return await grpc.check(place.address, handler["grpc"], timeout_s)
    except ValueError as error:
        return Answer(False, str(error), broken=True)
    return Answer(False, "this kind of handler is not emulated", broken=True)


async def tcp_connect(action: Obj, place: Place, timeout_s: float) -> Answer:
    """Whether a connection can be made."""
    host, port = action.get("host") or place.address, place.port(action["port"])
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Answer(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Answer(
            False, f"dial tcp {host}:{port}: {connection_words(error)}", refused=error.errno == errno.ECONNREFUSED
        )
    writer.close()
    return Answer(True)


async def http_get(action: Obj, place: Place, timeout_s: float | None, agent: str = USER_AGENT) -> Answer:
    """Whether a GET is answered with a code from 200 to 399. A redirect to the same host is followed."""
    host, port = action.get("host") or place.address, place.port(action["port"])
    scheme = (action.get("scheme") or "HTTP").lower()
    path = action.get("path") or "/"
    url = f"{scheme}://{host}:{port}{path if path.startswith('/') else '/' + path}"
    given = {_canonical(header["name"]): header["value"] for header in action.get("httpHeaders") or ()}
    headers = {"User-Agent": agent, **given}
    try:
        async with asyncio.timeout(timeout_s):
            status = await _follow(url, headers)
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Answer(False, f'Get "{url}": {why}')
    except asyncio.IncompleteReadError:
        return Answer(False, f'Get "{url}": EOF')
    except ValueError:
        return Answer(False, f'Get "{url}": net/http: HTTP/1.x transport connection broken: malformed HTTP response')
    except ConnectionRefusedError:
        return Answer(False, f'Get "{url}": dial tcp {host}:{port}: connect: connection refused', refused=True)
    except OSError as error:
        return Answer(False, f'Get "{url}": {connection_words(error)}')
    if 200 <= status < 400:
        return Answer(True)
    return Answer(False, f"HTTP probe failed with statuscode: {status}", answered=True)


def _canonical(name: str) -> str:
    """A header's name as Go's net/http writes it."""
    return "-".join(part.capitalize() for part in name.split("-"))


async def _follow(url: str, headers: Mapping[str, str]) -> int:
    """The status of a GET after redirects on the same host; a redirect elsewhere counts as it stands."""
    for _ in range(REDIRECTS):
        status, location = await _request(url, headers)
        target = urljoin(url, location)
        if (
            status not in (301, 302, 303, 307, 308)
            or not location
            or urlsplit(target).hostname != urlsplit(url).hostname
        ):
            return status
        url = target
    raise OSError(f"stopped after {REDIRECTS} redirects")


async def _request(url: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """One GET over a connection of its own: (status, Location)."""
    parts = urlsplit(url)
    tls = _unverified() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if tls else 80), ssl=tls, limit=OUTPUT_LIMIT
    )
    try:
        sent = {"Host": parts.netloc, "User-Agent": USER_AGENT, "Accept": "*/*", "Connection": "close", **headers}
        sent = {name: value for name, value in sent.items() if value != ""}
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        return _status(await _head(reader))
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ValueError("header too long") from error
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ValueError("not HTTP") from error
        raise


def _status(head: bytes) -> tuple[int, str]:
    """The status and the Location of a response's head. Raises ValueError when it is none."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/"):
        raise ValueError("not HTTP")
    fields = (line.partition(":") for line in lines)
    location = next((value.strip() for name, _, value in fields if name.lower() == "location"), "")
    return int(rest[:3]), location


def _unverified() -> ssl.SSLContext:
    """TLS without verification: what the kubelet uses for probes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connection_words(error: OSError) -> str:
    """A failed connection in Go's words."""
    if isinstance(error, ssl.SSLError):
        in_clear = error.reason in NO_TLS
        return "http: server gave HTTP response to HTTPS client" if in_clear else f"remote error: tls: {error.reason}"
    number = error.errno or 0
    if number == errno.ECONNRESET:
        return "read: connection reset by peer"
    return _ERRNO_WORDS.get(number) or (os.strerror(number).lower() if number else str(error))


async def execute(argv: list[str], place: Place, timeout_s: float) -> Answer:
    """Whether a program inside the container exits with 0 in time; its output is the sentence."""
    if place.container is None:
        return Answer(False, "container not running", broken=True)
    try:
        said = await run(place.container, argv, dict(place.env), timeout_s)
    except TimeoutError:
        return Answer(False, f'command timed out: "{" ".join(argv)}" timed out after {go_duration(timeout_s)}')
    except StartError as error:
        what = "rpc error: code = Unknown desc = failed to exec in container: failed to start exec: "
        return Answer(False, f"{what}{exec_refusal(error)}: unknown", broken=True)
    return Answer(said.code == 0, said.output + said.errors)


def exec_refusal(error: StartError) -> str:
    """Why a program could not be started in a running container, in the runtime's words."""
    return f"OCI runtime exec failed: exec failed: unable to start container process: {error.sentence}"


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it wrote to each of its streams."""

    code: int
    output: str
    errors: str


async def run(container: Container, argv: list[str], env: dict[str, str], timeout_s: float | None) -> Said:
    """Run a program inside a container. Raises TimeoutError (never when ``timeout_s`` is None) and StartError."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    pipes = [os.pipe(), os.pipe()]
    for read_end, _ in pipes:
        os.set_blocking(read_end, False)
    streams = [_Output(read_end) for read_end, _ in pipes]
    try:
        started = container.exec(argv, (nothing, pipes[0][1], pipes[1][1]), env=env)
    except BaseException:
        _close(streams)
        raise
    finally:
        for descriptor in (nothing, pipes[0][1], pipes[1][1]):
            os.close(descriptor)
    try:
        async with asyncio.timeout(timeout_s):
            code = await asyncio.shield(started.ended)
        return Said(code, *(stream.text() for stream in streams))
    except (TimeoutError, asyncio.CancelledError):
        started.kill()
        raise
    finally:
        _close(streams)


def _close(streams: list[_Output]) -> None:
    for stream in streams:
        stream.close()


class _Output:
    """Reads a pipe while a program runs, up to the limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._data = descriptor, b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._descriptor, 65536)
            self._data = (self._data + data)[:OUTPUT_LIMIT]
            if not data:
                self._loop.remove_reader(self._descriptor)
            return bool(data)
        return False

    def text(self) -> str:
        while self._read():
            pass
        return self._data.decode(errors="replace")

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
