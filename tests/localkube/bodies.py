"""Objects made at random from the schema table: mostly of the right shape, now and then of a wrong one."""

from __future__ import annotations

import random
from typing import Any

from bluegreen.localkube import schema
from bluegreen.localkube.kinds import Kind
from bluegreen.localkube.schema import Field, Struct

_TEXTS = ("", "a", "web", "UPPER", "a b", "1", "-1", "25%", "100m", "lots", "None", "TCP", "127.0.0.1", "ü", "x" * 300)
_NUMBERS = (0, 1, -1, 80, 70000, 2**31, 2**63, -(2**63) - 1, 1.5, 1e300)
_WRONG: tuple[Any, ...] = (None, True, 0, 1.5, "", "text", [], {}, [None], [[]], {"a": None}, {"": {}})
_TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z", "yesterday", "0001-01-01T00:00:00Z")


class Maker:
    """Makes objects from one seed."""

    def __init__(self, seed: int, wrong: float = 0.03) -> None:
        self._random = random.Random(seed)
        self._wrong = wrong

    def obj(self, kind: Kind) -> Any:
        """An object of a kind."""
        made = self._struct(schema.of_kind(kind.kind), 0)
        if not isinstance(made, dict) or self._random.random() < 0.05:
            return made
        made["apiVersion"], made["kind"] = kind.api_version, kind.kind
        if self._random.random() < 0.9:
            meta = made.get("metadata") if isinstance(made.get("metadata"), dict) else {}
            made["metadata"] = {"name": self._random.choice(("a", "b", "c")), "labels": (meta or {}).get("labels", {})}
        return made

    def _struct(self, struct: Struct, depth: int) -> Any:
        if self._random.random() < self._wrong:
            return self._random.choice(_WRONG)
        chance = 0.9 if depth == 0 else 0.55 if depth < 4 else 0.25
        names = [name for name in struct.fields if name in struct.required or self._random.random() < chance]
        if depth > 9:
            names = []
        return {name: self._value(struct.fields[name], depth + 1) for name in names}

    def _value(self, field: Field, depth: int) -> Any:
        if self._random.random() < self._wrong:
            return self._random.choice(_WRONG)
        if field.type == "list" and field.item:
            return [self._value(field.item, depth + 1) for _ in range(self._random.choice((0, 1, 1, 2)))]
        if field.type == "map" and field.item:
            keys = self._random.sample(("a", "cpu", "memory", "A B", ""), self._random.choice((0, 1, 2)))
            return {key: self._value(field.item, depth + 1) for key in keys}
        if field.is_struct:
            return self._struct(field.struct, depth)
        return self._scalar(field.type)

    def _scalar(self, type_: str) -> Any:
        pick = self._random.choice
        if type_ == "boolean":
            return pick((True, False))
        if type_ in ("int32", "int64", "double"):
            return pick(_NUMBERS)
        if type_ == "intOrString":
            return pick((*_NUMBERS, *_TEXTS))
        if type_ in ("time", "microTime"):
            return pick(_TIMES)
        if type_ == "quantity":
            return pick(("1", "500m", "1Gi", "-1", "1e3", "lots", 2, 0.5, ""))
        if type_ == "bytes":
            return pick(("", "cHc=", "not base64!"))
        return pick(_TEXTS) if type_ == "string" else pick(_WRONG)
