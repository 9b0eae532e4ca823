"""Owner references: who controls an object, and the reference a controller writes into what it creates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bluegreen.localkube.kinds import Kind

Obj = dict[str, Any]


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference marked ``controller``, of which there is at most one."""
    references = obj["metadata"].get("ownerReferences")
    if not references:
        return None
    return next((reference for reference in references if reference.get("controller")), None)


def reference(kind: Kind, owner: Obj) -> Obj:
    """The reference that makes ``owner`` the controller of another object."""
    meta = owner["metadata"]
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def without_owner(references: Iterable[Obj], uid: str) -> list[Obj]:
    """The references that do not name this owner."""
    return [reference for reference in references if reference["uid"] != uid]
