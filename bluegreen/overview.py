"""What ``bluegreen status`` shows: both colours, where live traffic goes, and the last release. Changes nothing.

``read`` asks the cluster, ``text`` writes it down; in between stands plain data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bluegreen import approval
from bluegreen.approval import Request
from bluegreen.colour import Colour, live_colour
from bluegreen.deployments import colour_of, is_of
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.grammar import shown_image
from bluegreen.journal import Journal, Record, Step
from bluegreen.kube import Kube
from bluegreen.live_object import Ref
from bluegreen.plan import plan_of
from bluegreen.recovery import keeping
from bluegreen.settings import Settings
from bluegreen.traffic import Traffic

Obj = dict[str, Any]


@dataclass(frozen=True)
class ColourState:
    """One colour's Deployment."""

    colour: Colour
    deployment: str
    image: str
    desired: int
    ready: int
    autoscaler: str  # "3 to 20", "" where there is none


@dataclass(frozen=True)
class Overview:
    """Everything the status shows."""

    namespace: str
    context: str
    traffic: str  # where the live Service sends requests, in one sentence
    live: Colour | None
    endpoints: int  # ready ones behind the live Service
    colours: tuple[ColourState, ...]
    release: Record | None  # the present release, or the last
    extra: tuple[tuple[str, str], ...] = ()  # what else steers live traffic, and the colour to which, in words
    waits: Request | None = None  # the approval that the present release waits for


def read(kube: Kube, settings: Settings) -> Overview:
    """Look at the cluster."""
    service = kube.get("Service", settings.service_name)
    live, said = _traffic(service, settings)
    slices = kube.list("EndpointSlice", labels=f"kubernetes.io/service-name={settings.service_name}")
    scalers = {scaler["spec"]["scaleTargetRef"]["name"]: scaler for scaler in kube.list("HorizontalPodAutoscaler")}
    deployments = kube.list("Deployment")
    states = [
        _state(colour, obj, scalers.get(obj["metadata"]["name"])) for colour, obj in _coloured(settings, deployments)
    ]
    record = Journal(kube, settings).read()
    traffic = Traffic(kube, settings, "")
    traffic.remember(record.moved_besides if record is not None else "")
    if traffic.routes:
        live, said = _by_route(traffic, traffic.routes[0])
    extra = [ref for ref in traffic.refs if ref != (traffic.routes[0] if traffic.routes else traffic.refs[0])]
    return Overview(
        namespace=settings.namespace,
        context=kube.context,
        traffic=said,
        live=live,
        endpoints=ready_endpoints(slices),
        colours=tuple(states),
        release=record,
        extra=tuple((_named(ref), _sent(traffic, ref)) for ref in extra),
        waits=approval.pending(kube, settings),
    )


def _coloured(settings: Settings, found: list[Obj]) -> list[tuple[Colour, Obj]]:
    """The application's Deployments in a colour, each colour's together, in the order of the manifests."""
    planned = plan_of(settings).names
    there = {obj["metadata"]["name"]: obj for obj in found}
    ours = [obj["metadata"]["name"] for obj in found if is_of(obj, settings.app_name)]
    named = {colour: [f"{name}-{colour}" for name in planned] for colour in Colour}
    more = {colour: [name for name in ours if colour_of(there[name]) is colour] for colour in Colour}
    return [(c, there[name]) for c in Colour for name in dict.fromkeys([*named[c], *more[c]]) if name in there]


def _traffic(service: Obj | None, settings: Settings) -> tuple[Colour | None, str]:
    if service is None:
        return None, f"none: there is no Service {settings.service_name}. Run `bluegreen setup`, or a release"
    try:
        live = live_colour(service)
    except CannotStartError as error:
        return None, error.sentence
    if live is None:
        return None, f"none: {settings.service_name} selects nobody, for nothing was released yet"
    return live, f"{settings.service_name} sends it to {live}"


def _by_route(traffic: Traffic, ref: Ref) -> tuple[Colour | None, str]:
    """Where users who come in by a route are sent; no colour where that is several."""
    try:
        live = traffic.object(ref)
    except HarnessError as error:
        return None, f"none: {error.sentence}"
    said = f"{live.title} sends it to {live.told()}"
    try:
        return live.found() or traffic.live(), said
    except HarnessError:
        return None, said


def _sent(traffic: Traffic, ref: Ref) -> str:
    """The colour to which something further sends live traffic, in words."""
    try:
        return traffic.object(ref).told()
    except HarnessError:
        return "nobody: it is not there"


def _named(ref: Ref) -> str:
    """What a Service or a route is called in a line about traffic."""
    return ref[1] if ref[0] == "Service" else " ".join(ref)


def _state(colour: Colour, deployment: Obj, scaler: Obj | None) -> ColourState:
    spec, status = deployment["spec"], deployment.get("status") or {}
    images = [container["image"] for container in spec["template"]["spec"]["containers"]]
    bounds = f"{scaler['spec'].get('minReplicas', 1)} to {scaler['spec']['maxReplicas']}" if scaler else ""
    name = deployment["metadata"]["name"]
    return ColourState(colour, name, ", ".join(images), spec.get("replicas", 1), status.get("readyReplicas", 0), bounds)


def ready_endpoints(slices: list[Obj]) -> int:
    """How many addresses get requests."""
    endpoints = [endpoint for one in slices for endpoint in one.get("endpoints") or []]
    return sum(endpoint.get("conditions", {}).get("ready", True) for endpoint in endpoints)


def text(overview: Overview) -> str:
    """The status as a person reads it."""
    lines = [f"{overview.namespace} on {overview.context}", f"live traffic: {overview.traffic}"]
    if overview.live:
        lines[-1] += f", {overview.endpoints} ready endpoint{'' if overview.endpoints == 1 else 's'}"
    for name, colour in overview.extra:
        differs = "" if colour == str(overview.live or "nobody") else "  (not as the main one: `bluegreen recover`)"
        lines.append(f"              {name} sends it to {colour}{differs}")
    lines += [*_table(overview), _release(overview.release)]
    if overview.waits is not None and overview.release is not None and overview.waits.release == overview.release.id:
        lines.append(f"waits for approval until {overview.waits.until}: {overview.waits.question} `bluegreen approve`")
    return "\n".join(lines)


_HEADER = ("COLOUR", "TRAFFIC", "DEPLOYMENT", "IMAGE", "READY", "AUTOSCALED")


def _table(overview: Overview) -> list[str]:
    if not overview.colours:
        return ["colours: none is deployed"]
    rows = [_HEADER, *(_row(state, overview.live) for state in overview.colours)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(state: ColourState, live: Colour | None) -> tuple[str, ...]:
    traffic = "live" if state.colour is live else "-"
    ready = f"{state.ready}/{state.desired}"
    return (state.colour.value, traffic, state.deployment, shown_image(state.image), ready, state.autoscaler or "-")


def _release(record: Record | None) -> str:
    if record is None:
        return "last release: none"
    who = record.started_by.get("user", "")
    image = shown_image(record.image, record.version)
    what = f"{image} to {record.candidate}, started {record.started_at}{f' by {who}' if who else ''}"
    if record.step is Step.REFUSED:
        return f"last release: {what}; {record.outcome}: {record.reason}; its candidate stays for `bluegreen retry`"
    if record.step is Step.KEPT:
        return f"last release: {what}; {record.outcome} at {record.ended_at}\nold colour: {keeping(record)}"
    if record.unfinished:
        return f"release under way, or killed: {what}; it is {record.step}. `bluegreen recover` mends a killed one"
    ended = f"{record.outcome}{f' at {record.ended_at}' if record.ended_at else ''}"
    return f"last release: {what}; {ended}{f': {record.reason}' if record.reason else ''}"
