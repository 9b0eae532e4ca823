"""Stage resources: what the cluster's objects say about a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.gate.check import Check
from bluegreen.grammar import amount
from bluegreen.workload import main_container

Obj = Mapping[str, Any]


def image(deployment: Obj, pods: Sequence[Obj], wanted: str) -> list[Check]:
    """The Deployment and each of its pods run the image by the exact reference asked for."""
    owners = [
        (_title(deployment, "Deployment"), deployment["spec"]["template"]),
        *((_title(p, "Pod"), p) for p in pods),
    ]
    return [
        Check.equal(f"{title}: image", _container(template)["image"], wanted, "another build would be released")
        for title, template in owners
    ]


def replicas(deployment: Obj, wanted: int) -> list[Check]:
    """Desired, updated, ready and available replicas agree at the current generation, and are at least ``wanted``.

    An autoscaler may have added some meanwhile: more than wanted is no failure.
    """
    title, status = _title(deployment, "Deployment"), deployment.get("status", {})
    generation, observed = deployment["metadata"]["generation"], status.get("observedGeneration", 0)
    desired = deployment["spec"].get("replicas", 1)
    stale = f"{title}: its controller has seen generation {observed} of {generation}: its status is not about now."
    few = f"{title}: {desired} replicas are asked for, and live has {wanted}: it could not carry live's traffic."
    return [
        Check.that(f"{title}: generation", observed >= generation, observed, f"at least {generation}", stale),
        Check.that(f"{title}: replicas", desired >= wanted, desired, f"at least {wanted}", few),
        *(
            Check.equal(
                f"{title}: {field} replicas", status.get(f"{field}Replicas", 0), desired, _why_stuck(deployment)
            )
            for field in ("updated", "ready", "available")
        ),
        Check.equal(f"{title}: replicas in all", status.get("replicas", 0), desired, "older pods are still there"),
    ]


def _why_stuck(deployment: Obj) -> str:
    """The Deployment's own words about why it does not get on."""
    conditions = deployment.get("status", {}).get("conditions", [])
    failing = [condition for condition in conditions if condition.get("status") == "False"]
    said = [f"{c.get('reason', '')}: {c.get('message', '').rstrip('.')}" for c in failing]
    return "; ".join(said) or "the Deployment gives no reason"


def available(deployment: str, found: bool, reason: str) -> list[Check]:
    """The Deployment was Available in time; ``reason``: why it was not."""
    why = f"Deployment {deployment} did not become available: {reason}"
    return [Check.that(f"Deployment {deployment}", found, found, "available in time", why)]


def pods_ready(pods: Sequence[Obj], wanted: int) -> list[Check]:
    """There are at least ``wanted`` pods, each ready, never restarted, and waiting for nothing."""
    few = f"{len(pods)} pods are there, and {wanted} are wanted."
    checks = [Check.that("pods", len(pods) >= wanted, len(pods), f"at least {wanted}", few)]
    return checks + [check for pod in pods for check in _pod_ready(pod)]


def _pod_ready(pod: Obj) -> list[Check]:
    title, status = _title(pod, "Pod"), pod.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    ready = conditions.get("Ready", {})
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    waiting = [_waits(c) for c in containers if c.get("state", {}).get("waiting")]
    unscheduled = conditions.get("PodScheduled", {}).get("message", "")
    why = "; ".join(filter(None, [*waiting, unscheduled, ready.get("message", "")]))
    is_ready = ready.get("status") == "True"
    return [
        Check.equal(f"{title}: ready", ready.get("status", "False"), "True", why or "its readiness probe fails"),
        *(
            Check.equal(f"{title}: restarts of {c['name']}", c.get("restartCount", 0), 0, _last_end(c))
            for c in containers
        ),
        # of one that is not ready the first check says so
        Check.that(f"{title}: waiting", not (is_ready and waiting), waiting, "no container waits", f"{title}: {why}."),
    ]


def _waits(container: Obj) -> str:
    waiting = container["state"]["waiting"]
    message = f" ({waiting['message']})" if waiting.get("message") else ""
    return f"{container['name']} waits: {waiting.get('reason', 'no reason given')}{message}"


def _last_end(container: Obj) -> str:
    end = container.get("lastState", {}).get("terminated") or container.get("state", {}).get("terminated") or {}
    return f"it ended with exit code {end.get('exitCode', 'unknown')} ({end.get('reason', 'no reason given')})"


def requests_and_limits(deployment: Obj, wanted: Mapping[str, Mapping[str, str]]) -> list[Check]:
    """Requests and limits are set as asked for: ``{"requests": {"cpu": "500m", ...}, "limits": {...}}``."""
    title = _title(deployment, "Deployment")
    given = _container(deployment["spec"]["template"]).get("resources", {})
    return [
        _quantity(f"{title}: {kind[:-1]} of {resource}", given.get(kind, {}).get(resource), quantity)
        for kind, resources in wanted.items()
        for resource, quantity in resources.items()
    ]


def _quantity(name: str, measured: str | None, wanted: str) -> Check:
    """Equal by amount: 1, 1000m and 1.0 are the same."""
    same = measured is not None and amount(str(measured)) == amount(wanted)
    return Check.equal(name, wanted if same else measured, wanted)


def probes(deployment: Obj) -> list[Check]:
    """A readiness and a liveness probe are there: without the first, traffic goes to pods that cannot answer."""
    title, container = _title(deployment, "Deployment"), _container(deployment["spec"]["template"])
    return [
        Check.that(
            f"{title}: {kind}", bool(container.get(kind)), bool(container.get(kind)), "set", f"{title} has no {kind}."
        )
        for kind in ("readinessProbe", "livenessProbe")
    ]


def disruption_budget(budget: Obj | None, labels: Mapping[str, str]) -> list[Check]:
    """The PodDisruptionBudget selects exactly this colour, and lets a voluntary disruption take only some pods."""
    if budget is None:
        return [_absent("PodDisruptionBudget")]
    title, spec = _title(budget, "PodDisruptionBudget"), budget["spec"]
    limit = spec.get("maxUnavailable", spec.get("minAvailable"))
    return [
        Check.equal(f"{title}: selector", _labels(spec["selector"].get("matchLabels", {})), _labels(labels)),
        Check.that(f"{title}: limit", limit is not None, limit, "set", f"{title} limits nothing."),
    ]


def autoscaler(hpa: Obj | None, deployment: str, least: int, most: int) -> list[Check]:
    """The HorizontalPodAutoscaler targets this colour's Deployment, between ``least`` and ``most`` pods.

    Its minimum may be higher: during a release it is pinned to the size of what is live.
    """
    if hpa is None:
        return [_absent("HorizontalPodAutoscaler")]
    title, spec = _title(hpa, "HorizontalPodAutoscaler"), hpa["spec"]
    minimum = spec.get("minReplicas", 1)
    low = f"{title} may go down to {minimum} pods, and {least} are wanted at least."
    return [
        Check.equal(f"{title}: target", spec["scaleTargetRef"]["name"], deployment, "it would scale something else"),
        Check.that(f"{title}: minimum", minimum >= least, minimum, f"at least {least}", low),
        Check.equal(f"{title}: maximum", spec["maxReplicas"], most),
    ]


def service(found: Obj | None, labels: Mapping[str, str], ports: Mapping[str, int]) -> list[Check]:
    """A Service selects exactly the pods with ``labels`` and has the ports, by name and number."""
    if found is None:
        return [_absent("Service")]
    title, spec = _title(found, "Service"), found["spec"]
    numbers = {port.get("name", ""): port["port"] for port in spec.get("ports", [])}
    return [
        Check.equal(f"{title}: selector", _labels(spec.get("selector", {})), _labels(labels)),
        *(Check.equal(f"{title}: port {name}", numbers.get(name), number) for name, number in ports.items()),
    ]


def usage(used: Mapping[str, Mapping[str, Any]], pods: Sequence[Obj]) -> list[Check]:
    """No container uses more than its limit of CPU or memory.

    ``used``: pod name -> container name -> {"cpu": ..., "memory": ...}; pods that the cluster has no figures of yet
    are left out, and without any figure there is no check.
    """
    return [
        _below_limit(f"{_title(pod, 'Pod')}: {resource} of {container['name']}", str(figures[resource]), str(limit))
        for pod in pods
        for container in pod["spec"]["containers"]
        if (figures := used.get(pod["metadata"]["name"], {}).get(container["name"]))
        for resource, limit in container.get("resources", {}).get("limits", {}).items()
        if resource in figures
    ]


def _below_limit(name: str, used: str, limit: str) -> Check:
    share = amount(used) / amount(limit)
    otherwise = f"{name} in use is {used}, {share:.0%} of its limit of {limit}."
    return Check.that(name, share <= 1, used, f"at most {limit}", otherwise)


def _container(template: Obj) -> Obj:
    """The application's container."""
    return main_container(template)


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) or "none"


def _absent(kind: str) -> Check:
    return Check(kind, False, "not there", "there", f"The {kind} of this colour is not there.")


def _title(found: Obj, kind: str) -> str:
    return f"{kind} {found['metadata']['name']}"
