"""A colour that will not come up is found out early, with the reason; one that may is waited for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bluegreen import availability, clock

Obj = dict[str, Any]


def deployment(desired: int = 3, generation: int = 2, **status: object) -> Obj:
    """A Deployment that is Available, changed by ``status``."""
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), desired)
    return {
        "metadata": {"name": "app-green", "generation": generation},
        "spec": {"replicas": desired},
        "status": {"observedGeneration": generation, **counts, **status},
    }


def pod(*containers: Obj, **status: object) -> Obj:
    """A pod with these container statuses."""
    return {"metadata": {"name": "app-green-1"}, "status": {"containerStatuses": list(containers), **status}}


def waiting(reason: str, message: str = "") -> Obj:
    """A container that waits."""
    return {"restartCount": 0, "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}


def unschedulable(seconds_ago: float) -> Obj:
    """A pod without a node since some time."""
    since = (clock.utc() - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}
    return pod(conditions=[{**condition, "lastTransitionTime": since}])


def test_all_counts_at_the_present_generation_are_available() -> None:
    assert availability.available(deployment())


@pytest.mark.parametrize(
    "status",
    [
        {"observedGeneration": 1},
        {"replicas": 4},
        {"updatedReplicas": 2},
        {"readyReplicas": 2},
        {"availableReplicas": 2},
        {"availableReplicas": None},
    ],
)
def test_one_count_that_is_off_is_not_available(status: Obj) -> None:
    assert not availability.available(deployment(**status))


def test_nothing_desired_is_not_available() -> None:
    assert not availability.available(deployment(desired=0))


@pytest.mark.parametrize("reason", sorted(availability.HOPELESS_WAITING))
def test_a_waiting_reason_that_waiting_does_not_mend_ends_it(reason: str) -> None:
    sentence = availability.hopeless(deployment(), [pod(waiting(reason, "the detail"))])
    assert sentence is not None
    assert "app-green-1" in sentence
    assert reason in sentence
    assert "the detail" in sentence


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_pod_that_is_on_its_way_is_waited_for(reason: str) -> None:
    assert availability.hopeless(deployment(readyReplicas=0), [pod(waiting(reason))]) is None


def test_an_init_container_counts_as_well() -> None:
    stuck = pod(initContainerStatuses=[waiting("CrashLoopBackOff")])
    assert "keeps exiting" in str(availability.hopeless(deployment(), [stuck]))


@pytest.mark.parametrize(("restarts", "ends"), [(1, False), (2, True)])
def test_restarts_are_a_habit_from_the_second_on(restarts: int, ends: bool) -> None:
    last = {"terminated": {"exitCode": 3, "reason": "Error"}}
    crashing = {"restartCount": restarts, "ready": False, "state": {"running": {}}, "lastState": last}
    sentence = availability.hopeless(deployment(), [pod(crashing)])
    assert (sentence is not None) is ends
    assert not ends or "exit code 3" in str(sentence)


def test_a_pod_that_leaves_is_not_judged() -> None:
    leaving = pod(waiting("CrashLoopBackOff"))
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert availability.hopeless(deployment(), [leaving]) is None


@pytest.mark.parametrize(("seconds_ago", "ends"), [(1, False), (availability.UNSCHEDULABLE_GRACE_S + 5, True)])
def test_a_pod_without_a_node_gets_a_little_time(seconds_ago: float, ends: bool) -> None:
    sentence = availability.hopeless(deployment(), [unschedulable(seconds_ago)])
    assert (sentence is not None) is ends
    assert not ends or "Insufficient cpu" in str(sentence)


CONDITIONS = [
    ({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}, True),
    ({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}, True),
    ({"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "m"}, False),
    ({"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "m"}, False),
]


@pytest.mark.parametrize(("condition", "ends"), CONDITIONS)
def test_the_deployment_may_say_itself_that_it_is_stuck(condition: Obj, ends: bool) -> None:
    sentence = availability.hopeless(deployment(conditions=[condition]), [])
    assert (sentence is not None) is ends
    assert not ends or condition["reason"] in str(sentence)


def test_a_condition_of_an_earlier_generation_says_nothing() -> None:
    stale = deployment(observedGeneration=1, conditions=[CONDITIONS[0][0]])
    assert availability.hopeless(stale, []) is None
