"""What the server refuses, by kind, in Kubernetes' own words and order. Pure: an object in, causes out."""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.validation import meta
from bluegreen.localkube.validation.fields import Causes

__all__ = ["validate"]

CREATE: dict[str, Callable[[Obj], Causes]] = {}
UPDATE: dict[str, Callable[[Obj, Obj], Causes]] = {}


def validate(kind: Kind, obj: Obj, old: Obj | None) -> Causes:
    """Every field that is wrong with a new object (``old`` None) or an update of one; [] when it may be stored."""
    if old is None:
        check = CREATE.get(kind.kind)
        causes = meta.create(kind, obj)
        return causes + check(obj) if check else causes
    causes = meta.common(obj["metadata"], "metadata")
    update = UPDATE.get(kind.kind)
    return causes + update(obj, old) if update else causes
