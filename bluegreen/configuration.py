"""What a Secret or a ConfigMap should hold, given what the settings say and what it holds already. Pure.

A key that no setting fills stays as it is in the cluster. The keys that the annotation ``GENERATE_ONCE`` names are made
at random when nobody has given them yet, and then never again: what they encrypted must stay readable.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

Obj = dict[str, Any]

GENERATE_ONCE = "bluegreen/generate-once"
"""Annotation of a Secret: names of keys, separated by blanks."""


def random_key() -> str:
    """32 random bytes in URL-safe base64: long enough for AES-256, and the form that Fernet takes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def merged(obj: Obj, live: Obj | None, generate: Callable[[], str] = random_key) -> Obj:
    """The Secret or ConfigMap to apply, with ``data`` only (``stringData`` would leave no owner of its fields).

    A key newly made carries the version that it was made for, so that of two who make it at once one is refused.
    """
    secret = obj["kind"] == "Secret"
    held = dict((live or {}).get("data") or {})
    data: dict[str, str] = {}
    made = False
    for key, text in _given(obj, secret).items():
        if text:
            data[key] = text
        elif key in held:
            data[key] = held[key]
        elif key in _generated(obj):
            data[key], made = base64.b64encode(generate().encode()).decode(), True
    wanted = {key: value for key, value in obj.items() if key != "stringData"} | {"data": data}
    if made and live is not None:
        wanted["metadata"] = {**obj["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
    return wanted


def _given(obj: Obj, secret: bool) -> dict[str, str]:
    """The keys of the manifest with their values as ``data`` holds them; '' where no setting fills one."""
    given = {key: str(value) for key, value in (obj.get("data") or {}).items()}
    if secret:
        texts = obj.get("stringData") or {}
        given |= {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
    return given


def _generated(obj: Obj) -> list[str]:
    return str((obj["metadata"].get("annotations") or {}).get(GENERATE_ONCE, "")).split()
