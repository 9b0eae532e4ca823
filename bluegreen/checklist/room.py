"""Whether both colours have room: quotas, limit ranges, nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bluegreen import capacity
from bluegreen.checklist.rows import Answer, Row
from bluegreen.colour import Colour, live_colour
from bluegreen.deployments import Deployments
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube, KubeError
from bluegreen.roster import roster
from bluegreen.settings import Settings
from bluegreen.workload import Workload

Obj = dict[str, Any]
WHAT = "capacity"

SCALES_NODES = "cluster-autoscaler.kubernetes.io/", "karpenter.sh/", "eks.amazonaws.com/compute-type"
"""Labels and annotations of nodes that say that further nodes come when they are needed."""


def row(kube: Kube, settings: Settings) -> Row:
    """One row: the first thing there is no room in, or what was looked at."""
    try:
        candidate, workloads = _candidate(kube, settings)
        deployments = Deployments(kube, settings, "")
        released = [one for one in workloads if one.released]
        wanted = [_more(kube, deployments.of(one), candidate, one) for one in released]
        quotas, ranges = kube.list("ResourceQuota"), _limit_ranges(kube)
    except HarnessError as error:
        return Row(WHAT, Answer.UNKNOWN, error.sentence, error.remedy)
    need: Counter[str] = Counter()
    for pod, more in wanted:
        need.update(capacity.needed({"spec": {"template": {"spec": pod}}}, more))
    if short := list(capacity.shortages(quotas, dict(need))):
        return Row(WHAT, Answer.MISSING, "; ".join(short), "Raise the quota, or free some of it.")
    each = [f"{one.name} {more}" for one, (_, more) in zip(released, wanted, strict=True)]
    listed = f" ({', '.join(each)})" if len(each) > 1 else ""
    said = [f"{sum(more for _, more in wanted)} more pods of {candidate}{listed}"]
    said += [f"{len(quotas)} ResourceQuotas have room" if quotas else "no ResourceQuota", *ranges]
    return _with_nodes(kube, [pod for pod, more in wanted for _ in range(more)], said)


def _candidate(kube: Kube, settings: Settings) -> tuple[Colour, tuple[Workload, ...]]:
    """The candidate and its Deployments, each with the size that a release would make it."""
    service = kube.get("Service", settings.service_name)
    live = live_colour(service) if service is not None else None
    candidate = live.other if live is not None else Colour.BLUE
    deployments = Deployments(kube, settings, "")
    return candidate, roster(deployments, candidate, live, deployments.found())


def _more(kube: Kube, deployments: Deployments, candidate: Colour, workload: Workload) -> tuple[Obj, int]:
    """A pod of the candidate, as the server admits it, and how many there have to be on top of what is there."""
    rendered = deployments.rendered(candidate, workload.replicas)
    pod = _admitted(kube, rendered) or rendered["spec"]["template"]["spec"]
    return pod, max(0, workload.replicas - workload.given_up - deployments.size(candidate))


def _limit_ranges(kube: Kube) -> list[str]:
    """Which LimitRanges there are; that they admit the pods is found by trying one (row ``settings, objects``)."""
    try:
        found = kube.list("LimitRange")
    except KubeError:
        return []
    return [f"LimitRange {', '.join(str(one['metadata']['name']) for one in found)} is counted in"] if found else []


def _admitted(kube: Kube, deployment: Obj) -> Obj | None:
    """A pod as the server would keep it: with a LimitRange's defaults, and what webhooks add; None when refused."""
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "generateName": f"{deployment['metadata']['name']}-"}
    try:
        made = kube.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, dry_run=True
        )
    except KubeError:
        return None
    return dict(made["spec"])


def _with_nodes(kube: Kube, wanted: list[Obj], said: list[str]) -> Row:
    """The verdict once the nodes were looked at too, where this account may."""
    try:
        nodes, pods = kube.list("Node", namespace=""), kube.list("Pod", namespace="")
    except KubeError:
        return Row(WHAT, Answer.OK, f"{', '.join(said)}; nodes: this account may not list nodes and all pods")
    return judged(capacity.homeless(nodes, pods, wanted), nodes, wanted, said)


def judged(homeless: int, nodes: list[Obj], wanted: list[Obj], said: list[str]) -> Row:
    """What it means that so many pods find no node: they are missing, unless nodes come by themselves. Pure."""
    where = f"the {len(nodes)} nodes" if len(nodes) != 1 else "the node"
    text = f"{', '.join(said)}; {where} {'have' if len(nodes) != 1 else 'has'}"
    if not homeless:
        spread = any(pod.get("affinity") or pod.get("topologySpreadConstraints") for pod in wanted)
        return Row(WHAT, Answer.OK, f"{text} room{' (affinity and spreading not looked at)' if spread else ''}")
    text = f"{text} no room for {homeless} of {len(wanted)} pods"
    if any(key.startswith(SCALES_NODES) for node in nodes for key in _marks(node)):
        return Row(WHAT, Answer.UNKNOWN, f"{text}; they wait for an autoscaler of nodes", "Raise its limit in time.")
    return Row(WHAT, Answer.MISSING, text, "Add nodes, or lower CPU_REQUEST, MEMORY_REQUEST or the live colour's size.")


def _marks(node: Obj) -> list[str]:
    metadata = node["metadata"]
    return [*(metadata.get("labels") or {}), *(metadata.get("annotations") or {})]
