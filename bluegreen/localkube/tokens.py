"""Bearer tokens: the administrator's, and signed ones (JWT, HS256) for service accounts.

A signed token says whose it is and until when; whether that service account still exists is the authority's to ask.
The signing key is derived from the administrator's token, so tokens outlive a restart of the cluster.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import orjson

ISSUER = "https://kubernetes.default.svc.cluster.local"
"""Who signs, and the audience a token needs to be let in here."""
_HEADER = {"alg": "HS256", "typ": "JWT"}


class Signer:
    """Signs and reads tokens with one key."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"service account tokens\0" + secret.encode()).digest()
        self._header = _encode(orjson.dumps(_HEADER))

    def sign(self, claims: dict[str, Any]) -> str:
        """A token for the claims."""
        signed = self._header + b"." + _encode(orjson.dumps(claims))
        return (signed + b"." + self._signature(signed)).decode()

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims, or None for a token that was not signed here."""
        signed, _, signature = token.encode().rpartition(b".")
        if signed.count(b".") != 1 or not hmac.compare_digest(signature, self._signature(signed)):
            return None
        claims: dict[str, Any] = orjson.loads(_decode(signed.partition(b".")[2]))
        return claims

    def _signature(self, signed: bytes) -> bytes:
        return _encode(hmac.digest(self._key, signed, "sha256"))


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
