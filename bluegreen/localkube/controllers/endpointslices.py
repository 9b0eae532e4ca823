"""Services to pods: EndpointSlices, and the older Endpoints, kept as the pods behind a selector come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bluegreen.localkube.controllers.base import MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.endpoints import ZONE_LABEL, SlicePlan, arranged, grouped, subsets
from bluegreen.localkube.controllers.owners import controller_of, reference
from bluegreen.localkube.controllers.pod_control import is_terminating
from bluegreen.localkube.controllers.pods import is_deleting, is_ready, phase
from bluegreen.localkube.controllers.trigger_times import TriggerTimes, annotate
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICES_BY = "endpointslice-controller.k8s.io"
ENDPOINTS_BY = "endpoints.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"


@dataclass
class EndpointSlices:
    """The EndpointSlice and Endpoints controllers in one: both list the same pods."""

    context: Context
    name: str = "endpoint-slice-controller"
    watches: tuple[str, ...] = ("Service", "Pod", "EndpointSlice", "Endpoints", "Node")
    _triggers: dict[Key, TriggerTimes] = field(default_factory=dict)

    def keys(self, change: Change) -> Iterable[Key]:
        """The Service itself, or those whose selector a changed pod matches or matched."""
        return _FINDERS[change.object["kind"]](self, change)

    def reconcile(self, key: Key) -> float | None:
        """Make a Service's slices and Endpoints list the pods it selects now."""
        service = self.context.get("Service", *key)
        if service is None:
            self._triggers.pop(key, None)
            self._remove_endpoints(*key)
            return None
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName" or is_deleting(service):
            return None
        pods = self.context.pods.selected(key[0], {"matchLabels": selector})
        try:
            moment = self._triggers.setdefault(key, TriggerTimes()).look(service, pods)
            self._write_slices(service, pods, moment)
            self._write_endpoints(service, pods, moment)
        except ApiError as error:
            if not is_terminating(error):
                raise
        return None

    # -- which Service -----------------------------------------------------------
    def _of_pod(self, change: Change) -> Iterable[Key]:
        before = change.previous
        if before is not None and change.type == "MODIFIED" and _facts(before) == _facts(change.object):
            return ()
        namespace = change.object["metadata"]["namespace"]
        labels = [pod["metadata"].get("labels") for pod in (change.object, before) if pod]
        return {key_of(service) for each in labels for service in self.context.services.selecting(namespace, each)}

    def _of_endpoints(self, change: Change) -> Iterable[Key]:
        """Endpoints without a Service may be waiting for one: they are nobody's yet."""
        key = key_of(change.object)
        return [key] if self.context.get("Service", *key) else ()

    def _of_node(self, change: Change) -> Iterable[Key]:
        zones = [_zone(node) for node in (change.object, change.previous) if node]
        return [] if len(set(zones)) == 1 else [key_of(service) for service in self.context.all("Service")]

    # -- slices --------------------------------------------------------------------
    def _write_slices(self, service: Obj, pods: list[Obj], moment: str) -> None:
        zones = {node["metadata"]["name"]: _zone(node) for node in self.context.all("Node") if _zone(node)}
        plans, superfluous = arranged(grouped(service, pods, zones), self._slices(service))
        for plan in sorted(plans, key=lambda each: each.slice is None):
            if plan.slice is None:
                self.context.registry.create(
                    kind("EndpointSlice"),
                    service["metadata"]["namespace"],
                    _new_slice(service, plan, moment),
                    manager=MANAGER,
                )
            else:
                self._update_slice(service, plan, plan.slice, moment)
        for one in superfluous:
            self.context.registry.delete(kind("EndpointSlice"), *key_of(one))

    def _slices(self, service: Obj) -> list[Obj]:
        """The slices this controller made for the Service, fullest first."""
        owned = self.context.store.by_owner(service["metadata"]["uid"])
        slices = [obj for each, obj in owned if each.kind == "EndpointSlice" and not is_deleting(obj)]
        mine = [one for one in slices if (one["metadata"].get("labels") or {}).get(MANAGED_BY) == SLICES_BY]
        return sorted(mine, key=lambda one: (-len(one.get("endpoints") or ()), one["metadata"]["name"]))

    def _update_slice(self, service: Obj, plan: SlicePlan, one: Obj, moment: str) -> None:
        content: Obj = {"endpoints": plan.endpoints or None, "ports": plan.ports or None}
        labels = _labels(service, {SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: SLICES_BY})
        if labels == one["metadata"].get("labels") and all(one.get(key) == content[key] for key in content):
            return

        def change(copy: Obj) -> None:
            copy.update(content)
            copy["metadata"]["labels"] = labels
            _annotate(copy["metadata"], moment)

        self.context.registry.modify(kind("EndpointSlice"), *key_of(one), change, manager=MANAGER, subresource="")

    # -- Endpoints -----------------------------------------------------------------
    def _write_endpoints(self, service: Obj, pods: list[Obj], moment: str) -> None:
        wanted = subsets(service, pods)
        labels = _labels(service, {ENDPOINTS_BY: "endpoint-controller"})
        current = self.context.get("Endpoints", *key_of(service))
        if current is None:
            self._create_endpoints(service, wanted, labels, moment)
            return
        if (current.get("subsets") or []) == wanted and current["metadata"].get("labels") == labels:
            return

        def change(copy: Obj) -> None:
            copy["subsets"] = wanted
            if not wanted:
                del copy["subsets"]
            copy["metadata"]["labels"] = labels
            _annotate(copy["metadata"], moment)

        self.context.registry.modify(kind("Endpoints"), *key_of(current), change, manager=MANAGER, subresource="")

    def _create_endpoints(self, service: Obj, wanted: list[Obj], labels: dict[str, str], moment: str) -> None:
        namespace, name = key_of(service)
        made: Obj = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name, "labels": labels}}
        _annotate(made["metadata"], moment)
        if wanted:
            made["subsets"] = wanted
        self.context.registry.create(kind("Endpoints"), namespace, made, manager=MANAGER)

    def _remove_endpoints(self, namespace: str, name: str) -> None:
        if self.context.get("Endpoints", namespace, name):
            self.context.registry.delete(kind("Endpoints"), namespace, name)


def _by_label(_: EndpointSlices, change: Change) -> list[Key]:
    """The Service of a slice that this controller manages: repaired when somebody changes it."""
    meta = change.object["metadata"]
    owner = controller_of(change.object)
    mine = (meta.get("labels") or {}).get(MANAGED_BY) == SLICES_BY
    return [(meta["namespace"], owner["name"])] if mine and owner and owner["kind"] == "Service" else []


_FINDERS: dict[str, Callable[[EndpointSlices, Change], Iterable[Key]]] = {
    "Service": lambda _, change: [key_of(change.object)],
    "Endpoints": EndpointSlices._of_endpoints,
    "EndpointSlice": _by_label,
    "Pod": EndpointSlices._of_pod,
    "Node": EndpointSlices._of_node,
}


def _facts(pod: Obj) -> tuple[Any, ...]:
    """What a pod's endpoints depend on."""
    meta, status = pod["metadata"], pod.get("status") or {}
    return (
        meta.get("labels"),
        is_deleting(pod),
        status.get("podIP"),
        phase(pod),
        is_ready(pod),
        pod["spec"].get("nodeName"),
    )


def _zone(node: Obj) -> str:
    zone: str = (node["metadata"].get("labels") or {}).get(ZONE_LABEL, "")
    return zone


def _labels(service: Obj, own: dict[str, str]) -> dict[str, str]:
    """The Service's labels, whether it is headless, and the controller's own."""
    labels = dict(service["metadata"].get("labels") or {})
    labels.pop(HEADLESS, None)
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS] = ""
    return labels | own


def _annotate(meta: Obj, moment: str) -> None:
    annotations = meta.setdefault("annotations", {})
    annotate(annotations, moment)
    if not annotations:
        del meta["annotations"]


def _new_slice(service: Obj, plan: SlicePlan, moment: str) -> Obj:
    name = service["metadata"]["name"]
    made: Obj = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name}-",
            "labels": _labels(service, {SERVICE_NAME: name, MANAGED_BY: SLICES_BY}),
            "ownerReferences": [reference(kind("Service"), service)],
        },
        "addressType": "IPv4",
        "endpoints": plan.endpoints or None,
        "ports": plan.ports or None,
    }
    _annotate(made["metadata"], moment)
    return made
