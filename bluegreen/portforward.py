"""Port-forwards through the API server: a listener on 127.0.0.1 whose connections end at a ready pod.

The last way to reach an application: it works wherever the API does, but every byte passes the API server, so it is
no way for load. Each connection gets a websocket of its own to a pod that is ready at that moment, so a forward
outlives the pods. It lives in threads of this process and ends with it: nothing is left to hold a port.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import threading
from dataclasses import dataclass
from typing import Any

from bluegreen.errors import HarnessError
from bluegreen.kube import Kube, Unreachable
from bluegreen.kube.kinds import RESOURCES

CHUNK = 65_536
DATA = b"\0"
"""The channel that carries data."""

CLOSE_S = 1.0
"""A choice: how long the other end may take to say goodbye."""

BACKLOG = 128


@dataclass(frozen=True)
class Forward:
    """Where a forward ends: at one pod, or at the ready pods of a Service in turn. ``port`` is theirs by number."""

    port: int
    pod: str = ""
    service: str = ""


class Forwards:
    """The port-forwards of one ``Access``: each is opened once and closed with it."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._open: dict[Forward, socket.socket] = {}
        self._turn = itertools.count()

    def open(self, forward: Forward) -> tuple[str, int]:
        """The local address of a forward, listening from now on."""
        if forward not in self._open:
            listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
            self._open[forward] = listener
            threading.Thread(target=self._accept, args=(listener, forward), daemon=True, name="port-forward").start()
        host, port = self._open[forward].getsockname()
        return str(host), int(port)

    def close(self) -> None:
        """Stop listening; connections that are open end by themselves."""
        for listener in self._open.values():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        self._open.clear()

    def _accept(self, listener: socket.socket, forward: Forward) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client, forward), daemon=True, name="port-forward").start()

    def _serve(self, client: socket.socket, forward: Forward) -> None:
        """One connection; one that finds no pod is closed, as by a Service without endpoints."""
        with client:
            try:
                pod, port = (forward.pod, forward.port) if forward.pod else self._ready_pod(forward)
                remote = self._connect(pod, port)
            except (HarnessError, OSError):
                return
            try:
                relay(client, remote)
            finally:
                with contextlib.suppress(Exception):  # whatever is left of a connection that has ended
                    remote.close(timeout=CLOSE_S)
                remote.shutdown()  # close() leaves the socket open when the other end has said goodbye first

    def _ready_pod(self, forward: Forward) -> tuple[str, int]:
        slices = self._kube.list("EndpointSlice", labels=f"kubernetes.io/service-name={forward.service}")
        service = self._kube.get("Service", forward.service) or {"spec": {}}
        name = next((p.get("name") for p in service["spec"].get("ports") or [] if p["port"] == forward.port), None)
        ready = [
            (str(endpoint["targetRef"]["name"]), int(port["port"]))
            for one in slices
            for port in one.get("ports") or []
            if port.get("name") == name
            for endpoint in one.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready") and endpoint.get("targetRef")
        ]
        if not ready:
            raise Unreachable(f"Service {forward.service} has no ready pod.")
        return ready[next(self._turn) % len(ready)]

    def _connect(self, pod: str, port: int) -> Any:
        """A websocket whose other end is a port of a pod."""
        path = RESOURCES["Pod"].path(self._kube.namespace, pod, "portforward")
        what = f"forward to port {port} of pod {pod}"
        return self._kube.transport.websocket(path, [("ports", str(port))], what, repeatable=True)


def relay(client: socket.socket, remote: Any) -> None:
    """Pass bytes on in both directions until either side ends (the protocol: v4.channel.k8s.io, binary messages).

    A message begins with its channel. On each of the two channels of a port the first message is the port's number;
    then data comes on the even one, and on the odd one why there is no connection. One thread does both directions:
    Python's TLS connections are not made for two.
    """
    from websocket import ABNF, WebSocketException

    greeted: set[int] = set()
    with contextlib.suppress(OSError, WebSocketException):
        while True:
            for source in _readable(client, remote):
                if source is client:
                    data = client.recv(CHUNK)
                    if not data:
                        return
                    remote.send_binary(DATA + data)
                    continue
                opcode, frame = remote.recv_data_frame(True)
                if opcode == ABNF.OPCODE_CLOSE:
                    return
                if opcode != ABNF.OPCODE_BINARY or not frame.data:
                    continue
                channel = frame.data[0]
                if channel not in greeted:
                    greeted.add(channel)
                elif channel == DATA[0]:
                    client.sendall(frame.data[1:])
                else:
                    return


def _readable(client: socket.socket, remote: Any) -> list[Any]:
    """Whichever side has something to read; waits for it. TLS may hold bytes that its socket no longer shows."""
    pending = getattr(remote.sock, "pending", None)
    if pending is not None and pending():
        return [remote]
    readable, _, _ = select.select([client, remote.sock], [], [])
    return [client if one is client else remote for one in readable]
