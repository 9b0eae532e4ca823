"""A write happens once or not at all: decided anew when the object moved, found out about when its answer was lost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen import fence, localkube, settings
from bluegreen.colour import Obj
from bluegreen.errors import HarnessError
from bluegreen.journal import Journal, JournalLostError, Step
from bluegreen.kube import Invalid, Kube, Unreachable, connect_handle
from tests.test_journal import record


@pytest.fixture
def kube(cluster: localkube.Cluster) -> Iterator[Kube]:
    """A namespace of the test's own with one ConfigMap in it."""
    namespace = f"fence-{uuid.uuid4().hex[:8]}"
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, namespace)
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "thing"}, "data": {"n": "0"}})
    yield kube
    kube.delete("Namespace", namespace)
    kube.close()


def number(kube: Kube) -> str:
    """What the ConfigMap holds."""
    found = kube.get("ConfigMap", "thing")
    assert found is not None
    return str(found["data"]["n"])


def more(found: Obj) -> list[fence.Op]:
    """One more than what is there."""
    return [{"op": "replace", "path": "/data/n", "value": str(int(found["data"]["n"]) + 1)}]


def interfere(kube: Kube, value: str) -> None:
    """Somebody else writes the ConfigMap."""
    kube.merge_patch("ConfigMap", "thing", {"data": {"n": value}}, manager="somebody-else")


def test_what_moved_meanwhile_is_decided_anew(kube: Kube) -> None:
    known = kube.get("ConfigMap", "thing")
    interfere(kube, "7")
    fence.patch(kube, "ConfigMap", "thing", more, landed=lambda _: False, manager="test", known=known)
    assert number(kube) == "8"


def test_what_is_there_already_is_not_written_again(kube: Kube) -> None:
    def never(_: Obj) -> list[fence.Op]:
        raise AssertionError("nothing was to be decided")

    fence.patch(kube, "ConfigMap", "thing", never, landed=lambda found: found["data"]["n"] == "0", manager="test")


def test_whoever_decides_may_stop_it(kube: Kube) -> None:
    def stop(_: Obj) -> list[fence.Op]:
        raise HarnessError("Not on this object.")

    with pytest.raises(HarnessError, match="Not on this object"):
        fence.patch(kube, "ConfigMap", "thing", stop, landed=lambda _: False, manager="test")
    assert number(kube) == "0"


def test_an_object_that_never_holds_still_is_given_up(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "_PAUSE_S", 0.0)
    counted: list[str] = []

    def unlucky(found: Obj) -> list[fence.Op]:
        counted.append(found["data"]["n"])
        interfere(kube, str(len(counted) * 100))
        return more(found)

    with pytest.raises(HarnessError):
        fence.patch(kube, "ConfigMap", "thing", unlucky, landed=lambda _: False, manager="test")
    assert len(counted) == fence.ATTEMPTS


def test_a_test_that_failed_on_an_older_state_is_decided_anew(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    old = kube.get("ConfigMap", "thing")
    other = connect_handle(kube.kubeconfig, kube.context, kube.namespace)
    interfere(other, "7")
    answers = [old, old]  # a cache in front of the API that lags
    real = kube.get
    monkeypatch.setattr(kube, "get", lambda *given: answers.pop() if answers else real(*given))
    fence.patch(kube, "ConfigMap", "thing", more, landed=lambda _: False, manager="test")
    other.close()
    assert not answers
    assert number(kube) == "8"


def test_a_patch_that_the_server_refuses_for_good_is_sent_once(kube: Kube) -> None:
    sent: list[list[fence.Op]] = []
    wrong: list[fence.Op] = [{"op": "replace", "path": "/data/n", "value": {"no": "text"}}]
    with pytest.raises(Invalid):
        fence.patch(
            kube, "ConfigMap", "thing", lambda _: wrong, landed=lambda _: False, manager="test", sent=sent.append
        )
    assert len(sent) == 1


def test_a_write_whose_answer_was_lost_counts_once(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    real, lost = kube.json_patch, []

    def forgetful(*given: Any, **named: Any) -> Obj:
        done = real(*given, **named)
        if not lost:
            lost.append(done)
            raise Unreachable("No answer.")
        return done

    monkeypatch.setattr(kube, "json_patch", forgetful)
    fence.patch(kube, "ConfigMap", "thing", more, landed=lambda found: found["data"]["n"] == "1", manager="test")
    assert number(kube) == "1"


def test_a_creation_that_is_in_the_way_is_told_and_ones_own_is_found(kube: Kube) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "thing"}, "data": {"n": "0"}}
    found = fence.create(kube, obj, ours=lambda there: there["data"] == obj["data"], otherwise=_in_the_way)
    assert found["metadata"]["name"] == "thing"
    with pytest.raises(HarnessError, match="in the way"):
        fence.create(kube, obj, ours=lambda _: False, otherwise=_in_the_way)


def _in_the_way(_: Obj) -> HarnessError:
    return HarnessError("It is in the way.")


def test_a_journal_has_one_writer_and_the_next_one_reads_where_it_ended(kube: Kube) -> None:
    chosen = settings.load({"NAMESPACE": kube.namespace})
    first, second = Journal(kube, chosen, "first"), Journal(kube, chosen, "second")
    assert first.claim() is None
    first.open(record())
    first.enter(Step.STANDING_UP)
    left = second.claim()
    assert left is not None
    assert (left.step, left.id) == (Step.STANDING_UP, record().id)
    with pytest.raises(JournalLostError):
        first.enter(Step.JUDGING)
    second.enter(Step.REVERTING, "its run was killed")
    second.close("interrupted")
    read = Journal(kube, chosen).read()
    assert read is not None
    assert (read.step, read.outcome, read.reason) == (Step.CLOSED, "interrupted", "its run was killed")
    assert [entry["outcome"] for entry in second.history] == ["interrupted"]


def test_a_release_is_not_opened_over_one_that_is_not_over(kube: Kube) -> None:
    journal = Journal(kube, settings.load({"NAMESPACE": kube.namespace}), "first")
    journal.claim()
    journal.open(record())
    with pytest.raises(ValueError, match="is not over"):
        journal.open(record(id="another"))
