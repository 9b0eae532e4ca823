"""What a release makes, whoever wrote the YAML: the one face of the built-in manifests and of a team's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bluegreen.colour import Colour

Obj = dict[str, Any]
Key = tuple[str, str]
"""Kind and name."""


class Plan(Protocol):
    """The objects of an application. Pure: files and settings in, objects out."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its Deployments without their colour; the first is the main one, which the gate asks over HTTP."""

    def selector(self, name: str) -> str:
        """The label selector of a Deployment's pods, without the colour."""

    def active_only(self, name: str) -> bool:
        """Whether a Deployment's pods may run in the live colour only."""

    def first_size(self, name: str) -> int:
        """The pods of a Deployment where no live one tells how many."""

    def deployment(self, name: str, colour: Colour, replicas: int) -> Obj:
        """The Deployment of one colour at a size."""

    def autoscalers(self, name: str, colour: Colour, least: int | None) -> list[Obj]:
        """What scales it, with this least number of pods; None: the one that it has when no release runs."""

    def configuration(self) -> Mapping[Key, Obj]:
        """ConfigMaps and Secrets that come with the release itself, and need not be in the cluster before it."""
