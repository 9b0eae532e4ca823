"""One Deployment of an application in its two colours, as a release writes it down: ``NAME-blue`` and ``NAME-green``.

Pure data. A release may be of several; the first is the main one, which the gate asks over HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

ACTIVE_ONLY = "bluegreen/active-only"
"""Annotation of a Deployment, ``"true"``: its pods must not run twice, and run in the live colour alone."""


DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""Annotation of pods: which of their containers is the application, where it is not the first."""


@dataclass(frozen=True)
class Workload:
    """What has to be known of a Deployment to stand it up, to take it away and to put it back."""

    name: str  # as the team calls it: without the colour
    selector: str  # the label selector of its pods, without the colour
    active_only: bool = False  # its pods run in the live colour alone, never in both
    released: bool = True  # the candidate has it; False: only the other colour has, or this colour had in the past
    replicas: int = 0  # the candidate's pods, once it serves
    live_replicas: int | None = None  # the live colour's pods when the release began; None: live has no such Deployment
    bounds: Mapping[str, int] = field(default_factory=dict)  # of its autoscaler while no release runs; {}: not known
    before: Mapping[str, Any] | None = None  # the candidate's Deployment as it was: labels, annotations, spec

    def pods(self, colour: str) -> str:
        """The label selector of one colour's pods."""
        return f"{self.selector},version={colour}"

    @property
    def given_up(self) -> int:
        """The live colour's pods that end before the candidate's begin, and so make room for them."""
        return (self.live_replicas or 0) if self.active_only else 0

    def told(self) -> dict[str, Any]:
        """What a report says of it."""
        return {"name": self.name, "replicas": self.replicas, "active_only": self.active_only}

    def closed(self) -> Workload:
        """The same without what it was before, which nobody needs once a release is over."""
        return replace(self, before=None)


def main_container(pod: Mapping[str, Any]) -> dict[str, Any]:
    """The application's container of a pod or a pod template; an empty one where there is none. Pure."""
    found = [one for one in (pod.get("spec") or {}).get("containers") or [] if isinstance(one, dict)]
    name = ((pod.get("metadata") or {}).get("annotations") or {}).get(DEFAULT_CONTAINER)
    return next((one for one in found if one.get("name") == name), found[0] if found else {})


def marked(deployment: Mapping[str, Any]) -> bool:
    """Whether a Deployment says that its pods run in the live colour alone. Pure."""
    return ((deployment.get("metadata") or {}).get("annotations") or {}).get(ACTIVE_ONLY) == "true"


def selector_text(selector: Mapping[str, object]) -> str:
    """A selector of an object as a query of the API, without the colour. Pure."""
    labels = selector.get("matchLabels")
    equal = labels.items() if isinstance(labels, dict) else ()
    expressions = selector.get("matchExpressions")
    parts = [f"{key}={value}" for key, value in equal if key != "version"]
    return ",".join([*parts, *map(_expression, expressions if isinstance(expressions, list) else ())])


def _expression(one: Mapping[str, object]) -> str:
    key, values = one["key"], one.get("values")
    listed = f"({','.join(map(str, values if isinstance(values, list) else ()))})"
    return {
        "In": f"{key} in {listed}",
        "NotIn": f"{key} notin {listed}",
        "Exists": f"{key}",
        "DoesNotExist": f"!{key}",
    }[str(one["operator"])]
