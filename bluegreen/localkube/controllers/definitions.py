"""CustomResourceDefinitions: whose names are accepted, what is served from then on, and how each goes with its objects.

The naming, establishing and finalizing controllers of apiextensions-apiserver in one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bluegreen import clock
from bluegreen.localkube.controllers.adoption import is_deleting
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.custom.definitions import condition
from bluegreen.localkube.deletion import CLEANUP
from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

KIND = "CustomResourceDefinition"
RETRY_S = 1.0
"""Pause before objects that are still there are looked at again. A choice."""
OBJECTS_PER_PASS = 200
"""Objects deleted before other work gets its turn. A choice."""
_NAMES = (("plural", "PluralConflict"), ("singular", "SingularConflict"))
_KINDS = (("kind", "KindConflict"), ("listKind", "ListKindConflict"))


@dataclass
class Definitions:
    """Accepts names, establishes, and empties. Its keys are ("", name)."""

    context: Context
    name: str = "customresourcedefinition-controller"
    watches: tuple[str, ...] = (KIND,)

    def keys(self, change: Change) -> Iterable[Key]:
        """The definition; when one goes, all others of its group, which may have wanted its names."""
        if change.type != "DELETED":
            return [("", change.name)]
        group = change.object["spec"]["group"]
        return [key_of(each) for each in self.context.all(KIND) if each["spec"]["group"] == group]

    def reconcile(self, key: Key) -> float | None:
        """Bring one definition's conditions up to date; empty one that is being deleted."""
        definition = self.context.get(KIND, *key)
        if definition is None:
            return None
        if is_deleting(definition):
            return self._finish(definition)
        self._accept(definition)
        return None

    # -- serving -----------------------------------------------------------------------------------------------------
    def _accept(self, definition: Obj) -> None:
        taken = self._taken(definition)

        def change(copy: Obj) -> None:
            status = copy.setdefault("status", {})
            names, accepted = judge_names(copy["spec"]["names"], status.get("acceptedNames") or {}, *taken)
            status["acceptedNames"] = names
            _set(status, accepted)
            if accepted["status"] == "True" or condition(copy, "Established"):
                _set(status, _condition("Established", "True", "InitialNamesAccepted", _INITIAL))
            else:
                _set(status, _condition("Established", "False", "NotAccepted", "not all names are accepted"))

        self.context.registry.modify(kind(KIND), *key_of(definition), change, manager=MANAGER)

    def _taken(self, definition: Obj) -> tuple[set[str], set[str]]:
        """The resource names and kinds that other definitions of the group have."""
        resources, kinds = set[str](), set[str]()
        for other in self.context.all(KIND):
            if other["spec"]["group"] != definition["spec"]["group"] or key_of(other) == key_of(definition):
                continue
            names = (other.get("status") or {}).get("acceptedNames") or {}
            resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
            kinds |= {names.get("kind", ""), names.get("listKind", "")}
        return resources - {""}, kinds - {""}

    # -- going -------------------------------------------------------------------------------------------------------
    def _finish(self, definition: Obj) -> float | None:
        if CLEANUP not in (definition["metadata"].get("finalizers") or ()):
            return None
        name = definition["metadata"]["name"]
        self._say(definition, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        left = self._delete_all(name)
        if left:
            return RETRY_S
        self._say(definition, "False", "InstanceDeletionCompleted", "removed all instances")

        def let_go(copy: Obj) -> None:
            copy["metadata"]["finalizers"] = [each for each in copy["metadata"]["finalizers"] if each != CLEANUP]
            if not copy["metadata"]["finalizers"]:
                del copy["metadata"]["finalizers"]

        self.context.registry.modify(kind(KIND), *key_of(definition), let_go, manager=MANAGER, subresource="")
        return None

    def _delete_all(self, name: str) -> int:
        """Ask objects to go; gives how many are left."""
        custom = self.context.store.kinds.by_key(name)
        if custom is None:
            return 0
        for obj in self.context.all(name)[:OBJECTS_PER_PASS]:
            if not is_deleting(obj):
                try:
                    self.context.registry.delete(custom, *key_of(obj), {"propagationPolicy": "Background"})
                except ApiError as error:
                    if error.code != 404:
                        raise
        return self.context.store.count(custom)

    def _say(self, definition: Obj, status: str, reason: str, message: str) -> None:
        def change(copy: Obj) -> None:
            _set(copy.setdefault("status", {}), _condition("Terminating", status, reason, message))

        self.context.registry.modify(kind(KIND), *key_of(definition), change, manager=MANAGER)


_INITIAL = "the initial names have been accepted"


def judge_names(wanted: Obj, accepted: Obj, resources: set[str], kinds: set[str]) -> tuple[Obj, Obj]:
    """The names that a definition gets, and the condition NamesAccepted that says so. Pure."""
    names: Obj = dict(accepted)
    conflict = ("", "")
    for key, reason in _NAMES:
        conflict = _claim(wanted, accepted, names, key, reason, resources) or conflict
    short = wanted.get("shortNames") or []
    used = [each for each in short if each in resources and each not in (accepted.get("shortNames") or ())]
    if used:
        said = [f'"{each}" is already in use' for each in used]
        conflict = ("ShortNamesConflict", said[0] if len(said) == 1 else f"[{', '.join(said)}]")
    else:
        names["shortNames"] = short
    for key, reason in _KINDS:
        conflict = _claim(wanted, accepted, names, key, reason, kinds) or conflict
    names["categories"] = wanted.get("categories") or []
    names = {key: value for key, value in names.items() if value or key in ("plural", "kind")}
    names.setdefault("plural", "")
    names.setdefault("kind", "")
    if conflict[0]:
        return names, _condition("NamesAccepted", "False", *conflict)
    return names, _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found")


def _claim(wanted: Obj, accepted: Obj, names: Obj, key: str, reason: str, taken: set[str]) -> tuple[str, str] | None:
    name = wanted.get(key) or ""
    if name != (accepted.get(key) or "") and name in taken:
        return reason, f'"{name}" is already in use'
    names[key] = name
    return None


def _condition(type_: str, status: str, reason: str, message: str) -> Obj:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def _set(status: Obj, new: Obj) -> None:
    """Put a condition in; its time moves with its status, and nothing moves when it says the same."""
    conditions: list[dict[str, Any]] = list(status.get("conditions") or ())
    place = next((i for i, each in enumerate(conditions) if each["type"] == new["type"]), None)
    before = conditions[place] if place is not None else {}
    if before and all(before.get(key) == value for key, value in new.items()):
        return
    moved = before.get("lastTransitionTime") if before.get("status") == new["status"] else None
    made = {"lastTransitionTime": moved or clock.timestamp(), **new}
    status["conditions"] = (
        [*conditions[:place], made, *conditions[place + 1 :]] if place is not None else [*conditions, made]
    )
