"""Answers: what a client accepts, and bodies in that form. JSON first; YAML, tables and metadata alone on request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any

import orjson
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from bluegreen.localkube import tables
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import ApiError

JSON = "application/json"
YAML = "application/yaml"
_ACCEPTABLE = "only the following media types are accepted: application/json, application/yaml"
_HEAD = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_WARNINGS = 4096  # bytes of all warnings of an answer, as in kube-apiserver: clients bound a header
_ONE_PIECE = 64 * 1024  # bytes; larger answers wait for their client to take them
_FORMS = {"PartialObjectMetadata", "PartialObjectMetadataList"}


@lru_cache(maxsize=256)
def form_of(accept: str) -> str:
    """How a client wants objects: "" (JSON), "yaml", "table" or "metadata". 406 for what is not made here."""
    if not accept:
        return ""
    for choice in accept.split(","):
        type_, *parameters = (part.strip() for part in choice.split(";"))
        given = dict(part.split("=", 1) for part in parameters if "=" in part)
        if type_ == JSON and "as" in given:
            if given["as"] == "Table" and given.get("g") == "meta.k8s.io" and given.get("v") == "v1":
                return "table"
            if given["as"] in _FORMS and given.get("g") == "meta.k8s.io" and given.get("v") == "v1":
                return "metadata"
        elif type_ in (JSON, "*/*", "application/*"):
            return ""
        elif type_ in (YAML, "application/x-yaml", "text/yaml") and "as" not in given:
            return "yaml"
    raise ApiError(406, "NotAcceptable", _ACCEPTABLE, None)


class Written(web.StreamResponse):
    """JSON of moderate size, written in one piece: it spares the fifth of a request's time that headers take."""

    def __init__(self, body: bytes, status: int) -> None:
        super().__init__(status=status)
        self._json = body
        self._ordinary: web.Response | None = None
        self._stays_open = True

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection may be used again."""
        return self._stays_open

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything, or have it done in the ordinary way where that has to look at more."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        if len(self._json) > _ONE_PIECE or not request.keep_alive or request.method == "HEAD":
            self._ordinary = web.Response(body=self._json, status=self.status, content_type=JSON)
            writer = await self._ordinary.prepare(request)
            self._stays_open = bool(self._ordinary.keep_alive)
            return writer
        transport.write(_HEAD % (self.status, self.reason.encode(), len(self._json), self._json))
        if transport.get_write_buffer_size() > _ONE_PIECE:  # a client that asks and asks, and does not read
            await request.writer.drain()
        return None

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 (the signature is aiohttp's)
        """Everything is written, but in the ordinary way."""
        if self._ordinary is not None:
            await self._ordinary.write_eof()


def json_bytes(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.StreamResponse:
    """JSON that is encoded already."""
    if headers:
        return web.Response(body=body, status=status, content_type=JSON, headers=headers)
    return Written(body, status)


def document(
    obj: Any, status: int = 200, form: str = "", headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """An object as JSON or YAML."""
    if form == "yaml":
        import yaml  # only here: most clients never ask for it

        text = yaml.safe_dump(obj, default_flow_style=False, sort_keys=True).encode()
        return web.Response(body=text, status=status, content_type=YAML, headers=headers)
    return json_bytes(orjson.dumps(obj), status, headers)


def text(body: str, status: int = 200) -> web.Response:
    """Plain text."""
    return web.Response(text=body, status=status, content_type="text/plain")


def refusal(error: ApiError) -> web.StreamResponse:
    """A Status failure."""
    return json_bytes(orjson.dumps(error.as_status()), error.code, error.headers)


def shaped(kind: Kind, obj: Obj, form: str, include: str = "Metadata") -> Obj:
    """One object in the form asked for."""
    if obj.get("kind") == tables.SCALE.kind:
        kind = tables.SCALE
    if form == "table":
        return tables.table(
            kind, [obj], {"resourceVersion": obj["metadata"].get("resourceVersion", "")}, include=include
        )
    return metadata_only(obj) if form == "metadata" else obj


def shaped_list(kind: Kind, objects: list[Obj], metadata: Obj, form: str, include: str = "Metadata") -> Obj:
    """A list in the form asked for."""
    if form == "table":
        return tables.table(kind, objects, metadata, include=include)
    if form == "metadata":
        items = [metadata_only(obj) for obj in objects]
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": items,
        }
    items = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in objects]
    return {"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": metadata, "items": items}


def metadata_only(obj: Obj) -> Obj:
    """An object without its content."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def warning_headers(warnings: list[str]) -> dict[str, str] | None:
    """Warnings as HTTP headers; several share one header line, as commas allow."""
    if not warnings:
        return None
    quoted = [text_.replace("\\", "\\\\").replace('"', '\\"') for text_ in warnings]
    clean = ["".join(char for char in each if char.isprintable()) for each in quoted]
    lengths = accumulate(len(each.encode()) for each in clean)
    kept = [each for each, length in zip(clean, lengths, strict=True) if length <= _WARNINGS]
    return {"Warning": ", ".join(f'299 - "{each}"' for each in kept or [clean[0][:_WARNINGS]])}
