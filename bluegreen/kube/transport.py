"""One HTTP exchange with a Kubernetes API, over the official client's configuration, credentials and connections.

Paths and JSON go in, JSON comes out, or a ``KubeError``. Every request has a time-out; repeating is decided by
``retry.py``. Nothing here knows what an object means.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from bluegreen import clock
from bluegreen.kube import retry
from bluegreen.kube.errors import KubeError, Unreachable, from_status

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

Obj = dict[str, Any]

JSON = "application/json"
RENEW_AT_MOST_EVERY_S = 10.0
"""A choice: credentials that are refused right after they were renewed are not accepted at all."""

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 15.0
"""Choices: three times what a busy API server takes; a dead network would otherwise hang for ever."""


class Unclear(Exception):
    """A write got no clear answer: it may have happened. Never leaves this package."""

    def __init__(self, problem: KubeError, pause_s: float) -> None:
        super().__init__(str(problem))
        self.problem, self.pause_s = problem, pause_s


@dataclass(frozen=True)
class Failure:
    """An attempt that did not bring a final answer."""

    error: KubeError
    not_done: bool
    """The request certainly had no effect."""
    retry_after_s: float = 0.0


class Transport:
    """Requests to one API server. Thread-safe: the connection pool is."""

    def __init__(
        self, client: Any, policy: retry.RetryPolicy | None = None, *, renew: Callable[[], Any] | None = None
    ) -> None:
        self._client = client
        self._renew, self._renewing, self._renewed_s = renew, threading.Lock(), clock.now_s()
        self.server: str = client.configuration.host.rstrip("/")
        self.policy = policy or retry.RetryPolicy()
        self.requests = 0
        """HTTP requests sent so far: what a release costs the API server."""
        self.warnings: list[str] = []
        """What the server warned about, each once."""

    def request(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        repeatable: bool,
    ) -> bytes:
        """Send one request, repeated as the policy allows, and return the answer's body.

        ``what`` completes "Cannot …" in an error. ``repeatable``: doing it twice does no harm; otherwise ``Unclear``
        is raised as soon as it is not known whether the request had its effect.
        """
        url = self._url(path, query)
        data = None if body is None else orjson.dumps(body)
        started_s, failures = clock.now_s(), 0
        while True:
            timeout_s = min(READ_TIMEOUT_S, max(0.1, self.policy.total_s - (clock.now_s() - started_s)))
            result = self._attempt(method, url, what, data, content_type, timeout_s)
            if isinstance(result, bytes):
                return result
            failures += 1
            pause_s = self.policy.pause_s(failures, result.retry_after_s)
            if not (repeatable or result.not_done):
                raise Unclear(result.error, pause_s)
            if self.policy.over(failures, clock.now_s() - started_s, pause_s):
                raise result.error
            clock.sleep_s(pause_s)

    def stream(self, path: str, what: str, query: Mapping[str, str], read_timeout_s: float) -> BaseHTTPResponse:
        """Open an answer that goes on (a watch) and return it unread; raises ``KubeError``. Never repeated here."""
        import urllib3

        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s)
        try:
            response = self._send("GET", self._url(path, query), None, JSON, timeout)
        except urllib3.exceptions.HTTPError as problem:
            raise self._no_answer(what, problem).error from None
        if response.status != 200:
            raise from_status(what, response.status, _json_object(response.data))
        return response

    def websocket(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        what: str,
        *,
        repeatable: bool = False,
        policy: retry.RetryPolicy | None = None,
    ) -> Any:
        """An open websocket (of websocket-client, as the official client opens it); raises ``KubeError``.

        Opening it is repeated as a request is. ``repeatable``: that begins nothing (a port-forward does not, an exec
        does). ``policy``: another than this server's usual one.
        """
        policy = policy or self.policy
        url = self._url(path, query)
        started_s, failures = clock.now_s(), 0
        while True:
            opened = self._open_websocket(url, what)
            if not isinstance(opened, Failure):
                return opened
            failures += 1
            pause_s = policy.pause_s(failures, opened.retry_after_s)
            once = not (repeatable or opened.not_done)
            if once or policy.over(failures, clock.now_s() - started_s, pause_s):
                raise opened.error
            clock.sleep_s(pause_s)

    def _open_websocket(self, url: str, what: str) -> Any:
        from kubernetes.stream.ws_client import create_websocket, get_websocket_url
        from websocket import WebSocketBadStatusException, WebSocketException, setdefaulttimeout

        headers = {"authorization": self.headers().get("Authorization", "")}
        setdefaulttimeout(READ_TIMEOUT_S)  # the official client gives it no time-out of its own
        try:
            opened = create_websocket(self._client.configuration, get_websocket_url(url), headers)
        except WebSocketBadStatusException as refusal:
            error = from_status(what, refusal.status_code, _json_object(refusal.resp_body or b""))
            if refusal.status_code == 401 and self.log_in_again():
                return Failure(Unreachable(error.sentence), not_done=True)
            if not isinstance(error, Unreachable):
                raise error from None
            after_s = retry.retry_after_s((refusal.resp_headers or {}).get("retry-after"))
            return Failure(error, refusal.status_code in retry.NOT_DONE, after_s)
        except (OSError, WebSocketException) as problem:
            said = (str(problem) or type(problem).__name__).splitlines()[0]
            return Failure(Unreachable(f"Cannot {what}: {said}."), isinstance(problem, ConnectionRefusedError))
        opened.settimeout(None)  # how long to wait for what comes is its reader's to say
        return opened

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def log_in_again(self) -> bool:
        """Read and ask for the credentials anew, after the server has refused them; False when that was just done.

        Tokens run out while a release goes on: of OIDC, of files that are rewritten, of programs that state no time.
        Raises InputError when the login fails.
        """
        if self._renew is None:
            return False
        asked_s = clock.now_s()
        with self._renewing:
            if self._renewed_s >= asked_s:  # another thread was faster
                return True
            if asked_s - self._renewed_s < RENEW_AT_MOST_EVERY_S:
                return False
            self._client = self._renew()  # the old one is left alone: other threads may be reading from it
            self._renewed_s = clock.now_s()
        return True

    def headers(self) -> dict[str, str]:
        """The headers that say who asks; refreshes credentials that have run out, as the official client does."""
        configuration = self._client.configuration
        headers = {"User-Agent": "bluegreen", "Accept": JSON}
        bearer = configuration.get_api_key_with_prefix("authorization") or configuration.get_api_key_with_prefix(
            "BearerToken"
        )
        if bearer:
            headers["Authorization"] = bearer
        elif configuration.username:
            headers["Authorization"] = configuration.get_basic_auth_token()
        return headers

    def _url(self, path: str, query: Mapping[str, str] | Sequence[tuple[str, str]] | None) -> str:
        return f"{self.server}{path}?{urlencode(query)}" if query else f"{self.server}{path}"

    def _send(self, method: str, url: str, data: bytes | None, content_type: str, timeout: Any) -> BaseHTTPResponse:
        headers = self.headers()
        if data is not None:
            headers["Content-Type"] = content_type
        response = self._once(method, url, data, headers, timeout)
        if response.status == 401 and self.log_in_again():
            response.drain_conn()
            response = self._once(method, url, data, {**headers, **self.headers()}, timeout)
        for warning in response.headers.getlist("Warning"):
            if warning not in self.warnings:
                self.warnings.append(warning)
        return response

    def _once(
        self, method: str, url: str, data: bytes | None, headers: dict[str, str], timeout: Any
    ) -> BaseHTTPResponse:
        if not self._client.configuration.verify_ssl:  # the kubeconfig says so, and Kube.notes tells; not each request
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.requests += 1
        pool, options = self._client.rest_client.pool_manager, {"preload_content": False, "retries": False}
        response: BaseHTTPResponse = pool.request(method, url, body=data, headers=headers, timeout=timeout, **options)
        return response

    def _attempt(
        self, method: str, url: str, what: str, data: bytes | None, content_type: str, timeout_s: float
    ) -> bytes | Failure:
        """One try: the body of a good answer, a ``Failure`` worth another try, or a final error raised."""
        import urllib3

        timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, timeout_s), read=timeout_s)
        try:
            response = self._send(method, url, data, content_type, timeout)
            content: bytes = response.read(decode_content=True)
            response.release_conn()
        except urllib3.exceptions.HTTPError as problem:
            return self._no_answer(what, problem)
        if 200 <= response.status < 300:
            return content
        error = from_status(what, response.status, _json_object(content))
        if isinstance(error, Unreachable):
            return Failure(error, response.status in retry.NOT_DONE, _retry_after_s(response, error))
        raise error

    def _no_answer(self, what: str, problem: Exception) -> Failure:
        """The failure of a request that brought no answer; raises at once what no repetition will mend."""
        import urllib3

        connecting = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
        error = Unreachable(f"Cannot {what}: no answer from {self.server} ({_short(problem)}).")
        if isinstance(problem, urllib3.exceptions.SSLError) and "CERTIFICATE" in str(problem).upper():
            raise Unreachable(
                f"Cannot {what}: the certificate of {self.server} is not trusted ({_short(problem)}).",
                "Check `certificate-authority` in the kubeconfig: it may be of a cluster that is gone.",
            ) from None
        return Failure(error, not_done=isinstance(problem, connecting))


def _retry_after_s(response: BaseHTTPResponse, error: KubeError) -> float:
    """The server's wish, from the header or from the Status object's details."""
    stated = (error.body.get("details") or {}).get("retryAfterSeconds")
    return max(retry.retry_after_s(response.headers.get("Retry-After")), float(stated or 0))


def _json_object(content: bytes) -> Obj:
    """A refusal's body; what is no JSON object (a proxy's page) becomes its message."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    return body if isinstance(body, dict) else {"message": content[:200].decode("utf-8", "replace").strip()}


def _short(problem: BaseException) -> str:
    """The innermost reason of an error of urllib3, without addresses of Python objects."""
    while True:
        inner = getattr(problem, "reason", None) or problem.__cause__
        if not isinstance(inner, BaseException) or inner is problem:
            break
        problem = inner
    return str(problem).rpartition(": ")[2].strip("()'\" ") or type(problem).__name__
