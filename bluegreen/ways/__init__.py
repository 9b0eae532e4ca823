"""The ways to switch: by a Service's selector, an Ingress' backends or an HTTPRoute's weights, each behind ``Way``.

Pure: objects of the Kubernetes API in, operations of a JSON patch out. ``traffic`` asks and changes the cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bluegreen.colour import colour_service
from bluegreen.ways.backends import Backends, colour_services
from bluegreen.ways.http_route import HttpRoute
from bluegreen.ways.ingress import IngressBackends
from bluegreen.ways.protocol import Part, Place, RefusedRouteError, Split, UnclearError, Way
from bluegreen.ways.selector import ServiceSelector
from bluegreen.ways.splits import shared, told, whole, wholly

WEIGHTED = frozenset({"HTTPRoute"})
"""The kinds of which one object can share traffic out between two colours."""

__all__ = [
    "WEIGHTED",
    "Backends",
    "Part",
    "Place",
    "RefusedRouteError",
    "Split",
    "UnclearError",
    "Way",
    "colour_service",
    "colour_services",
    "of",
    "shared",
    "told",
    "whole",
    "wholly",
]


def of(
    kind: str, services: Sequence[str], selector_of: Callable[[str], Mapping[str, str] | None], namespace: str
) -> Way:
    """The way that objects of a kind steer live traffic; ``services``: the live Services of the application.

    ``selector_of``: what each of them selects besides the colour, where that is known.
    """
    backends = Backends(tuple(services), namespace)
    ways: dict[str, Way] = {
        "Service": ServiceSelector(selector_of),
        "Ingress": IngressBackends(backends),
        "HTTPRoute": HttpRoute(backends),
    }
    return ways[kind]
