"""Two colours must fit the namespace's quotas, and one that does not is named with its numbers."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen import capacity

Obj = dict[str, Any]

RESOURCES = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
DEPLOYMENT: Obj = {"spec": {"template": {"spec": {"containers": [{"resources": RESOURCES}, {"name": "sidecar"}]}}}}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: object) -> Obj:
    """A ResourceQuota as its controller reports it."""
    return {"metadata": {"name": "team"}, "spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used or {}}}


def short(*quotas: Obj, replicas: int = 3) -> list[str]:
    """What does not hold so many more pods."""
    return list(capacity.shortages(quotas, capacity.needed(DEPLOYMENT, replicas)))


@pytest.mark.parametrize(
    ("hard", "used"),
    [
        ({"pods": "5"}, {"pods": "3"}),
        ({"count/pods": "2"}, {}),
        ({"requests.cpu": "2"}, {"requests.cpu": "1500m"}),
        ({"cpu": "1499m"}, {}),
        ({"requests.memory": "2Gi"}, {"requests.memory": "1Gi"}),
        ({"limits.cpu": "2999m"}, {}),
        ({"limits.memory": "5Gi"}, {"limits.memory": "3Gi"}),
    ],
)
def test_a_quota_that_holds_no_second_colour_is_named(hard: dict[str, str], used: dict[str, str]) -> None:
    (sentence,) = short(quota(hard, used))
    assert "team" in sentence
    assert next(iter(hard)) in sentence
    assert next(iter(hard.values())) in sentence


@pytest.mark.parametrize(
    ("hard", "used"),
    [
        ({"pods": "6"}, {"pods": "3"}),
        ({"requests.cpu": "3"}, {"requests.cpu": "1500m"}),
        ({"limits.memory": "6Gi"}, {"limits.memory": "3Gi"}),
        ({"secrets": "1"}, {"secrets": "1"}),
        ({"services.loadbalancers": "1"}, {"services.loadbalancers": "1"}),
    ],
)
def test_a_quota_that_holds_it_or_counts_other_things_is_no_obstacle(
    hard: dict[str, str], used: dict[str, str]
) -> None:
    assert short(quota(hard, used)) == []


def test_a_quota_with_scopes_is_left_to_the_cluster() -> None:
    assert short(quota({"pods": "1"}, scopes=["BestEffort"])) == []


def test_every_quota_that_is_short_is_told() -> None:
    assert len(short(quota({"pods": "1", "cpu": "1"}), quota({"limits.memory": "1Gi"}))) == 3


def test_no_quota_is_no_obstacle() -> None:
    assert short() == []


# --- nodes ------------------------------------------------------------------------------------------------------------


def asking(cpu: str, **more: Any) -> dict[str, Any]:
    return {"containers": [{"resources": {"requests": {"cpu": cpu}}}], **more}


def node(cpu: str = "4", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "n", "labels": {"disk": "ssd"}}
    ready = {"type": "Ready", "status": spec.pop("ready", "True")}
    return {
        "metadata": metadata,
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "pods": "10"}, "conditions": [ready]},
    }


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("one", "on_it", "pod", "room"),
    [
        (node(), [], asking("1"), 4),
        (node(), [asking("1500m")], asking("1"), 2),
        (node(), [asking("4")], asking("1"), 0),
        (node("64"), [], asking("1"), 10),  # no more than pods fit
        (node(unschedulable=True), [], asking("1"), 0),
        (node(ready="False"), [], asking("1"), 0),
        (node(taints=[TAINT]), [], asking("1"), 0),
        (node(taints=[{**TAINT, "effect": "PreferNoSchedule"}]), [], asking("1"), 4),
        (node(taints=[TAINT]), [], asking("1", tolerations=[{"key": "gpu", "value": "yes"}]), 4),
        (node(taints=[TAINT]), [], asking("1", tolerations=[{"key": "gpu", "value": "no"}]), 0),
        (node(taints=[TAINT]), [], asking("1", tolerations=[{"operator": "Exists"}]), 4),
        (node(), [], asking("1", nodeSelector={"disk": "ssd"}), 4),
        (node(), [], asking("1", nodeSelector={"disk": "hdd"}), 0),
    ],
)
def test_a_node_takes_what_it_has_room_for(one: Any, on_it: list[Any], pod: Any, room: int) -> None:
    pods = [{"spec": {**spec, "nodeName": "n"}, "status": {"phase": "Running"}} for spec in on_it]
    ended = {"spec": {**asking("4"), "nodeName": "n"}, "status": {"phase": "Succeeded"}}
    assert capacity.homeless([one], [*pods, ended], [pod] * 12) == 12 - room


def test_pods_are_spread_over_the_nodes_there_are() -> None:
    nodes = [node("2"), node("3")]
    assert capacity.homeless(nodes, [], [asking("2"), asking("2")]) == 0
    assert capacity.homeless(nodes, [], [asking("2"), asking("2"), asking("1"), asking("1")]) == 1


def test_a_pod_asks_for_its_sidecars_and_for_its_largest_init_container() -> None:
    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    sidecar, init = container("1", restartPolicy="Always"), container("5")
    assert capacity.asked({"containers": [container("2")], "initContainers": [sidecar]}, "requests", "cpu") == 3
    assert capacity.asked({"containers": [container("2")], "initContainers": [init, sidecar]}, "requests", "cpu") == 5
    assert capacity.asked({"containers": [container("2")], "initContainers": [sidecar, init]}, "requests", "cpu") == 6
    assert capacity.asked({"containers": [container("2")], "overhead": {"cpu": "250m"}}, "requests", "cpu") == 2.25
    assert capacity.asked({"containers": [{"resources": {"limits": {"cpu": "3"}}}]}, "requests", "cpu") == 3
