"""Credentials for registries as pull secrets hold them, and which of them count for an image. Pure.

Both types that Kubernetes takes are read, and they are matched as a kubelet does
(https://kubernetes.io/docs/concepts/containers/images/#config-json): a key may have a scheme, a path prefix and ``*``
within a part of the host name; the most specific key is tried first. Nothing here shows a password.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from bluegreen.registry.location import DOCKER_HUB, Location

FILES = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
"""By type of a Secret: the key of its data that holds the credentials."""


@dataclass(frozen=True)
class Credential:
    """What one entry of a pull secret says; at most one of password, identity token and registry token is used."""

    key: str
    """The registry that it is for, as it is written there."""
    secret: str
    """The Secret that it stands in, for messages."""
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """Exchanged for an access token (OAuth2 refresh), as Azure's registry asks."""
    registry_token: str = field(default="", repr=False)
    """Sent as it is, as a bearer token."""


def read_pull_secret(secret: Mapping[str, Any]) -> list[Credential]:
    """The credentials in a Secret. Raises ValueError, in words, when it is no pull secret or cannot be read."""
    name, kind = secret["metadata"]["name"], str(secret.get("type", ""))
    if kind not in FILES:
        raise ValueError(f"Secret {name} is of type {kind or 'Opaque'}, which is no pull secret")
    try:
        content = json.loads(base64.b64decode((secret.get("data") or {})[FILES[kind]]))
        entries = content["auths"] if kind == "kubernetes.io/dockerconfigjson" else content
        return [_credential(str(key), name, entry or {}) for key, entry in entries.items()]
    except (KeyError, ValueError, AttributeError, TypeError):
        raise ValueError(f"Secret {name} cannot be read as {kind}") from None


def _credential(key: str, secret: str, entry: Mapping[str, Any]) -> Credential:
    """One entry: user and password by themselves, or both in ``auth``; ``auth`` counts, as for kubectl and docker."""
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            text = base64.b64decode(entry["auth"], validate=False).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError from None
        username, _, password = text.partition(":")
        password = password.rstrip("\0")
    return Credential(
        key,
        secret,
        username,
        password,
        str(entry.get("identitytoken") or ""),
        str(entry.get("registrytoken") or ""),
    )


def for_image(credentials: Iterable[Credential], location: Location) -> list[Credential]:
    """Those that count for an image, in the order in which they are tried: the longest key first."""
    matching = [one for one in credentials if _matches(_pattern(one.key), location.path)]
    return sorted(matching, key=lambda one: len(_pattern(one.key)), reverse=True)


def _pattern(key: str) -> str:
    """Host and path prefix of a key: without a scheme, and without the ``/v1/`` that docker writes."""
    bare = key.partition("://")[2] or key
    host, _, path = bare.rstrip("/").partition("/")
    path = "" if path in ("v1", "v2") else path
    host = DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io") else host
    return f"{host}/{path}".rstrip("/")


def _matches(pattern: str, path: str) -> bool:
    wanted, _, prefix = pattern.partition("/")
    host, _, repository = path.partition("/")
    within = not prefix or repository == prefix or repository.startswith(f"{prefix}/")
    return within and _host_matches(wanted, host)


def _host_matches(wanted: str, host: str) -> bool:
    """Ports are equal; each part of the name matches for itself, so that ``*.io`` is not ``a.b.io``."""
    wanted_name, wanted_port = _port_split(wanted)
    name, port = _port_split(host)
    ours, theirs = name.split("."), wanted_name.split(".")
    return (
        port == wanted_port
        and len(ours) == len(theirs)
        and all(fnmatchcase(part, pattern) for part, pattern in zip(ours, theirs, strict=True))
    )


def _port_split(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and port.isdecimal() else (host, "")
