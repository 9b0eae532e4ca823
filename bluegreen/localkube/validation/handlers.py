"""What containers are asked and told to do: probes, hooks and their handlers."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.validation import names
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    each_invalid,
    forbidden,
    invalid,
    non_negative,
    not_supported,
    required,
)

_SCHEMES = ("HTTP", "HTTPS")
_ONE_HANDLER = "may not specify more than 1 handler type"
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def hooks_and_probes(container: Obj, grace_s: int | None, path: str) -> Causes:
    """A container's hooks and probes; ``grace_s`` is its pod's."""
    causes: Causes = []
    lifecycle = container.get("lifecycle")
    if lifecycle:
        for hook in ("postStart", "preStop"):
            if hook in lifecycle:
                causes += _handler(lifecycle[hook], grace_s, f"{path}.lifecycle.{hook}")
    for name in PROBES:
        probe = container.get(name)
        if probe is not None:
            causes += _probe(probe, name, grace_s, f"{path}.{name}")
    return causes


def _probe(probe: Obj, name: str, grace_s: int | None, path: str) -> Causes:
    causes = _handler(probe, grace_s, path)
    for key in _COUNTS:
        value = probe.get(key)
        if value is not None and value < 0:
            causes += non_negative(f"{path}.{key}", value)
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if name == "readinessProbe":
        if grace is not None:
            detail = "must not be set for readinessProbes"
            causes.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, detail))
    elif probe.get("successThreshold") != 1:
        causes.append(invalid(f"{path}.successThreshold", probe.get("successThreshold", 0), "must be 1"))
    return causes


_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def _handler(handler: Obj, grace_s: int | None, path: str) -> Causes:
    found = [key for key in _HANDLERS if key in handler]
    if not found:
        return [required(path, "must specify a handler type")]
    first = found[0]
    causes = _action(first, handler[first], grace_s, f"{path}.{first}")
    return causes + [forbidden(f"{path}.{key}", _ONE_HANDLER) for key in found[1:]]


def _action(kind: str, action: Obj, grace_s: int | None, path: str) -> Causes:
    if kind == "exec":
        return [] if action.get("command") else [required(f"{path}.command")]
    if kind == "httpGet":
        return _http_get(action, path)
    if kind == "sleep":
        return _sleep(action.get("seconds", 0), grace_s, path)
    return port(action.get("port", 0), f"{path}.port")


def _sleep(seconds: int, grace_s: int | None, path: str) -> Causes:
    if grace_s is None or 0 <= seconds <= grace_s:
        return []
    return [invalid(path, seconds, f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})")]


def _http_get(action: Obj, path: str) -> Causes:
    causes = [] if action.get("path") else [required(f"{path}.path")]
    causes += port(action.get("port", 0), f"{path}.port")
    if action.get("scheme") not in _SCHEMES:
        causes.append(not_supported(f"{path}.scheme", action.get("scheme", ""), _SCHEMES))
    for header in action.get("httpHeaders") or ():
        name = header.get("name", "")
        causes += each_invalid(f"{path}.httpHeaders", name, names.http_header(name))
    return causes


def port(value: Any, path: str) -> Causes:
    """A port by number or by name."""
    return each_invalid(path, value, names.port_name(value) if isinstance(value, str) else names.number_of_port(value))
