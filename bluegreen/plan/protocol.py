"""What a release makes, whoever wrote the YAML: the one face of the built-in manifests and of a team's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bluegreen.colour import Colour
from bluegreen.manifest_rules import Finding

Obj = dict[str, Any]
Key = tuple[str, str]
"""Kind and name."""


@dataclass(frozen=True)
class Scaling:
    """What an autoscaler is to be called, and its bounds while no release runs."""

    name: str
    least: int
    most: int


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

    def source(self, name: str) -> str:
        """The file that a Deployment comes from."""

    def resources(self) -> Mapping[str, Mapping[str, str]]:
        """The requests and limits that the main Deployment's first container is to have."""

    def scaling(self, colour: Colour) -> Scaling | None:
        """The autoscaler that the main Deployment of a colour is to have."""

    def budget(self, colour: Colour) -> tuple[str, Mapping[str, str]] | None:
        """Name and labels of the PodDisruptionBudget that the main Deployment's pods are to have in a colour."""

    @property
    def services(self) -> tuple[str, ...]:
        """The Services that carry live traffic and move together: SERVICE_NAME first."""

    def service_selector(self, name: str) -> Mapping[str, str] | None:
        """What a live Service, or its preview, selects besides the colour; None for one that the plan does not know."""

    @property
    def service_port(self) -> str:
        """The port of SERVICE_NAME that users ask over HTTP: its name, or its number in digits."""

    def speaks_http(self, port: Mapping[str, Any]) -> bool:
        """Whether plain HTTP is to be spoken at a Service's port, so that the gate may ask there."""

    def pod_port(self, labels: Mapping[str, str]) -> str:
        """The port, by name or number, at which a pod with these labels answers what its Service leads to it."""

    def shape(self, service: Mapping[str, Any]) -> Iterator[Finding]:
        """What makes a live Service, as it is in the cluster, one that traffic cannot be moved by."""

    def around(self) -> list[tuple[str, Obj]]:
        """Every object around the Deployments with the file it comes from, in the order of applying.

        Raises InputError with everything that no release could work with.
        """

    def configuration(self) -> Mapping[Key, Obj]:
        """ConfigMaps and Secrets that come with the release itself, and need not be in the cluster before it."""
