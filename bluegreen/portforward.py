"""Port-forwards through the API server: a listener on 127.0.0.1 whose connections end at a ready pod.

The last way to reach an application: it works wherever the API does, but every byte passes the API server, so there is
a limit to the load that it carries. Each connection gets a websocket of its own to a pod that is ready at that moment,
so a forward outlives the pods; which ones are ready is watched, and a connection costs the API nothing else. It lives
in threads of this process and ends with it: nothing is left to hold a port.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import threading
from dataclasses import dataclass
from typing import Any

from bluegreen import clock
from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError, TimeoutExpiredError
from bluegreen.kube import Kube, KubeError, NotFound, Unreachable
from bluegreen.kube.kinds import RESOURCES
from bluegreen.kube.retry import RetryPolicy

CHUNK = 65_536
DATA = b"\0"
"""The channel that carries data."""

CLOSE_S = 1.0
"""A choice: how long the other end may take to say goodbye."""

BACKLOG = 128

CARRIES_RPS = 300.0
"""Requests a second that a load test may send through a forward. Measured by `python -m tests.bench forward`: on two
idle cores 95 of 100 took some milliseconds longer than without one at 600 a second, and 50 ms at 900; on two busy ones
14 ms at 300, and 90 ms at 600. The smaller one, for a real API server is further away."""

CARRIES_NEW_RPS = 50.0
"""The same where the application closes each connection: 60 to 130 can be opened in a second."""

CARRIES_CONNECTIONS = 200
"""Connections at once. A choice: each takes two descriptors here, of which a process may often have 1,024."""

ONCE = RetryPolicy(attempts=1)
"""A pod that cannot be connected to is not tried again before the other ones."""

LOOK_AGAIN_S = 300.0
"""A choice: how long a Service's ports are taken as known."""

FIRST_LOOK_S = 10.0
"""A choice: how long a connection waits until it is known which pods are ready."""


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
        self._watched: dict[Forward, ReadyPods] = {}

    def open(self, forward: Forward) -> tuple[str, int]:
        """The local address of a forward, listening from now on."""
        if forward not in self._open:
            listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
            self._open[forward] = listener
            if forward.service:
                self._watched[forward] = ReadyPods(self._kube, forward)
                self._watched[forward].start()
            threading.Thread(target=self._accept, args=(listener, forward), daemon=True, name="port-forward").start()
        host, port = self._open[forward].getsockname()
        return str(host), int(port)

    def close(self) -> None:
        """Stop listening; connections that are open end by themselves."""
        for listener in self._open.values():
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        for watched in self._watched.values():
            watched.stop()
        self._open.clear()
        self._watched.clear()

    def _accept(self, listener: socket.socket, forward: Forward) -> None:
        pods = self._watched.get(forward)
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client, forward, pods), daemon=True, name="port-forward").start()

    def _serve(self, client: socket.socket, forward: Forward, pods: ReadyPods | None) -> None:
        """One connection; one that finds no pod is closed, as by a Service without endpoints."""
        with client:
            try:
                remote = self._reached(pods) if pods else self._connect(forward.pod, forward.port)
            except (HarnessError, OSError):
                return
            try:
                relay(client, remote)
            finally:
                with contextlib.suppress(Exception):  # whatever is left of a connection that has ended
                    remote.close(timeout=CLOSE_S)
                remote.shutdown()  # close() leaves the socket open when the other end has said goodbye first

    def _reached(self, pods: ReadyPods) -> Any:
        """A connection to one of the ready pods: one that has just gone, or does not answer, is passed over."""
        policy, started_s, failures = self._kube.transport.policy, clock.now_s(), 0
        while True:
            ready = pods.in_turn()
            problem: KubeError = Unreachable("The Service has no ready pod.")
            for pod, port in ready:
                try:
                    return self._connect(pod, port, ONCE)
                except (Unreachable, NotFound) as error:
                    problem = error
            failures += 1
            pause_s = policy.pause_s(failures)
            if not ready or policy.over(failures, clock.now_s() - started_s, pause_s):
                raise problem
            clock.sleep_s(pause_s)

    def _connect(self, pod: str, port: int, policy: RetryPolicy | None = None) -> Any:
        """A websocket whose other end is a port of a pod."""
        path = RESOURCES["Pod"].path(self._kube.namespace, pod, "portforward")
        what = f"forward to port {port} of pod {pod}"
        return self._kube.transport.websocket(path, [("ports", str(port))], what, repeatable=True, policy=policy)


class ReadyPods(threading.Thread):
    """Watches which pods of a Service are ready, and at which number its port answers there."""

    def __init__(self, kube: Kube, forward: Forward) -> None:
        super().__init__(name="port-forward-pods", daemon=True)
        self._kube, self._forward = kube, forward
        self._pods: list[tuple[str, int]] = []
        self._known, self._stopped = threading.Event(), threading.Event()
        self._turn = itertools.count()

    def in_turn(self) -> list[tuple[str, int]]:
        """Each ready pod's name and port number; another one first each time."""
        self._known.wait(FIRST_LOOK_S)
        pods = self._pods
        first = next(self._turn) % max(1, len(pods))
        return pods[first:] + pods[:first]

    def stop(self) -> None:
        """End the watch, and wait for it shortly."""
        self._stopped.set()
        self.join(CLOSE_S)

    def run(self) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                self._watch()
            except TimeoutExpiredError:  # time to look at the Service again
                failures = 0
            except HarnessError:  # what is known stays: a pod that is gone meanwhile is passed over
                failures += 1
                self._known.set()  # that nothing can be known: connections are closed, and do not wait
                self._stopped.wait(self._kube.transport.policy.pause_s(failures))
            except _StoppedError:
                return

    def _watch(self) -> None:
        service = self._kube.get("Service", self._forward.service) or {"spec": {}}
        ports = service["spec"].get("ports") or []
        name = next((port.get("name") for port in ports if port["port"] == self._forward.port), None)

        def look(slices: list[dict[str, Any]]) -> None:
            self._pods = ready_pods(slices, name)
            self._known.set()

        self._kube.wait(
            "EndpointSlice",
            look,
            labels=f"kubernetes.io/service-name={self._forward.service}",
            deadline=Deadline(LOOK_AGAIN_S),
            awaited="nothing",
            on_tick=self._tick,
        )

    def _tick(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError


class _StoppedError(Exception):
    """Nobody wants to know any more."""


def too_much(rate_rps: float, connections: int, *, kept: bool = True) -> str:
    """Why a load is more than a forward carries, in words; '' when it is not. ``kept``: connections stay open. Pure."""
    limit_rps = CARRIES_RPS if kept else CARRIES_NEW_RPS
    if rate_rps > limit_rps:
        what = "requests/s" if kept else "new connections/s"
        return f"{rate_rps:g} {what} are more than the {limit_rps:g} that a port-forward carries"
    if connections > CARRIES_CONNECTIONS:
        return f"{connections} connections are more than the {CARRIES_CONNECTIONS} that a port-forward carries"
    return ""


def ready_pods(slices: list[dict[str, Any]], port_name: str | None) -> list[tuple[str, int]]:
    """The name of each ready pod in EndpointSlices, and the number of its port of this name. Pure."""
    return [
        (str(endpoint["targetRef"]["name"]), int(port["port"]))
        for one in slices
        for port in one.get("ports") or []
        if (port.get("name") or None) == (port_name or None)
        for endpoint in one.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready", True) and endpoint.get("targetRef")
    ]


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
    looked = select.poll()  # select() takes no descriptor above 1,023, and each connection has two
    for one in (client, remote.sock):
        looked.register(one, select.POLLIN)
    numbers = {number for number, _ in looked.poll()}
    return [one for one in (client, remote) if one.fileno() in numbers]
