"""The plan that the manifests with placeholders make: one Deployment, ``$APP_NAME-blue`` and ``$APP_NAME-green``."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bluegreen import colour_services, manifest_rules, manifests
from bluegreen.colour import Colour
from bluegreen.errors import InputError, Mistake
from bluegreen.manifest_rules import Finding
from bluegreen.plan.protocol import Key, Obj, Scaling
from bluegreen.settings import Settings

PER_COLOUR = ("hpa", "pdb")
PER_SERVICE = ("production-service", "preview-service")
ONCE = tuple(name for name in manifests.NAMES if name not in (*PER_COLOUR, "deployment"))


@dataclass(frozen=True)
class Templates:
    """The built-in manifests, or those that a team put in their place."""

    settings: Settings

    @property
    def names(self) -> tuple[str, ...]:
        """One: the application's own name."""
        return (self.settings.app_name,)

    def selector(self, name: str) -> str:  # noqa: ARG002
        """By the label that every pod of the application carries."""
        return f"app={self.settings.app_name}"

    def active_only(self, name: str) -> bool:  # noqa: ARG002
        """Never: it is what answers users."""
        return False

    def first_size(self, name: str) -> int:  # noqa: ARG002
        """REPLICAS."""
        return self.settings.replicas

    def deployment(self, name: str, colour: Colour, replicas: int) -> Obj:  # noqa: ARG002
        """The Deployment of ``deployment.yaml``."""
        rendered = manifests.render(self.settings, "deployment", **self._values(colour, replicas))
        return copy.deepcopy(next(obj for obj in rendered if obj["kind"] == "Deployment"))

    def autoscalers(self, name: str, colour: Colour, least: int | None) -> list[Obj]:  # noqa: ARG002
        """What ``hpa.yaml`` holds; its least number is otherwise MIN_REPLICAS."""
        values = self._values(colour, self.settings.min_replicas if least is None else least)
        return manifests.render(self.settings, "hpa", **values)

    def source(self, name: str) -> str:  # noqa: ARG002
        """``deployment.yaml``, the built-in one or the team's."""
        return str(manifests.source(self.settings, "deployment"))

    def resources(self) -> Mapping[str, Mapping[str, str]]:
        """As the settings say."""
        return {
            "requests": {"cpu": self.settings.cpu_request, "memory": self.settings.memory_request},
            "limits": {"cpu": self.settings.cpu_limit, "memory": self.settings.memory_limit},
        }

    def scaling(self, colour: Colour) -> Scaling | None:
        """One called like the Deployment, with MIN_REPLICAS and MAX_REPLICAS."""
        return Scaling(f"{self.settings.app_name}-{colour}", self.settings.min_replicas, self.settings.max_replicas)

    def budget(self, colour: Colour) -> tuple[str, Mapping[str, str]] | None:
        """One called like the Deployment."""
        return f"{self.settings.app_name}-{colour}", {"app": self.settings.app_name, "version": colour.value}

    @property
    def services(self) -> tuple[str, ...]:
        """SERVICE_NAME and EXTRA_SERVICES."""
        return self.settings.live_services

    def service_selector(self, name: str) -> Mapping[str, str] | None:  # noqa: ARG002
        """The label that every pod of the application carries."""
        return {"app": self.settings.app_name}

    @property
    def service_port(self) -> str:
        """By its name."""
        return manifest_rules.HTTP

    def speaks_http(self, port: Mapping[str, Any]) -> bool:
        """All but the one called https."""
        return port.get("name") != "https"

    def pod_port(self, labels: Mapping[str, str]) -> str:  # noqa: ARG002
        """The same name."""
        return manifest_rules.HTTP

    def shape(self, service: Mapping[str, Any]) -> Iterator[Finding]:
        """As of the manifests."""
        return manifest_rules.shape(service.get("spec") or {})

    def around(self) -> list[tuple[str, Obj]]:
        """What all files but ``deployment.yaml`` hold."""
        pairs: list[tuple[str, Obj]] = []
        mistakes: list[Mistake] = []
        for name, values in [(name, {}) for name in ONCE] + [(n, {"COLOUR": c}) for c in Colour for n in PER_COLOUR]:
            try:
                path = str(manifests.source(self.settings, name))
                objects = [obj for one in self._each(name) for obj in manifests.render(one, name, **values)]
                if name == "production-service" and self.settings.routes:
                    objects += list(colour_services.beside(objects))
                pairs += [(path, obj) for obj in objects]
            except InputError as problem:
                mistakes += [mistake for mistake in problem.mistakes if mistake not in mistakes]
        mistakes += manifest_rules.mistakes(self.settings)
        if mistakes:
            raise InputError(mistakes)
        return pairs

    def _each(self, name: str) -> list[Settings]:
        """The settings that a file is rendered with: the Services' files once for each live Service."""
        if name not in PER_SERVICE:
            return [self.settings]
        return [replace(self.settings, service_name=service) for service in self.services]

    def configuration(self) -> Mapping[Key, Obj]:
        """None: setting up makes them."""
        return {}

    def _values(self, colour: Colour, replicas: int) -> dict[str, Any]:
        """What placeholders stand for in the manifests of a colour at a size."""
        most = max(replicas, self.settings.max_replicas)
        return {"COLOUR": colour.value, "REPLICAS": replicas, "MIN_REPLICAS": replicas, "MAX_REPLICAS": most}
