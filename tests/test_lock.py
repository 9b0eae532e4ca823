"""One release at a time: the holder is named, a dead one is taken over when its Lease has run out and not before."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bluegreen import clock, localkube, lock, settings
from bluegreen.clock import Deadline
from bluegreen.errors import CannotStartError
from bluegreen.kube import Kube, connect_handle
from bluegreen.lock import Lock, LockLostError

NAME = "gremlinsai-backend-release"
DURATION_S = 1.0
New = Callable[[str], Lock]


@pytest.fixture
def kube(cluster: localkube.Cluster) -> Iterator[Kube]:
    """A namespace of the test's own."""
    namespace = f"lock-{uuid.uuid4().hex[:8]}"
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, namespace)
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    yield kube
    kube.delete("Namespace", namespace)
    kube.close()


@pytest.fixture
def new(kube: Kube) -> Iterator[New]:
    """Makes locks of one application; those still held in the end are let go."""
    made: list[Lock] = []

    def make(identity: str) -> Lock:
        chosen = settings.load({"NAMESPACE": kube.namespace, "LEASE_DURATION": str(int(DURATION_S))})
        made.append(Lock(kube, chosen, identity))
        return made[-1]

    yield make
    for one in made:
        one.release()


def lease(renewed_s_ago: float | None, holder: str = "somebody", duration_s: int = 10) -> dict[str, object]:
    """A Lease that was renewed some seconds ago."""
    spec: dict[str, object] = {"holderIdentity": holder, "leaseDurationSeconds": duration_s}
    if renewed_s_ago is not None:
        written = datetime.now(UTC) - timedelta(seconds=renewed_s_ago)
        spec["renewTime"] = written.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"metadata": {"name": NAME}, "spec": spec}


@pytest.mark.parametrize(
    ("renewed_s_ago", "holder", "watched_s"),
    [
        (0, "somebody", None),
        (5, "somebody", None),
        (11, "somebody", 10.0),
        (3600, "somebody", 10.0),
        (None, "somebody", 10.0),
        (-60, "somebody", 10.0),
        (0, "", 0.0),
    ],
    ids=["fresh", "half over", "just over", "long over", "never renewed", "from the future", "let go"],
)
def test_how_long_a_holder_is_watched_before_it_is_taken_for_dead(
    renewed_s_ago: float | None, holder: str, watched_s: float | None
) -> None:
    assert lock.observation_s(lease(renewed_s_ago, holder)) == watched_s


def test_a_lock_that_was_let_go_is_free_at_once(new: New, kube: Kube) -> None:
    first, second = new("first"), new("second")
    first.take()
    first.check()
    first.release()
    started = Deadline(DURATION_S)
    second.take()
    assert not started.expired
    found = kube.get("Lease", NAME)
    assert found is not None
    assert (found["spec"]["holderIdentity"], found["spec"]["leaseTransitions"]) == ("second", 1)
    with pytest.raises(LockLostError):
        first.check()


def test_whoever_comes_second_is_told_who_holds_it_since_when_and_what_to_do(new: New) -> None:
    new("the first, at its desk").take()
    with pytest.raises(CannotStartError) as stopped:
        new("second").take()
    assert "the first, at its desk" in stopped.value.sentence
    assert f"{clock.utc():%Y-%m-%d}" in stopped.value.sentence
    assert NAME in stopped.value.remedy


def test_a_holder_that_lives_keeps_it_past_its_duration(new: New) -> None:
    first = new("first")
    first.take()
    deadline = Deadline(2.5 * DURATION_S)
    while not deadline.expired:
        with pytest.raises(CannotStartError):
            new("second").take()
        clock.sleep_s(0.1)
    first.check()


def test_a_holder_that_died_is_taken_over_after_its_lease_and_not_before(new: New) -> None:
    dead, heir = new("dead"), new("heir")
    dead.take()
    dead.stop()
    died = Deadline(10)
    with pytest.raises(CannotStartError):
        heir.take()
    while True:
        try:
            heir.take()
            break
        except CannotStartError:
            assert not died.expired
    assert died.elapsed_s > DURATION_S - DURATION_S / lock.RENEWALS
    with pytest.raises(LockLostError, match="heir"):
        dead.check()
    dead.release()
    heir.check()


def test_of_ten_at_once_one_gets_it(new: New) -> None:
    locks = [new(f"contender {number}") for number in range(10)]
    barrier, won, stopped = threading.Barrier(10), [], []

    def contend(one: Lock) -> None:
        barrier.wait()
        try:
            one.take()
            won.append(one.identity)
        except CannotStartError as error:
            stopped.append(error.sentence)

    threads = [threading.Thread(target=contend, args=(one,)) for one in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(stopped) == 9
    assert all(won[0] in sentence for sentence in stopped)


@pytest.mark.parametrize("by", [timedelta(hours=-5), timedelta(seconds=-30), timedelta(seconds=30), timedelta(hours=5)])
def test_a_clock_that_jumped_does_not_steal_a_living_holders_lock(
    new: New, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    first = new("first")
    first.take()
    _jump(monkeypatch, by)  # for the holder as for whoever comes: its next renewal is dated by the new time
    with pytest.raises(CannotStartError, match="first"):
        new("second").take()
    first.check()


@pytest.mark.parametrize("by", [timedelta(hours=-5), timedelta(hours=5)])
def test_a_slow_renewal_is_no_death_whatever_the_clocks_say(
    new: New, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    first = new("first")
    first.take()
    first.stop()  # it renews once more, late in its Lease's time but within it
    renewing = threading.Timer(0.8 * DURATION_S, first._renew)
    with monkeypatch.context() as elsewhere:
        _jump(elsewhere, by)
        renewing.start()
        with pytest.raises(CannotStartError, match="first"):
            new("second").take()
        renewing.join()
    first.check()


@pytest.mark.parametrize("by", [timedelta(hours=-5), timedelta(hours=5)])
def test_a_dead_holder_of_another_time_is_taken_over_after_its_lease_and_not_before(
    new: New, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    dead = new("dead")
    with monkeypatch.context() as elsewhere:
        _jump(elsewhere, by)
        dead.take()
        dead.stop()
    waited = Deadline(20)
    new("heir").take()
    assert waited.elapsed_s >= DURATION_S


def test_of_two_that_saw_the_holder_die_the_slower_one_gives_way_whatever_its_clock_says(
    new: New, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, slow = new("dead"), new("slow")
    dead.take()
    dead.stop()
    _jump(monkeypatch, timedelta(hours=5))  # every Lease looks long over to the slower one
    claim = slow._claim

    def after_the_faster_one(*observed: object) -> object:
        new("fast").take()
        return claim(*observed)  # type: ignore[arg-type]

    monkeypatch.setattr(slow, "_claim", after_the_faster_one)
    with pytest.raises(CannotStartError, match="fast"):
        slow.take()


def _jump(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Move this process's wall clock."""
    monkeypatch.setattr(clock, "utc", lambda: datetime.now(UTC) + by)


def test_who_is_patient_takes_the_lock_of_one_that_died_just_now(new: New) -> None:
    """As a pipeline's last step does, right after the run before it was killed."""
    dead = new("dead")
    dead.take()
    dead.stop()
    with pytest.raises(CannotStartError, match="is being released by dead"):
        new("the next release").take()
    heir, started_s = new("recover"), clock.now_s()
    said: list[str] = []
    heir.take(patient=said.append)
    assert said == ["dead is watched for a sign of life, for 1 s at most"]
    assert clock.now_s() - started_s >= DURATION_S, "it was watched for its whole duration"
    heir.check()


def test_who_is_patient_leaves_a_living_holder_alone(new: New) -> None:
    alive = new("alive")
    alive.take()
    with pytest.raises(CannotStartError, match="is being released by alive"):
        new("recover").take(patient=print)
    alive.check()
