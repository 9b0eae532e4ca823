"""What the stages judge, read fresh from the cluster each time a test asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from bluegreen.access import Access
    from bluegreen.handle import Handle
    from bluegreen.kube import Kube
    from bluegreen.settings import Settings

Obj = dict[str, Any]

GATE_HEADERS: Mapping[str, str] = {"X-Bluegreen": "gate"}
"""Carried by every request of the gate, so that an application can tell test traffic from users'."""

REQUEST_TIMEOUT_S = 10.0  # a choice: longer than any answer that a user would wait for


def http_client(base_url: str, **options: Any) -> httpx.Client:
    """An HTTP client for checks: test traffic is marked, every request opens a connection, nothing is retried."""
    import httpx

    limits = httpx.Limits(max_keepalive_connections=0)
    options.setdefault("headers", dict(GATE_HEADERS))
    return httpx.Client(base_url=base_url, timeout=REQUEST_TIMEOUT_S, limits=limits, trust_env=False, **options)


class Target:
    """The colour under test: its objects as the API has them now, and the addresses of its Service and pods."""

    def __init__(self, release: Handle, cluster: Kube, settings: Settings, access: Access) -> None:
        self.release, self.cluster, self.settings, self.access = release, cluster, settings, access

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every pod of the colour carries, and no other pod."""
        return {"app": self.release.app_name, "version": self.release.candidate}

    @property
    def selector(self) -> str:
        """The labels as a label selector."""
        return ",".join(f"{key}={value}" for key, value in self.labels.items())

    def deployment(self) -> Obj:
        """The colour's Deployment."""
        return self._must("Deployment", self.release.deployment)

    def pods(self) -> list[Obj]:
        """The colour's pods that are not being deleted, by name."""
        found = self.cluster.list("Pod", labels=self.selector)
        return sorted(
            (p for p in found if "deletionTimestamp" not in p["metadata"]), key=lambda p: p["metadata"]["name"]
        )

    def autoscaler(self) -> Obj | None:
        """The colour's HorizontalPodAutoscaler."""
        return self.cluster.get("HorizontalPodAutoscaler", self.release.deployment)

    def disruption_budget(self) -> Obj | None:
        """The colour's PodDisruptionBudget."""
        return self.cluster.get("PodDisruptionBudget", self.release.deployment)

    def service(self) -> Obj:
        """The Service that the colour is tested through: the preview, or the live one when what is live is tested."""
        return self._must("Service", self.release.preview_name)

    def live_service(self) -> Obj:
        """The Service that users are served by."""
        return self._must("Service", self.release.service_name)

    def endpoint_slices(self) -> list[Obj]:
        """The EndpointSlices of the Service that the colour is tested through."""
        return self.slices_of(self.release.preview_name)

    def slices_of(self, service: str) -> list[Obj]:
        """The EndpointSlices of a Service."""
        return self.cluster.list("EndpointSlice", labels=f"kubernetes.io/service-name={service}")

    def pod_client(self, pod: Obj, port: str = "http") -> httpx.Client:
        """An HTTP client of one pod: what it answers is that pod's answer, whatever Services select."""
        return http_client(self.access.pod(pod, port).url)

    def usage(self) -> dict[str, Obj]:
        """CPU and memory in use by pod and container, where the cluster serves metrics.k8s.io; else nothing."""
        return self.cluster.pod_metrics(self.selector)

    def _must(self, kind: str, name: str) -> Obj:
        found = self.cluster.get(kind, name)
        assert found is not None, f"{kind} {name} is not in namespace {self.release.namespace}"
        return found
