"""The API server: HTTPS on loopback, a bearer token for everything, one handler that splits paths itself.

A request goes: Host header, token, path, permission, verb. Every refusal is a Kubernetes Status; what goes wrong
here besides is logged and answered with 500.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from bluegreen.localkube import audit, discovery, openapi
from bluegreen.localkube.authority import Authority, unauthorized
from bluegreen.localkube.escalation import REQUESTER, EscalationGuard
from bluegreen.localkube.fault_board import Board
from bluegreen.localkube.http import answers, bodies, disturbed, impersonation, objects, options, paths
from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.http.connections import Connection, Connections
from bluegreen.localkube.http.measured import MEASURED
from bluegreen.localkube.http.paths import Target, unknown_resource
from bluegreen.localkube.http.subresources import SUBRESOURCES
from bluegreen.localkube.rbac import Attributes, User
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError, bad_request, forbidden
from bluegreen.localkube.strikes import NONE, Strike

if TYPE_CHECKING:
    from bluegreen.localkube.http.pods import PodDoor
    from bluegreen.localkube.resource_metrics import ResourceMetrics

_LOG = logging.getLogger(__name__)
_LONG = frozenset(["attach", "exec", "log", "portforward", "proxy"])
_HEALTH, _CHECKS = frozenset(["healthz", "readyz", "livez"]), ("ping", "log", "etcd")
_NAMES = frozenset(
    ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
)
_TOO_DEEP = "Recursion limit reached"  # what orjson says
_KEEP_ALIVE_S = 3600.0  # a choice: clients keep connections between the steps of a release
_END_S = 0.2  # how long open requests may go on once the server ends; watches end at once
_EVENT_SWEEP_S = 60.0  # how often events that are too old are looked for


class ApiServer:
    """Serves a registry. ``sock``: a listening socket to use instead of opening one."""

    def __init__(
        self,
        registry: Registry,
        authority: Authority,
        pods: PodDoor | None,
        tls: ssl.SSLContext,
        *,
        sock: socket.socket | None = None,
        metrics: ResourceMetrics | None = None,
        faults: Board | None = None,
        audit_log: audit.AuditLog | None = None,
    ) -> None:
        self._metrics, self._audit_log = metrics, audit_log
        self._faults = faults or Board(registry.store)
        self._registry, self._authority, self._pods, self._tls = registry, authority, pods, tls
        registry.admission.append(EscalationGuard(authority))
        self._sock, self._kinds = sock, registry.store.kinds
        self._paths = paths.Parser(self._kinds)
        self._runner: web.ServerRunner | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._streams: set[asyncio.Task[object]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; gives the port."""
        server = Connections(
            self._handle, request_factory=_make_request, access_log=None, handler_cancellation=True,
            keepalive_timeout=_KEEP_ALIVE_S, tcp_keepalive=True,
        )  # fmt: skip
        self._runner = web.ServerRunner(server, shutdown_timeout=_END_S)
        await self._runner.setup()
        sock = self._sock or socket.create_server((host, port))
        await web.SockSite(self._runner, sock, ssl_context=self._tls).start()
        self._sweeper = asyncio.create_task(self._sweep_events())
        return int(sock.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening; end what is still being answered."""
        if self._sweeper:
            self._sweeper.cancel()
        self._faults.close()
        for stream in self._streams:
            stream.cancel()
        if self._runner:
            await self._runner.cleanup()

    async def _sweep_events(self) -> None:
        while True:
            await asyncio.sleep(_EVENT_SWEEP_S)
            self._registry.expire_events()

    # -- a request -------------------------------------------------------------
    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._audit_log is None:
            return await self._answered(request)
        with self._audit_log.request(request) as noted:
            response = await self._answered(request)
            noted.status = response.status
            return response

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return answers.refusal(error)
        except impersonation.WithoutUserError as error:
            # kube-apiserver answers 500 in plain text; what a client got wrong is no error of this server's.
            return answers.refusal(bad_request(str(error)))
        except ConnectionError:
            raise
        except Exception as error:
            if isinstance(error, RecursionError) or _TOO_DEEP in str(error):
                return answers.refusal(bad_request("the object is nested too deeply: exceeded max depth"))
            _LOG.exception("%s %s", request.method, request.path)
            return answers.refusal(ApiError(500, "InternalError", f"Internal error occurred: {error}", {}))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        _check_host(request.headers.get("Host", ""))
        path, _, text = paths.clean(request.raw_path).partition("?")
        if path == "/version" and request.method == "GET":
            return answers.document(discovery.version())
        if healthy := _health(path, text):
            return answers.text(healthy)
        user = self._impersonated(request, self._user(request))
        if isinstance(request.protocol, Connection):
            request.protocol.known = True
        REQUESTER.set(user)
        target = self._paths.parse(path)
        query = options.parse(text)
        if target is None and path == disturbed.PATH:
            self._require(user, Attributes(request.method.lower(), path=path))
            return await disturbed.manage(request, self._faults, query)
        if not self._faults.striking:
            return await self._answer_user(request, user, path, target, query)
        strike = self._faults.strike(disturbed.asked(request, user.name, target, query))
        serve = partial(self._answer_user, request, user, path, target, query, strike)
        return await disturbed.answer(request, target, strike, serve)

    async def _answer_user(
        self, request: web.BaseRequest, user: User, path: str, target: Target | None, query: options.Query,
        strike: Strike = NONE,
    ) -> web.StreamResponse:  # fmt: skip
        """Answer somebody whom we know."""
        if target is None:
            return self._answer_path(request, user, path)
        return await self._answer_target(request, user, target, query, strike)

    def _user(self, request: web.BaseRequest) -> User:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized()
        user = self._authority.authenticate(token.strip())
        if user is None:
            raise unauthorized()
        return user

    def _impersonated(self, request: web.BaseRequest, user: User) -> User:
        """The user this request is to be seen as (kubectl --as), if its sender may do that."""
        wanted = impersonation.asked(request)
        if wanted is None:
            return user
        for attributes in wanted.needs:
            self._require(user, attributes)
        return wanted.user

    def _require(self, user: User, asked: Attributes) -> None:
        """403 unless RBAC allows it."""
        if self._authority.allows(user, asked) is None:
            why = self._authority.refusal(user, asked)
            if asked.path:
                raise ApiError(403, "Forbidden", f"forbidden: {why}", {})
            raise forbidden(asked.resource, asked.group, asked.name, why)

    def _answer_path(self, request: web.BaseRequest, user: User, path: str) -> web.StreamResponse:
        """Discovery, OpenAPI and what is nothing at all."""
        audit.note(user, request.method.lower(), None)
        asked = self._paths.unserved(path)
        if asked is None:
            self._require(user, Attributes(request.method.lower(), path=path))
        else:
            self._require(user, asked.attributes(asked.verb(request.method, watch=False)))
        if request.method != "GET":
            return self._nothing(path)
        accept, served = request.headers.get("Accept", ""), self._kinds.served
        found = discovery.answer(path, accept, served)
        if found is not None:
            document, content_type = found
            return web.Response(body=orjson.dumps(document), headers={"Content-Type": content_type})
        described = openapi.answer(path, accept, served)
        if described is not None:
            body, content_type = described
            return web.Response(body=body, headers={"Content-Type": content_type})
        return self._nothing(path)

    def _nothing(self, path: str) -> web.StreamResponse:
        """404: of a group that is served the API says so, of everything else the server beneath it."""
        parts = path.strip("/").split("/")
        groups = {group for group, _ in self._kinds.group_versions}
        if (parts[0] == "api" and len(parts) > 1) or (parts[0] == "apis" and len(parts) > 2 and parts[1] in groups):
            raise unknown_resource()
        return answers.text("404 page not found\n", 404)

    async def _answer_target(
        self, request: web.BaseRequest, user: User, target: Target, query: options.Query, strike: Strike
    ) -> web.StreamResponse:
        watching = request.method == "GET" and "watch" in query and options.flag(query, "watch")
        verb = target.verb(request.method, watch=watching)
        audit.note(user, verb or request.method.lower(), target)
        named = _name_selected(query) if verb in ("list", "watch", "deletecollection") else ""
        self._require(user, target.attributes(verb or request.method.lower(), named))
        kind = paths.check_served(target, verb)
        form = "" if target.subresource == paths.PROXY else answers.form_of(request.headers.get("Accept", ""))
        call = Call(
            request, target, kind, verb, user, query, form, self._registry, self._authority, self._pods, self._metrics,
            strike, self._faults,
        )  # fmt: skip
        handler = SUBRESOURCES.get((kind.key, target.subresource)) or MEASURED.get((kind.key, verb))
        handler = handler or objects.VERBS[verb]
        if verb != "watch" and target.subresource not in _LONG:
            return await handler(call)
        return await self._stream(handler, call)

    async def _stream(self, handler: objects.Handler, call: Call) -> web.StreamResponse:
        """A request that goes on for long: it ends with the server."""
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        audit.begun(call.request)
        try:
            return await handler(call)
        finally:
            self._streams.discard(task)


def _make_request(message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
    return web.BaseRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=bodies.LARGEST
    )


def _health(path: str, query: str) -> str:
    """What a health check's path answers with; "" for all others. Each check may be asked for alone."""
    endpoint, _, check = path.removeprefix("/").partition("/")
    if endpoint not in _HEALTH or check not in ("", *_CHECKS):
        return ""
    if check or "verbose" not in options.parse(query):
        return "ok"
    return "".join(f"[+]{each} ok\n" for each in _CHECKS) + f"{endpoint} check passed\n"


def _name_selected(query: options.Query) -> str:
    """The one object a list is about, as far as permissions go."""
    for term in query.get("fieldSelector", "").split(","):
        if term.startswith("metadata.name=") and not term.startswith("metadata.name=="):
            return term.removeprefix("metadata.name=")
    return ""


@lru_cache(maxsize=64)
def _check_host(host: str) -> None:
    """403 for a name that is not this cluster's: a web page may point its own name at loopback."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    known = name in _NAMES
    with contextlib.suppress(ValueError):
        known = known or ipaddress.ip_address(name.strip("[]")).is_loopback
    if not known:
        raise ApiError(403, "Forbidden", f'forbidden: the host "{name}" is not this cluster', {})
