"""Running a command in a container and waiting for its end (subprotocol v4.channel.k8s.io, binary messages)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from bluegreen.clock import Deadline
from bluegreen.kube.client import Kube
from bluegreen.kube.errors import KubeError, Unreachable
from bluegreen.kube.kinds import RESOURCES

_OUTPUT = (1, 2)  # the channels of standard output and standard error
_END = 3  # the channel on which a Status object says how the command ended
_LARGEST = 64 * 1024  # bytes of output that are kept; a choice


@dataclass(frozen=True)
class Executed:
    """How a command ended: its exit code, and what it printed on both streams."""

    code: int
    output: str


def execute(kube: Kube, pod: str, container: str, command: list[str], timeout_s: float) -> Executed:
    """Run a command in a container of a pod of ``kube``'s namespace; needs ``get`` and ``create`` on pods/exec.

    Raises ``KubeError`` when it could not be started, and ``Unreachable`` when its end is not heard in time.
    """
    what = f"run {command[0]} in pod {pod}"
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in command]
    path = RESOURCES["Pod"].path(kube.namespace, pod, "exec")
    socket = kube.transport.websocket(path, query, what)
    try:
        return _until_end(socket, what, Deadline(timeout_s))
    finally:
        socket.shutdown()


def _until_end(socket: Any, what: str, deadline: Deadline) -> Executed:
    from websocket import ABNF, WebSocketException

    output = b""
    try:
        while not deadline.expired:
            socket.settimeout(deadline.remaining_s)
            opcode, data = socket.recv_data()
            if opcode == ABNF.OPCODE_CLOSE:
                break
            if data and data[0] in _OUTPUT:
                output = (output + data[1:])[:_LARGEST]
            elif data and data[0] == _END:
                return Executed(_exit_code(orjson.loads(data[1:]), what), output.decode("utf-8", "replace"))
    except (OSError, WebSocketException) as problem:
        raise Unreachable(f"Cannot {what}: {str(problem) or type(problem).__name__}.") from None
    raise Unreachable(f"Cannot {what}: its end was not heard of within {deadline.seconds:.0f} s.")


def _exit_code(status: dict[str, Any], what: str) -> int:
    """The exit code in the Status object that ends an exec."""
    if status.get("status") == "Success":
        return 0
    causes = (status.get("details") or {}).get("causes") or []
    codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
    if not codes:
        raise KubeError(f"Cannot {what}: {status.get('message', 'no reason was given')}.")
    return codes[0]
