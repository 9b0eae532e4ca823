"""Schemas of CustomResourceDefinitions: what they may say, and that they are structural. x-kubernetes-validations are
looked at as texts; nobody compiles them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.localkube.custom import objects, patterns, structural, values
from bluegreen.localkube.custom.structural import EMBEDDED, INT_OR_STRING, META, PRESERVE, Schema
from bluegreen.localkube.validation.fields import Causes, forbidden, invalid, not_supported, required

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_AT_ROOT = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern"
    " MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields"
    " XValidations"
)
_ROOT_NAMES = {"externalDocs": "ExternalDocs", PRESERVE: "XPreserveUnknownFields",
               "x-kubernetes-validations": "XValidations"}  # fmt: skip
_LIST_TYPE, _MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-map-type"
_KEYS, _RULES = "x-kubernetes-list-map-keys", "x-kubernetes-validations"
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_INTEGER_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")


def schema(given: Schema, path: str, *, status: bool) -> Causes:
    """A version's openAPIV3Schema. ``status``: the version has a /status, whose schema is taken out of this one."""
    found: Causes = []
    if status:
        found += _splittable(given, path)
    if given.get("nullable"):
        found.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    wrong = [*_structural(given, path, "root"), *_complete(given, given, path, path)]
    wrong.sort(key=lambda cause: cause.sentence())
    found += wrong or list(_defaults(given, path, inside_meta=False))
    return found + list(_statements(given, path, _Place(root=True)))


def _splittable(given: Schema, path: str) -> Causes:
    if given.get("type") not in (None, "", "object"):
        why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        return [invalid(f"{path}.type", given["type"], why)]
    allowed = _AT_ROOT.split()
    if any(_ROOT_NAMES.get(key, key[:1].upper() + key[1:]) not in allowed for key, value in given.items() if value):
        why = f"only [{_AT_ROOT}] fields are allowed at the root of the schema if the status subresource is enabled"
        return [invalid(path, given, why)]
    return []


# -- structural schemas (apiextensions-apiserver's pkg/apiserver/schema) ---------------------------------------------
_LEVELS = {"root": "at the root", "item": "for specified array items", "field": "for specified object fields"}


def _structural(given: Schema, path: str, level: str) -> Iterator[Any]:
    type_, below = given.get("type") or "", structural.items(given)
    known = structural.properties(given)
    others, other = structural.additional(given)
    if type_ == "array" and "items" not in given:
        yield required(f"{path}.items", "must be specified")
    if below is not None:
        yield from _structural(below, f"{path}.items", "item")
    for key, each in known.items():
        if not (level == "root" and key == "metadata"):
            yield from _structural(each, f"{path}.properties[{key}]", "field")
    if others or given.get("additionalProperties") is False:
        if level == "root":
            yield forbidden(f"{path}.additionalProperties", "must not be used at the root")
        if other is not None:
            yield from _structural(other, f"{path}.additionalProperties", "field")
    for extension in (PRESERVE, EMBEDDED):
        if given.get(INT_OR_STRING) and given.get(extension):
            yield invalid(f"{path}.{extension}", True, f"must be false if {INT_OR_STRING} is true")
    yield from _junctors(given, path, level)
    yield from _typed(given, path, level)
    yield from _of_meta(given, path, level)


def _typed(given: Schema, path: str, level: str) -> Iterator[Any]:
    type_ = given.get("type") or ""
    if given.get(EMBEDDED) and type_ != "object":
        why = f"must be object if {EMBEDDED} is true"
        yield invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why)
    elif not type_ and not given.get(INT_OR_STRING) and not given.get(PRESERVE):
        yield required(f"{path}.type", f"must not be empty {_LEVELS[level]}")
    if given.get(EMBEDDED) and "additionalProperties" in given:
        yield forbidden(f"{path}.additionalProperties", f"must not be used if {EMBEDDED} is set")
    if level == "root" and type_ and type_ != "object":
        yield invalid(f"{path}.type", type_, "must be object at the root")
    if given.get(EMBEDDED) and not given.get(PRESERVE) and not structural.properties(given):
        why = f"must not be empty if {EMBEDDED} is true without {PRESERVE}"
        yield required(f"{path}.properties", why)


def _of_meta(given: Schema, path: str, level: str) -> Iterator[Any]:
    known, whole = structural.properties(given), level == "root" or given.get(EMBEDDED)
    for key in ("kind", "apiVersion") if whole else ():
        if key in known and known[key].get("type") != "string":
            yield invalid(f"{path}.properties[{key}].type", known[key].get("type") or "", "must be string")
    metadata = known.get("metadata")
    if metadata is None:
        return
    here = f"{path}.properties[metadata]"
    if whole and metadata.get("type") != "object":
        yield invalid(f"{here}.type", metadata.get("type") or "", "must be object")
    names_only = set(structural.properties(metadata)) <= {"name", "generateName"}
    said = metadata.keys() - {"type", "default", "description", "properties"}
    if level == "root" and (said or not names_only):
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden(here, why)


def _junctors(given: Schema, path: str, level: str) -> Iterator[Any]:
    skip_any = given.get("anyOf") == _INTEGER_OR_STRING
    first = (given.get("allOf") or [{}])[0]
    skip_first = first.get("anyOf") == _INTEGER_OR_STRING
    for word in _JUNCTORS:
        for place, each in enumerate(given.get(word) or ()):
            if word == "anyOf" and skip_any:
                continue
            inner = {**each, "anyOf": None} if word == "allOf" and place == 0 and skip_first else each
            yield from _nested(inner, f"{path}.{word}[{place}]", level)
    if given.get("not") is not None:
        yield from _nested(given["not"], f"{path}.not", level)
    pattern = given.get("pattern")
    if pattern and (why := patterns.problem(pattern)):
        yield invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {why}")


_FORBIDDEN_NESTED = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    PRESERVE: "must be false to be structural",
    EMBEDDED: "must be false to be structural",
    INT_OR_STRING: "must be false to be structural",
    _KEYS: "must be empty to be structural",
    _LIST_TYPE: "must be undefined to be structural",
    _MAP_TYPE: "must be undefined to be structural",
    _RULES: "must be empty to be structural",
}


def _nested(given: Schema, path: str, level: str) -> Iterator[Any]:
    """A schema below a junctor: it restricts values and declares nothing."""
    yield from _junctors(given, path, level)
    below = structural.items(given)
    if below is not None:
        yield from _nested(below, f"{path}.items", level)
    for key, each in structural.properties(given).items():
        yield from _nested(each, f"{path}.properties[{key}]", "field")
    for key, why in _FORBIDDEN_NESTED.items():
        if given.get(key):
            yield forbidden(f"{path}.{key}", why)
    if "metadata" in structural.properties(given):
        yield forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _complete(given: Schema | None, whole: Schema | None, path: str, said: str) -> Iterator[Any]:
    """What junctors restrict has to be declared outside of them (validateStructuralCompleteness)."""
    if given is None:
        return
    for word in _JUNCTORS:
        for place, each in enumerate(given.get(word) or ()):
            yield from _complete_nested(each, whole, path, f"{said}.{word}[{place}]")
    if given.get("not") is not None:
        yield from _complete_nested(given["not"], whole, path, f"{said}.not")


def _complete_nested(given: Schema, whole: Schema | None, path: str, said: str) -> Iterator[Any]:
    if whole is None:
        yield required(path, f"because it is defined in {said}")
        return
    yield from _complete(given, whole, path, said)
    below = structural.items(given)
    if below is not None:
        yield from _complete_nested(below, structural.items(whole), f"{path}.items", f"{said}.items")
    for key, each in structural.properties(given).items():
        here = f"properties[{key}]"
        yield from _complete_nested(each, structural.properties(whole).get(key), f"{path}.{here}", f"{said}.{here}")


def _defaults(given: Schema, path: str, *, inside_meta: bool) -> Iterator[Any]:
    """Defaults have to be what their own schema accepts."""
    default = given.get("default")
    if default is not None and not inside_meta:
        here = f"{path}.default"
        if structural.pruned(default, given) != default:
            yield invalid(here, default, "must not have unknown fields")
        embedded = objects.embedded(default, given, here)
        yield from embedded or values.causes(default, given, here)
    below = structural.items(given)
    if below is not None:
        yield from _defaults(below, f"{path}.items", inside_meta=inside_meta)
    for key, each in structural.properties(given).items():
        inside = inside_meta or (bool(given.get(EMBEDDED)) and key in META)
        yield from _defaults(each, f"{path}.properties[{key}]", inside_meta=inside)


# -- what any part of a schema may say -------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Place:
    """Where in a schema: at its root, inside the metadata of an object; why there may be no default, or ""."""

    root: bool = False
    inside_meta: bool = False
    no_default: str = ""


def _statements(given: Schema, path: str, place: _Place) -> Iterator[Any]:
    yield from _supported(given, path, place)
    if given.get("uniqueItems"):
        why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden(f"{path}.uniqueItems", why)
    yield from _below(given, path, replace(place, root=False), place)
    if given.get(PRESERVE) is False:
        yield invalid(f"{path}.{PRESERVE}", False, "must be true or undefined")
    yield from _collection(given, path, _MAP_TYPE, "object", ("atomic", "granular"))
    yield from _collection(given, path, _LIST_TYPE, "array", ("atomic", "set", "map"))
    yield from _list_map(given, path)
    for number, rule in enumerate(given.get(_RULES) or ()):
        yield from _rule(rule, f"{path}.{_RULES}[{number}]")


def _supported(given: Schema, path: str, place: _Place) -> Iterator[Any]:
    type_ = given.get("type") or ""
    if type_ and type_ not in _TYPES:
        yield not_supported(f"{path}.type", type_, _TYPES)
    if given.get("default") is not None and place.no_default:
        yield forbidden(f"{path}.default", f"must not be set {place.no_default}")
    for key in _UNSUPPORTED:
        if given.get(key):
            yield forbidden(f"{path}.{key}", f"{key} is not supported")
    if type_ == "null":
        yield forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(given.get("items"), list):
        yield forbidden(f"{path}.items", "items must be a schema object and not an array")
    if place.inside_meta and given.get(EMBEDDED):
        yield forbidden(f"{path}.{EMBEDDED}", "must not be used inside of resource meta")


def _below(given: Schema, path: str, inner: _Place, place: _Place) -> Iterator[Any]:
    known, (_, other) = structural.properties(given), structural.additional(given)
    if known and (other is not None or given.get("additionalProperties") is False):
        why = "additionalProperties and properties are mutual exclusive"
        yield forbidden(f"{path}.additionalProperties", why)
    if other is not None:
        why = "inside additionalProperties applying to object metadata" if place.inside_meta else place.no_default
        yield from _statements(other, f"{path}.additionalProperties", replace(inner, no_default=why))
    for key, each in known.items():
        of_meta = key in META and (place.root or bool(given.get(EMBEDDED)))
        deeper = replace(inner, inside_meta=inner.inside_meta or of_meta)
        if of_meta and place.root:
            deeper = replace(deeper, no_default=f"in top-level {key}")
        yield from _statements(each, f"{path}.properties[{key}]", deeper)
    if isinstance(given.get("not"), dict):
        yield from _statements(given["not"], f"{path}.not", inner)
    for word in _JUNCTORS:
        for number, each in enumerate(given.get(word) or ()):
            yield from _statements(each, f"{path}.{word}[{number}]", inner)
    below = structural.items(given)
    if below is not None:
        yield from _statements(below, f"{path}.items", inner)


def _collection(given: Schema, path: str, key: str, wanted: str, known: tuple[str, ...]) -> Iterator[Any]:
    stated, type_ = given.get(key), given.get("type") or ""
    if stated is None:
        return
    if type_ != wanted:
        why = f"must be {wanted} if {key} is specified"
        yield invalid(f"{path}.type", type_, why) if type_ else required(f"{path}.type", why)
    elif key == _LIST_TYPE and stated == "set":
        yield from _set_items(structural.items(given), path)
    if stated not in known:
        yield not_supported(f"{path}.{key}", stated, known)


def _set_items(below: Schema | None, path: str) -> Iterator[Any]:
    if below is None:
        return
    why = f"must be atomic as item of a list with {_LIST_TYPE}=set"
    if below.get("type") == "array" and below.get(_LIST_TYPE, "atomic") != "atomic":
        yield invalid(f"{path}.items.{_LIST_TYPE}", below[_LIST_TYPE], why)
    if below.get("type") == "object" and below.get(_MAP_TYPE) != "atomic":
        yield invalid(f"{path}.items.{_MAP_TYPE}", below.get(_LIST_TYPE), why)


def _list_map(given: Schema, path: str) -> Iterator[Any]:
    stated, keys, below = given.get(_LIST_TYPE), given.get(_KEYS) or [], structural.items(given)
    if keys and stated != "map":
        why = f"must be map if {_KEYS} is non-empty"
        yield invalid(f"{path}.{_LIST_TYPE}", stated, why) if stated else required(f"{path}.{_LIST_TYPE}", why)
    if stated == "map":
        if not keys:
            yield required(f"{path}.{_KEYS}", f"must not be empty if {_LIST_TYPE} is map")
        if "items" not in given:
            yield required(f"{path}.items", f"must have a schema if {_LIST_TYPE} is map")
        elif below is not None and below.get("type") != "object":
            why = f"must be object if parent array's {_LIST_TYPE} is map"
            yield invalid(f"{path}.items.type", below.get("type") or "", why)
        elif below is not None:
            yield from _key_fields(keys, below, path)
    if stated in ("set", "map") and below is not None:
        yield from _required_keys(stated, keys, below, path)


def _key_fields(keys: list[str], below: Schema, path: str) -> Iterator[Any]:
    known = structural.properties(below)
    for place, key in enumerate(keys):
        if key not in known:
            yield invalid(f"{path}.{_KEYS}", keys, "entries must all be names of item properties")
        elif known[key].get("type") in ("array", "object"):
            why = f"must be a scalar type if parent array's {_LIST_TYPE} is map"
            yield invalid(f"{path}.items.properties[{key}].type", below.get("type"), why)
        if key in keys[:place]:
            yield invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _required_keys(stated: str, keys: list[str], below: Schema, path: str) -> Iterator[Any]:
    if below.get("nullable"):
        yield forbidden(f"{path}.items.nullable", f"cannot be nullable when {_LIST_TYPE} is {stated}")
    known = structural.properties(below)
    for key in keys if stated == "map" else ():
        field = known.get(key)
        if field is None:
            continue
        here, about = f"{path}.items.properties[{key}]", f"this property is in {_KEYS}, so it"
        if key not in (below.get("required") or ()) and field.get("default") is None:
            yield required(f"{here}.default", f"{about} must have a default or be a required property")
        if field.get("nullable"):
            yield forbidden(f"{here}.nullable", f"{about} cannot be nullable")


def _rule(rule: dict[str, Any], path: str) -> Iterator[Any]:
    text, message = (rule.get("rule") or "").strip(), rule.get("message") or ""
    if not text:
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid(f"{path}.message", message, "must not contain line breaks")
    elif "\n" in text and not message.strip():
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield not_supported(f"{path}.reason", reason, _REASONS)
