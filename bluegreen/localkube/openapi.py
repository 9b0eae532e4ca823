"""``/openapi/v3``: an index, and one document per group version, built from the table of kinds and the schema table.

It serves kubectl: ``apply`` looks for a PATCH with the parameter fieldValidation and for merge keys, ``explain`` for
schemas with their descriptions. ``/openapi/v2`` is a document without paths: kubectl asks for it only about kinds that
v3 does not know, and goes on to say so in its own words once it has read that v2 does not know them either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import orjson

from bluegreen.localkube import schema
from bluegreen.localkube.catalogue import BUILT_IN
from bluegreen.localkube.custom import openapi as custom_openapi
from bluegreen.localkube.discovery import JSON, VERSION
from bluegreen.localkube.kinds import KINDS, Kind, Obj
from bluegreen.localkube.schema import Field, Struct

ROOT = "/openapi/v3"
_V2 = "/openapi/v2"
_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_NUMBER_OR_STRING: Obj = {"oneOf": [{"type": "string"}, {"type": "number"}]}
_STRUCTLESS: dict[str, Obj] = {  # types that are one value in JSON, under the names that kubectl explain prints
    _QUANTITY: _NUMBER_OR_STRING,
    _INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    f"{_META}Time": {"type": "string", "format": "date-time"},
    f"{_META}MicroTime": {"type": "string", "format": "date-time"},
}
_REFERENCED = {
    "quantity": _QUANTITY,
    "intOrString": _INT_OR_STRING,
    "time": f"{_META}Time",
    "microTime": f"{_META}MicroTime",
}
_SCALARS: dict[str, Obj] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "any": {"type": "object"},
}
_PATCH_TYPES = ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
_WRITE_PARAMETERS = {"dryRun": "string", "fieldManager": "string", "fieldValidation": "string"}
_LIST_PARAMETERS = {
    "labelSelector": "string",
    "fieldSelector": "string",
    "limit": "integer",
    "continue": "string",
    "resourceVersion": "string",
    "watch": "boolean",
    "timeoutSeconds": "integer",
}
# HTTP method -> (Kubernetes' verb, its own word for the operation, query parameters)
_ON_COLLECTION = {
    "get": ("list", "list", _LIST_PARAMETERS),
    "post": ("create", "post", _WRITE_PARAMETERS),
    "delete": ("deletecollection", "deletecollection", _LIST_PARAMETERS),
}
_ON_OBJECT = {
    "get": ("get", "get", {}),
    "put": ("update", "put", _WRITE_PARAMETERS),
    "patch": ("patch", "patch", _WRITE_PARAMETERS | {"force": "boolean"}),
    "delete": (
        "delete",
        "delete",
        {"dryRun": "string", "gracePeriodSeconds": "integer", "propagationPolicy": "string"},
    ),
}


Kinds = tuple[Kind, ...]


def answer(path: str, accept: str = "", served: Kinds = BUILT_IN) -> tuple[bytes, str] | None:
    """The document at ``path`` about these kinds and its content type; None where there is none."""
    path = path.rstrip("/")
    if path == _V2:
        return (_v2_protobuf(), _V2_PROTOBUF) if "protobuf" in accept else (orjson.dumps(_v2()), JSON)
    if path == ROOT:
        return orjson.dumps(index(served)), JSON
    for group, version in _described(served):
        if path == f"{ROOT}/{_place(group, version)}":
            return document(served, group, version), JSON
    return None


@lru_cache(maxsize=4)
def index(served: Kinds) -> Obj:
    """Where each group version's document lies; the hash in the address changes with the documents."""
    places = {_place(group, version): _hash_of(served, group, version) for group, version in _described(served)}
    return {"paths": {place: {"serverRelativeURL": f"{ROOT}/{place}?hash={places[place]}"} for place in sorted(places)}}


def _hash_of(served: Kinds, group: str, version: str) -> str:
    custom = any(kind.custom for kind in served if (kind.group, kind.version) == (group, version))
    if not custom:
        return _hash()
    return hashlib.sha256(document(served, group, version)).hexdigest()[:32].upper()


@lru_cache(maxsize=4)
def _described(served: Kinds) -> frozenset[tuple[str, str]]:
    """The group versions whose kinds have a schema: all but what is only measured."""
    return frozenset((kind.group, kind.version) for kind in served) - {("metrics.k8s.io", "v1beta1")}


def _v2() -> Obj:
    return {"swagger": "2.0", "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]}, "paths": {}}


def _v2_protobuf() -> bytes:
    """The same as gnostic's openapi.v2.Document: swagger is its field 1, info (title 1, version 2) its field 2."""
    info = _text_field(1, "Kubernetes") + _text_field(2, VERSION["gitVersion"])
    return _text_field(1, "2.0") + bytes([2 << 3 | 2, len(info)]) + info


def _text_field(number: int, text: str) -> bytes:
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def _place(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


@cache
def _hash() -> str:
    sources = [
        Path(__file__).with_name("schema_table.json"),
        Path(__file__).with_name("schema_enums.json"),
        Path(__file__).with_name("kinds.py"),
        Path(__file__),
    ]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:32].upper()


@lru_cache(maxsize=128)
def document(served: Kinds, group: str, version: str) -> bytes:
    """The OpenAPI 3.0 document of one group version, as JSON."""
    kinds = [kind for kind in served if (kind.group, kind.version) == (group, version)]
    paths = {path: item for kind in kinds for path, item in _paths(kind)}
    info = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
    return orjson.dumps({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": _schemas(kinds)}})


# -- paths -----------------------------------------------------------------------------------------------------------
def _paths(kind: Kind) -> Iterator[tuple[str, Obj]]:
    base = f"/{_place(kind.group, kind.version)}"
    inside = f"{base}/namespaces/{{namespace}}" if kind.namespaced else base
    place = [_in_path("namespace")] if kind.namespaced else []
    yield f"{inside}/{kind.plural}", _operations(kind, kind.verbs, _ON_COLLECTION) | {"parameters": place}
    if "list" in kind.verbs and kind.namespaced:
        yield f"{base}/{kind.plural}", _operations(kind, ("list",), _ON_COLLECTION)
    one = {"parameters": [*place, _in_path("name")]}
    if "get" in kind.verbs:
        yield f"{inside}/{kind.plural}/{{name}}", _operations(kind, kind.verbs, _ON_OBJECT) | one
    for sub in kind.subresources:
        methods = {"post": _ON_COLLECTION["post"]} | _ON_OBJECT
        path = f"{inside}/{kind.plural}/{{name}}/{sub.name}"
        about = (sub.group, sub.version, sub.kind) if sub.kind else None
        yield path, _operations(kind, sub.verbs, methods, about) | one


def _operations(
    kind: Kind,
    verbs: tuple[str, ...],
    methods: dict[str, tuple[str, str, dict[str, str]]],
    about: tuple[str, str, str] | None = None,
) -> Obj:
    group, version, name = about or (kind.group, kind.version, kind.kind)
    return {
        method: {
            "operationId": f"{word}{kind.kind}",
            "parameters": [_in_query(parameter, type_) for parameter, type_ in parameters.items()],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": word,
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": name},
            **_body(method, name, kind),
        }
        for method, (verb, word, parameters) in methods.items()
        if verb in verbs
    }


def _body(method: str, name: str, kind: Kind) -> Obj:
    if method == "patch":
        patch = {"schema": {"$ref": f"#/components/schemas/{_META}Patch"}}
        types = [type_ for type_ in _PATCH_TYPES if not (kind.custom and type_.startswith("strategic"))]
        return {"requestBody": {"content": {f"application/{type_}": patch for type_ in types}}}
    if method in ("post", "put") and (name in KINDS or kind.custom):
        reference = {"schema": _reference(_name_of(kind) if name == kind.kind else _full_name(name))}
        return {"requestBody": {"content": {JSON: reference}}}
    return {}


def _in_path(name: str) -> Obj:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}


def _in_query(name: str, type_: str) -> Obj:
    return {"name": name, "in": "query", "schema": {"type": type_, "uniqueItems": True}}


# -- schemas ---------------------------------------------------------------------------------------------------------
def _schemas(kinds: list[Kind]) -> Obj:
    """Every definition that the kinds use, their lists, and the types that are one value."""
    found: dict[str, Obj] = dict(_STRUCTLESS) | {f"{_META}Patch": {"type": "object"}}
    built_in = [kind for kind in kinds if not kind.custom]
    waiting = [schema.of_kind(kind.kind).name for kind in built_in] + ["meta.v1.ListMeta"]
    if len(built_in) < len(kinds):
        waiting.append("meta.v1.ObjectMeta")
    while waiting:
        name = waiting.pop()
        if _full_name(name) not in found:
            struct = schema.struct(name)
            found[_full_name(name)] = _definition(struct)
            waiting += [inner for field in struct.fields.values() for inner in _uses(field)]
    for kind in kinds:
        name = _name_of(kind)
        if kind.custom:
            found[name] = custom_openapi.definition(kind.custom.schema)
        if kind.stored:
            found[f"{name.rpartition('.')[0]}.{kind.list_kind}"] = _list_definition(kind, name)
        found[name]["x-kubernetes-group-version-kind"] = [_gvk(kind, kind.kind)]
    return dict(sorted(found.items()))


def _uses(field: Field) -> list[str]:
    if field.item is not None:
        return _uses(field.item)
    return [field.type] if field.is_struct else []


def _name_of(kind: Kind) -> str:
    """The definition's name: a custom kind's group comes in reverse."""
    if kind.custom:
        return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
    return _full_name(schema.of_kind(kind.kind).name)


def _full_name(name: str) -> str:
    if name.startswith("apiextensions."):
        return f"io.k8s.apiextensions-apiserver.pkg.apis.{name}"
    return _META + name.removeprefix("meta.v1.") if name.startswith("meta.v1.") else f"io.k8s.api.{name}"


def _gvk(kind: Kind, name: str) -> Obj:
    return {"group": kind.group, "version": kind.version, "kind": name}


def _definition(struct: Struct) -> Obj:
    text, enums = schema.descriptions(struct.name), schema.enums(struct.name)
    properties = {name: _property(field, text.get(name, ""), enums.get(name)) for name, field in struct.fields.items()}
    definition: Obj = {"type": "object", "description": text.get("", ""), "properties": properties}
    if struct.required:
        definition["required"] = list(struct.required)
    if struct.atomic:
        definition["x-kubernetes-map-type"] = "atomic"
    return definition


def _list_definition(kind: Kind, item: str) -> Obj:
    return {
        "type": "object",
        "description": f"{kind.list_kind} is a list of {kind.kind}.",
        "required": ["items"],
        "properties": {
            "apiVersion": _SCALARS["string"],
            "kind": _SCALARS["string"],
            "metadata": _reference(f"{_META}ListMeta"),
            "items": {"type": "array", "items": _reference(item)},
        },
        "x-kubernetes-group-version-kind": [_gvk(kind, kind.list_kind)],
    }


def _property(field: Field, description: str, enum: tuple[list[str], str] | None) -> Obj:
    values, meaning = enum or ([], "")
    stated = {"enum": values} if values else {}
    return {"description": description + meaning, **_type(field), **stated, **_extensions(field)}


def _type(field: Field) -> Obj:
    if field.type == "list" and field.item is not None:
        return {"type": "array", "items": _type(field.item)}
    if field.type == "map" and field.item is not None:
        return {"type": "object", "additionalProperties": _type(field.item)}
    if field.type in _SCALARS:
        return _SCALARS[field.type]
    return _reference(_REFERENCED.get(field.type) or _full_name(field.type))


def _reference(name: str) -> Obj:
    return {"allOf": [{"$ref": f"#/components/schemas/{name}"}]}


def _extensions(field: Field) -> Obj:
    is_list = field.type == "list"
    given: dict[str, Any] = {
        "x-kubernetes-list-type": field.list_type if is_list else "",
        "x-kubernetes-list-map-keys": list(field.keys),
        "x-kubernetes-patch-merge-key": field.merge_key,
        "x-kubernetes-patch-strategy": ",".join(sorted(field.strategy)),
        "x-kubernetes-map-type": "atomic" if field.atomic else "",
    }
    return {key: value for key, value in given.items() if value}
