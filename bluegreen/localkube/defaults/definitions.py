"""What the server fills into CustomResourceDefinitions."""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]


def definition(obj: Obj) -> None:
    """A CustomResourceDefinition: names that follow from its kind, no conversion, the version that is stored."""
    spec = obj["spec"]
    names = spec["names"]
    kind = names.get("kind") or ""
    names.setdefault("singular", kind.lower())
    if kind:
        names.setdefault("listKind", f"{kind}List")
    if not names["singular"]:
        del names["singular"]
    spec.setdefault("conversion", {"strategy": "None"})
    _note_stored_version(obj)


def _note_stored_version(obj: Obj) -> None:
    """Versions in which objects were ever stored stay listed."""
    stored = next((version["name"] for version in obj["spec"].get("versions") or () if version.get("storage")), None)
    listed = obj["status"].get("storedVersions") or []
    if stored and stored not in listed:
        obj["status"]["storedVersions"] = [*listed, stored]
