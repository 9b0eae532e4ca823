"""What a team's own YAML must say for a release of it to work at all. Pure; asks no cluster.

How good it is (probes, requests, limits) is the gate's business, and what the API refuses is found by trying it there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from bluegreen import manifest_rules
from bluegreen.errors import Mistake
from bluegreen.plan import colouring
from bluegreen.plan.application import (
    Application,
    containers,
    inner,
    key_of,
    name_of,
    of_kind,
    pod_labels,
    selects,
    uncoloured,
)
from bluegreen.settings import Settings
from bluegreen.workload import DEFAULT_CONTAINER, main_container, marked

Obj = dict[str, Any]
Pairs = list[tuple[str, Obj]]
Finding = tuple[Obj, str, str | None, str, str]
"""The object, the place in it, the value there, why it will not do, and what to write instead."""

HTTP = "http"

UNCOLOURED = ("StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController")
"""Kinds that keep pods running, and that a release has no colours of."""

SCALERS = {"ScaledObject": "scaleTargetRef", "VerticalPodAutoscaler": "targetRef"}
"""Kinds that scale a Deployment and that a release cannot hold still, with where they name it."""


def mistakes(settings: Settings, known: Application, found: Pairs) -> list[Mistake]:
    """Everything in these objects that no release could work with, by file."""
    said = [
        *_elsewhere(settings, found),
        *_malformed(known),
        *_overlapping(known),
        *_scaled_by_others(known, found),
    ]
    listed = [
        Mistake(f"{known.files[key_of(obj)]} {' '.join(key_of(obj))} {where}".strip(), value, why, remedy)
        for obj, where, value, why, remedy in said
    ]
    return list(dict.fromkeys([*listed, *_services(settings, known, found)]))


def main_port(service: Obj, deployment: Obj, number: int) -> Obj:
    """The port of a Service that users ask: ``http``, else one that leads to a pod's port ``number``, else the first.

    Pure.
    """
    ports: list[Obj] = [port for port in inner(service, "spec").get("ports") or [] if isinstance(port, dict)]
    inside = {
        port.get("name"): port.get("containerPort")
        for container in containers(deployment)
        for port in container.get("ports") or []
    }
    named = [port for port in ports if port.get("name") == HTTP]
    targets = [(port.get("targetPort") or port.get("port"), port) for port in ports]
    leading = [port for target, port in targets if number in (target, inside.get(target))]
    return next(iter([*named, *leading, *ports]))


def shape(spec: Mapping[str, Any]) -> Iterator[manifest_rules.Finding]:
    """What makes a Service, by its spec, one that users cannot be asked through or moved by. Pure."""
    for what, value, why, remedy in manifest_rules.shape(spec):
        if what != "spec.ports":
            yield what, value, why, remedy
    if not spec.get("ports"):
        yield "spec.ports", None, "it has no port.", "Write the port that users ask."


def speaks_http(port: Mapping[str, Any]) -> bool:
    """Whether a port says that plain HTTP is spoken there."""
    name = str(port.get("name") or "")
    return port.get("appProtocol") == HTTP or (name.startswith(HTTP) and not name.startswith("https"))


def port_name(port: Mapping[str, Any]) -> str:
    """What a port is called; its number in digits where it has no name, as the only port of a Service may."""
    return str(port.get("name") or port["port"])


# --- what is wrong ----------------------------------------------------------------------------------------------------


def _elsewhere(settings: Settings, found: Pairs) -> Iterator[Finding]:
    for _, obj in found:
        namespace = obj["metadata"].get("namespace")
        if namespace not in (None, settings.namespace):
            why = f"it lies in another namespace than NAMESPACE={settings.namespace}."
            yield obj, "metadata.namespace", str(namespace), why, "Set NAMESPACE to it, or leave it out."


def _malformed(known: Application) -> Iterator[Finding]:
    for obj in known.deployments.values():
        if not containers(obj):
            yield obj, "spec.template.spec.containers", None, "its pods have no container.", "Write at least one."
        if not (own := inner(obj, "spec", "selector")):
            yield obj, "spec.selector", None, "it has no selector.", "Write spec.selector.matchLabels."
        elif not inner(own, "matchLabels").items() <= pod_labels(obj).items():
            why = "it does not select the pods of its own template."
            yield obj, "spec.selector", _told(inner(own, "matchLabels")), why, "Give both the same labels."
    for obj in known.autoscalers:
        if not isinstance(inner(obj, "spec").get("maxReplicas"), int):
            yield obj, "spec.maxReplicas", None, "it is no number.", "Write the most pods that a colour may have."


def _overlapping(known: Application) -> Iterator[Finding]:
    """Deployments whose pods cannot be told apart by the selectors: each would count the other's as its own."""
    for one, other in combinations(known.deployments.values(), 2):
        for selecting, selected in ((one, other), (other, one)):
            labels = uncoloured(inner(selecting, "spec", "selector", "matchLabels"))
            if labels and labels.items() <= pod_labels(selected).items():
                why = f"it selects the pods of Deployment {name_of(selected)} too."
                remedy = "Give the pods of each Deployment a label that only they have, in both selectors."
                yield selecting, "spec.selector", _told(labels), why, remedy
                break


def _scaled_by_others(known: Application, found: Pairs) -> Iterator[Finding]:
    for _, obj in found:
        target = inner(obj, "spec", SCALERS.get(str(obj["kind"]), "")).get("name")
        if target in known.deployments:
            why = f"it scales Deployment {target}, and a release cannot hold it still meanwhile."
            yield obj, "", None, why, "Use a HorizontalPodAutoscaler, or leave it out."


def _services(settings: Settings, known: Application, found: Pairs) -> Iterator[Mistake]:
    """What is wrong with how traffic comes in."""
    objects = [obj for _, obj in found]
    answering = [obj for obj in known.deployments.values() if not marked(obj)]
    there = ", ".join(known.services) or "none"
    for setting, name in [
        ("SERVICE_NAME", settings.service_name),
        *(("EXTRA_SERVICES", name) for name in settings.extra_services.split()),
    ]:
        if name not in known.services:
            why = f"no Service of that name leads to a Deployment in {settings.manifests} that answers users."
            yield Mistake(setting, name, why, f"Name one of those that do: {there}.")
    for name, service in known.services.items():
        led_to = [name_of(obj) for obj in answering if selects(service, obj)]
        place = f"{known.files['Service', name]} Service {name} spec.selector"
        told = _told(inner(service, "spec", "selector"))
        for other in (obj for kind in UNCOLOURED for obj in of_kind(objects, kind) if selects(service, obj)):
            why = f"it leads to the pods of {' '.join(key_of(other))} too, which has no colours."
            yield Mistake(place, told, why, "Give those pods other labels, or a Service of their own.")
        if name == settings.service_name:
            yield from _main_service(settings, known, service, led_to)


def _main_service(settings: Settings, known: Application, service: Obj, led_to: list[str]) -> Iterator[Mistake]:
    name, file = name_of(service), known.files[key_of(service)]
    spec = inner(service, "spec")
    if len(led_to) > 1:
        why = f"it leads to the pods of several Deployments: {', '.join(led_to)}."
        remedy = "Let it select the pods of one, which the gate asks over HTTP."
        yield Mistake(f"{file} Service {name} spec.selector", _told(inner(spec, "selector")), why, remedy)
    for what, value, why, remedy in shape(spec):
        yield Mistake(f"{file} Service {name} {what}", value, why, remedy)
    container = main_container(inner(known.deployments[led_to[0]], "spec", "template"))
    if settings.docker_image and not colouring.runs(container, settings.docker_image):
        why = (
            f"Service {name} leads to Deployment {led_to[0]}, whose container {container.get('name')} runs "
            f"{container.get('image')}: another repository, so something else would be released."
        )
        remedy = f"Name that image; or, where another container is the application, say so: {DEFAULT_CONTAINER}."
        yield Mistake("DOCKER_IMAGE", settings.docker_image, why, remedy)


def _told(labels: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
