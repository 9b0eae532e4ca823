"""Endpoints that somebody wrote by hand for a Service without selector, mirrored into EndpointSlices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube.controllers.adoption import is_deleting
from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.endpoints import ports_key
from bluegreen.localkube.controllers.endpointslices import MANAGED_BY, SERVICE_NAME
from bluegreen.localkube.controllers.owners import controller_of, reference
from bluegreen.localkube.controllers.pod_control import is_terminating
from bluegreen.localkube.controllers.trigger_times import ANNOTATION
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

MIRRORED_BY = "endpointslicemirroring-controller.k8s.io"
_SKIP = "endpointslice.kubernetes.io/skip-mirror"
_NOT_COPIED = frozenset([ANNOTATION, "kubectl.kubernetes.io/last-applied-configuration"])
_OWN = ("default", "kubernetes")  # the API server writes both itself


@dataclass
class Mirroring:
    """The EndpointSlice mirroring controller: one slice a subset."""

    context: Context
    name: str = "endpoint-slice-mirroring-controller"
    watches: tuple[str, ...] = ("Endpoints", "Service", "EndpointSlice")

    def keys(self, change: Change) -> Iterable[Key]:
        """The name that Endpoints and Service share; a mirrored slice's."""
        obj = change.object
        if obj["kind"] != "EndpointSlice":
            return [key_of(obj)]
        owner = controller_of(obj)
        mirrored = (obj["metadata"].get("labels") or {}).get(MANAGED_BY) == MIRRORED_BY
        return [(obj["metadata"]["namespace"], owner["name"])] if mirrored and owner else ()

    def reconcile(self, key: Key) -> float | None:
        """Make the mirrored slices say what the Endpoints say; none where there is nothing to mirror."""
        endpoints = self.context.get("Endpoints", *key)
        if endpoints is None or key == _OWN:
            return None  # its slices go with it
        service = self.context.get("Service", *key)
        wanted = _slices(endpoints) if service and _is_by_hand(service, endpoints) else {}
        try:
            self._write(endpoints, wanted)
        except ApiError as error:
            if not is_terminating(error):
                raise
        return None

    def _write(self, endpoints: Obj, wanted: dict[str, Obj]) -> None:
        for one in self._existing(endpoints):
            content = wanted.pop(ports_key(one.get("ports")), None)
            if content is None:
                self.context.registry.delete(kind("EndpointSlice"), *key_of(one))
            else:
                self._update(one, content)
        for content in wanted.values():
            self.context.registry.create(
                kind("EndpointSlice"), endpoints["metadata"]["namespace"], content, manager=MANAGER
            )

    def _existing(self, endpoints: Obj) -> list[Obj]:
        owned = self.context.store.by_owner(endpoints["metadata"]["uid"])
        return [obj for each, obj in owned if each.kind == "EndpointSlice" and not is_deleting(obj)]

    def _update(self, one: Obj, content: Obj) -> None:
        def change(copy: Obj) -> None:
            copy["endpoints"] = content["endpoints"]
            for name in ("labels", "annotations"):
                copy["metadata"].pop(name, None)
                if name in content["metadata"]:
                    copy["metadata"][name] = content["metadata"][name]

        self.context.registry.modify(kind("EndpointSlice"), *key_of(one), change, manager=MANAGER, subresource="")


def _is_by_hand(service: Obj, endpoints: Obj) -> bool:
    labels = endpoints["metadata"].get("labels") or {}
    return not service["spec"].get("selector") and labels.get(_SKIP) != "true"


def _slices(endpoints: Obj) -> dict[str, Obj]:
    """The slices to mirror into, by their ports."""
    slices: dict[str, Obj] = {}
    for subset in endpoints.get("subsets") or ():
        listed = [_endpoint(each, True) for each in subset.get("addresses") or ()]
        listed += [_endpoint(each, False) for each in subset.get("notReadyAddresses") or ()]
        ports = [{**port, "name": port.get("name", "")} for port in subset.get("ports") or ()]
        if listed:
            one = slices.setdefault(ports_key(ports), _slice(endpoints, ports))
            one["endpoints"] += listed
    return slices


def _slice(endpoints: Obj, ports: list[Obj]) -> Obj:
    meta = endpoints["metadata"]
    own = {SERVICE_NAME: meta["name"], MANAGED_BY: MIRRORED_BY}
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in _NOT_COPIED}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "labels": {**(meta.get("labels") or {}), **own},
            "ownerReferences": [reference(kind("Endpoints"), endpoints)],
            **({"annotations": annotations} if annotations else {}),
        },
        "addressType": "IPv4",
        "endpoints": [],
        "ports": ports or None,
    }


def _endpoint(address: Obj, ready: bool) -> Obj:
    copied: Obj = {key: address[key] for key in ("hostname", "nodeName", "targetRef") if key in address}
    return {"addresses": [address["ip"]], "conditions": {"ready": ready}, **copied}
