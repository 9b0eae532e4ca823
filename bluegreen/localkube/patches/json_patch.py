"""JSON patch (RFC 6902), as the API server's library (evanphx/json-patch v4) carries it out and refuses it.

It departs from the RFC: a key that an object does not have reads as null, so it can be replaced and copied.
"""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.patches.copying import copied
from bluegreen.localkube.status import ApiError, bad_request

_MAX_OPERATIONS = 10_000  # apiserver's own limit
_MISSING = object()


class _DoesNotApplyError(Exception):
    """An operation cannot be carried out; which one and why stays inside, as on a real server."""


def rejected() -> ApiError:
    """422 for a patch that does not apply: the server gives neither the operation nor the reason."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def json_patch(doc: dict[str, Any], ops: Any) -> dict[str, Any]:
    """``doc`` after all operations, or ApiError 422 when one does not apply (a failed ``test`` among them).

    Raises ApiError 400 when ``ops`` is not a list of objects.
    """
    _check_shape(ops)
    root: Any = copied(doc)
    for op in ops:
        try:
            root = _apply(root, op)
        except _DoesNotApplyError as refusal:
            raise rejected() from refusal
    if not isinstance(root, dict):
        raise rejected()
    return root


def _check_shape(ops: Any) -> None:
    if not isinstance(ops, list):
        kind = {dict: "object", str: "string", bool: "bool"}.get(type(ops), "number")
        raise bad_request(f"json: cannot unmarshal {kind} into Go value of type jsonpatch.Patch")
    for op in ops:
        if not isinstance(op, dict):
            kind = {list: "array", str: "string", bool: "bool"}.get(type(op), "number")
            raise bad_request(f"json: cannot unmarshal {kind} into Go value of type jsonpatch.Operation")
    if len(ops) > _MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MAX_OPERATIONS}, got {len(ops)}"
        raise ApiError(413, "RequestEntityTooLarge", message, {})


def _tokens(path: Any) -> list[str]:
    if not isinstance(path, str) or (path and "/" not in path):  # what stands before the first slash is skipped
        raise _DoesNotApplyError(f"bad path {path!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(token: str, size: int) -> int:
    try:
        index = int(token)
    except ValueError:
        raise _DoesNotApplyError(f"no index: {token!r}") from None
    if index < 0:  # the server's library counts negative indices from the end
        index += size
    if not 0 <= index < size:
        raise _DoesNotApplyError(f"index {token} out of {size}")
    return index


def _child(container: Any, token: str) -> Any:
    """The value at a token, or _MISSING for a key that an object does not have."""
    if isinstance(container, dict):
        return container.get(token, _MISSING)
    if isinstance(container, list):
        return container[_index(token, len(container))]
    raise _DoesNotApplyError(f"{token!r} of a scalar")


def _parent(root: Any, tokens: list[str]) -> Any:
    node = root
    for token in tokens[:-1]:
        node = _child(node, token)
        if node is _MISSING or node is None:
            raise _DoesNotApplyError(f"missing {token!r}")
    return node


def _get(root: Any, tokens: list[str]) -> Any:
    return root if not tokens else _child(_parent(root, tokens), tokens[-1])


def _add(root: Any, tokens: list[str], value: Any) -> Any:
    if not tokens:  # the server's library finds no parent for the whole document
        raise _DoesNotApplyError("the root cannot be added")
    parent, last = _parent(root, tokens), tokens[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        raise _DoesNotApplyError("parent is a scalar")
    return root


def _remove(root: Any, tokens: list[str]) -> Any:
    if not tokens:
        raise _DoesNotApplyError("the root cannot be removed")
    parent, last = _parent(root, tokens), tokens[-1]
    if _child(parent, last) is _MISSING:
        raise _DoesNotApplyError(f"missing {last!r}")
    if isinstance(parent, dict):
        del parent[last]
    else:
        del parent[_index(last, len(parent))]
    return root


def _replace(root: Any, tokens: list[str], value: Any) -> Any:
    if not tokens:
        return value
    parent, last = _parent(root, tokens), tokens[-1]
    _child(parent, last)
    parent[last if isinstance(parent, dict) else _index(last, len(parent))] = value
    return root


def _same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, and 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _test(root: Any, tokens: list[str], value: Any) -> Any:
    found = _get(root, tokens)
    if found is _MISSING:  # a test for null passes on a field that is not there, as on the server
        found = None
    if not _same(found, value):
        raise _DoesNotApplyError(f"test: {found!r} is not {value!r}")
    return root


def _source(root: Any, op: dict[str, Any]) -> tuple[list[str], Any]:
    tokens = _tokens(op.get("from"))
    if not tokens:
        raise _DoesNotApplyError("the root has no parent to be taken from")
    value = _get(root, tokens)
    return tokens, None if value is _MISSING else value


def _apply(root: Any, op: dict[str, Any]) -> Any:
    name, tokens = op.get("op"), _tokens(op.get("path"))
    if name == "add":  # a value that is not there counts as null
        return _add(root, tokens, copied(op.get("value")))
    if name == "replace":
        return _replace(root, tokens, copied(op.get("value")))
    if name == "remove":
        return _remove(root, tokens)
    if name == "test":
        return _test(root, tokens, op.get("value"))
    if name == "copy":
        return _add(root, tokens, copied(_source(root, op)[1]))
    if name == "move":
        origin, value = _source(root, op)
        return _add(_remove(root, origin), tokens, value)
    raise _DoesNotApplyError(f"unknown operation {name!r}")
