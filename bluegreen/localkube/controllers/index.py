"""Objects of one kind found by controller, by label or by namespace, so that a pass costs what it concerns.

Kept up to date inside the store's writes; what it hands out is frozen like everything of the store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bluegreen.localkube.controllers.owners import controller_of
from bluegreen.localkube.kinds import Kind
from bluegreen.localkube.selectors import selects
from bluegreen.localkube.store import Change, Store

Obj = dict[str, Any]
Names = dict[str, Obj]
Place = tuple[str, str, str]
"""Namespace, label, value."""


class Index:
    """The objects of one kind, by what controllers ask for. All answers are sorted by name."""

    def __init__(self, store: Store, kind: Kind) -> None:
        self._controlled: dict[str, Names] = defaultdict(dict)  # controller's uid
        self._labelled: dict[Place, Names] = defaultdict(dict)
        self._orphans: dict[Place, Names] = defaultdict(dict)
        for obj in store.list(kind):
            self._add(obj)
        self.close: Callable[[], None] = store.subscribe(kind, self._follow)

    def controlled(self, uid: str) -> list[Obj]:
        """Objects whose controlling owner has this uid."""
        return _sorted(self._controlled.get(uid))

    def orphans(self, namespace: str, selector: Obj) -> list[Obj]:
        """Objects without a controlling owner that a LabelSelector matches."""
        return _matching(self._orphans, namespace, selector)

    def selected(self, namespace: str, selector: Obj) -> list[Obj]:
        """Objects whose labels a LabelSelector matches; the empty selector matches all of the namespace."""
        return _matching(self._labelled, namespace, selector)

    def _follow(self, change: Change) -> None:
        if change.previous is not None:
            self._drop(change.previous)
        if change.type != "DELETED":
            self._add(change.object)

    def _places(self, obj: Obj) -> list[tuple[Any, Any]]:
        """(table, key) of every place where an object stands."""
        meta = obj["metadata"]
        namespace = meta.get("namespace", "")
        labels = [(namespace, *pair) for pair in (meta.get("labels") or {}).items()] + [(namespace, "", "")]
        owner = controller_of(obj)
        places: list[tuple[Any, Any]] = [(self._labelled, label) for label in labels]
        places += [(self._controlled, owner["uid"])] if owner else [(self._orphans, label) for label in labels]
        return places

    def _add(self, obj: Obj) -> None:
        for table, key in self._places(obj):
            table[key][_name(obj)] = obj

    def _drop(self, obj: Obj) -> None:
        for table, key in self._places(obj):
            names = table.get(key)
            if names is None:
                continue
            names.pop(_name(obj), None)
            if not names:
                del table[key]


class Selectors:
    """The objects of one kind that select others by their labels, found by those labels. Sorted by name.

    ``selector_of``: the LabelSelector of an object; None for one that selects nothing.
    """

    def __init__(self, store: Store, kind: Kind, selector_of: Callable[[Obj], Obj | None]) -> None:
        self._selector_of = selector_of
        self._by_pair: dict[Place, Names] = defaultdict(dict)
        for obj in store.list(kind):
            self._add(obj)
        self.close: Callable[[], None] = store.subscribe(kind, self._follow)

    def selecting(self, namespace: str, labels: Mapping[str, str] | None) -> list[Obj]:
        """The objects of a namespace whose selector matches these labels."""
        pairs = [*(labels or {}).items(), ("", "")]
        found = [self._by_pair.get((namespace, *pair), {}) for pair in pairs]
        candidates = {name: obj for names in found for name, obj in names.items()}
        return [obj for obj in _sorted(candidates) if selects(self._selector_of(obj), labels)]

    def _follow(self, change: Change) -> None:
        if change.previous is not None:
            names = self._by_pair.get(self._place(change.previous), {})
            names.pop(change.name, None)
            if not names:
                self._by_pair.pop(self._place(change.previous), None)
        if change.type != "DELETED":
            self._add(change.object)

    def _add(self, obj: Obj) -> None:
        self._by_pair[self._place(obj)][_name(obj)] = obj

    def _place(self, obj: Obj) -> Place:
        """One label that everything selected carries; "" where there is none."""
        first = min(_equalities(self._selector_of(obj) or {}), default=("", ""))
        return (obj["metadata"].get("namespace", ""), *first)


def _matching(table: dict[Place, Names], namespace: str, selector: Obj) -> list[Obj]:
    """Starts from the rarest label that the selector asks for; the label "" stands for every object."""
    pairs = list(_equalities(selector)) or [("", "")]
    fewest = min((table.get((namespace, *pair), {}) for pair in pairs), key=len)
    return [obj for obj in _sorted(fewest) if selects(selector, obj["metadata"].get("labels"))]


def _equalities(selector: Obj) -> Iterator[tuple[str, str]]:
    """(label, value) pairs that everything selected carries."""
    yield from (selector.get("matchLabels") or {}).items()
    for term in selector.get("matchExpressions") or ():
        if term["operator"] == "In" and len(term["values"]) == 1:
            yield term["key"], term["values"][0]


def _name(obj: Obj) -> str:
    name: str = obj["metadata"]["name"]
    return name


def _sorted(names: Names | None) -> list[Obj]:
    return [names[name] for name in sorted(names)] if names else []
