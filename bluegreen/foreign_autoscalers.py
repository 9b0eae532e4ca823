"""Autoscalers other than HorizontalPodAutoscaler that scale a colour: refused by name before anything is changed.

A release pins the minimum of a colour's HorizontalPodAutoscaler and sets a retired colour to zero. KEDA writes that
minimum back and wakes a colour at zero; a VerticalPodAutoscaler restarts pods while they are judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bluegreen.errors import CannotStartError
from bluegreen.kube import Forbidden, Kube, NotFound

Obj = Mapping[str, Any]

KINDS = {
    "keda.sh": ("ScaledObject", "scaledobjects", "scaleTargetRef"),
    "autoscaling.k8s.io": ("VerticalPodAutoscaler", "verticalpodautoscalers", "targetRef"),
}
"""By API group: the kind, its plural, and the key of the spec that names what it scales."""


def refuse(kube: Kube, deployments: Iterable[str]) -> None:
    """Raise CannotStartError when such an autoscaler scales one of these Deployments; reads only."""
    names = frozenset(deployments)
    groups = {group["name"]: group for group in kube.raw("/apis").get("groups") or []}
    found: list[str] = []
    for group in KINDS.keys() & groups.keys():
        version = groups[group]["preferredVersion"]["version"]
        found += targeting(group, _listed(kube, group, version), names)
    if found:
        raise CannotStartError(
            f"{'; '.join(sorted(found))}: a release does not support this kind of autoscaler.",
            "Scale the colours by the HorizontalPodAutoscaler of the manifests, and delete the other one "
            "(a VerticalPodAutoscaler may stay with updateMode: Off).",
        )


def targeting(group: str, objects: Iterable[Obj], deployments: frozenset[str]) -> Iterator[str]:
    """Which of a group's autoscalers scale one of these Deployments, in words. Pure."""
    kind, _, key = KINDS[group]
    for obj in objects:
        spec = obj.get("spec") or {}
        target = spec.get(key) or {}
        idle = (spec.get("updatePolicy") or {}).get("updateMode") == "Off"  # it recommends and changes nothing
        if target.get("kind", "Deployment") == "Deployment" and target.get("name") in deployments and not idle:
            yield f"{kind} {obj['metadata']['name']} scales Deployment {target['name']}"


def _listed(kube: Kube, group: str, version: str) -> list[Obj]:
    """A group's autoscalers in the namespace; none where this account may not look, or the kind is not served."""
    try:
        path = f"/apis/{group}/{version}/namespaces/{kube.namespace}/{KINDS[group][1]}"
        return list(kube.raw(path).get("items") or [])
    except (Forbidden, NotFound):
        return []
