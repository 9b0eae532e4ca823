"""pods/NAME/proxy and services/NAME/proxy: an HTTP request handed on to a pod, and its answer handed back.

NAME may say how and where: ``[scheme:]name[:port]``. Only addresses of this cluster's pods are asked. Connections are
not upgraded, and links in pages are not rewritten.
"""

from __future__ import annotations

import random
import re
import ssl
from typing import NamedTuple

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.http.hop_by_hop import kept
from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.kubelet.handlers import connection_words
from bluegreen.localkube.status import ApiError, bad_request

_PLACE = re.compile(r"(?P<base>.*?/(?:pods|services)/[^/?]+/proxy)(?P<path>/[^?]*)?(?P<query>\?.*)?")
_SCHEMES = ("", "http", "https")
# The API's credentials are nobody else's business; a length is said anew where it is known.
_KEPT_BACK = ("authorization", "content-length", "host")
_CONNECT_S = 10.0  # a choice
_CHUNK = 64 * 1024


class Place(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    port: int


async def proxy(call: Call) -> web.StreamResponse:
    """Hand a request on. 503 where nobody stands behind the name, or nobody answers."""
    found = _PLACE.match(call.request.raw_path)
    assert found is not None, "the router knows the path"
    path, query = found["path"] or "", found["query"] or ""
    place = _of_pod(call) if call.kind.key == "Pod" else _of_service(call)
    if not path and call.request.method in ("GET", "HEAD"):
        return web.Response(status=301, headers={"Location": f"{found['base']}/{query}"})
    url = URL(f"{place.scheme}://{place.host}:{place.port}{path or '/'}{query}", encoded=True)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
    skipped = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False, skip_auto_headers=skipped) as session,
            session.request(
                call.request.method, url, headers=_sent_headers(call), data=await call.body() or None,
                allow_redirects=False, ssl=_unverified() if place.scheme == "https" else True,
            ) as answer,
        ):  # fmt: skip
            return await _handed_back(call, answer, found["base"], url)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _unavailable(f"error trying to reach service: {_why(error, place)}") from error


async def _handed_back(call: Call, answer: aiohttp.ClientResponse, base: str, url: URL) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=kept(answer.headers, _KEPT_BACK))
    if location := answer.headers.get("Location"):
        target = url.join(URL(location, encoded=True))
        own = target.host == url.host and target.port == url.port
        response.headers["Location"] = f"{base}{target.raw_path_qs}" if own else location
    if answer.headers.get("Content-Length"):
        response.content_length = int(answer.headers["Content-Length"])
    await response.prepare(call.request)
    async for piece in answer.content.iter_chunked(_CHUNK):
        await response.write(piece)
    await response.write_eof()
    return response


def _sent_headers(call: Call) -> CIMultiDict[str]:
    request = call.request
    headers = kept(request.headers, _KEPT_BACK)
    told = {"X-Forwarded-Host": request.host, "X-Forwarded-Proto": "https", "X-Forwarded-Uri": request.raw_path}
    headers.update({**told, "X-Forwarded-For": request.remote or ""})
    return headers


def _split(call: Call, what: str) -> tuple[str, str, str]:
    """(scheme, name, port) of what the path names."""
    parts = call.target.name.split(":")
    if len(parts) == 1:
        return "http", parts[0], ""
    scheme, name, port = ("", *parts) if len(parts) == 2 else parts if len(parts) == 3 else ("?", "", "")
    if scheme not in _SCHEMES or not name:
        raise bad_request(f'invalid {what} request "{call.target.name}"')
    return scheme or "http", name, port


def _of_pod(call: Call) -> Place:
    scheme, name, port = _split(call, "pod")
    pod = call.registry.get(call.kind, call.target.namespace, name)
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        raise bad_request("address not allowed")
    ports = [each["containerPort"] for container in pod["spec"]["containers"] for each in container.get("ports") or ()]
    number = port or str(ports[0] if ports else {"http": 80, "https": 443}[scheme])
    if not (number.isascii() and number.isdecimal() and 0 < int(number) < 65536):
        raise bad_request(f'invalid pod request "{call.target.name}"')
    return Place(scheme, str(address), int(number))


def _of_service(call: Call) -> Place:
    scheme, name, port = _split(call, "service")
    service = call.registry.get(call.kind, call.target.namespace, name)
    if port.isdecimal():
        known = [each for each in service["spec"].get("ports") or () if each["port"] == int(port)]
        if not known:
            raise _unavailable(f'no service port {port} found for service "{name}"')
        port = known[0].get("name", "")
    endpoints = call.registry.store.get(KINDS["Endpoints"], call.target.namespace, name) or {}
    places = [place for subset in endpoints.get("subsets") or () for place in _behind(subset, port)]
    served = [(host, number) for host, number in places if _is_pod(call, host)]
    if not served:
        raise _unavailable(f'no endpoints available for service "{name}"')
    return Place(scheme, *random.choice(served))


def _behind(subset: Obj, port: str) -> list[tuple[str, int]]:
    numbers = [each["port"] for each in subset.get("ports") or () if each.get("name", "") == port]
    return [(address["ip"], number) for number in numbers[:1] for address in subset.get("addresses") or ()]


def _is_pod(call: Call, address: str) -> bool:
    return bool(call.registry.list(KINDS["Pod"], fields=f"status.podIP={address}"))


def _why(error: Exception, place: Place) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"dial tcp {place.host}:{place.port}: {connection_words(error.os_error)}"
    return "EOF" if isinstance(error, aiohttp.ServerDisconnectedError) else str(error) or "i/o timeout"


def _unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message, None)


def _unverified() -> ssl.SSLContext:
    """TLS without verification: pods have certificates of their own, if any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
