"""The Table that ``kubectl get`` asks for: columns by kind, and for each object its row.

Comes in: objects. Goes out: a ``meta.k8s.io/v1`` Table. It never reads the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import orjson

from bluegreen.localkube import cells, schema
from bluegreen.localkube.custom import columns as custom_columns
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.pod_cells import pod, row_conditions

_INTEGER = "#"  # marks a column of integers
_BOOLEAN = "?"  # marks a column of true and false
_WIDE = "+"  # marks a column that only ``-o wide`` shows


@dataclass(frozen=True)
class Printer:
    """The columns of one kind, one word each in the notation above, and who fills a row."""

    columns: tuple[str, ...]
    row: cells.Printer


def _printer(columns: str, row: cells.Printer) -> Printer:
    return Printer(tuple(columns.split("|")), row)


_WORKLOAD = "|Age|+Containers|+Images|+Selector"
_BINDING = "Name|Role|Age|+Users|+Groups|+ServiceAccounts"
PRINTERS: dict[str, Printer] = {
    "Pod": _printer("Name|Ready|Status|Restarts|Age|+IP|+Node|+Nominated Node|+Readiness Gates", pod),
    "Service": _printer("Name|Type|Cluster-IP|External-IP|Port(s)|Age|+Selector", cells.service),
    "Deployment": _printer("Name|Ready|Up-to-date|Available" + _WORKLOAD, cells.deployment),
    "ReplicaSet": _printer("Name|#Desired|#Current|#Ready" + _WORKLOAD, cells.replica_set),
    "Job": _printer("Name|Status|Completions|Duration" + _WORKLOAD, cells.job),
    "ConfigMap": _printer("Name|Data|Age", cells.config_map),
    "Secret": _printer("Name|Type|Data|Age", cells.secret),
    "ServiceAccount": _printer("Name|Secrets|Age", cells.service_account),
    "Namespace": _printer("Name|Status|Age", cells.namespace),
    "Node": _printer(
        "Name|Status|Roles|Age|Version|+Internal-IP|+External-IP|+OS-Image|+Kernel-Version|+Container-Runtime",
        cells.node,
    ),
    "Event": _printer("Last Seen|Type|Reason|Object|+Subobject|+Source|Message|+First Seen|+Count|+Name", cells.event),
    "Endpoints": _printer("Name|Endpoints|Age", cells.endpoints),
    "EndpointSlice": _printer("Name|AddressType|Ports|Endpoints|Age", cells.endpoint_slice),
    "Ingress": _printer("Name|Class|Hosts|Address|Ports|Age", cells.ingress),
    "IngressClass": _printer("Name|Controller|Parameters|Age", cells.ingress_class),
    "NetworkPolicy": _printer("Name|Pod-Selector|Age", cells.network_policy),
    "PodDisruptionBudget": _printer(
        "Name|Min Available|Max Unavailable|#Allowed Disruptions|Age", cells.disruption_budget
    ),
    "HorizontalPodAutoscaler": _printer("Name|Reference|Targets|MinPods|MaxPods|Replicas|Age", cells.autoscaler),
    "ResourceQuota": _printer("Name|Request|Limit|Age", cells.resource_quota),
    "PriorityClass": _printer("Name|#Value|?Global-Default|Age|PreemptionPolicy", cells.priority_class),
    "Role": _printer("Name|Created At", cells.role),
    "ClusterRole": _printer("Name|Created At", cells.role),
    "RoleBinding": _printer(_BINDING, cells.role_binding),
    "ClusterRoleBinding": _printer(_BINDING, cells.role_binding),
    "Lease": _printer("Name|Holder|Age", cells.lease),
    "Scale": _printer("Name|#Desired|#Available|Age", cells.scale),
    "PodMetrics": _printer("Name|cpu|memory|Window", cells.metrics),
    "NodeMetrics": _printer("Name|cpu|memory|Window", cells.metrics),
}
SCALE = Kind("autoscaling", "v1", "Scale", "scales")
"""What a row of a subresource scale shows, whatever it is the scale of."""
_OTHER = _printer("Name|Created At", cells.other)


def wants_table(accept: str) -> bool:
    """Whether the first type that the client names and that is served here is a Table."""
    for choice in accept.split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        if kind != "application/json":
            continue
        if "as=Table" not in parameters:
            return False
        if "v=v1" in parameters and "g=meta.k8s.io" in parameters:
            return True
    return False


def table(
    kind: Kind, objects: Iterable[Obj], metadata: Obj | None = None, *, include: str = "Metadata", columns: bool = True
) -> Obj:
    """A Table of ``objects``.

    ``metadata`` is the list's own; ``include`` is the query's includeObject (None, Metadata or Object); ``columns``
    False leaves the definitions out, as a watch does after its first event.
    """
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata or {},
        "columnDefinitions": definitions(kind) if columns else [],
        "rows": [row(kind, obj, include) for obj in objects],
    }


def definitions(kind: Kind) -> list[Obj]:
    """The columns of a kind."""
    if kind.custom:
        return custom_columns.definitions(kind.custom.columns)
    text = _text().get(kind.key) or _described_by_metadata()
    return [_definition(word, text) for word in PRINTERS.get(kind.key, _OTHER).columns]


@cache
def _text() -> dict[str, dict[str, str]]:
    """What kube-apiserver says of each column, by kind (see ``generate_columns.go``)."""
    found: dict[str, dict[str, str]] = orjson.loads(Path(__file__).with_name("column_text.json").read_bytes())
    return found


@cache
def _described_by_metadata() -> dict[str, str]:
    text = schema.text("meta.v1.ObjectMeta")
    return {"Name": text["name"], "Created At": text["creationTimestamp"]}


def _definition(word: str, text: Mapping[str, str]) -> Obj:
    name = word.lstrip(_WIDE + _INTEGER + _BOOLEAN)
    type_ = "integer" if _INTEGER in word else "boolean" if _BOOLEAN in word else "string"
    type_ = "date" if name == "Created At" else type_
    return {
        "name": name,
        "type": type_,
        "format": "name" if name == "Name" else "",
        "description": text.get(name, ""),
        "priority": 1 if word.startswith(_WIDE) else 0,
    }


def row(kind: Kind, obj: Obj, include: str = "Metadata") -> Obj:
    """One object's row; ``include`` says what of the object goes with it."""
    if kind.custom:
        return {"cells": custom_columns.cells(kind.custom.columns, obj), **_included(obj, include or "Metadata")}
    filled: Obj = {"cells": PRINTERS.get(kind.key, _OTHER).row(obj), **_included(obj, include or "Metadata")}
    if kind.key == "Pod" and (conditions := row_conditions(obj)):
        filled["conditions"] = conditions
    return filled


def _included(obj: Obj, include: str) -> Obj:
    if include == "Object":
        return {"object": obj}
    if include == "None":
        return {"object": None}
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
    return {"object": partial}
