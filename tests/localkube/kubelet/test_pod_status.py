"""Phase and conditions, as the kubelet derives them from containers' statuses."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.localkube.kubelet.pod_status import (
    LOST,
    Condition,
    concluded,
    conditions,
    merged,
    phase,
    shortened,
    undone,
)

Obj = dict[str, Any]


def status(name: str = "app", *, ready: bool = False, last: int | None = None, **state: Any) -> Obj:
    last_state = {} if last is None else {"terminated": {"exitCode": last}}
    return {"name": name, "state": state, "lastState": last_state, "ready": ready, "started": "running" in state}


WAITING = {"waiting": {"reason": "ContainerCreating"}}
CRASHED = {"waiting": {"reason": "CrashLoopBackOff"}}
RUNNING: Obj = {"running": {}}
GOOD = {"terminated": {"exitCode": 0}}
BAD = {"terminated": {"exitCode": 1}}


@pytest.mark.parametrize(
    ("policy", "states", "expected"),
    [
        ("Always", [WAITING], "Pending"),
        ("Always", [RUNNING], "Running"),
        ("Always", [RUNNING, WAITING], "Pending"),
        ("Always", [BAD], "Running"),
        ("OnFailure", [BAD], "Running"),
        ("OnFailure", [GOOD], "Succeeded"),
        ("Never", [BAD], "Failed"),
        ("Never", [GOOD, BAD], "Failed"),
        ("Never", [GOOD, GOOD], "Succeeded"),
        ("Never", [GOOD, RUNNING], "Running"),
    ],
)
def test_phase(policy: str, states: list[Obj], expected: str) -> None:
    statuses = [status(f"c{index}", **state) for index, state in enumerate(states)]
    assert phase({"restartPolicy": policy}, [], statuses) == expected


def test_phase_of_a_crash_loop_is_running() -> None:
    assert phase({}, [], [status(last=3, **CRASHED)]) == "Running"


def test_a_stopped_pod_has_ended_whatever_its_policy() -> None:
    assert phase({"restartPolicy": "Always"}, [], [status(**GOOD)], ends=True) == "Succeeded"
    assert phase({"restartPolicy": "Always"}, [], [status(**BAD)], ends=True) == "Failed"


def test_phase_with_init_containers() -> None:
    spec = {"restartPolicy": "Always", "initContainers": [{"name": "init"}]}
    main = status(waiting={"reason": "PodInitializing"})
    assert phase(spec, [status("init", **RUNNING)], [main]) == "Pending"
    assert phase(spec, [status("init", last=1, **CRASHED)], [main]) == "Pending"
    assert phase(spec, [status("init", ready=True, **GOOD)], [status(**RUNNING)]) == "Running"
    assert phase({**spec, "restartPolicy": "Never"}, [status("init", **BAD)], [main]) == "Failed"


def test_a_sidecar_that_has_not_started_keeps_the_pod_pending() -> None:
    spec = {"initContainers": [{"name": "side", "restartPolicy": "Always"}]}
    assert phase(spec, [status("side", **WAITING)], [status(**WAITING)]) == "Pending"
    assert phase(spec, [status("side", **RUNNING)], [status(**RUNNING)]) == "Running"
    never = {**spec, "restartPolicy": "Never"}
    assert phase(never, [status("side", **RUNNING)], [status(**GOOD)]) == "Running"
    assert phase(never, [status("side", **BAD)], [status(**GOOD)]) == "Succeeded"


def seen(
    spec: Obj, phase_: str, inits: list[Obj], mains: list[Obj], sandbox: bool = True
) -> list[tuple[str, bool, str]]:
    return sorted((c.type, c.status, c.reason) for c in conditions(spec, phase_, inits, mains, [], sandbox))


def test_conditions_of_a_pod_that_is_not_ready() -> None:
    spec = {"containers": [{"name": "z"}, {"name": "b"}, {"name": "a"}]}
    mains = [status("a", ready=True, **RUNNING), status("b", **RUNNING), status("z", **RUNNING)]
    found = conditions(spec, "Running", [], mains, [], True)
    by_type = {c.type: c for c in found}
    assert by_type["Ready"] == Condition("Ready", False, "ContainersNotReady", "containers with unready status: [z b]")
    assert by_type["Initialized"].status
    assert by_type["PodScheduled"].status


def test_conditions_of_ended_pods_as_recorded() -> None:
    assert seen({}, "Succeeded", [], [status(**GOOD)], sandbox=False) == [
        ("ContainersReady", False, "PodCompleted"),
        ("Initialized", True, "PodCompleted"),
        ("PodReadyToStartContainers", False, ""),
        ("PodScheduled", True, ""),
        ("Ready", False, "PodCompleted"),
    ]
    assert ("Ready", False, "PodFailed") in seen({}, "Failed", [], [status(**BAD)], sandbox=False)
    assert ("Initialized", True, "") in seen({}, "Failed", [], [status(**BAD)], sandbox=False)


def test_initialized_waits_for_init_containers() -> None:
    spec = {"initContainers": [{"name": "first"}, {"name": "second"}], "containers": [{"name": "app"}]}
    inits = [status("first", ready=True, **GOOD), status("second", **RUNNING)]
    found = {c.type: c for c in conditions(spec, "Pending", inits, [status(**WAITING)], [], True)}
    assert found["Initialized"].reason == "ContainersNotInitialized"
    assert found["Initialized"].message == "containers with incomplete status: [second]"


def test_readiness_gates_hold_a_pod_back() -> None:
    spec = {"readinessGates": [{"conditionType": "example.org/go"}], "containers": [{"name": "app"}]}
    ready = [status(ready=True, **RUNNING)]
    found = {c.type: c for c in conditions(spec, "Running", [], ready, [], True)}
    assert (found["Ready"].status, found["Ready"].reason) == (False, "ReadinessGatesNotReady")
    assert found["ContainersReady"].status
    given = [{"type": "example.org/go", "status": "True"}]
    assert {c.type: c for c in conditions(spec, "Running", [], ready, given, True)}["Ready"].status


def test_a_transition_time_moves_with_the_status_only() -> None:
    live = [{"type": "Ready", "status": "False", "lastTransitionTime": "before"}, {"type": "other", "status": "True"}]
    same = merged(live, [Condition("Ready", False, "New")], "now", 1)
    assert same[0]["lastTransitionTime"] == "before"
    assert same[0]["reason"] == "New"
    assert same[1] == {"type": "other", "status": "True"}
    assert merged(live, [Condition("Ready", True)], "now", 1)[0]["lastTransitionTime"] == "now"


def test_what_had_its_turn_has_ended_when_the_pod_is_over() -> None:
    spec = {"initContainers": [{"name": "first"}, {"name": "second"}, {"name": "third"}]}
    waiting, done = status(**WAITING), status("first", **GOOD)
    inits, mains = concluded(spec, [done, status("second", last=1, **CRASHED), status("third", **WAITING)], [waiting])
    assert [each["state"] for each in inits] == [GOOD, LOST, WAITING]
    assert mains == [waiting]
    assert concluded({}, [], [waiting])[1][0]["state"] == LOST
    only = {"initContainers": [{"name": "first"}]}
    assert concluded(only, [done], [waiting])[1][0]["state"] == LOST
    assert concluded(only, [status("first", **WAITING)], [waiting]) == ([status("first", **LOST)], [waiting])


def test_a_sidecar_that_has_started_gave_the_containers_their_turn() -> None:
    spec = {"initContainers": [{"name": "side", "restartPolicy": "Always"}]}
    waiting = status(**WAITING)
    assert concluded(spec, [status("side", **RUNNING)], [waiting])[1][0]["state"] == LOST
    assert concluded(spec, [status("side", **GOOD)], [waiting])[1] == [waiting]


def test_what_will_not_start_again_shows_how_it_ended() -> None:
    crashed, waiting = status(last=3, **CRASHED), status(**WAITING)
    assert undone([crashed, waiting]) == [status(terminated={"exitCode": 3}), waiting]


def test_the_messages_of_a_pod_share_one_limit() -> None:
    long = status(terminated={"exitCode": 1, "message": "x" * 4096})
    assert shortened([long], 3) == [long]
    assert len(shortened([long], 6)[0]["state"]["terminated"]["message"]) == 2048
