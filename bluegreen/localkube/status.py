"""What the API answers when it refuses: ``metav1.Status`` failures as exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cause:
    """One field that is wrong: ``reason`` is Kubernetes' own (FieldValueRequired, FieldValueInvalid, ...)."""

    field: str
    reason: str
    message: str  # without the field: 'Required value', 'Invalid value: 0: must be ...'

    def sentence(self) -> str:
        """The cause as it stands in the message of an Invalid answer."""
        return f"{self.field}: {self.message}"

    def as_dict(self) -> dict[str, str]:
        """The cause as it stands in ``details.causes``."""
        return {"field": self.field, "message": self.message, "reason": self.reason}


class ApiError(Exception):
    """A request the API refuses; ``code`` is the HTTP status, ``reason`` Kubernetes' own word for it."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.headers = details, headers or {}

    def as_status(self) -> dict[str, Any]:
        """The body of the answer."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        if not self.reason:
            del status["reason"]
        return status


def _about(resource: str, group: str, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name} if name else {}
    if group:
        details["group"] = group
    if resource:
        details["kind"] = resource
    return details


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, group: str, name: str) -> ApiError:
    """404 for an object; ``resource`` is the plural."""
    message = f'{_qualified(resource, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, _about(resource, group, name))


def already_exists(resource: str, group: str, name: str, *, deleting: bool = False) -> ApiError:
    """409 for a create over an object that exists; ``deleting``: though not for long."""
    message = f'{_qualified(resource, group)} "{name}" already exists'
    message = f"object is being deleted: {message}" if deleting else message
    return ApiError(409, "AlreadyExists", message, _about(resource, group, name))


def conflict(resource: str, group: str, name: str, why: str) -> ApiError:
    """409 for a write that lost against another; ``why`` is the sentence after the colon."""
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _about(resource, group, name))


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with every field that is wrong; ``kind`` is the CamelCase kind."""
    sentences = list(dict.fromkeys(cause.sentence() for cause in causes))  # each once, as the server says them
    joined = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    qualified = f"{kind}.{group}" if group else kind
    details = _about(kind, group, name) | {"causes": [cause.as_dict() for cause in causes]}
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {joined}', details)


def bad_request(message: str) -> ApiError:
    """400 with Kubernetes' reason BadRequest."""
    return ApiError(400, "BadRequest", message)


def forbidden(resource: str, group: str, name: str, why: str) -> ApiError:
    """403; ``why`` is the sentence after the colon."""
    subject = f'{_qualified(resource, group)} "{name}"' if name else _qualified(resource, group)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _about(resource, group, name))
