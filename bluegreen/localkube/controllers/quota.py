"""ResourceQuotas: refuse what would exceed them, and say what is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.admission import Admission
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.quota_usage import (
    COUNTED,
    Usage,
    in_scope,
    kinds_of,
    missing,
    refusal,
    usage_of,
    usage_status,
    uses_one,
)
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.status import ApiError, forbidden
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

_CHARGED_ON_UPDATE = ("Pod", "Service")
"""Kinds whose use can grow by an update."""


@dataclass
class Quotas:
    """The resource quota controller, and the admission that goes with it."""

    context: Context
    name: str = "resourcequota-controller"
    watches: tuple[str, ...] = tuple(each.kind for each in COUNTED)

    def __post_init__(self) -> None:
        self.context.registry.admission.append(self.admit)

    def keys(self, change: Change) -> Iterable[Key]:
        """The quota itself; all of a namespace where something came, went or uses another amount."""
        obj = change.object
        if obj["kind"] == "ResourceQuota" and change.type != "DELETED":
            yield key_of(obj)
        namespace = obj["metadata"].get("namespace", "")
        if change.type == "MODIFIED" and not self._use_changed(change):
            return
        for quota in self.context.all("ResourceQuota", namespace):
            yield key_of(quota)

    def reconcile(self, key: Key) -> float | None:
        """Count anew."""
        quota = self.context.get("ResourceQuota", *key)
        if quota is not None:
            self._write(quota, self._counted(quota))
        return None

    def admit(self, request: Admission) -> None:
        """403 for a write that would use more than a quota of its namespace allows; what is let in is charged."""
        kind_name = request.kind.key
        charged = request.operation == "CREATE" or (
            request.operation == "UPDATE" and not request.subresource and kind_name in _CHARGED_ON_UPDATE
        )
        if not charged or not request.kind.namespaced:
            return
        charges = [
            (quota, wanted)
            for quota in self.context.all("ResourceQuota", request.namespace)
            if (wanted := self._checked(quota, request))
        ]
        for quota, wanted in charges:
            if not request.dry_run:
                self._charge(quota, wanted)

    # -- refusing --------------------------------------------------------------------
    def _checked(self, quota: Obj, request: Admission) -> Usage:
        """What the request adds to a quota that watches it."""
        hard = quota["spec"].get("hard") or {}
        if not in_scope(quota, request.kind, request.obj):
            return {}
        wanted = {name: amount for name, amount in self._added(request).items() if name in hard and amount > 0}
        why = missing(quota, request.obj) if request.kind.key == "Pod" and request.operation == "CREATE" else None
        why = why or (refusal(quota, self._used(quota), wanted) if wanted else None)
        if why:
            raise _refused(request, why)
        return wanted

    @staticmethod
    def _added(request: Admission) -> Usage:
        used = usage_of(request.kind, request.obj)
        before = usage_of(request.kind, request.old) if request.old and request.operation == "UPDATE" else {}
        return {name: amount - before.get(name, 0) for name, amount in used.items()}

    def _used(self, quota: Obj) -> dict[str, str]:
        """What is known to be used; counted now where the status is behind the spec."""
        status = quota.get("status") or {}
        used: dict[str, str] = status.get("used") or {}
        known = status.get("hard") == quota["spec"].get("hard") and set(used) >= set(quota["spec"].get("hard") or ())
        return used if known else self._counted(quota)

    def _charge(self, quota: Obj, wanted: Usage) -> None:
        """Count a write before it is done, so that the next one sees it; the count that follows sets it right."""
        used = dict(self._used(quota))
        for name, amount in wanted.items():
            form = quantities.form_of(used[name]) if quantities.parse(used[name]) else "binary"
            form = form if "memory" in name or "storage" in name else "decimal"
            used[name] = quantities.written(quantities.parse(used[name]) + amount, form)
        self._write(quota, used)

    # -- counting --------------------------------------------------------------------
    def _counted(self, quota: Obj) -> dict[str, str]:
        """What is used. Objects that all use the same are not looked at: a write costs no more than the last."""
        context, namespace = self.context, quota["metadata"]["namespace"]
        kinds = kinds_of(quota["spec"].get("hard") or ())
        numbers = {each: context.store.count(each, namespace) for each in kinds if uses_one(each)}
        objects = ((each, obj) for each in kinds if not uses_one(each) for obj in context.all(each.kind, namespace))
        return usage_status(quota, objects, numbers)

    def _write(self, quota: Obj, used: dict[str, str]) -> None:
        hard = quota["spec"].get("hard") or {}

        def change(copy: Obj) -> None:
            copy["status"] = {"hard": dict(hard), "used": used}

        self.context.registry.modify(kind("ResourceQuota"), *key_of(quota), change, manager=MANAGER)

    @staticmethod
    def _use_changed(change: Change) -> bool:
        obj = change.object
        if obj["kind"] not in _CHARGED_ON_UPDATE or change.previous is None:
            return False
        each = KINDS[obj["kind"]]
        same_spec = change.previous["spec"] == obj["spec"]
        if same_spec and (obj["kind"] == "Service" or _phase(change.previous) == _phase(obj)):
            return False
        return usage_of(each, obj) != usage_of(each, change.previous)


def _phase(pod: Obj) -> Any:
    return (pod.get("status") or {}).get("phase")


def _refused(request: Admission, why: str) -> ApiError:
    name = request.obj["metadata"].get("name") or ""
    return forbidden(request.kind.plural, request.kind.group, name, why)
