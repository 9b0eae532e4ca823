"""What the manifests must say for a release to work at all, whoever wrote them. Pure; asks no cluster.

A release finds its pods by the labels ``app`` and ``version``, its ports by the name ``http`` and its objects by their
names. A manifest that says otherwise would be applied without complaint and fail later, or move traffic to nobody.
How good the application's own manifest is (probes, requests, limits) is the gate's business, not this module's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bluegreen import manifests
from bluegreen.colour import NOBODY, Colour
from bluegreen.errors import InputError, Mistake
from bluegreen.settings import Settings

Obj = dict[str, Any]
Finding = tuple[str, str | None, str, str]
"""Which object, the value found, why it will not do, and what to write instead."""

HTTP = "http"
"""The name of the port that the application answers on, in the Deployment and in both Services."""


def mistakes(settings: Settings) -> list[Mistake]:
    """Everything in the manifests that no release could work with, by file. Files that cannot be read say so elsewhere.

    ``${DOCKER_IMAGE}`` may be unknown while setting up; then the image is not looked at.
    """
    found: list[Mistake] = []
    for name, colours, rule in _RULES:
        for colour in colours:
            try:
                objects = manifests.render(settings, name, **({"COLOUR": colour} if colour else {}))
            except InputError:
                continue
            path = str(manifests.source(settings, name))
            said = [*rule(settings, colour, objects), *_elsewhere(settings, objects)]
            found += [Mistake(f"{path} {what}".strip(), value, why, remedy) for what, value, why, remedy in said]
    return list(dict.fromkeys(found))


def _elsewhere(settings: Settings, objects: list[Obj]) -> Iterator[Finding]:
    for obj in objects:
        namespace = obj["metadata"].get("namespace")
        if namespace not in (None, settings.namespace):
            why = f"it lies in another namespace than NAMESPACE={settings.namespace}."
            yield _name(obj), str(namespace), why, "Write namespace: ${NAMESPACE}, or leave it out."


def _only(kind: str, name: str, placeholder: str, objects: list[Obj]) -> Iterator[Finding]:
    """That a file holds the one object that a release looks for by its name."""
    names = [str(obj["metadata"]["name"]) for obj in objects if obj["kind"] == kind]
    if len(names) != 1:
        why = f"it holds {len(names)} objects of kind {kind}, and a release needs exactly one."
        kinds = ", ".join(sorted({str(obj["kind"]) for obj in objects})) or None
        yield "", kinds, why, f"Write one {kind} named {placeholder}."
    elif names[0] != name:
        yield kind, names[0], f"its name is not {name}, by which a release finds it.", f"Write name: {placeholder}."


def _deployment(settings: Settings, colour: str, objects: list[Obj]) -> Iterator[Finding]:
    name = f"{settings.app_name}-{colour}"
    yield from _only("Deployment", name, "${APP_NAME}-${COLOUR}", objects)
    wanted = {"app": settings.app_name, "version": colour}
    for obj in (obj for obj in objects if obj["kind"] == "Deployment"):
        spec = _map(obj, "spec")
        places = {
            "spec.selector.matchLabels": _map(spec, "selector", "matchLabels"),
            "spec.template.metadata.labels": _map(spec, "template", "metadata", "labels"),
        }
        for place, labels in places.items():
            yield from _labels(place, labels, wanted, "app: ${APP_NAME} and version: ${COLOUR}")
        containers = [c for c in _map(spec, "template", "spec").get("containers") or [] if isinstance(c, dict)]
        yield from _containers(settings, containers)


def _labels(place: str, labels: Mapping[str, Any], wanted: Mapping[str, str], write: str) -> Iterator[Finding]:
    for key, value in wanted.items():
        if labels.get(key) != value:
            found = None if key not in labels else str(labels[key])
            why = f"the label {key} is not {value}, by which a release tells its pods from others."
            yield f"{place}.{key}", found, why, f"Write {write}."


def _containers(settings: Settings, containers: list[Obj]) -> Iterator[Finding]:
    images = [str(container.get("image", "")) for container in containers]
    if settings.docker_image and settings.docker_image not in images:
        why = f"no container runs DOCKER_IMAGE={settings.docker_image}: something else would be released."
        yield "spec.template.spec.containers", ", ".join(images), why, "Write image: ${DOCKER_IMAGE}."
    ports = [p.get("name") for c in containers for p in c.get("ports") or [] if isinstance(p, dict)]
    if HTTP not in ports:
        why = f"no container has a port named {HTTP}, through which the gate asks each pod."
        yield "spec.template.spec.containers", _listed(ports), why, "Name it: {name: http, containerPort: …}."


def _service(name: str, placeholder: str, settings: Settings, _: str, objects: list[Obj]) -> Iterator[Finding]:
    yield from _only("Service", name, placeholder, objects)
    for service in (obj for obj in objects if obj["kind"] == "Service"):
        spec = _map(service, "spec")
        yield from shape(spec)
        wanted = {"app": settings.app_name, "version": NOBODY}
        yield from _labels("spec.selector", _map(spec, "selector"), wanted, f"app: ${{APP_NAME}} and version: {NOBODY}")


def shape(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """What makes a Service one that traffic cannot be moved by: no address of its own, or no port to ask at."""
    if spec.get("type") == "ExternalName":
        why = "an ExternalName Service is an alias in the DNS and selects no pods."
        yield "spec.type", "ExternalName", why, "Make it ClusterIP, NodePort or LoadBalancer."
    if spec.get("clusterIP") == "None":
        why = "a headless Service has no address: its clients choose pods themselves, and no switch reaches them."
        yield "spec.clusterIP", "None", why, "Leave clusterIP out."
    ports = [port.get("name") for port in spec.get("ports") or [] if isinstance(port, dict)]
    if HTTP not in ports and spec.get("type") != "ExternalName":
        why = f"it has no port named {HTTP}, through which users and the gate ask."
        yield "spec.ports", _listed(ports), why, "Name the port: {name: http, port: 80, targetPort: http}."


def _autoscaler(settings: Settings, colour: str, objects: list[Obj]) -> Iterator[Finding]:
    name = f"{settings.app_name}-{colour}"
    for obj in objects:
        target = _map(obj, "spec", "scaleTargetRef")
        if obj["kind"] == "HorizontalPodAutoscaler" and target.get("name") != name:
            why = f"it scales something else than Deployment {name}."
            yield "spec.scaleTargetRef.name", str(target.get("name")), why, "Write name: ${APP_NAME}-${COLOUR}."


def _namespace(settings: Settings, _: str, objects: list[Obj]) -> Iterator[Finding]:
    yield from _only("Namespace", settings.namespace, "${NAMESPACE}", objects)


_Rule = Callable[[Settings, str, list[Obj]], Iterator[Finding]]


def _live(settings: Settings, colour: str, objects: list[Obj]) -> Iterator[Finding]:
    return _service(settings.service_name, "${SERVICE_NAME}", settings, colour, objects)


def _preview(settings: Settings, colour: str, objects: list[Obj]) -> Iterator[Finding]:
    return _service(settings.preview_service_name, "${PREVIEW_SERVICE_NAME}", settings, colour, objects)


def _anything(_: Settings, __: str, ___: list[Obj]) -> Iterator[Finding]:
    return iter(())


_COLOURS = tuple(colour.value for colour in Colour)
_RULES: tuple[tuple[str, tuple[str, ...], _Rule], ...] = (
    ("namespace", ("",), _namespace),
    ("production-service", ("",), _live),
    ("preview-service", ("",), _preview),
    ("deployment", _COLOURS, _deployment),
    ("hpa", _COLOURS, _autoscaler),
    ("pdb", _COLOURS, _anything),
    *((name, ("",), _anything) for name in ("secrets", "configmap", "ingress", "networkpolicy")),
)
"""A file, the colours it is rendered for, and what must hold of it besides its namespace."""


def _name(obj: Obj) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def _listed(names: list[Any]) -> str:
    return ", ".join(str(name) for name in names if name) or "none is named"


def _map(obj: Any, *keys: str) -> dict[str, Any]:
    """A map inside an object; an empty one where there is none, or something else."""
    for key in keys:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}
