"""Which objects a controller owns: it takes orphans its selector matches and lets go of what it matches no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bluegreen.localkube.controllers.base import MANAGER, key_of
from bluegreen.localkube.controllers.index import Index
from bluegreen.localkube.controllers.owners import reference, without_owner
from bluegreen.localkube.kinds import Kind
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.selectors import selects

Obj = dict[str, Any]


def is_deleting(obj: Obj) -> bool:
    """Whether an object is on its way out."""
    return "deletionTimestamp" in obj["metadata"]


def claim(registry: Registry, index: Index, kind: Kind, owner_kind: Kind, owner: Obj) -> list[Obj]:
    """The owner's objects of ``kind``: those it controls and still selects, and the orphans it selects, adopted.

    An owner that is being deleted neither adopts nor releases.
    """
    meta, selector = owner["metadata"], owner["spec"]["selector"]
    controlled = index.controlled(meta["uid"])
    kept = [obj for obj in controlled if selects(selector, obj["metadata"].get("labels"))]
    if is_deleting(owner):
        return kept
    if len(kept) < len(controlled):
        _release(registry, kind, meta["uid"], (obj for obj in controlled if obj not in kept))
    orphans = [obj for obj in index.orphans(meta["namespace"], selector) if _may_adopt(obj)]
    adopted = [_adopt(registry, kind, obj, reference(owner_kind, owner)) for obj in orphans]
    return kept + [obj for obj in adopted if obj is not None]


def _may_adopt(obj: Obj) -> bool:
    phase = (obj.get("status") or {}).get("phase")
    return not is_deleting(obj) and phase not in ("Succeeded", "Failed")


def _release(registry: Registry, kind: Kind, uid: str, objects: Iterable[Obj]) -> None:
    for obj in objects:
        if not is_deleting(obj):
            registry.modify(kind, *key_of(obj), _Disown(uid), manager=MANAGER, subresource="")


def _adopt(registry: Registry, kind: Kind, obj: Obj, owner: Obj) -> Obj | None:
    def change(copy: Obj) -> None:
        copy["metadata"].setdefault("ownerReferences", []).append(owner)

    return registry.modify(kind, *key_of(obj), change, manager=MANAGER, subresource="")


class _Disown:
    """Takes one owner out of an object."""

    def __init__(self, uid: str) -> None:
        self._uid = uid

    def __call__(self, obj: Obj) -> None:
        left = without_owner(obj["metadata"].get("ownerReferences") or (), self._uid)
        if left:
            obj["metadata"]["ownerReferences"] = left
        else:
            obj["metadata"].pop("ownerReferences", None)
