"""Stage resources: whether a colour's pods are configured as that colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.gate.check import Check

Obj = Mapping[str, Any]


def own_configuration(deployment: Obj, colour: str, other: str) -> list[Check]:
    """No ConfigMap, Secret or variable of the pods is the other colour's.

    By name: ``settings-blue`` belongs to blue; and by the variable that says which colour a pod is, ``COLOUR``.
    """
    title = f"Deployment {deployment['metadata']['name']}"
    spec = deployment["spec"]["template"]["spec"]
    strange = [name for name in _referenced(spec) if other in name.split("-")]
    said = [str(v.get("value")) for v in _variables(spec) if v["name"] in ("COLOUR", "COLOR") and v.get("value")]
    wrong = [value for value in said if value != colour]
    others = f"{title} takes its configuration from {', '.join(strange)}, which is {other}'s."
    lies = f"{title} tells its pods that they are {', '.join(wrong)}, and they are {colour}."
    return [
        Check.that(f"{title}: configuration", not strange, ", ".join(strange), f"none of {other}'s", others),
        Check.that(f"{title}: COLOUR", not wrong, ", ".join(wrong), colour, lies),
    ]


def _containers(spec: Obj) -> Iterator[Obj]:
    yield from spec.get("initContainers") or []
    yield from spec["containers"]


def _variables(spec: Obj) -> Iterator[Obj]:
    for container in _containers(spec):
        yield from container.get("env") or []


def _referenced(spec: Obj) -> Iterator[str]:
    """The names of all ConfigMaps and Secrets that the pods read."""
    for container in _containers(spec):
        for source in container.get("envFrom") or []:
            yield from (source[kind]["name"] for kind in ("configMapRef", "secretRef") if kind in source)
    for variable in _variables(spec):
        origin = variable.get("valueFrom") or {}
        yield from (origin[kind]["name"] for kind in ("configMapKeyRef", "secretKeyRef") if kind in origin)
    for volume in spec.get("volumes") or []:
        if "configMap" in volume:
            yield str(volume["configMap"].get("name", ""))
        if "secret" in volume:
            yield str(volume["secret"].get("secretName", ""))
