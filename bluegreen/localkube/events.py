"""Events: recorded once, counted when they repeat, forgotten after an hour as on a real cluster."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bluegreen import clock
from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.status import ApiError

if TYPE_CHECKING:
    from bluegreen.localkube.registry import Registry

LIFETIME_S = 3600
"""An Event nobody adds to is removed after this long: the API server's --event-ttl."""
_REMEMBERED = 4096  # repeats recognised among this many latest distinct events; a choice
_TIMES = ("lastTimestamp", "eventTime", "firstTimestamp")


class Recorder:
    """Writes core/v1 Events through a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._names: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()

    def record(self, regarding: Obj, type_: str, reason: str, message: str, component: str) -> None:
        """One more occurrence. Never fails for its writer: an event in a namespace that goes is lost."""
        about = _reference(regarding)
        key = (about["kind"], about.get("namespace", ""), about["name"], about.get("uid", ""),
               type_, reason, message, component)  # fmt: skip
        known = self._names.get(key)
        if known and self._count(*known, component):
            self._names.move_to_end(key)
            return
        namespace = about.get("namespace") or "default"
        name = f"{about['name']}.{clock.utc().timestamp() * 1e6:.0f}".lower()
        try:
            made = self._registry.create(
                KINDS["Event"], namespace, _event(name, about, type_, reason, message, component), manager=component
            )
        except ApiError:
            return
        self._names[key] = (namespace, made["metadata"]["name"])
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)

    def expire(self) -> None:
        """Remove what has outlived its hour."""
        kind, store = KINDS["Event"], self._registry.store
        oldest = clock.utc() - timedelta(seconds=LIFETIME_S)
        for event in store.list(kind):
            if _last_seen(event) < oldest:
                store.remove(kind, event["metadata"]["namespace"], event["metadata"]["name"])

    def _count(self, namespace: str, name: str, component: str) -> bool:
        def again(event: Obj) -> None:
            event["count"] = event.get("count", 1) + 1
            event["lastTimestamp"] = clock.timestamp()

        kind = KINDS["Event"]
        return self._registry.modify(kind, namespace, name, again, manager=component, subresource="") is not None


def _reference(obj: Obj) -> dict[str, Any]:
    meta = obj["metadata"]
    about = {"kind": obj.get("kind", ""), "namespace": meta.get("namespace"), "name": meta["name"]}
    about |= {
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": obj.get("fieldPath"),
    }
    return {key: value for key, value in about.items() if value}


def _event(name: str, about: Obj, type_: str, reason: str, message: str, component: str) -> Obj:
    now = clock.timestamp()
    return {
        "metadata": {"name": name},
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "type": type_,
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": "",
    }


def _last_seen(event: Obj) -> datetime:
    meta = event["metadata"]
    series = (event.get("series") or {}).get("lastObservedTime")
    times = [series, *(event.get(key) for key in _TIMES), meta.get("creationTimestamp")]
    return max(datetime.fromisoformat(time) for time in times if time)
