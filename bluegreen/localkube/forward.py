"""Forwarding TCP connections from a listening socket to one of several targets. Knows nothing of Kubernetes.

Bytes are passed on unread, each direction ends on its own (half-close), a slow reader slows its writer, a reset is
passed on as a reset. An established connection stays with its target until either side ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from bluegreen import clock

BACKLOG = 4096
ACCEPTS_AT_ONCE = 64  # connections taken before others get their turn
RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 s
OUT_OF_DESCRIPTORS_PAUSE_S = 0.2
Target = tuple[str, int]


@dataclass(frozen=True)
class Rule:
    """Where connections go. ``affinity_s``: how long a client address stays with its target; 0: not at all."""

    targets: tuple[Target, ...]
    affinity_s: int = 0


class Balancer:
    """Chooses targets: in turn, or the client's last one."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._turn = 0
        self._last: dict[str, tuple[Target, float]] = {}  # client address -> target, when

    def order(self, client: str) -> list[Target]:
        """All targets, the one to try first in front."""
        targets = self.rule.targets
        self._turn += 1
        start = self._turn % len(targets) if targets else 0
        ordered = [*targets[start:], *targets[:start]]
        last = self._last.get(client)
        if self.rule.affinity_s and last and last[0] in ordered and clock.now_s() - last[1] < self.rule.affinity_s:
            ordered.remove(last[0])
            ordered.insert(0, last[0])
        return ordered

    def chose(self, client: str, target: Target) -> None:
        """Remember what a client got."""
        if self.rule.affinity_s:
            self._last[client] = (target, clock.now_s())


class Half(asyncio.Protocol):
    """One side of a forwarded connection; what it reads its peer writes."""

    peer: Half
    transport: asyncio.Transport

    def __init__(self, finished: Callable[[Half], None]) -> None:
        self._finished = finished
        self._read_all = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.peer.transport.write(data)

    def eof_received(self) -> bool:
        self._read_all = True
        if self.peer._read_all:
            self.transport.close()
            self.peer.transport.close()
        elif not self.peer.lost:
            self.peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._finished(self)
        if self.peer.lost:
            return
        if error is None:
            self.peer.transport.close()
        else:
            self.peer.reset()

    def reset(self) -> None:
        """End this side with a reset, as its peer's side ended."""
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()


class Listener:
    """An open port whose connections are forwarded by its balancer's rule, which may be replaced at any time."""

    def __init__(self, address: str, port: int, rule: Rule) -> None:
        """Open the port. Raises OSError."""
        self.balancer = Balancer(rule)
        self._loop = asyncio.get_running_loop()
        self._halves: set[Half] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((address, port))
            self._socket.listen(BACKLOG)
        except OSError:
            self._socket.close()
            raise
        self._resume()

    def close(self) -> None:
        """Refuse new connections from now on; established ones go on."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    @property
    def busy(self) -> bool:
        """Whether connections are open."""
        return bool(self._halves or self._tasks)

    def abort(self) -> None:
        """Close, and end every connection."""
        self.close()
        for task in self._tasks:
            task.cancel()
        for half in list(self._halves):
            half.transport.abort()

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                client, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._loop.remove_reader(self._socket.fileno())
                    self._loop.call_later(OUT_OF_DESCRIPTORS_PAUSE_S, self._resume)
                return
            client.setblocking(False)
            task = self._loop.create_task(self._serve(client, address[0]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket, address: str) -> None:
        """Connect to a target and join both sides; with no target left the client is reset."""
        target = await self._connect(address)
        if target is None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            return
        front, back = Half(self._halves.discard), Half(self._halves.discard)
        front.peer, back.peer = back, front
        await self._loop.connect_accepted_socket(lambda: front, client)
        # there is nobody to write to yet; not in connection_made: before Python 3.11.6 reading began in spite of it
        front.transport.pause_reading()
        await self._loop.connect_accepted_socket(lambda: back, target)
        self._halves |= {front, back} if not back.lost else set()
        front.transport.resume_reading()

    async def _connect(self, client: str) -> socket.socket | None:
        for target in self.balancer.order(client):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                await self._loop.sock_connect(sock, target)
            except OSError:
                sock.close()
                continue
            except asyncio.CancelledError:
                sock.close()
                raise
            self.balancer.chose(client, target)
            return sock
        return None
