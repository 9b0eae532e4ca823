"""The arithmetic of a rolling update: how many pods may be added, taken away, and how a scale is shared out.

Pure. The rules are those of Kubernetes' deployment controller (its ``util`` package), on plain numbers, so that each
can be tested by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

IntOrPercent = int | str


@dataclass(frozen=True)
class Size:
    """A ReplicaSet as the arithmetic sees it. Order in a sequence means oldest first unless said otherwise."""

    name: str
    replicas: int  # spec.replicas
    available: int  # status.availableReplicas
    max_replicas: int | None = None  # annotation max-replicas: replicas + surge when it was last scaled
    desired_replicas: int | None = None  # annotation desired-replicas: the Deployment's when it was last scaled


def scaled(value: IntOrPercent, total: int, *, round_up: bool) -> int:
    """An ``IntOrString``: a number as it is, a percentage of ``total`` rounded."""
    if isinstance(value, int):
        return value
    share = int(value.rstrip("%")) * total
    return -(-share // 100) if round_up else share // 100


def fenceposts(max_surge: IntOrPercent, max_unavailable: IntOrPercent, replicas: int) -> tuple[int, int]:
    """(surge, unavailable) in pods. Surge rounds up, unavailable down; never both zero, or nothing could move."""
    surge = scaled(max_surge, replicas, round_up=True)
    unavailable = scaled(max_unavailable, replicas, round_up=False)
    return (surge, 1) if surge == unavailable == 0 else (surge, unavailable)


def new_size(new: Size, total: int, replicas: int, surge: int) -> int:
    """How large the new ReplicaSet may be now. ``total``: spec.replicas of all sets, the new one included."""
    if new.replicas >= replicas:
        return replicas
    room = max(0, replicas + surge - total)
    return new.replicas + min(room, replicas - new.replicas)


def old_sizes(old: Sequence[Size], new: Size, replicas: int, unavailable: int) -> dict[str, int]:
    """New sizes of those old ReplicaSets that shrink now: first pods that are not available anyway, then
    available ones as far as enough others are."""
    min_available = replicas - unavailable
    total = new.replicas + sum(size.replicas for size in old)
    removable = total - min_available - (new.replicas - new.available)
    if removable <= 0:
        return {}
    if any(size.available > size.replicas for size in old):
        return {}  # just scaled, and not counted since: what is available now is not known
    sizes = {size.name: size.replicas for size in old}
    _drop_unhealthy(old, sizes, removable)
    spare = new.available + sum(size.available for size in old) - min_available
    for size in old:
        dropped = max(0, min(sizes[size.name], spare))
        sizes[size.name] -= dropped
        spare -= dropped
    return {size.name: sizes[size.name] for size in old if sizes[size.name] != size.replicas}


def _drop_unhealthy(old: Sequence[Size], sizes: dict[str, int], removable: int) -> None:
    for size in old:
        dropped = max(0, min(removable, size.replicas - size.available))
        sizes[size.name] -= dropped
        removable -= dropped


def saturated(new: Size | None, replicas: int) -> bool:
    """Whether the new ReplicaSet carries the whole Deployment, so that the old ones may go."""
    return new is not None and new.replicas == new.available == new.desired_replicas == replicas


def proportional(active: Sequence[Size], replicas: int, surge: int, current: int) -> dict[str, int]:
    """New sizes of all active ReplicaSets when a Deployment is scaled in mid-rollout: each gets its share, what
    rounding leaves goes to the first. ``active``: largest first; among equals newest first when growing, oldest
    first when shrinking. ``current``: the Deployment's status.replicas, the base where a set states none."""
    allowed = replicas + surge if replicas > 0 else 0
    to_add = allowed - sum(size.replicas for size in active)
    sizes = {size.name: size.replicas for size in active}
    added = 0
    for size in active:
        share = _share(size, replicas, surge, current, to_add, added)
        sizes[size.name] += share
        added += share
    if active and to_add:
        largest = active[0].name
        sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _share(size: Size, replicas: int, surge: int, current: int, to_add: int, added: int) -> int:
    if size.replicas == 0 or to_add in (0, added):
        return 0
    fraction = _fraction(size, replicas, surge, current)
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(size: Size, replicas: int, surge: int, current: int) -> int:
    if replicas == 0:
        return -size.replicas
    before = size.max_replicas or current
    if before == 0:
        return 0
    return math.floor(size.replicas * (replicas + surge) / before + 0.5) - size.replicas


def growth_order(size: Size, created: str) -> tuple[int, str, str]:
    """Sort key, to be used with ``reverse=True``: largest first, newest first among equals."""
    return size.replicas, created, size.name
