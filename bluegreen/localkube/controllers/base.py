"""What a controller is: which kinds it watches, which keys a change concerns, and one pass over one key.

A pass is synchronous and level-triggered: it reads what is now, writes what should be, and says when it wants to
run again by itself. It never waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bluegreen.localkube.controllers.index import Index, Selectors
from bluegreen.localkube.kinds import KINDS, Kind
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.store import Change, Store

Obj = dict[str, Any]
Key = tuple[str, ...]
"""What a controller works on; most often (namespace, name)."""

CUSTOM = "*"
"""Among the kinds that a controller watches: every custom kind."""
MANAGER = "kube-controller-manager"
"""The field manager of everything the controllers write."""


class Controller(Protocol):
    """One reconcile loop."""

    @property
    def name(self) -> str:
        """The controller's name: as the component of its events, and in the log."""

    @property
    def watches(self) -> tuple[str, ...]:
        """Kinds, by ``Kind.key``, whose changes concern it; CUSTOM stands for all custom ones."""

    def keys(self, change: Change) -> Iterable[Key]:
        """The keys that a change concerns. Called inside the write: it only looks things up."""

    def reconcile(self, key: Key) -> float | None:
        """One pass. Seconds after which to run again even if nothing changes; None: only on a change."""


def kind(name: str) -> Kind:
    """The kind of that CamelCase name."""
    return KINDS[name]


@dataclass(frozen=True)
class Context:
    """What every controller works with: the API and the indexes that keep a pass from reading everything."""

    registry: Registry
    pods: Index = field(init=False)
    replica_sets: Index = field(init=False)
    services: Selectors = field(init=False)
    budgets: Selectors = field(init=False)

    def __post_init__(self) -> None:
        store = self.registry.store
        indexes: dict[str, Index | Selectors] = {
            "pods": Index(store, kind("Pod")),
            "replica_sets": Index(store, kind("ReplicaSet")),
            "services": Selectors(store, kind("Service"), _service_selector),
            "budgets": Selectors(store, kind("PodDisruptionBudget"), lambda budget: budget["spec"].get("selector")),
        }
        for name, index in indexes.items():
            object.__setattr__(self, name, index)

    @property
    def store(self) -> Store:
        """The objects, for reading only."""
        return self.registry.store

    def get(self, kind_name: str, namespace: str, name: str) -> Obj | None:
        """The object as it is now, frozen; None when there is none, or no such kind. ``kind_name``: a ``Kind.key``."""
        known = self.store.kinds.by_key(kind_name)
        return self.store.get(known, namespace, name) if known else None

    def all(self, kind_name: str, namespace: str = "") -> list[Obj]:
        """All objects of a kind, of one namespace or of all."""
        known = self.store.kinds.by_key(kind_name)
        return self.store.list(known, namespace) if known else []


def _service_selector(service: Obj) -> Obj | None:
    labels = service["spec"].get("selector")
    return {"matchLabels": labels} if labels else None


def key_of(obj: Obj) -> tuple[str, str]:
    """(namespace, name) of an object; the namespace of a cluster-scoped one is ""."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]
