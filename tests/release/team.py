"""An application of a team's own YAML, as the documentation's examples have it, and what must be true of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bluegreen import localkube

from .conftest import CHECKOUT, App

EXAMPLES = CHECKOUT / "docs" / "examples"
IMAGE = "gremlinsai/backend"

SETTINGS = {
    "APP_NAME": "shop",
    "SERVICE_NAME": "shop",
    "HEALTH_CHECK_URL": "http://localhost:8080/api/v1/health/health",
    "API_PATHS": "/api/v1/capabilities",
}


class Team(App):
    """An application whose manifests lie in a directory as they are."""

    def __init__(self, cluster: localkube.Cluster, folder: Path, manifests: Path, **always: str) -> None:
        super().__init__(cluster, folder, **{**SETTINGS, "MANIFESTS": str(manifests), **always})

    def colour(self, service: str = "shop") -> str:
        """The colour that a Service selects."""
        found = self.kube.get("Service", service)
        return str((found or {}).get("spec", {}).get("selector", {}).get("version", ""))

    def sizes(self) -> dict[str, int]:
        """The wanted size of each Deployment by its name."""
        return {obj["metadata"]["name"]: int(obj["spec"]["replicas"]) for obj in self.kube.list("Deployment")}

    def deployment(self, name: str) -> dict[str, Any]:
        """A Deployment by its whole name."""
        found = self.kube.get("Deployment", name)
        assert found is not None, f"no Deployment {name}"
        return found
