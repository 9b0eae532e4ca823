"""Every kind that one cluster serves: the built-in ones, and those that its CustomResourceDefinitions add.

It follows the definitions as the store puts them down. Without any it is the built-in table and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bluegreen.localkube.custom.definitions import kinds_of
from bluegreen.localkube.kinds import KINDS, Kind, Obj

DEFINITION = KINDS["CustomResourceDefinition"]
BUILT_IN: tuple[Kind, ...] = tuple(KINDS.values())
"""What a cluster without CustomResourceDefinitions serves."""


class Catalogue:
    """The kinds of one cluster. ``served`` is replaced, never changed: it may be the key of a cache."""

    def __init__(self) -> None:
        self.served: tuple[Kind, ...] = BUILT_IN
        self._defined: dict[str, tuple[Kind, ...]] = {}  # by the definition's name, the version that is stored first
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._by_type: dict[tuple[str, str], Kind] = {}
        self._by_name: dict[tuple[str, str], Kind] = {}
        self.group_versions: frozenset[tuple[str, str]] = frozenset()
        self._listeners: list[Callable[[], None]] = []
        self._index()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever other kinds are served than before."""
        self._listeners.append(callback)

    def define(self, definition: Obj) -> None:
        """Serve what a CustomResourceDefinition says, in place of what one of its name said before."""
        name = definition["metadata"]["name"]
        kinds = kinds_of(definition)
        if kinds or name in self._defined:
            self._defined[name] = kinds
            self._index()

    def forget(self, name: str) -> None:
        """Serve the kinds of that CustomResourceDefinition no more."""
        if name in self._defined:
            del self._defined[name]
            self._index()

    def _index(self) -> None:
        custom = [kind for kinds in self._defined.values() for kind in kinds]
        served = [kind for kind in custom if kind.custom and kind.custom.served]
        self.served = (*BUILT_IN, *served) if served else BUILT_IN
        self._by_path = {(kind.group, kind.version, kind.plural): kind for kind in self.served}
        self._by_type = {(kind.api_version, kind.kind): kind for kind in self.served}
        self._by_name = {(kind.group, kind.kind): kind for kind in reversed(custom)}
        self.group_versions = frozenset((kind.group, kind.version) for kind in self.served)
        for callback in self._listeners:
            callback()

    # -- looking up ------------------------------------------------------------
    def by_path(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind served at ``/apis/GROUP/VERSION/.../PLURAL`` (or ``/api/v1`` for the core group)."""
        return self._by_path.get((group, version, plural))

    def by_type(self, api_version: str, kind: str) -> Kind | None:
        """The kind an object or a reference names by apiVersion and kind."""
        return self._by_type.get((api_version, kind))

    def stored(self, api_version: str, kind: str) -> Kind | None:
        """The kind that an object in the store is of, in the version that is stored now, whatever it was then."""
        found = self._by_type.get((api_version, kind))
        if found is None or found.custom is not None:
            return self._by_name.get((api_version.rpartition("/")[0], kind))
        return found

    def of(self, obj: Mapping[str, Any]) -> Kind | None:
        """The kind an object in the store says it is of."""
        return self.stored(obj.get("apiVersion", ""), obj.get("kind", ""))

    def by_key(self, key: str) -> Kind | None:
        """The kind of that key: a built-in kind's name, or a CustomResourceDefinition's."""
        found = KINDS.get(key)
        return found if found is not None else next(iter(self._defined.get(key, ())), None)

    @property
    def custom(self) -> Iterable[Kind]:
        """Each custom kind once, in the version that is stored."""
        return [kinds[0] for kinds in self._defined.values() if kinds]
