"""Where the users of the routes come in that ROUTE_NAME names: as ROUTE_URL says, else as the cluster states it."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from bluegreen.colour import Colour, Obj, colour_service
from bluegreen.entrances import Entrance, of_http_route, of_ingress
from bluegreen.kube import Forbidden, Kube
from bluegreen.settings import Settings


def entrances(kube: Kube, settings: Settings) -> list[Entrance]:
    """All of them, in the order of the routes."""
    if settings.route_url:
        return [_of_url(settings.route_url)]
    own = settings.service_name
    services = {own, *(colour_service(own, colour) for colour in Colour)}
    found: list[Entrance] = []
    for kind, name in settings.routes:
        route = kube.get(kind, name)
        if route is not None and kind == "Ingress":
            found += of_ingress(route, services, settings.health_path)
        elif route is not None:
            found += of_http_route(route, partial(_gateway, kube))
    return found


def _gateway(kube: Kube, namespace: str, name: str) -> Obj | None:
    try:
        return kube.get("Gateway", name, namespace)
    except Forbidden:  # it is often the platform team's, in a namespace of theirs
        return None


def _of_url(url: str) -> Entrance:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Entrance(parts.hostname or "", parts.port or (443 if tls else 80), tls=tls)
