"""What the stages judge, read fresh from the cluster each time a test asks."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from bluegreen import clock, gate
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.plan import Plan, plan_of
from bluegreen.workload import main_container, selector_text

if TYPE_CHECKING:
    import httpx

    from bluegreen.access import Access
    from bluegreen.gate import Check
    from bluegreen.handle import Handle
    from bluegreen.kube import Kube
    from bluegreen.metrics import Exposition
    from bluegreen.settings import Settings

Obj = dict[str, Any]

GATE_HEADERS: Mapping[str, str] = {"X-Bluegreen": "gate"}
"""Carried by every request of the gate, so that an application can tell test traffic from users'."""

AFTER_LOAD_S = 15.0  # a choice: what starting another measurement and judging it may take beside it

REQUEST_TIMEOUT_S = 10.0  # a choice: longer than any answer that a user would wait for


def http_client(base_url: str, *, host: str = "", **options: Any) -> httpx.Client:
    """An HTTP client for checks: test traffic is marked, nothing is retried, and unless other
    ``limits`` are given every request opens a connection. ``host``: what requests name, where it is not the URL's."""
    import httpx

    fresh = httpx.Limits(max_keepalive_connections=0)
    named = {"Host": host} if host else {}
    options = {"headers": {**GATE_HEADERS, **named}, "verify": _trusted(), "limits": fresh, **options}
    return httpx.Client(base_url=base_url, timeout=REQUEST_TIMEOUT_S, trust_env=False, **options)


@cache
def _trusted() -> ssl.SSLContext:
    """The machine's authorities, read once: reading them takes longer than asking a pod."""
    return ssl.create_default_context()


def ask(client: httpx.Client, path: str, where: str, method: str = "GET") -> gate.Answer:
    """Ask once; an answer that does not come, or not whole, is an answer too: one with a problem."""
    import httpx

    try:
        return gate.Answer.of(client.request(method, path), where)
    except httpx.HTTPError as error:
        return gate.Answer.missing(where, f"{type(error).__name__} {error}".strip())


class OtherBuildError(AssertionError):
    """An answer that counts for nothing: another build than the one asked for gave it, or nobody knows which."""


def bound_client(base_url: str, header: str, version: str, host: str = "") -> httpx.Client:
    """An HTTP client that takes answers of one version only, as the header states it; others raise OtherBuildError."""

    def check(response: httpx.Response) -> None:
        stated = response.headers.get(header)
        if stated != version:
            said = f"{header}: {stated}" if stated is not None else f"no header {header}"
            raise OtherBuildError(f"{response.request.url} was answered with {said}, not by version {version}")

    return http_client(base_url, host=host, event_hooks={"response": [check]})


class Target:
    """The colour under test: its objects as the API has them now, and the addresses of its Service and pods."""

    def __init__(self, release: Handle, cluster: Kube, settings: Settings, access: Access) -> None:
        self.release, self.cluster, self.settings, self.access = release, cluster, settings, access

    @property
    def labels(self) -> dict[str, str]:
        """What the Services select: every pod of the colour carries these labels."""
        own = self.plan.service_selector(self.release.service_name) or {}
        return {**own, "version": self.release.candidate}

    @property
    def plan(self) -> Plan:
        """What the manifests say."""
        return plan_of(self.settings)

    @property
    def selector(self) -> str:
        """The label selector of the colour's pods, and no others."""
        return self.selector_of(self.release.candidate)

    def selector_of(self, colour: str | None) -> str:
        """The label selector of one colour's pods."""
        return f"{self.plan.selector(self.plan.names[0])},version={colour}"

    def pod_labels(self) -> dict[str, str]:
        """All labels that the colour's pods are made with."""
        return {**self.deployment()["spec"]["template"]["metadata"].get("labels", {})}

    def has_time_for(self, seconds: float) -> bool:
        """Whether the gate may well take so much longer: VALIDATION_TIMEOUT, counted from the release's start."""
        began = datetime.fromisoformat(self.release.started_at)
        left_s = self.settings.validation_timeout - (clock.utc() - began).total_seconds()
        return left_s > seconds + AFTER_LOAD_S

    def deployment(self) -> Obj:
        """The colour's Deployment."""
        return self._must("Deployment", self.release.deployment)

    def other_deployments(self) -> list[Obj]:
        """The colour's Deployments besides the main one; without those at zero, whose pods run in live alone."""
        names = (f"{name}-{self.release.candidate}" for name in self.plan.names[1:] if not self.plan.active_only(name))
        return [self._must("Deployment", name) for name in names]

    def pods_of(self, deployment: Obj) -> list[Obj]:
        """A Deployment's pods that are not being deleted, by name."""
        return self._pods(f"{selector_text(deployment['spec']['selector'])},version={self.release.candidate}")

    def pods(self) -> list[Obj]:
        """The colour's pods that are not being deleted, by name."""
        return self._pods(self.selector)

    def _pods(self, selector: str) -> list[Obj]:
        found = self.cluster.list("Pod", labels=selector)
        return sorted(
            (p for p in found if "deletionTimestamp" not in p["metadata"]), key=lambda p: p["metadata"]["name"]
        )

    def autoscaler(self) -> Obj | None:
        """The colour's HorizontalPodAutoscaler."""
        wanted = self.plan.scaling(Colour(self.release.candidate))
        return self.cluster.get("HorizontalPodAutoscaler", wanted.name) if wanted is not None else None

    def disruption_budget(self) -> Obj | None:
        """The colour's PodDisruptionBudget."""
        wanted = self.plan.budget(Colour(self.release.candidate))
        return self.cluster.get("PodDisruptionBudget", wanted[0]) if wanted is not None else None

    def service(self) -> Obj:
        """The Service that the colour is tested through: the preview, or the live one when what is live is tested."""
        return self._must("Service", self.release.preview_name)

    def live_service(self) -> Obj:
        """The Service that users are served by."""
        return self._must("Service", self.release.service_name)

    def slices_of(self, service: str) -> list[Obj]:
        """The EndpointSlices of a Service."""
        return self.cluster.list("EndpointSlice", labels=f"kubernetes.io/service-name={service}")

    def pod_client(self, pod: Obj, port: str = "http") -> httpx.Client:
        """An HTTP client of one pod: what it answers is that pod's answer, whatever Services select."""
        return http_client(self.access.pod(pod, port).url)

    def network_policies(self) -> list[Obj]:
        """Every NetworkPolicy of the namespace. Raises Forbidden where this account may not read them."""
        return self.cluster.list("NetworkPolicy")

    def container_ports(self) -> list[Obj]:
        """The ports that the application's container declares."""
        ports: list[Obj] = main_container(self.deployment()["spec"]["template"]).get("ports") or []
        return ports

    def inside_url(self) -> str:
        """Where the Service answers, asked from inside the cluster."""
        service = self.service()
        return f"http://{service['spec']['clusterIP']}:{self.access.port_inside(service, 'http')}"

    def plain_ports(self) -> list[Obj]:
        """The Service's ports that speak plain HTTP, each by a name; https is another port of the same application."""
        ports = [{**port, "name": str(port.get("name") or port["port"])} for port in self.service()["spec"]["ports"]]
        return [port for port in ports if self.plan.speaks_http(port)]

    def proof_of_origin(self) -> list[Check]:
        """That nothing but the colour's pods stands behind the Service now: an answer in between is theirs."""
        return self.only_ours_behind(self.release.preview_name)

    def only_ours_behind(self, service: str) -> list[Check]:
        """That all of the colour's pods, and nothing else, stand behind a Service now."""
        return gate.endpoints(self.slices_of(service), self.pods(), service)

    def only_behind(self, service: str, colour: str) -> list[Check]:
        """That all of one colour's pods, and nothing else, stand behind a Service now."""
        pods = self._pods(self.selector_of(colour))
        return gate.endpoints(self.slices_of(service), pods, service)

    def metrics_path(self) -> str:
        """The path that the pods' annotations tell Prometheus to scrape."""
        annotations = self.deployment()["spec"]["template"]["metadata"].get("annotations", {})
        return str(annotations.get("prometheus.io/path", "/metrics"))

    def scrape(self, pod: Obj) -> Exposition:
        """The metrics of one pod, from where its annotations point."""
        from bluegreen import metrics

        annotations = pod["metadata"].get("annotations", {})
        port = annotations.get("prometheus.io/port", "http")
        url = self.access.pod(pod, port).url + annotations.get("prometheus.io/path", "/metrics")
        return metrics.scrape(url, headers=GATE_HEADERS)

    def scrapes(self) -> dict[str, Exposition]:
        """The metrics of each pod that answers with some."""
        from bluegreen.metrics import MetricsError

        found = {}
        for pod in self.pods():
            with suppress(MetricsError):
                found[pod["metadata"]["name"]] = self.scrape(pod)
        return found

    def errors_since(self, before: Mapping[str, Exposition], requests: int) -> list[Check]:
        """That each pod's own counter of errors climbed no more than the success rate allows, in so many requests."""
        each, rate = requests / max(1, len(before)), self.settings.load_success_rate
        return [
            check
            for pod, after in self.scrapes().items()
            if pod in before
            for check in gate.errors_counted(before[pod], after, self.settings.error_counter, each, rate, f"Pod {pod}")
        ]

    def replace_pod(self, name: str) -> None:
        """Delete a pod as a node that is drained would, and wait until it is gone and another is ready."""
        size = len(self.pods())
        self.cluster.delete("Pod", name)

        def replaced(pods: list[Obj]) -> bool | None:
            names = {pod["metadata"]["name"] for pod in pods}
            return True if name not in names and sum(map(_ready, pods)) >= size else None

        self.cluster.wait(
            "Pod",
            replaced,
            labels=self.selector,
            deadline=Deadline(self.settings.health_check_timeout),
            awaited=f"Pod {name} is gone and another is ready",
        )

    def request_counts(self) -> dict[str, float]:
        """How many requests each pod has counted; empty where pods expose no such counter."""
        from bluegreen.metrics import MetricsError

        counts = {}
        for pod in self.pods():
            try:
                total = self.scrape(pod).total(self.settings.request_counter)
            except MetricsError:
                total = None
            if total is not None:
                counts[pod["metadata"]["name"]] = total
        return counts

    def usage(self, pods: list[Obj]) -> dict[str, Obj]:
        """CPU and memory in use by pod and container, of the pods that the cluster has figures of: perhaps none yet.

        Figures come from metrics.k8s.io, which many clusters lack, and which learns of a new pod after 15 s or more.
        """
        from bluegreen.kube import KubeError

        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{self.release.namespace}/pods"
        names = {pod["metadata"]["name"] for pod in pods}
        try:
            found = self.cluster.raw(path, {"labelSelector": self.selector})
        except KubeError:
            return {}
        return {
            item["metadata"]["name"]: {entry["name"]: entry["usage"] for entry in item["containers"]}
            for item in found.get("items", [])
            if item["metadata"]["name"] in names
        }

    def _must(self, kind: str, name: str) -> Obj:
        found = self.cluster.get(kind, name)
        assert found is not None, f"{kind} {name} is not in namespace {self.release.namespace}"
        return found


def _ready(pod: Obj) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
