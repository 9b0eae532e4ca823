"""exec, attach and port-forward over WebSocket channels, message by message, against a pod that runs."""

from __future__ import annotations

import json
import re
import ssl
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import copy
from typing import Any

import httpx
import pytest
from websocket import WebSocket, WebSocketBadStatusException

from bluegreen import clock
from bluegreen.localkube import Cluster

SPEAKER = "test/speaker:v1"
# listens on the pod's address, answers in capitals, and says on standard output how often it was asked
PROGRAM = """
import os, socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        print("heard", line.decode().strip(), flush=True)
        self.wfile.write(line.upper())
socketserver.ThreadingTCPServer.allow_reuse_address = True
server = socketserver.ThreadingTCPServer((os.environ["POD_IP"], 7000), Answer)
print("listening", flush=True)
server.serve_forever()
"""


class Pod:
    """A running pod and a way to its subresources."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.path = f"/api/v1/namespaces/{namespace}/pods/one"
        self._cluster = cluster
        self._tls = ssl.create_default_context(cafile=str(cluster.authority))
        self.headers = {"Authorization": f"Bearer {cluster.token}"}
        self.client = httpx.Client(base_url=cluster.server, headers=self.headers, verify=self._tls, timeout=10)

    def talk(self, query: str, use: Callable[[WebSocket], Any], *protocols: str) -> Any:
        """Open a WebSocket to ``exec?...`` or the like and use it."""
        url = f"{self._cluster.server}{self.path}/{query}".replace("https:", "wss:")
        socket = WebSocket(sslopt={"context": self._tls})
        socket.settimeout(10)
        with ExitStack() as stack:
            socket.connect(url, header=self.headers, subprotocols=protocols or ("v5.channel.k8s.io",))
            stack.enter_context(socket.sock)  # the library lets go of it without closing it when the server ends first
            stack.callback(socket.close)
            return use(socket)


@pytest.fixture(scope="module")
def pod(cluster: Cluster) -> Iterator[Pod]:
    cluster.add_image(SPEAKER, [sys.executable, "-c", PROGRAM])
    namespace = f"streams-{uuid.uuid4().hex[:6]}"
    made = Pod(cluster, namespace)
    made.client.post("/api/v1/namespaces", json={"metadata": {"name": namespace}})
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
    _until(lambda: made.client.get(account).status_code == 200)
    spec = {"containers": [{"name": "c", "image": SPEAKER}], "terminationGracePeriodSeconds": 0}
    made.client.post(made.path.rpartition("/")[0], json={"metadata": {"name": "one"}, "spec": spec})
    _until(lambda: "listening" in made.client.get(f"{made.path}/log").text)
    yield made
    made.client.delete(f"/api/v1/namespaces/{namespace}")
    made.client.close()


def _until(holds: Callable[[], bool]) -> None:
    deadline = clock.Deadline(20)
    while not holds():
        assert not deadline.expired


def collected(socket: WebSocket) -> dict[int, bytes]:
    """Everything until the server closes, by channel."""
    found: dict[int, bytes] = {}
    while data := socket.recv():
        found[data[0]] = found.get(data[0], b"") + data[1:]
    return found


def shell(script: str, **query: str) -> str:
    params = httpx.QueryParams([("command", "sh"), ("command", "-c"), ("command", script), *query.items()])
    return f"exec?stdout=1&stderr=1&{params}"


def test_a_program_speaks_on_its_channels(pod: Pod) -> None:
    said = pod.talk(shell("echo out; echo err >&2"), collected)
    assert (said[1], said[2]) == (b"out\n", b"err\n")
    assert json.loads(said[3]) == {"metadata": {}, "status": "Success"}


def test_an_exit_code_is_told(pod: Pod) -> None:
    status = json.loads(pod.talk(shell("exit 3"), collected)[3])
    assert (status["reason"], status["details"]["causes"]) == (
        "NonZeroExitCode", [{"reason": "ExitCode", "message": "3"}],
    )  # fmt: skip
    assert status["message"] == "command terminated with non-zero exit code: command terminated with exit code 3"
    status = json.loads(pod.talk(shell("exit 3"), collected, "v4.channel.k8s.io")[3])
    assert status["message"] == "command terminated with non-zero exit code: exit status 3"


def test_input_is_passed_on_and_ended(pod: Pod) -> None:
    def use(socket: WebSocket) -> dict[int, bytes]:
        assert socket.subprotocol == "v5.channel.k8s.io"
        socket.send_binary(b"\x00one ")
        socket.send_binary(b"\x00two")
        socket.send_binary(b"\xff\x00")
        return collected(socket)

    assert pod.talk(shell("cat", stdin="1"), use)[1] == b"one two"


def test_a_terminal_knows_its_size(pod: Pod) -> None:
    def use(socket: WebSocket) -> dict[int, bytes]:
        socket.send_binary(b"\x04" + json.dumps({"Width": 99, "Height": 33}).encode())
        socket.send_binary(b"\x04not a size")
        socket.send_binary(b"\x00\n")
        return collected(socket)

    said = pod.talk(shell("read line; stty size", stdin="1", tty="1"), use, "v4.channel.k8s.io")
    assert b"33 99" in said[1]


def test_only_what_was_asked_for_is_sent(pod: Pod) -> None:
    query = shell("echo out; echo err >&2").replace("stderr=1", "stderr=0")
    assert sorted(pod.talk(query, collected)) == [1, 3]


def test_a_client_that_goes_takes_its_program_along(pod: Pod) -> None:
    mark = uuid.uuid4().hex

    def use(socket: WebSocket) -> None:
        assert socket.recv() == b"\x01here\n"

    pod.talk(shell(f"echo here; sleep 600; : {mark}"), use)
    others = shell(f"grep -lz {mark} /proc/[0-9]*/cmdline | grep -v self | wc -l")
    # the count is of the asking shell itself and its grep
    _until(lambda: int(pod.talk(others, collected)[1]) <= 2)


@pytest.mark.parametrize(
    ("path", "code"),
    [("exec?command=true", 400), ("attach?stdout=1", 400), ("portforward?ports=7000", 400), ("exec", 400)],
)
def test_without_an_upgrade_there_is_no_stream(pod: Pod, path: str, code: int) -> None:
    assert pod.client.get(f"{pod.path}/{path}").status_code == code


@pytest.mark.parametrize(
    "query", ["exec", "exec?command=true&container=nope", "attach?container=nope", "portforward?ports=x", "portforward"]
)
def test_what_cannot_be_streamed_is_refused_before(pod: Pod, query: str) -> None:
    with pytest.raises(WebSocketBadStatusException) as refused:
        pod.talk(query, collected)
    assert refused.value.status_code == 400


INTERNAL = "Internal error occurred: "


# containerd's words, through the kubelet's streaming server, and with v5 through the API server's translation as well
@pytest.mark.parametrize(("protocol", "around"), [("v4.channel.k8s.io", ""), ("v5.channel.k8s.io", INTERNAL)])
def test_a_program_that_is_not_there_is_told(pod: Pod, protocol: str, around: str) -> None:
    status = json.loads(pod.talk("exec?stdout=1&command=no-such-program", collected, protocol)[3])
    assert (status["code"], status["reason"]) == (500, "InternalError")
    words = re.sub(r'"[0-9a-f]{64}"', '"ID"', status["message"])
    assert words == (
        f"{around}{INTERNAL}error executing command in container: failed to exec in container: failed to start "
        'exec "ID": OCI runtime exec failed: exec failed: unable to start container process: exec: '
        '"no-such-program": executable file not found in $PATH: unknown'
    )
    (cause,) = status["details"]["causes"]
    assert f"{INTERNAL}{cause['message']}" == status["message"]


def test_a_container_that_does_not_run_is_not_connected_to(pod: Pod) -> None:
    pods = pod.path.rpartition("/")[0]
    waiting = copy(pod)
    waiting.path = f"{pods}/waits"
    spec = {"containers": [{"name": "c", "image": "test/none:v1"}]}
    pod.client.post(pods, json={"metadata": {"name": "waits"}, "spec": spec})
    _until(lambda: "ErrImagePull" in pod.client.get(waiting.path).text)
    for query, why in (
        ("exec?command=true", 'container not found ("c")'),
        ("attach?stdout=1", "container c not found in pod waits_"),
    ):
        status = json.loads(waiting.talk(query, collected, "v5.channel.k8s.io")[3])
        assert status["message"].startswith(f"{INTERNAL}unable to upgrade connection: {why}")
        with pytest.raises(WebSocketBadStatusException, match="500") as refused:
            waiting.talk(query, collected, "v4.channel.k8s.io")
        assert why in str(refused.value)


def test_a_port_is_two_channels(pod: Pod) -> None:
    def use(socket: WebSocket) -> list[bytes]:
        opened = [socket.recv() for _ in range(4)]
        assert opened == [bytes([each]) + port.to_bytes(2, "little") for each, port in
                          ((0, 7000), (1, 7000), (2, 7001), (3, 7001))]  # fmt: skip
        socket.send_binary(b"\x00hello\n")
        return [socket.recv() for _ in range(2)]

    heard = sorted(pod.talk("portforward?ports=7000,7001", use, "v4.channel.k8s.io"))
    assert heard[0] == b"\x00HELLO\n"
    assert heard[1].startswith(b"\x03error forwarding port 7001")


def test_attached_one_hears_what_is_said_from_now_on(pod: Pod) -> None:
    def use(socket: WebSocket) -> bytes:
        text = b""
        word = uuid.uuid4().hex
        while word.encode() not in text:
            say = (
                "import os, socket; s = socket.create_connection((os.environ['POD_IP'], 7000));"
                f" s.sendall(b'{word}\\n'); s.recv(99)"
            )
            params = httpx.QueryParams([("command", sys.executable), ("command", "-c"), ("command", say)])
            pod.talk(f"exec?stdout=1&{params}", collected)
            text += socket.recv()
        return text

    said = pod.talk("attach?stdout=1", use)
    assert b"heard" in said
    assert b"listening" not in said
