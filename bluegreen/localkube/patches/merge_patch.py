"""JSON merge patch (RFC 7386)."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.patches.copying import copied
from bluegreen.localkube.status import bad_request

GO_KINDS = {list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def merge_patch(doc: dict[str, Any], patch: Any) -> dict[str, Any]:
    """``doc`` with ``patch`` merged in: null deletes a key, objects merge, everything else replaces.

    Raises ApiError 400 when the patch is not an object, as a whole document cannot be replaced by something else.
    """
    if patch is None:
        patch = {}
    if not isinstance(patch, dict):
        found = GO_KINDS[type(patch)]
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        )
    merged: dict[str, Any] = _merge(doc, patch)
    return merged


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copied(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged
