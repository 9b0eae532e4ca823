"""The sample's endpoints: what each path means. Comes in: a request. Goes out: an answer and what was counted."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

from bluegreen.sample import websocket
from bluegreen.sample.faults import FAULTS, now_s
from bluegreen.sample.http import Request, Response, Server, json_response
from bluegreen.sample.metrics import CONTENT_TYPE, Metrics, process_families
from bluegreen.sample.settings import SampleSettings

HEALTH = "/api/v1/health/"
ADMIN = "/api/v1/admin/"
CONVERSATIONS_LIMIT = 1000  # the oldest is forgotten, so that a load test does not fill the memory
SLOW_LIMIT_S = 60.0  # the longest that /slow, /stream and /poll can be asked to take

LASTING = {"/api/v1/poll": "long_polls", "/api/v1/stream": "streams", "/api/v1/socket": "websockets"}
"""Paths whose clients stay for long, and what such a client is called in the count of those still there."""

Endpoint = Callable[[Request], Awaitable[Response]]


class App:
    """One backend: its routes, its conversations, its metrics and its fault."""

    def __init__(self, settings: SampleSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.fault = FAULTS[settings.fault](settings.start_limit_s)
        self.http = Server(self.answer, settings.idle_s)
        self.metrics_http = Server(self.answer_metrics, settings.idle_s)
        self._conversations: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._news = asyncio.Condition()  # told of every new conversation
        self._routes: dict[str, dict[str, Endpoint]] = {
            "/": {"GET": self._root},
            "/metrics": {"GET": self._metrics},
            HEALTH + "health": {"GET": self._health},
            HEALTH + "ready": {"GET": self._ready},
            HEALTH + "live": {"GET": self._live},
            "/api/v1/capabilities": {"GET": self._capabilities},
            "/api/v1/conversations": {"GET": self._list_conversations, "POST": self._create_conversation},
            "/api/v1/chat": {"POST": self._chat},
            "/api/v1/slow": {"GET": self._slow},
            "/api/v1/stream": {"GET": self._stream},
            "/api/v1/poll": {"GET": self._poll},
            "/api/v1/socket": {"GET": self._socket},
            # GET as well: a preStop hook of kind httpGet can do nothing else
            ADMIN + "drain": {"POST": self._drain, "GET": self._drain},
            ADMIN + "connections": {"GET": self._connections},
        }

    @property
    def version(self) -> str:
        """The version this process claims."""
        return self.fault.claimed_version or self.settings.version

    async def answer(self, request: Request) -> Response:
        """Answer one request on the http port, and count it."""
        started_s = now_s()
        if is_user(request):
            self.fault.live_traffic()
        response = await self._guarded(request)
        response.headers["X-Version"] = self.version
        self._count(request, response.status, now_s() - started_s)
        return response

    async def answer_metrics(self, request: Request) -> Response:
        """Answer one request on the metrics port: /metrics, or nothing at all when deaf."""
        if self.fault.deaf_metrics_port:
            await asyncio.Event().wait()
        response = await self._metrics(request) if request.path == "/metrics" else self._error(404, "no such path")
        response.headers["X-Version"] = self.version
        return response

    async def _guarded(self, request: Request) -> Response:
        endpoints = self._routes.get(request.path)
        if endpoints is None:
            return self._error(404, f"no such path: {request.path}")
        endpoint = endpoints.get("GET" if request.method == "HEAD" else request.method)
        if endpoint is None:
            return self._error(405, f"{request.method} is not served here", Allow=", ".join(endpoints))
        if is_api(request.path) and (status := await self.fault.api()):
            return self._error(status, "internal error")
        try:
            return await endpoint(request)
        except ValueError as error:
            return self._error(400, f"bad request: {error}")

    def _count(self, request: Request, status: int, seconds: float) -> None:
        if request.path == "/metrics" or request.path.startswith(ADMIN):
            return
        # an unknown path is one label value, so that strangers cannot make the metrics grow
        endpoint = request.path if request.path in self._routes else "unknown"
        self.metrics.observe(request.method, endpoint, status, seconds)
        if status >= 400 and not request.path.startswith(HEALTH):
            self.metrics.error(status)
        if self.settings.access_log:
            entry = {"method": request.method, "path": request.path, "status": status, "ms": round(seconds * 1000, 3)}
            print(json.dumps(entry), flush=True)

    def _error(self, status: int, why: str, **headers: str) -> Response:
        return json_response({"error": why, "version": self.version}, status, **headers)

    def _says(self, status_code: int = 200, **more: Any) -> Response:
        return json_response({**more, "version": self.version}, status_code)

    async def _root(self, _: Request) -> Response:
        return self._says(service="gremlinsai-backend", status="running")

    async def _health(self, _: Request) -> Response:
        return self._says(status=self.fault.health())

    async def _ready(self, _: Request) -> Response:
        ready = self.fault.ready() and not self.http.draining
        return self._says(status="ready") if ready else self._says(503, status="not ready")

    async def _live(self, _: Request) -> Response:
        return self._says(status="alive")

    async def _capabilities(self, _: Request) -> Response:
        return self._says(capabilities=["chat", "conversations", "streaming"], models=["echo"])

    async def _list_conversations(self, _: Request) -> Response:
        newest = list(self._conversations.values())[-20:]
        return self._says(conversations=newest, total=len(self._conversations))

    async def _create_conversation(self, request: Request) -> Response:
        title = str(_document(request).get("title", "untitled"))[:200]
        conversation = {"id": uuid4().hex, "title": title}
        self._conversations[conversation["id"]] = conversation
        while len(self._conversations) > CONVERSATIONS_LIMIT:
            self._conversations.popitem(last=False)
        async with self._news:
            self._news.notify_all()
        return self._says(201, **conversation)

    async def _chat(self, request: Request) -> Response:
        message = str(_document(request).get("message", ""))
        return self._says(reply=message, words=len(message.split()))

    async def _slow(self, request: Request) -> Response:
        seconds = _seconds(request, "seconds", 2.0)
        await asyncio.sleep(seconds)
        return self._says(slept_s=seconds)

    async def _stream(self, request: Request) -> Response:
        count, interval_s = int(_seconds(request, "chunks", 20)), _seconds(request, "interval", 0.1)
        return Response(200, content_type="text/plain; charset=utf-8", stream=self._chunks(count, interval_s))

    async def _chunks(self, count: int, interval_s: float) -> AsyncIterator[bytes]:
        for number in range(1, count + 1):
            await asyncio.sleep(interval_s)
            yield f"{number} of {count} from {self.version}\n".encode()

    async def _poll(self, request: Request) -> Response:
        """A long poll: answers with the next new conversation, or with none after ``seconds``."""
        try:
            async with asyncio.timeout(_seconds(request, "seconds", 20.0)), self._news:
                await self._news.wait()
        except TimeoutError:
            return self._says(conversations=[])
        return self._says(conversations=list(self._conversations.values())[-1:])

    async def _socket(self, request: Request) -> Response:
        """A WebSocket that sends back what it is sent. When this process drains, its clients are asked to close."""
        headers = websocket.accept_headers(request.headers)
        return Response(101, headers=headers, upgrade=partial(websocket.echo, going_away=self.http.drain_begun))

    async def _drain(self, _: Request) -> Response:
        self.drain()
        return await self._connections(_)

    async def _connections(self, _: Request) -> Response:
        """Who is still connected, by kind; whoever asks this is not counted."""
        clients = clients_by_kind(self.http.paths)
        idle = clients["idle"]
        return self._says(
            draining=self.http.draining,
            open_connections=clients.total(),
            in_flight=clients.total() - idle,
            clients=clients,
        )

    async def _metrics(self, _: Request) -> Response:
        lines = process_families(self.http.open_connections, self.http.in_flight)
        if not self.fault.empty_metrics:
            lines = self.metrics.families(len(self._conversations)) + lines
        return Response(200, ("\n".join(lines) + "\n").encode(), CONTENT_TYPE)

    def drain(self) -> None:
        """Take no connection any further than its present request; see ``Server.drain``."""
        self.http.drain()
        self.metrics_http.drain()


def clients_by_kind(paths: list[str]) -> Counter[str]:
    """How many connections are idle, ask for something short, or stay for long; those of administration left out."""
    kinds = Counter({"idle": 0, "requests": 0, **dict.fromkeys(LASTING.values(), 0)})
    kinds.update(LASTING.get(path, "requests") if path else "idle" for path in paths if not path.startswith(ADMIN))
    return kinds


def is_api(path: str) -> bool:
    """Whether a path is part of the application: not health, metrics or administration."""
    return path != "/metrics" and not path.startswith((HEALTH, ADMIN))


def is_user(request: Request) -> bool:
    """Whether a request is a user's: of the application, and neither the kubelet's nor marked as a test's."""
    by_kubelet = request.headers.get("user-agent", "").startswith("kube-probe")
    return is_api(request.path) and not by_kubelet and "x-bluegreen" not in request.headers


def _document(request: Request) -> dict[str, Any]:
    document = json.loads(request.body or b"{}")  # a JSONDecodeError is a ValueError: 400
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")
    return document


def _seconds(request: Request, name: str, default: float) -> float:
    number = float(request.query.get(name, default))
    if not 0 <= number <= SLOW_LIMIT_S:
        raise ValueError(f"{name} must be between 0 and {SLOW_LIMIT_S:g}")
    return number
