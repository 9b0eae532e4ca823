"""The columns that ``kubectl get`` shows of custom objects: additionalPrinterColumns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube import schema
from bluegreen.localkube.cell_words import since
from bluegreen.localkube.custom import jsonpath
from bluegreen.localkube.kinds import Obj


@dataclass(frozen=True)
class Column:
    """One column. ``type``: of its cells, in JSON Schema's words, or "date", which is shown as an age."""

    name: str
    type: str
    path: str
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> Obj:
        """The column as a Table describes it."""
        said = self.description or f"Custom resource definition column (in JSONPath format): {self.path}"
        return {"name": self.name, "type": self.type, "format": self.format, "description": said,
                "priority": self.priority}  # fmt: skip

    def cell(self, obj: Obj) -> Any:
        """What stands there for one object; None where it has no such field."""
        found = jsonpath.find(obj, self.path)
        if not found or found[0] is None:
            return None
        value = found[0]
        if self.type == "string":
            return _text(value)
        if self.type == "date":
            return since(value) if isinstance(value, str) else None
        if self.type == "boolean":
            return value if isinstance(value, bool) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return int(value) if self.type == "integer" else value


_AGE = Column("Age", "date", ".metadata.creationTimestamp")


def columns_of(given: list[Obj] | None) -> tuple[Column, ...]:
    """The columns of a version of a definition; one that names none gets the age."""
    if not given:
        return (_AGE,)
    return tuple(
        Column(each["name"], each["type"], each["jsonPath"], each.get("format") or "", each.get("description") or "",
               each.get("priority") or 0)
        for each in given
    )  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(value)


def definitions(columns: tuple[Column, ...]) -> list[Obj]:
    """All columns, the name first."""
    said = schema.text("meta.v1.ObjectMeta")["name"]
    name = {"name": "Name", "type": "string", "format": "name", "description": said, "priority": 0}
    return [name, *(column.definition() for column in columns)]


def cells(columns: tuple[Column, ...], obj: Obj) -> list[Any]:
    """One object's row."""
    return [obj["metadata"]["name"], *(column.cell(obj) for column in columns)]
