"""What must hold of the routes that ROUTE_NAME names before a release changes anything. Changes nothing itself."""

from __future__ import annotations

from bluegreen import ways
from bluegreen.colour import Colour, Obj
from bluegreen.errors import CannotStartError
from bluegreen.kube import Kube, NotFound
from bluegreen.kube.kinds import RESOURCES
from bluegreen.live_object import LiveObject, Ref
from bluegreen.plan import plan_of
from bluegreen.settings import Settings
from bluegreen.ways import RefusedRouteError

REMEDIES = {
    "HTTPRoute": "Install the Gateway API; on the embedded cluster: `bluegreen cluster gateway-api`.",
    "Ingress": "Use a cluster that serves networking.k8s.io/v1.",
}


def require(kube: Kube, settings: Settings, wanted: list[Obj], *, settled: bool) -> None:
    """Refuse routes that are not there or do not lead to the application.

    ``wanted``: what is set up first. ``settled``: whether all of its traffic has to go to one place; an unfinished
    release may have left it otherwise, and is mended first. Raises CannotStartError.
    """
    plan = plan_of(settings)
    made = {(obj["kind"], obj["metadata"]["name"]) for obj in wanted}
    for kind, name in settings.routes:
        found = kube.get(kind, name)
        if found is None and (kind, name) not in made:
            raise _missing(kube, (kind, name))
        if found is not None:
            live = LiveObject(ways.of(kind, plan.services, plan.service_selector, settings.namespace), found)
            live.found() if settled else live.way.parts(found)
            for percent in settings.shares:  # weights of others beside it may not let it be divided like that
                live.way.operations(found, ways.shared(Colour.BLUE, Colour.GREEN, percent))
            if not wanted:  # else what it leads to may not be there yet
                _require_followed(live)


def _require_followed(live: LiveObject) -> None:
    """A route that is refused already would be refused after the switch too."""
    try:
        live.pending()
    except RefusedRouteError as error:
        raise CannotStartError(error.sentence, error.remedy) from error


def _missing(kube: Kube, ref: Ref) -> CannotStartError:
    kind, name = ref
    version = RESOURCES[kind].api_version
    try:
        served = any(entry.get("kind") == kind for entry in kube.raw(f"/apis/{version}").get("resources") or [])
    except NotFound:
        served = False
    if not served:
        return CannotStartError(f"The cluster serves no {kind} of {version}.", REMEDIES[kind])
    return CannotStartError(
        f"There is no {kind} {name} in namespace {kube.namespace}, which ROUTE_NAME names.",
        "Make it, with a backend that is SERVICE_NAME: a release takes it from there.",
    )
