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
