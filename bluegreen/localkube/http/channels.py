"""exec, attach and port-forward over WebSockets: messages whose first byte says which stream they belong to.

The subprotocols are Kubernetes' v4.channel.k8s.io and v5.channel.k8s.io (which adds the end of an input stream).
kubectl's port-forward tunnels SPDY through a WebSocket (see ``spdy``); older clients upgrade to SPDY itself
(see ``spdy_upgrade``).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine
from typing import Any
from urllib.parse import parse_qs

import orjson
from aiohttp import WSMsgType, web

from bluegreen.localkube.http import options, spdy, spdy_upgrade
from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.http.pods import Program, Streams, door
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.kubelet.handlers import exec_refusal
from bluegreen.localkube.kubelet.launch import StartError
from bluegreen.localkube.kubelet.streams import NotStreamedError
from bluegreen.localkube.status import ApiError, bad_request

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
SPDY_PROTOCOLS = ("v4.channel.k8s.io",)
Socket = web.WebSocketResponse | spdy_upgrade.Channels
_SUCCESS: Obj = {"metadata": {}, "status": "Success"}
_CHUNK = 64 * 1024
_LARGEST = 64 * 1024 * 1024  # bytes of one message: clients may send a whole input at once; a choice


async def exec_(call: Call) -> web.StreamResponse:
    """pods/NAME/exec: run a program in a container."""
    _require_upgrade(call)
    query = parse_qs(call.request.raw_path.partition("?")[2], keep_blank_values=True)
    command = query.get("command", [])
    if not command:
        raise bad_request("you must specify at least 1 command for the container")
    target, tty = call.target, options.flag(call.query, "tty")
    takes_input = options.flag(call.query, "stdin")
    try:
        program = door(call).exec(
            target.namespace, target.name, call.query.get("container", ""), command, stdin=takes_input, tty=tty
        )
    except NotStreamedError as error:
        return await _not_streamed(call, error)
    try:
        socket = await _conversation(call)
        await _converse(socket, program, call.query)
        await _say_end(socket, program, translated=_is_translated(call))
    finally:
        program.close()
    await socket.close()
    return _response(socket)


async def attach(call: Call) -> web.StreamResponse:
    """pods/NAME/attach: what the container's program says from now on, and its input where it has one."""
    _require_upgrade(call)
    target = call.target
    try:
        streams = await door(call).attach(
            target.namespace, target.name, call.query.get("container", ""), stdin=options.flag(call.query, "stdin")
        )
    except NotStreamedError as error:
        return await _not_streamed(call, error)
    try:
        socket = await _conversation(call)
        await _converse(socket, streams, call.query)
        await _send(socket, ERROR, orjson.dumps(_SUCCESS))
    finally:
        streams.close()
    await socket.close()
    return _response(socket)


async def portforward(call: Call) -> web.StreamResponse:
    """pods/NAME/portforward: connections to a pod's ports, tunnelled SPDY (kubectl) or two channels a port."""
    _require_upgrade(call)
    address = door(call).pod_address(call.target.namespace, call.target.name)
    if not address:
        raise bad_request(f"unable to forward port because pod is not running. Current status={_phase(call)}")
    if spdy_upgrade.is_asked_for(call.request):
        raw = spdy_upgrade.Raw(call.request)
        await raw.prepare(("portforward.k8s.io",))
        await spdy.Forwarder(raw, address).run()
        await raw.close()
        return raw.response
    if spdy.SUBPROTOCOL in _offered(call):
        socket = await _upgraded(call, (spdy.SUBPROTOCOL,))
        await spdy.Forwarder(socket, address).run()
    else:
        ports = _ports(call)
        socket = await _upgraded(call, PROTOCOLS)
        await _forward(socket, address, ports)
    await socket.close()
    return socket


# -- the handshake -----------------------------------------------------------------------------------------------
def _require_upgrade(call: Call) -> None:
    pod = call.registry.get(call.kind, call.target.namespace, call.target.name)
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {call.target.name} does not have a host assigned")
    if call.request.headers.get("Upgrade", "").lower() not in ("websocket", spdy_upgrade.NAME.lower()):
        raise bad_request("Upgrade request required")


def _offered(call: Call) -> list[str]:
    return [word.strip() for word in call.request.headers.get("Sec-WebSocket-Protocol", "").split(",")]


async def _upgraded(call: Call, protocols: tuple[str, ...]) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=protocols, autoping=True, max_msg_size=_LARGEST, compress=False)
    await socket.prepare(call.request)
    return socket


async def _conversation(call: Call) -> Socket:
    """exec's or attach's channels: over a WebSocket, or each as a stream of SPDY."""
    if not spdy_upgrade.is_asked_for(call.request):
        return await _upgraded(call, PROTOCOLS)
    raw = spdy_upgrade.Raw(call.request)
    await raw.prepare(SPDY_PROTOCOLS)
    wanted = {name for name in ("stdin", "stdout", "stderr") if options.flag(call.query, name)}
    if options.flag(call.query, "tty"):
        wanted = wanted - {"stderr"} | {"resize"}
    channels = spdy_upgrade.Channels(raw, wanted | {"error"})
    await channels.open()
    return channels


def _is_translated(call: Call) -> bool:
    """Whether a real API server would translate the client's streams for the kubelet, which speaks SPDY: those of v5.

    It tells what goes wrong then itself, on the error channel, in words around the kubelet's.
    """
    return not spdy_upgrade.is_asked_for(call.request) and PROTOCOLS[0] in _offered(call)


async def _not_streamed(call: Call, error: NotStreamedError) -> web.StreamResponse:
    """What the kubelet has nothing to connect to."""
    if not _is_translated(call):
        return web.Response(status=500, text=error.sentence)
    socket = await _conversation(call)
    await _send(socket, ERROR, orjson.dumps(_internal(f"unable to upgrade connection: {error.sentence}")))
    await socket.close()
    return _response(socket)


def _response(socket: Socket) -> web.StreamResponse:
    """What the server is told was answered."""
    return socket if isinstance(socket, web.WebSocketResponse) else socket.response


async def _send(socket: Socket, channel: int, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.send_bytes(bytes([channel]) + data)


# -- a program's streams -------------------------------------------------------------------------------------------
async def _converse(socket: Socket, program: Streams, query: options.Query) -> None:
    """Copy streams until the program has said everything, or the client has gone."""
    copies = [(STDOUT, program.stdout, "stdout"), (STDERR, program.stderr, "stderr")]
    says = [_copy(socket, channel, queue, wanted=options.flag(query, name)) for channel, queue, name in copies]
    await _until_closed(socket, asyncio.gather(*says), program)


async def _copy(socket: Socket, channel: int, queue: asyncio.Queue[bytes], *, wanted: bool) -> None:
    while data := await queue.get():
        if wanted:
            await _send(socket, channel, data)


async def _until_closed(
    socket: Socket,
    copying: Coroutine[Any, Any, Any] | asyncio.Future[Any],
    program: Streams,
) -> None:
    """Run the copying to its end, listening meanwhile; a client that goes ends it."""
    tasks = {asyncio.ensure_future(copying), asyncio.ensure_future(_listen(socket, program))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(socket: Socket, program: Streams) -> None:
    """Hand the client's messages to the program, until the client closes."""
    async for message in socket:
        data = message.data.encode() if isinstance(message.data, str) else message.data
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY) or not data:
            continue
        if data[0] == STDIN:
            await program.write(data[1:])
        elif data[0] == CLOSE and data[1:2] == bytes([STDIN]):
            program.close_input()
        elif data[0] == RESIZE:
            _resize(program, data[1:])


def _resize(program: Streams, text: bytes) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        size = orjson.loads(text)
        program.resize(int(size["Width"]), int(size["Height"]))


async def _say_end(socket: Socket, program: Program, *, translated: bool) -> None:
    """The program's exit code, on the error channel."""
    if socket.closed:
        return
    try:
        code = await program.ended
    except Exception as error:
        status = _not_executed(error)
        status = _internal(status["message"]) if translated else status
    else:
        status = _SUCCESS if code == 0 else _exit_status(code, translated=translated)
    await _send(socket, ERROR, orjson.dumps(status))


def _not_executed(error: Exception) -> Obj:
    """A program that could not be started, as the runtime and the kubelet's streaming server word it."""
    why = str(error)
    if isinstance(error, StartError):
        started = f'failed to start exec "{secrets.token_hex(32)}"'
        why = f"failed to exec in container: {started}: {exec_refusal(error)}: unknown"
    return _internal(f"error executing command in container: {why}")


def _internal(cause: str) -> Obj:
    details = {"causes": [{"message": cause}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {cause}", details).as_status()


def _exit_status(code: int, *, translated: bool) -> Obj:
    causes = [{"reason": "ExitCode", "message": str(code)}]
    words = f"command terminated with exit code {code}" if translated else f"exit status {code}"
    message = f"command terminated with non-zero exit code: {words}"
    return {
        "metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode",
        "details": {"causes": causes},
    }  # fmt: skip


# -- ports over channels -------------------------------------------------------------------------------------------
def _ports(call: Call) -> list[int]:
    query = parse_qs(call.request.raw_path.partition("?")[2])
    words = [word for text in query.get("ports", []) for word in text.split(",")]
    if not words or not all(word.isascii() and word.isdecimal() and 0 < int(word) < 65536 for word in words):
        raise bad_request('query parameter "ports" is required: one or more port numbers')
    return [int(word) for word in words]


async def _forward(socket: web.WebSocketResponse, address: str, ports: list[int]) -> None:
    """Two channels a port, data and error, each opened by a message with the port's number."""
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await _send(socket, channel, port.to_bytes(2, "little"))
    links = {
        2 * index: asyncio.ensure_future(_link(socket, 2 * index, address, port)) for index, port in enumerate(ports)
    }
    copying = asyncio.gather(*(_copy_back(socket, channel, link) for channel, link in links.items()))
    copying.add_done_callback(lambda _: asyncio.ensure_future(socket.close()))  # the pod has said everything
    try:
        async for message in socket:
            data = message.data
            if message.type != WSMsgType.BINARY or len(data) < 2 or data[0] not in links:
                continue
            if (link := await links[data[0]]) is not None:  # bytes may come before the pod's port has answered
                link[1].write(data[1:])
                await link[1].drain()
    except ConnectionError:
        pass
    finally:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
        for link in await asyncio.gather(*links.values()):
            if link is not None:
                link[1].close()


_Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _link(socket: web.WebSocketResponse, channel: int, address: str, port: int) -> _Link | None:
    """A connection to the pod's port; without one the error channel says why."""
    try:
        return await asyncio.open_connection(address, port)
    except OSError as error:
        await _send(socket, channel + 1, f"error forwarding port {port}: {error}".encode())
        return None


async def _copy_back(socket: web.WebSocketResponse, channel: int, linking: asyncio.Future[_Link | None]) -> None:
    """Send what the pod says, until it ends; an ending by a reset is one too."""
    link = await asyncio.shield(linking)
    with contextlib.suppress(ConnectionError):
        while link is not None and (data := await link[0].read(_CHUNK)):
            await _send(socket, channel, data)


def _phase(call: Call) -> str:
    pod = call.registry.get(call.kind, call.target.namespace, call.target.name)
    return str((pod.get("status") or {}).get("phase", ""))
