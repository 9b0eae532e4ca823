"""A custom kind's schema as OpenAPI 3.0 publishes it, which ``kubectl explain`` and ``apply`` read."""

from __future__ import annotations

from bluegreen.localkube.custom.structural import EMBEDDED, Schema
from bluegreen.localkube.kinds import Obj

_OBJECT_META = {
    "description": "Standard object's metadata. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}],
}
_API_VERSION = {"type": "string", "description": "The group and version of this object's schema, GROUP/VERSION."}
_KIND = {"type": "string", "description": "The kind of this object, in CamelCase."}


def definition(schema: Schema) -> Obj:
    """A whole object's definition; what every object has is added to what the schema declares."""
    return _with_meta({**schema, "type": schema.get("type", "object")})


def _with_meta(schema: Schema) -> Obj:
    declared = {key: _nested(below) for key, below in (schema.get("properties") or {}).items()}
    properties = {**declared, "apiVersion": _API_VERSION, "kind": _KIND, "metadata": _OBJECT_META}
    return {**{key: value for key, value in schema.items() if key != "properties"}, "properties": properties}


def _nested(schema: Schema) -> Obj:
    """A part of a schema; whole objects in it have their metadata too."""
    made = dict(schema)
    if isinstance(made.get("items"), dict):
        made["items"] = _nested(made["items"])
    if isinstance(made.get("additionalProperties"), dict):
        made["additionalProperties"] = _nested(made["additionalProperties"])
    if made.get("properties"):
        made["properties"] = {key: _nested(below) for key, below in made["properties"].items()}
    return _with_meta(made) if made.get(EMBEDDED) else made
