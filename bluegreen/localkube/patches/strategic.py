"""Strategic merge patch: JSON merge patch that knows which lists merge by key, with Kubernetes' directives.

The directives: ``$patch`` (replace, delete, merge), ``$setElementOrder/FIELD``, ``$deleteFromPrimitiveList/FIELD``
and ``$retainKeys``. Order of merged lists follows the server's: items of the patch in the patch's order, items only
the server has keeping their place before an item that followed them.
"""

from __future__ import annotations

from typing import Any

from bluegreen.localkube import schema
from bluegreen.localkube.patches.copying import copied
from bluegreen.localkube.patches.json_patch import rejected
from bluegreen.localkube.patches.merge_patch import GO_KINDS
from bluegreen.localkube.patches.typed import plain
from bluegreen.localkube.schema import Field
from bluegreen.localkube.status import ApiError, bad_request

PATCH, RETAIN = "$patch", "$retainKeys"
ORDER, DELETE_FROM = "$setElementOrder/", "$deleteFromPrimitiveList/"
Fields = dict[str, Field]
_BAD_RETAIN = "invalid patch format of retainKeys"
_BAD_ORDER = "invalid patch format of setElementOrder list"
_BAD_PRIMITIVE = "invalid patch format of primitive list"


def strategic_merge(schema_name: str, doc: dict[str, Any], patch: Any) -> dict[str, Any]:
    """``doc`` of kind ``schema_name`` ("Deployment") after the patch.

    Raises ApiError: 400 for a patch or directive of the wrong shape, 422 or 500 where the server answers so.
    """
    if patch is None:
        patch = {}
    if not isinstance(patch, dict):
        raise bad_request(
            f"json: cannot unmarshal {GO_KINDS[type(patch)]} into Go value of type map[string]interface {{}}"
        )
    return _merge_map(copied(doc), copied(patch), schema.of_kind(schema_name).fields)


def _internal(message: str) -> ApiError:
    """500: the server passes these errors on as they are, without a reason."""
    return ApiError(500, "", message)


def _fields_of(field: Field | None) -> Fields:
    return field.struct.fields if field is not None and field.is_struct else {}


def _item_fields(field: Field | None) -> Fields:
    return _fields_of(field.item) if field is not None else {}


def _merge_map(original: dict[str, Any], patch: dict[str, Any], fields: Fields) -> dict[str, Any]:
    if PATCH in patch:
        return _whole(patch)
    _retain_keys(original, patch)
    _set_element_orders(original, patch, fields)
    for key, value in patch.items():
        if key.startswith(DELETE_FROM):
            _delete_from(original, key.removeprefix(DELETE_FROM), value)
        elif value is None:
            original.pop(key, None)
        elif key in original or not _is_directive(value):
            original[key] = _merged_value(original.get(key), value, fields.get(key))
    return original


def _whole(patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch[PATCH]
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != PATCH}
    if directive == "delete":
        return {}
    raise _internal(f"unknown patch type: {directive} in map: {plain(patch)}")


def _merged_value(old: Any, new: Any, field: Field | None) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        if field is not None and "replace" in field.strategy:
            return new
        return _merge_map(old, new, _fields_of(field))
    if isinstance(old, list) and isinstance(new, list):
        if field is None or "merge" not in field.strategy:
            return new
        return _merge_list(old, new, field.merge_key, _item_fields(field))
    return _added(new)


def _added(value: Any) -> Any:
    """What a patch adds where nothing was: without nulls inside objects, and without objects that are directives."""
    if isinstance(value, list):
        return [_added(item) for item in value if not _is_directive(item)]
    if not isinstance(value, dict):
        return value
    return {key: _added(item) for key, item in value.items() if item is not None and not _is_directive(item)}


def _is_directive(value: Any) -> bool:
    return isinstance(value, dict) and PATCH in value


def _retain_keys(original: dict[str, Any], patch: dict[str, Any]) -> None:
    if RETAIN not in patch:
        return
    kept = patch.pop(RETAIN)
    if not isinstance(kept, list):
        raise bad_request(_BAD_RETAIN)
    for key, value in patch.items():
        if value is not None and not key.startswith((ORDER, DELETE_FROM)) and key not in kept:
            raise rejected()
    for key in [key for key in original if key not in kept]:
        del original[key]


def _delete_from(original: dict[str, Any], key: str, gone: Any) -> None:
    if not isinstance(gone, list):
        raise bad_request(_BAD_PRIMITIVE)
    if isinstance(original.get(key), list):
        original[key] = [item for item in original[key] if item not in gone]


def _set_element_orders(original: dict[str, Any], patch: dict[str, Any], fields: Fields) -> None:
    for directive in [key for key in patch if key.startswith(ORDER)]:
        order, key = patch.pop(directive), directive.removeprefix(ORDER)
        field = fields.get(key)
        merge_key = field.merge_key if field is not None else ""
        _check_order(patch.get(key, []), order, merge_key)
        if key not in original and key not in patch:
            continue
        old, new = original.get(key), patch.pop(key, None)
        if not old and not new:
            raise _internal("no elements in any of the given slices")
        served = _served_order(old, new, merge_key)
        merged = old if new is None else _merged_value(old, new, field)
        original[key] = _ordered(merged, order, served, merge_key) if isinstance(merged, list) else merged


def _served_order(old: Any, new: Any, merge_key: str) -> list[Any]:
    """The order items are held to have on the server.

    When the patch deletes items, Kubernetes deletes from and appends to one array in place, so that added items
    count as the server's where deleted ones stood.
    """
    if not isinstance(old, list) or not isinstance(new, list) or not merge_key:
        return old if isinstance(old, list) else []
    gone = [_identity(item, merge_key) for item in new if isinstance(item, dict) and item.get(PATCH) == "delete"]
    kept = [item for item in old if _identity(item, merge_key) not in gone]
    if len(kept) == len(old):
        return list(old)
    known = [_identity(item, merge_key) for item in kept]
    fresh = [item for item in new if not _is_directive(item) and _identity(item, merge_key) not in known]
    return (kept + fresh)[: len(old)]


def _check_order(items: Any, order: Any, merge_key: str) -> None:
    """Items of the patch must stand in the order the directive gives."""
    if not isinstance(order, list) or not isinstance(items, list):
        raise bad_request(_BAD_ORDER)
    kept = [item for item in items if not (isinstance(item, dict) and item.get(PATCH) == "delete")]
    identities = [_identity(item, merge_key) for item in kept]
    wanted = iter([_identity(item, merge_key) for item in order])
    if not all(identity in wanted for identity in identities):
        stated = f"doesn't match {ORDER.removesuffix('/')} list:\n{plain(order)}\n"
        raise _internal(f"The order in patch list:\n{plain(items)}\n {stated}")


def _identity(item: Any, merge_key: str) -> Any:
    """What two lists are compared by: the value of the merge key, or the scalar itself."""
    if not merge_key or not isinstance(item, dict):
        return item
    if merge_key not in item:
        raise _internal(f"map: {plain(item)} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _merge_list(old: list[Any], new: list[Any], merge_key: str, fields: Fields) -> list[Any]:
    if not old and not new:
        return old
    if not any(isinstance(item, dict) for item in (*old, *new)):
        return _ordered(_unique([*old, *new]), new, old, "")
    if not merge_key:
        raise _internal("cannot merge lists without merge key")
    old, new = _carry_out_directives(old, new, merge_key)
    return _ordered(_merge_items(old, new, merge_key, fields), new, old, merge_key)


def _unique(items: list[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def _carry_out_directives(old: list[Any], new: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """(old, new) with items carrying ``$patch`` taken out and their meaning applied."""
    if not all(isinstance(item, dict) for item in (*old, *new)):
        raise _internal(f"list element types are not identical: {plain([old, new])}")
    kept, replace = [], False
    for item in new:
        directive = item.get(PATCH)
        if directive is None:
            kept.append(item)
        elif directive == "replace":
            replace = True
        elif directive == "delete":
            gone = _identity(item, merge_key)
            old = [it for it in old if _identity(it, merge_key) != gone]
        elif directive == "merge":
            raise _internal("merging lists cannot yet be specified in the patch")
        else:
            raise _internal(f"unknown patch type: {directive} in map: {plain(item)}")
    return (kept, []) if replace else (old, kept)


def _merge_items(old: list[Any], new: list[Any], merge_key: str, fields: Fields) -> list[Any]:
    merged = list(old)
    for item in new:
        identity = _identity(item, merge_key)
        place = next((i for i, it in enumerate(merged) if it.get(merge_key) == identity), None)
        if place is None:
            merged.append(item)
        else:
            merged[place] = _merge_map(merged[place], item, fields)
    return merged


def _ordered(merged: list[Any], patch_order: list[Any], server_order: list[Any], merge_key: str) -> list[Any]:
    """Items named by the patch in its order; the server's own woven in where they stood before their followers."""
    wanted = [_identity(item, merge_key) for item in patch_order]
    served = [_identity(item, merge_key) for item in server_order]
    named = [item for item in merged if _identity(item, merge_key) in wanted]
    others = [item for item in merged if _identity(item, merge_key) not in wanted]
    named.sort(key=lambda item: wanted.index(_identity(item, merge_key)))
    others.sort(key=lambda item: _place(served, _identity(item, merge_key)))
    woven: list[Any] = []
    while named and others:
        left, right = _place(served, _identity(others[0], merge_key)), _place(served, _identity(named[0], merge_key))
        first = others if 0 <= left < right else named
        woven.append(first.pop(0))
    return woven + others + named


def _place(served: list[Any], identity: Any) -> int:
    return served.index(identity) if identity in served else -1
