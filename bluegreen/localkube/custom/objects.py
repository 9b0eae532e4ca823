"""Objects of custom kinds: what is unknown in them, what the server makes of them, and what it refuses.

The counterpart, for these kinds, of ``decoding``, ``defaults`` and ``validation``.
"""

from __future__ import annotations

from typing import Any

from bluegreen.localkube import decoding, schema
from bluegreen.localkube.canonical import canonicalise_metadata
from bluegreen.localkube.custom import lists, structural, values
from bluegreen.localkube.custom.resource import CustomResource, ScalePaths
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.patches.typed import plain
from bluegreen.localkube.validation import meta, names
from bluegreen.localkube.validation.fields import Causes, Raw, invalid, required

_GO_KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}
_MOST_REPLICAS = 2**31 - 1


def custom_of(kind: Kind) -> CustomResource:
    """What the definition says; only for custom kinds."""
    if kind.custom is None:
        raise TypeError(f"{kind.kind} is built in")
    return kind.custom


# -- decoding --------------------------------------------------------------------------------------------------------
def check(kind: Kind, obj: Obj) -> list[str]:
    """The unknown fields of an object, as strict decoding words them. DecodeError for metadata that is none."""
    unknown = []
    given = obj.get("metadata")
    if given is not None and not isinstance(given, dict):
        found = _GO_KINDS[type(given)]
        raise decoding.DecodeError(f"json: cannot unmarshal {found} into Go value of type v1.ObjectMeta")
    if given:
        checked = decoding.Check()
        checked.struct(schema.struct("meta.v1.ObjectMeta"), given, ())
        if checked.saved:
            raise decoding.DecodeError(checked.saved)
        unknown += [each.replace('unknown field "', 'unknown field "metadata.', 1) for each in checked.unknown]
    paths = structural.unknown_fields(obj, custom_of(kind).schema)
    return [*unknown, *(f'unknown field "{path}"' for path in paths)]


def settle(kind: Kind, obj: Obj) -> None:
    """Give an object its lasting form, in place: nothing unknown, no wrong null, every default."""
    obj["metadata"] = obj.get("metadata") or {}
    canonicalise_metadata(obj["metadata"])
    declared = custom_of(kind).schema
    structural.prune(obj, declared)
    structural.drop_nulls({key: value for key, value in obj.items() if key not in structural.META}, declared)
    for key, below in structural.properties(declared).items():
        if obj.get(key, 0) is None and not below.get("nullable") and below.get("default") is None:
            del obj[key]
    structural.fill_defaults(obj, declared)


# -- validation ------------------------------------------------------------------------------------------------------
def validate(kind: Kind, obj: Obj, old: Obj | None) -> Causes:
    """Everything that is wrong with a new object (``old`` None) or with an update of one."""
    wrong = _type_meta(kind, obj)
    if wrong:
        return wrong
    custom = custom_of(kind)
    metadata = obj["metadata"]
    found = meta.create(kind, obj, core=False) if old is None else meta.common(metadata, "metadata", core=False)
    found += values.causes(obj, custom.schema, "", values.NEW if old is None else old)
    found += _spec_replicas(custom.scale, obj) + _status_replicas(custom.scale, obj)
    found += embedded(obj, custom.schema)
    if old is None or not lists.duplicates(old, custom.schema):
        found += lists.duplicates(obj, custom.schema)
    return found


def validate_status(kind: Kind, obj: Obj, old: Obj) -> Causes:
    """Everything that is wrong with a write to /status."""
    wrong = _type_meta(kind, obj)
    if wrong:
        return wrong
    custom = custom_of(kind)
    found = meta.common(obj["metadata"], "metadata", core=False)
    below = structural.properties(custom.schema).get("status")
    if "status" in obj and below is not None:
        found += values.causes(obj["status"], below, "status", old.get("status", values.NEW))
    found += _status_replicas(custom.scale, obj)
    if not lists.duplicates(old, custom.schema):
        found += lists.duplicates(obj, custom.schema)
    return found


def _type_meta(kind: Kind, obj: Obj) -> Causes:
    pairs = (("kind", kind.kind), ("apiVersion", kind.api_version))
    return [invalid(key, obj.get(key, ""), f"must be {wanted}") for key, wanted in pairs if obj.get(key) != wanted]


def value_at(obj: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of keys; None where nothing does."""
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def _spec_replicas(scale: ScalePaths | None, obj: Obj) -> Causes:
    return _replicas(obj, scale.spec_replicas) if scale else []


def _status_replicas(scale: ScalePaths | None, obj: Obj) -> Causes:
    if scale is None:
        return []
    found = _replicas(obj, scale.status_replicas)
    selector = value_at(obj, scale.selector) if scale.selector else None
    if selector is not None and not isinstance(selector, str):
        found.append(invalid(_dotted(scale.selector), "", _wrong_type(scale.selector, selector, "string")))
    return found


def _replicas(obj: Obj, path: tuple[str, ...]) -> Causes:
    count = value_at(obj, path)
    if count is None:
        return []
    if not isinstance(count, int) or isinstance(count, bool):
        return [invalid(_dotted(path), Raw("0"), _wrong_type(path, count, "int64"))]
    if count < 0:
        return [invalid(_dotted(path), count, "should be a non-negative integer")]
    if count > _MOST_REPLICAS:
        return [invalid(_dotted(path), count, f"should be less than or equal to {_MOST_REPLICAS}")]
    return []


def _dotted(path: tuple[str, ...]) -> str:
    return "." + ".".join(path)


def _wrong_type(path: tuple[str, ...], value: Any, wanted: str) -> str:
    found = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}
    kind = found.get(type(value), "map[string]interface {}")
    return f"{_dotted(path)} accessor error: {plain(value)} is of the type {kind}, expected {wanted}"


def embedded(value: Any, declared: structural.Schema | None, path: str = "") -> Causes:
    """What is wrong with the types and names of whole objects inside an object (x-kubernetes-embedded-resource)."""
    if declared is None:
        return []
    found: Causes = []
    if isinstance(value, dict):
        if declared.get(structural.EMBEDDED):
            found += _embedded_meta(value, path)
        known, (_, other) = structural.properties(declared), structural.additional(declared)
        for key, below in value.items():
            here = f"{path}.{key}" if path and key in known else key if key in known else f"{path}[{key}]"
            found += embedded(below, known.get(key, other), here)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            found += embedded(item, structural.items(declared), f"{path}[{place}]")
    return found


def _embedded_meta(value: Obj, path: str) -> Causes:
    found: Causes = []
    for key in ("apiVersion", "kind"):
        here, given = f"{path}.{key}", value.get(key)
        if key not in value:
            found.append(required(here))
        elif not isinstance(given, str):
            found.append(invalid(here, given, "must be a string"))
        elif not given:
            found.append(invalid(here, given, "must not be empty"))
        elif key == "kind" and (why := names.label_1035(given.lower())):
            found.append(invalid(here, given, f"may have mixed case, but should otherwise match: {','.join(why)}"))
    return found
