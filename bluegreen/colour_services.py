"""The Services of one colour each, to which routes lead: made from the live Service that they stand beside. Pure.

They never move. They stay when no route leads to them any more: a Service without users costs nothing, and taking it
away would break the route of somebody who comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bluegreen.colour import Colour, colour_service

Obj = dict[str, Any]

OF_ONE_PLACE = frozenset({"nodePort"})
"""What of a port belongs to the live Service alone."""


def beside(objects: Iterable[Obj]) -> Iterator[Obj]:
    """For each Service among the objects one of each colour: the same ports and labels, inside the cluster only."""
    for service in (obj for obj in objects if obj["kind"] == "Service"):
        for colour in Colour:
            yield _of(service, colour)


def _of(service: Obj, colour: Colour) -> Obj:
    meta, spec = service["metadata"], service["spec"]
    kept = {key: value for key, value in meta.items() if key in ("namespace", "labels")}
    ports = [{key: value for key, value in port.items() if key not in OF_ONE_PLACE} for port in spec.get("ports") or []]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": colour_service(meta["name"], colour), **kept},
        "spec": {
            "type": "ClusterIP",
            "selector": {**(spec.get("selector") or {}), "version": colour.value},
            "ports": ports,
        },
    }
