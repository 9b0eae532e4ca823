"""What each served kind consists of: fields, types, list keys, merge keys, and what Go leaves out of JSON.

Read from ``schema_table.json`` (see ``generate_schema.py``) when first asked; descriptions lie in a second file
because only ``kubectl explain`` wants them. Pure lookups: nothing here looks at an object.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import orjson

_HERE = Path(__file__).parent
SCALARS = frozenset(
    ("string", "boolean", "int32", "int64", "double", "quantity", "intOrString", "time", "microTime", "bytes", "any",
     "deduced")
)  # fmt: skip
"""Types that are leaves; "list" and "map" have an ``item``; every other type is the name of a struct. "deduced" stands
in custom kinds for what no schema describes: an object there goes by its keys, everything else is a leaf."""


class Field:
    """A field of a struct, or the item of a list or map.

    ``omit``: when Go leaves it out of JSON: "empty" (zero scalars, empty lists and maps, nil pointers), "zero" or
    "never".
    ``list_type``: "atomic", "set" or "map" (then ``keys`` identify an item). ``merge_key`` and ``strategy`` belong to
    strategic merge patches. ``default``: what a missing key of an associative list stands for.
    """

    __slots__ = (
        "_go",
        "_struct",
        "atomic",
        "default",
        "item",
        "keys",
        "list_type",
        "merge_key",
        "omit",
        "pointer",
        "strategy",
        "type",
    )

    def __init__(self, row: dict[str, Any]) -> None:
        self.type: str = row["t"]
        self.pointer: bool = "p" in row
        self.omit: str = row.get("o", "empty")
        self.item: Field | None = Field(row["i"]) if "i" in row else None
        self.list_type: str = row.get("l", "atomic")
        self.keys: tuple[str, ...] = tuple(row.get("k", ()))
        self.merge_key: str = row.get("m", "")
        self.strategy: frozenset[str] = frozenset(row.get("s", "").split(",")) - {""}
        self.atomic: bool = "a" in row
        self.default: Any = row.get("d", self._zero(row))
        self._go: str = row.get("g", "")
        if self.item is not None and self._go.startswith(("[]", "map[string]")) and not self.item.is_struct:
            self.item._go = self._go.partition("]")[2]
        self._struct: Struct | None = None

    def _zero(self, row: dict[str, Any]) -> Any:
        """What OpenAPI gives as the default of a scalar that Go never leaves out."""
        if self.pointer or self.omit != "never":
            return None
        return {"string": "", "int32": 0, "int64": 0}.get(row["t"])

    @classmethod
    def holding(cls, struct: Struct) -> Field:
        """A field that holds a struct which the table does not know."""
        made = cls({"t": struct.name})
        made._struct = struct
        return made

    def of(self, *values: Any) -> Field:
        """This field, or what the values make of it where it is deduced."""
        if self.type != "deduced":
            return self
        return _DEDUCED_MAP if any(isinstance(value, dict) for value in values) else _DEDUCED_LEAF

    @property
    def is_struct(self) -> bool:
        """Whether the value is an object with fields of its own."""
        return self.item is None and self.type not in SCALARS

    @property
    def struct(self) -> Struct:
        """The struct this field holds. Only for fields that are structs."""
        found = self._struct
        if found is None:
            found = self._struct = struct(self.type)
        return found

    @property
    def go(self) -> str:
        """The Go type as decoding errors name it: ``int32``, ``v1.Protocol``, ``[]v1.Container``."""
        return self._go or _go_name(self)


DEDUCED = Field({"t": "deduced"})
"""A field of which only a value says what it is."""
_DEDUCED_LEAF, _DEDUCED_MAP = Field({"t": "any"}), Field({"t": "map"})
_DEDUCED_MAP.item = DEDUCED


class Struct:
    """An object type: its fields by JSON name. ``atomic``: appliers own it as a whole. ``status_apart``: its status is
    written at /status alone.
    """

    __slots__ = ("atomic", "fields", "kind", "name", "required", "status_apart")

    def __init__(self, name: str, row: dict[str, Any]) -> None:
        self.name = name
        self.fields: dict[str, Field] = {field: Field(body) for field, body in row["f"].items()}
        self.required: tuple[str, ...] = tuple(row.get("r", ()))
        self.atomic: bool = "a" in row
        self.kind: tuple[str, str, str] | None = tuple(row["k"]) if "k" in row else None
        self.status_apart = True

    @property
    def go_name(self) -> str:
        """The type's name without its package: ``DeploymentSpec``."""
        return self.name.rpartition(".")[2]


_GO_SCALARS = {"boolean": "bool", "double": "float64", "bytes": "[]uint8", "intOrString": "intstr.IntOrString"}
_GO_SCALARS |= {"quantity": "resource.Quantity", "time": "v1.Time", "microTime": "v1.MicroTime"}


def _go_name(field: Field) -> str:
    if field.type == "list" and field.item:
        return f"[]{field.item.go}"
    if field.type == "map" and field.item:
        return f"map[string]{field.item.go}"
    if field.type in SCALARS:
        return _GO_SCALARS.get(field.type, field.type)
    return ".".join(field.type.split(".")[-2:])


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = orjson.loads((_HERE / "schema_table.json").read_bytes())["types"]
    return table


@cache
def _text() -> dict[str, dict[str, str]]:
    text: dict[str, dict[str, str]] = orjson.loads((_HERE / "schema_text.json").read_bytes())["text"]
    return text


def text(name: str) -> dict[str, str]:
    """What is said of a definition's fields, by field; of itself under ""."""
    return _text()[name]


@cache
def _enums() -> dict[str, dict[str, tuple[list[str], str]]]:
    found: dict[str, dict[str, tuple[list[str], str]]] = orjson.loads((_HERE / "schema_enums.json").read_bytes())[
        "enums"
    ]
    return found


@cache
def struct(name: str) -> Struct:
    """The struct of a definition: ``core.v1.PodSpec``. KeyError for one that no served kind uses."""
    return Struct(name, _table()[name])


@cache
def _names_by_kind() -> dict[str, str]:
    return {row["k"][2]: name for name, row in _table().items() if "k" in row}


@lru_cache(maxsize=512)
def of_kind(kind: str | Struct) -> Struct:
    """The struct of a built-in kind by its CamelCase name, ``Deployment``; a custom kind's is known already.

    KeyError for a kind that is not served.
    """
    if isinstance(kind, Struct):
        return kind
    return struct(_names_by_kind().get(kind) or {"DeleteOptions": "meta.v1.DeleteOptions"}[kind])


def descriptions(name: str) -> dict[str, str]:
    """What a definition ("" in the answer) and each of its fields are for, as ``kubectl explain`` prints it."""
    return _text()[name]


def enums(name: str) -> dict[str, tuple[list[str], str]]:
    """The values that a definition's fields may have, where they are a closed set, and what each means in words."""
    return _enums().get(name, {})


def names() -> tuple[str, ...]:
    """Every definition in the table."""
    return tuple(_table())
