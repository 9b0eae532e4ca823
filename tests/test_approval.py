"""A release that waits for a person: asked and answered through the cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import approval, clock, localkube, settings
from bluegreen.clock import Deadline
from bluegreen.errors import CannotStartError
from bluegreen.kube import Kube, connect_handle
from tests.apps import App


@pytest.fixture(scope="module")
def cluster() -> Iterator[localkube.Cluster]:
    with localkube.running() as cluster:
        yield cluster


@pytest.fixture
def kube(cluster: localkube.Cluster) -> Iterator[Kube]:
    found = connect_handle(str(cluster.kubeconfig), cluster.context, "default")
    yield found
    found.delete("ConfigMap", approval.name_of(SETTINGS))
    found.close()


SETTINGS = settings.load({}, {})


class Asker(threading.Thread):
    """A release that waits, in a thread of its own."""

    def __init__(self, kube: Kube, release: str = "r1", timeout_s: float = 30.0, **more: Any) -> None:
        super().__init__(daemon=True)
        self.asked = {"kube": kube, "release": release, "timeout_s": timeout_s, **more}
        self.reply: approval.Reply | None = None
        self.error: Exception | None = None
        self.told: list[str] = []

    def run(self) -> None:
        given = dict(self.asked)
        kube = given.pop("kube")
        release = given.pop("release")
        try:
            self.reply = approval.wait(
                kube, SETTINGS, release, "switching", question="go on?", tell=self.told.append, **given
            )
        except Exception as error:
            self.error = error


def await_request(kube: Kube, release: str = "r1") -> None:
    deadline = Deadline(20)
    while (request := approval.pending(kube, SETTINGS)) is None or request.release != release:
        assert not deadline.expired
        clock.sleep_s(0.01)


def test_yes(kube: Kube) -> None:
    asker = Asker(kube)
    asker.start()
    await_request(kube)
    request = approval.answer(kube, SETTINGS, approved=True, reason="fine")
    asker.join(20)
    assert request.question == "go on?"
    assert asker.reply is not None
    assert (asker.reply.approved, asker.reply.reason, asker.reply.release) == (True, "fine", "r1")
    assert asker.told[-1].endswith(": fine")
    assert approval.pending(kube, SETTINGS) is None


def test_no(kube: Kube) -> None:
    asker = Asker(kube)
    asker.start()
    await_request(kube)
    approval.answer(kube, SETTINGS, approved=False, reason="not today")
    asker.join(20)
    assert isinstance(asker.error, approval.ApprovalRefusedError)
    assert "not today" in str(asker.error)


def test_nobody(kube: Kube) -> None:
    asker = Asker(kube, timeout_s=0.2)
    asker.start()
    asker.join(20)
    assert isinstance(asker.error, approval.ApprovalRefusedError)
    assert "Nobody answered within 0.2 seconds" in str(asker.error)
    with pytest.raises(CannotStartError, match="waits for an approval"):
        approval.answer(kube, SETTINGS, approved=True)


def test_what_is_seen_meanwhile_ends_the_wait(kube: Kube) -> None:
    def look() -> None:
        raise CannotStartError("the lock is lost")

    asker = Asker(kube, look=look)
    asker.start()
    asker.join(20)
    assert "the lock is lost" in str(asker.error)
    assert approval.pending(kube, SETTINGS) is None


def test_the_answer_to_one_release_is_none_to_the_next(kube: Kube) -> None:
    first = Asker(kube, "r1", timeout_s=0.2)
    first.start()
    first.join(20)
    stale = approval.Reply("r1", "switching", True, "x@y", "", "")
    second = Asker(kube, "r2")
    second.start()
    await_request(kube, "r2")
    import json
    from dataclasses import asdict

    kube.merge_patch("ConfigMap", approval.name_of(SETTINGS), {"data": {"answer": json.dumps(asdict(stale))}})
    with pytest.raises(CannotStartError):  # it holds an answer already, which this release does not take
        approval.answer(kube, SETTINGS, approved=True)
    assert second.reply is None
    kube.merge_patch("ConfigMap", approval.name_of(SETTINGS), {"data": {"answer": None}})
    approval.answer(kube, SETTINGS, approved=True)
    second.join(20)
    assert second.reply is not None
    assert second.reply.release == "r2"


def test_who_comes_first_waits_until_a_release_asks(kube: Kube) -> None:
    told: list[str] = []
    found: list[approval.Request | None] = []
    approver = threading.Thread(
        target=lambda: found.append(approval.await_request(kube, SETTINGS, Deadline(30), told.append)), daemon=True
    )
    approver.start()
    deadline = Deadline(20)
    while not told:
        assert not deadline.expired
        clock.sleep_s(0.01)
    asker = Asker(kube)
    asker.start()
    approver.join(20)
    assert [request.release for request in found if request] == ["r1"]
    approval.answer(kube, SETTINGS, approved=True)
    asker.join(20)


def test_a_release_that_ends_without_asking_is_not_waited_for(cluster: localkube.Cluster, tmp_path: Path) -> None:
    app = App(cluster, tmp_path)
    app.released("v1.0.0")
    chosen = app.settings("v1.1.0")
    assert approval.await_request(app.kube, chosen, Deadline(0.1)) is None, "that one was over before"
    release = app.release("v1.1.0")
    release.begin()
    ended = threading.Thread(target=lambda: release.revert("refused as asked"))
    with pytest.raises(CannotStartError, match=r"gremlinsai/backend:v1.1.0 is over and asks nothing: gate-failed"):
        approval.await_request(app.kube, chosen, Deadline(30), tell=lambda _: ended.start())  # once it has looked
    ended.join()
    release.close()
    app.remove()
