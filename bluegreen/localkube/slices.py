"""Which EndpointSlices belong to which Service: an index that follows the store, for the proxy and the DNS."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.store import Change, Store

SLICE = KINDS["EndpointSlice"]
SERVICE_LABEL = "kubernetes.io/service-name"
Key = tuple[str, str]


class Slices:
    """EndpointSlices by (namespace, Service). ``changed`` is called within the write, with the Service's key."""

    def __init__(self, store: Store, changed: Callable[[Key], None] = lambda _: None) -> None:
        self._by_service: dict[Key, dict[str, Obj]] = {}
        self._changed = changed
        for each in store.list(SLICE):
            self._note(each, gone=False)
        self.stop = store.subscribe(SLICE, lambda change: self._follow(change))

    def of(self, key: Key) -> list[Obj]:
        """The slices of a Service."""
        return list(self._by_service.get(key, {}).values())

    def _follow(self, change: Change) -> None:
        if change.previous is not None and _service(change.previous) != _service(change.object):
            self._note(change.previous, gone=True)
        self._note(change.object, change.type == "DELETED")

    def _note(self, each: Obj, gone: bool) -> None:
        key = _service(each)
        if key is None:
            return
        known = self._by_service.setdefault(key, {})
        if gone:
            known.pop(each["metadata"]["name"], None)
        else:
            known[each["metadata"]["name"]] = each
        if not known:
            del self._by_service[key]
        self._changed(key)


def _service(each: Obj) -> Key | None:
    meta = each["metadata"]
    name = (meta.get("labels") or {}).get(SERVICE_LABEL)
    return (meta["namespace"], name) if name else None


def ready_endpoints(slices: list[Obj]) -> Iterator[tuple[str, str]]:
    """(address, hostname) of every ready endpoint; hostname "" where it has none."""
    for each in slices:
        for endpoint in each.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                for address in endpoint["addresses"]:
                    yield address, endpoint.get("hostname") or ""
