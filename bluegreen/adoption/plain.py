"""A Deployment without a colour beside those that have one: where things stand, and what one is made of. Pure.

``bluegreen adopt`` makes the blue Deployment of what runs as a plain one; ``adopt --undo`` makes the plain one of what
the live colour runs. Meanwhile the plain pods carry the label ``version`` as well, so that a Service can tell them from
a colour's; it stays on them, and selects nothing once the Service is as the team wrote it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen.colour import NOBODY, Colour
from bluegreen.deployments import APPLICATION
from bluegreen.plan import application, own_files
from bluegreen.plan.application import LABEL, inner, pod_labels

Obj = dict[str, Any]

PLAIN = "plain"
"""The value of the label ``version`` on pods without a colour, where the team's own have none."""

OURS = "bluegreen/"
"""What the names of this project's annotations begin with."""

COLOURS = frozenset(colour.value for colour in Colour)


def not_coloured(selector: str) -> str:
    """The query for a Deployment's pods that have no colour; ``selector``: its own, as a query."""
    return f"{selector},{LABEL} notin ({','.join(sorted(COLOURS))})"


def mark_of(written: Obj) -> str:
    """The value of ``version`` that tells the plain pods of a Deployment: the team's own where it has one."""
    return str(pod_labels(written).get(LABEL, PLAIN))


def place_of(service: Obj) -> Colour | None:
    """The colour that a Service selects; None when it selects pods by the team's own labels, or none at all."""
    value = inner(service, "spec", "selector").get(LABEL)
    return Colour(value) if value in COLOURS else None


def may_reach(service: Obj, colour: Colour) -> bool:
    """Whether a Service may lead to a colour's pods: it selects that one, or pods of any ``version``."""
    return inner(service, "spec", "selector").get(LABEL) in (None, colour.value)


def expected(selector: Mapping[str, str], written: Mapping[str, str], marks: Iterable[str]) -> bool:
    """Whether a Service selects what an application does that is plain, adopted, or in between."""
    own = application.uncoloured(selector) == application.uncoloured(written)
    return own and selector.get(LABEL) in (None, NOBODY, written.get(LABEL), *COLOURS, *marks)


def of_colour(live: Obj, written: Obj, size: int) -> Obj:
    """The plain Deployment that runs what a colour's Deployment runs, named and selected as the team wrote it."""
    made: Obj = copy.deepcopy(own_files.as_written(live))
    metadata, spec = made["metadata"], made["spec"]
    own = inner(written, "metadata", "labels")
    labels = {key: value for key, value in inner(metadata, "labels").items() if key not in (LABEL, APPLICATION)}
    metadata["name"], metadata["labels"] = written["metadata"]["name"], {**labels, **own}
    metadata["annotations"] = without_ours(metadata, keep=inner(written, "metadata", "annotations"))
    spec["replicas"], spec["selector"] = size, copy.deepcopy(written["spec"]["selector"])
    template = spec["template"]["metadata"]
    template["labels"] = {**inner(template, "labels"), LABEL: mark_of(written)}
    return made


def noted_on(obj: Obj) -> dict[str, Any]:
    """Those of an object."""
    return inner(obj, "metadata", "annotations")


def without_ours(metadata: Obj, keep: Mapping[str, Any]) -> dict[str, str]:
    """Annotations without those that releases wrote; the team's own words to releases stay."""
    found = inner(metadata, "annotations")
    return {key: value for key, value in found.items() if not key.startswith(OURS) or key in keep}


def selected(found: Obj, written: Obj) -> bool:
    """Whether a plain Deployment in the cluster has the selector that the team's YAML has: it cannot be changed."""
    return bool(inner(found, "spec", "selector") == inner(written, "spec", "selector"))
