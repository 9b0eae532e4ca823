"""One Deployment of an application in its two colours, as a release writes it down: ``NAME-blue`` and ``NAME-green``.

Pure data. A release may be of several; the first is the main one, which the gate asks over HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


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

    def closed(self) -> Workload:
        """The same without what it was before, which nobody needs once a release is over."""
        return replace(self, before=None)
