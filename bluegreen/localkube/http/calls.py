"""A request to an object or a collection, on its way through the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bluegreen.localkube.http import bodies, options
from bluegreen.localkube.http.paths import Target
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.rbac import User
from bluegreen.localkube.status import ApiError, bad_request
from bluegreen.localkube.strikes import NONE, Strike

if TYPE_CHECKING:
    from bluegreen.localkube.authority import Authority
    from bluegreen.localkube.fault_board import Board
    from bluegreen.localkube.http.pods import PodDoor
    from bluegreen.localkube.registry import Registry
    from bluegreen.localkube.resource_metrics import ResourceMetrics

BODY_S = 60.0
"""How long a body may take to come: kube-apiserver's time for a whole request."""
_TOO_SLOW = "Timeout: request did not complete within the allotted timeout"


@dataclass
class Call:
    """What is asked, by whom, and of which parts of the cluster. ``warnings`` go into the answer's headers."""

    request: web.BaseRequest
    target: Target
    kind: Kind
    verb: str
    user: User
    query: options.Query
    form: str
    registry: Registry
    authority: Authority
    pods: PodDoor | None
    metrics: ResourceMetrics | None = None
    strike: Strike = NONE
    faults: Board | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def user_agent(self) -> str:
        """The client's name for itself, printable."""
        name = self.request.headers.get("User-Agent", "").encode(errors="replace").decode()
        return "".join(char for char in name if char.isprintable())

    @property
    def include(self) -> str:
        """What of an object goes into a table's row."""
        asked = self.query.get("includeObject") or "Metadata"
        if asked not in ("Metadata", "Object", "None") and self.form == "table":
            why = f"includeObject: Invalid value: \"{asked}\": must be 'Metadata', 'Object', 'None', or empty"
            raise bad_request(f"Unable to convert to Table as requested: {why}")
        return asked

    @property
    def content_type(self) -> str:
        """The body's Content-Type as sent."""
        return self.request.headers.get("Content-Type", "")

    async def body(self) -> bytes:
        """The whole body; 413 when it is larger than Kubernetes takes, 504 when it does not come."""
        if (self.request.content_length or 0) > bodies.LARGEST:
            raise _too_large()
        try:
            async with asyncio.timeout(BODY_S):
                return await self.request.read()
        except web.HTTPRequestEntityTooLarge:
            raise _too_large() from None
        except TimeoutError:
            raise ApiError(504, "Timeout", _TOO_SLOW, {}) from None

    async def read_object(self, validation: str) -> Obj:
        """The body's object, of the kind this place takes, its types checked; warns of unknown fields."""
        name, api_version = bodies.kind_names(self.kind, self.target.subresource)
        raw = await self.body()
        if self.kind.custom and name == self.kind.kind:
            obj = bodies.read_custom_object(self.kind, raw, self.content_type)
        else:
            obj = bodies.read_object(name, api_version, raw, self.content_type)
        type_ = bodies.media_type(self.content_type)
        version = api_version.rpartition("/")[2]
        check = bodies.checker(self.kind, self.target.subresource)
        self.warnings += bodies.check_fields(name, version, obj, validation, raw, type_, check)
        return obj

    async def read_delete_options(self) -> Obj:
        """DeleteOptions from the body or, without one, from the query."""
        raw = await self.body()
        if not raw.strip():
            return self._queried_delete_options()
        given = self.content_type
        obj = bodies.read_delete_options(raw, given)
        bodies.check_fields("DeleteOptions", "v1", obj, "Ignore")
        return obj

    def _queried_delete_options(self) -> Obj:
        found: dict[str, Any] = {}
        grace_s = options.number(self.query, "gracePeriodSeconds")
        if grace_s is not None:
            found["gracePeriodSeconds"] = grace_s
        if self.query.get("propagationPolicy"):
            found["propagationPolicy"] = self.query["propagationPolicy"]
        if "orphanDependents" in self.query:
            found["orphanDependents"] = options.flag(self.query, "orphanDependents")
        return found


def _too_large() -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {bodies.LARGEST}", {})
