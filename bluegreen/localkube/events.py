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
_MANAGERS = {"kubelet": "kubelet", "default-scheduler": "kube-scheduler"}  # whose program writes; all others share one


class Recorder:
    """Writes core/v1 Events through a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._names: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()

    def record(
        self, regarding: Obj, type_: str, reason: str, message: str, component: str, *, host: str = "", action: str = ""
    ) -> None:
        """One more occurrence. Never fails for its writer: an event in a namespace that goes is lost.

        ``host``: the node it comes from. ``action``: what was being done; who says that writes in the shape of
        events.k8s.io/v1 (the scheduler), which has a time of its own, a series instead of a count, and no source.
        """
        about = _reference(regarding)
        key = (about["kind"], about.get("namespace", ""), about["name"], about.get("uid", ""),
               about.get("fieldPath", ""), type_, reason, message, component)  # fmt: skip
        known, manager = self._names.get(key), _MANAGERS.get(component, "kube-controller-manager")
        if known and self._count(*known, manager):
            self._names.move_to_end(key)
            return
        namespace = about.get("namespace") or "default"
        made: Obj = {
            "metadata": {"name": f"{about['name']}.{int(clock.utc().timestamp() * 1e6) * 1000:x}".lower()},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "type": type_,
            "reportingComponent": component,
            **(_series_shape(f"{component}-{host}", action) if action else _counted_shape(component, host)),
        }
        try:
            made = self._registry.create(KINDS["Event"], namespace, made, manager=manager)
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

    def _count(self, namespace: str, name: str, manager: str) -> bool:
        kind = KINDS["Event"]
        return self._registry.modify(kind, namespace, name, _again, manager=manager, subresource="") is not None


def _again(event: Obj) -> None:
    if event.get("eventTime"):
        count = (event.get("series") or {}).get("count", 1) + 1
        event["series"] = {"count": count, "lastObservedTime": clock.micro_timestamp()}
    else:
        event["count"] = event.get("count", 1) + 1
        event["lastTimestamp"] = clock.timestamp()


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


def _counted_shape(component: str, host: str) -> Obj:
    """When and from whom, as most components write it."""
    now = clock.timestamp()
    return {
        "source": {"component": component, **({"host": host} if host else {})},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "eventTime": None,
        "reportingInstance": host,
    }


def _series_shape(instance: str, action: str) -> Obj:
    """When and from whom, as events.k8s.io/v1 has it, seen through core/v1."""
    return {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": clock.micro_timestamp(),
        "action": action,
        "reportingInstance": instance,
    }


def _last_seen(event: Obj) -> datetime:
    meta = event["metadata"]
    series = (event.get("series") or {}).get("lastObservedTime")
    times = [series, *(event.get(key) for key in _TIMES), meta.get("creationTimestamp")]
    return max(datetime.fromisoformat(time) for time in times if time)
