"""What a team's own YAML is to a release: its Deployments, its Services, what belongs to them, the rest. Pure.

Objects in, an ``Application`` out. What no release could work with is ``own_rules``' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.settings import Settings
from bluegreen.workload import marked

Obj = dict[str, Any]
Key = tuple[str, str]
"""Kind and name."""

AROUND = (
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "Ingress",
)
"""Kinds that setting up applies as they are, in this order. Any other kind is left to whoever applies it today."""

LABEL = "version"
"""The label that tells a colour's pods; one of that name that a team has gives way to it."""

SHARED = "bluegreen/shared"
"""Annotation of a ConfigMap or Secret that all colours use as it is: ``"true"``."""


@dataclass(frozen=True)
class Application:
    """The objects of a team's YAML, by what they are to a release. Not to be changed: they are read once."""

    deployments: Mapping[str, Obj] = field(default_factory=dict)  # by name, the main one first
    services: Mapping[str, Obj] = field(default_factory=dict)  # those that move, by name; SERVICE_NAME's first
    autoscalers: tuple[Obj, ...] = ()
    budgets: tuple[Obj, ...] = ()
    configuration: Mapping[Key, Obj] = field(default_factory=dict)  # which a release copies for each colour
    around: tuple[Obj, ...] = ()
    files: Mapping[Key, str] = field(default_factory=dict)  # the file that each object comes from


def sorted_out(settings: Settings, found: Iterable[tuple[str, Obj]]) -> Application:
    """What each object is. Whatever does not fit is left out, or stands at a place where the rules find it."""
    pairs = [*found]
    objects = [obj for _, obj in pairs]
    deployments = {name_of(obj): obj for obj in of_kind(objects, "Deployment")}
    services = _services(settings, of_kind(objects, "Service"), [d for d in deployments.values() if not marked(d)])
    main = main_of(settings, services, deployments)
    order = [*([main] if main else []), *deployments]
    own = {key for deployment in deployments.values() for key in referred(deployment)}
    configuration = {
        key_of(obj): obj
        for kind in ("ConfigMap", "Secret")
        for obj in of_kind(objects, kind)
        if key_of(obj) in own and not is_shared(obj)
    }
    around = [obj for kind in AROUND for obj in of_kind(objects, kind) if key_of(obj) not in configuration]
    others = [obj for obj in of_kind(objects, "Service") if name_of(obj) not in services]
    return Application(
        deployments={name: deployments[name] for name in dict.fromkeys(order)},
        services=services,
        autoscalers=tuple(obj for obj in of_kind(objects, "HorizontalPodAutoscaler") if target_of(obj) in deployments),
        budgets=tuple(
            obj
            for obj in of_kind(objects, "PodDisruptionBudget")
            if any(covers(obj, deployment) for deployment in deployments.values())
        ),
        configuration=configuration,
        around=(*around, *others),
        files={key_of(obj): path for path, obj in pairs},
    )


def main_of(settings: Settings, services: Mapping[str, Obj], deployments: Mapping[str, Obj]) -> str:
    """The Deployment that SERVICE_NAME leads to; "" where that is none."""
    service = services.get(settings.service_name)
    found = [name for name, obj in deployments.items() if service is not None and selects(service, obj)]
    return found[0] if found else ""


def _services(settings: Settings, found: Iterable[Obj], deployments: Iterable[Obj]) -> dict[str, Obj]:
    """The Services that lead to a released Deployment: SERVICE_NAME, EXTRA_SERVICES, then as they are written."""
    moving = {name_of(obj): obj for obj in found if any(selects(obj, deployment) for deployment in deployments)}
    order = [name for name in settings.live_services if name in moving]
    return {name: moving[name] for name in dict.fromkeys([*order, *moving])}


# --- looking at objects -----------------------------------------------------------------------------------------------


def name_of(obj: Mapping[str, Any]) -> str:
    """Its name."""
    return str(obj["metadata"]["name"])


def key_of(obj: Obj) -> Key:
    """Its kind and name."""
    return str(obj["kind"]), name_of(obj)


def of_kind(objects: Iterable[Obj], kind: str) -> list[Obj]:
    """Those of one kind."""
    return [obj for obj in objects if obj["kind"] == kind]


def inner(obj: Any, *keys: str) -> dict[str, Any]:
    """A map inside an object; an empty one where there is none, or something else."""
    for key in keys:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj if isinstance(obj, dict) else {}


def pod_labels(workload: Obj) -> dict[str, Any]:
    """The labels of the pods that a Deployment, or another kind with a pod template, makes."""
    return inner(workload, "spec", "template", "metadata", "labels")


def uncoloured(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Labels without the one that a colour takes."""
    return {key: value for key, value in labels.items() if key != LABEL}


def selects(service: Obj, workload: Obj) -> bool:
    """Whether a Service leads to the pods of a workload, once both have a colour."""
    selector = uncoloured(inner(service, "spec", "selector"))
    return bool(selector) and selector.items() <= pod_labels(workload).items()


def covers(budget: Obj, workload: Obj) -> bool:
    """Whether a PodDisruptionBudget counts the pods of a workload, by labels that must be equal."""
    wanted = inner(budget, "spec", "selector", "matchLabels")
    return bool(wanted) and wanted.items() <= pod_labels(workload).items()


def target_of(autoscaler: Obj) -> str:
    """The Deployment that an autoscaler scales; "" when it scales something else."""
    target = inner(autoscaler, "spec", "scaleTargetRef")
    return str(target.get("name")) if target.get("kind") == "Deployment" else ""


def is_shared(obj: Obj) -> bool:
    """Whether all colours are to use a ConfigMap or Secret as it is."""
    return inner(obj, "metadata", "annotations").get(SHARED) == "true"


def containers(workload: Obj) -> list[Obj]:
    """The containers of its pods, without those that run before them."""
    found = inner(workload, "spec", "template", "spec").get("containers")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def referred(deployment: Obj) -> set[Key]:
    """The ConfigMaps and Secrets that the pods of a Deployment name anywhere."""
    return set(_referred(inner(deployment, "spec", "template", "spec")))


_REFERENCES = {
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "secret": "Secret",
}


def _referred(node: Any) -> Iterable[Key]:
    if isinstance(node, list):
        for child in node:
            yield from _referred(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            named = (child.get("name") or child.get("secretName")) if isinstance(child, dict) else None
            if key in _REFERENCES and named:
                yield _REFERENCES[key], str(named)
            yield from _referred(child)
