"""What a Kubernetes API answered that was not the thing asked for: one class for each case that callers tell apart."""

from __future__ import annotations

from typing import Any

from bluegreen.errors import HarnessError

Obj = dict[str, Any]


class KubeError(HarnessError):
    """The API refused, failed, or could not be understood."""

    remedy_default = ""

    def __init__(
        self, sentence: str, remedy: str = "", *, status: int = 0, reason: str = "", body: Obj | None = None
    ) -> None:
        super().__init__(sentence, remedy or self.remedy_default)
        self.status = status
        """The HTTP status; 0 when there was no answer."""
        self.reason = reason
        """The machine-readable reason of the answer's ``Status`` object, for example ``AlreadyExists``."""
        self.body = body or {}

    @property
    def message(self) -> str:
        """What the server said, in its own words; '' when it said nothing."""
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[Obj]:
        """The single things that were wrong, as the server listed them."""
        return list((self.body.get("details") or {}).get("causes") or [])


class NotFound(KubeError):
    """No such object (404)."""


class Conflict(KubeError):
    """The object is not as the write expected it, or fields belong to somebody else (409)."""


class AlreadyExists(Conflict):
    """There is an object of that name already (409)."""


class Expired(KubeError):
    """The resourceVersion or list continuation is too old for the server (410)."""


class Invalid(KubeError):
    """The server does not accept such an object (400, 415, 422)."""


class Forbidden(KubeError):
    """This account may not do that (403)."""

    remedy_default = "Run as an account bound to the Role that `bluegreen setup` makes, or ask for the permission."


class Unauthorized(Forbidden):
    """The server does not know who is asking (401)."""

    remedy_default = "Log in again: the credentials of this kubeconfig context are not accepted."


class Unreachable(KubeError):
    """No answer: refused, cut off, too slow, or the server kept failing (connection errors, 429, 5xx)."""

    remedy_default = "Check that the cluster runs and that this machine can reach it."


class OutcomeUnknown(Unreachable):
    """A write got no answer, and whether it happened could not be found out either."""

    remedy_default = "Look at the object before doing anything else."


class Stale(Unreachable):
    """The server keeps answering with a state older than what it confirmed before."""


_BY_REASON: dict[str, type[KubeError]] = {"AlreadyExists": AlreadyExists, "Expired": Expired, "Gone": Expired}
_BY_STATUS: dict[int, type[KubeError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    415: Invalid,
    422: Invalid,
    429: Unreachable,
    500: Unreachable,
    502: Unreachable,
    503: Unreachable,
    504: Unreachable,
}


_MALFORMED = "failed to create typed patch object"
"""How Kubernetes begins its refusal of an applied object that does not fit the schema; it answers 500 then."""


def from_status(what: str, status: int, body: Obj) -> KubeError:
    """The error for a refusal: ``what`` was asked, as in ``patch Service gremlinsai/live``."""
    reason = str(body.get("reason", ""))
    if status == 500 and str(body.get("message", "")).startswith(_MALFORMED):
        status = 422
    kind = _BY_REASON.get(reason) or _BY_STATUS.get(status, KubeError)
    said = str(body.get("message") or reason or "no reason given").rstrip(".")
    return kind(f"Cannot {what}: {said} (HTTP {status}).", status=status, reason=reason, body=body)
