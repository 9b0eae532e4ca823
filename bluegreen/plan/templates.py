"""The plan that the manifests with placeholders make: one Deployment, ``$APP_NAME-blue`` and ``$APP_NAME-green``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bluegreen import manifests
from bluegreen.colour import Colour
from bluegreen.plan.protocol import Key, Obj
from bluegreen.settings import Settings


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

    def configuration(self) -> Mapping[Key, Obj]:
        """None: setting up makes them."""
        return {}

    def _values(self, colour: Colour, replicas: int) -> dict[str, Any]:
        """What placeholders stand for in the manifests of a colour at a size."""
        most = max(replicas, self.settings.max_replicas)
        return {"COLOUR": colour.value, "REPLICAS": replicas, "MIN_REPLICAS": replicas, "MAX_REPLICAS": most}
