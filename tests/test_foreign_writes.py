"""Somebody else writes the live selector, or scales, in the middle of a release: what is theirs stays theirs.

Whenever it happens the release stops, takes away what is its own, leaves live traffic where they put it, and names the
field manager and the time. A change of size is no such thing: it neither stops a release nor is undone by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import HarnessError, NeedsPersonError
from bluegreen.release import Release
from bluegreen.traffic import ForeignWriteError
from tests.apps import App

NAME, SERVICE = "gremlinsai-backend", "gremlinsai-service"


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[App]:
    """An application of the test's own."""
    app = App(cluster, tmp_path)
    yield app
    app.remove()


def edit(app: App, version: str) -> None:
    """A person's change, as kubectl makes it."""
    patch = {"spec": {"selector": {"version": version}}}
    app.kube.merge_patch("Service", SERVICE, patch, manager="kubectl-edit")


def apply(app: App, version: str) -> None:
    """Another manager's change, by server-side apply."""
    selector = {"app": NAME, "version": version}
    metadata = {"name": SERVICE}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector}}
    app.kube.apply(service, manager="argocd-controller", force=True)


WRITERS = {"kubectl-edit": edit, "argocd-controller": apply}


def begun(app: App) -> Release:
    """A release whose candidate stands beside what is live."""
    app.released("v1.0.0")
    release = app.release("v1.1.0", ROLLBACK_TIMEOUT="5")
    release.begin()
    return release


def told(error: pytest.ExceptionInfo[HarnessError], manager: str) -> None:
    """Who did it, and when: today's date stands in what the API server noted."""
    assert f"field manager {manager!r}" in str(error.value)
    assert clock.timestamp()[:8] in str(error.value)


@pytest.mark.parametrize("manager", WRITERS)
def test_during_the_gate(app: App, manager: str) -> None:
    release = begun(app)
    WRITERS[manager](app, "none")
    with app.watched() as selectors, pytest.raises(ForeignWriteError) as refused:
        release.promote()
    told(refused, manager)
    with pytest.raises(NeedsPersonError) as left:  # nobody serves, and that is not this release's doing
        release.abort("the switch was refused")
    told(left, manager)
    release.close()
    assert selectors == ["none"]
    assert app.deployment(Colour.GREEN) is None
    assert len(app.pods(Colour.BLUE)) == 2


def test_a_switch_that_somebody_else_made_is_not_taken_for_the_releases_own(app: App) -> None:
    release = begun(app)
    edit(app, "green")
    with app.watched() as selectors, pytest.raises(NeedsPersonError) as refused:
        release.promote()
    told(refused, "kubectl-edit")
    release.close()
    assert selectors == ["green"]
    assert app.live is Colour.GREEN
    assert app.endpoints() == set(app.pods(Colour.GREEN))


def test_between_the_read_and_the_patch(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    release = begun(app)
    send = release.kube.json_patch

    def late(kind: str, name: str, ops: list[dict[str, Any]], **more: Any) -> Any:
        if (kind, name) == ("Service", SERVICE):
            monkeypatch.undo()
            apply(app, "none")  # the release has read the Service, and its patch is about to be sent
        return send(kind, name, ops, **more)

    monkeypatch.setattr(release.kube, "json_patch", late)
    with app.watched() as selectors, pytest.raises(ForeignWriteError) as refused:
        release.promote()
    told(refused, "argocd-controller")
    with pytest.raises(NeedsPersonError):
        release.abort("the switch was refused")
    release.close()
    assert selectors == ["blue", "none"]
    assert app.deployment(Colour.GREEN) is None


def test_after_the_switch_back_to_the_old_colour(app: App) -> None:
    release = begun(app)
    release.promote()
    apply(app, "blue")
    with pytest.raises(ForeignWriteError) as seen:
        release.watch_tick()
    told(seen, "argocd-controller")
    with app.watched() as selectors:
        release.roll_back(str(seen.value))
    release.close()
    assert selectors == ["blue"]
    assert release.record["reason"] == str(seen.value)
    app.at_rest()


def test_after_the_switch_to_nobody(app: App) -> None:
    release = begun(app)
    release.promote()
    edit(app, "none")
    with pytest.raises(ForeignWriteError) as seen:
        release.watch_tick()
    with pytest.raises(NeedsPersonError) as left:
        release.roll_back(str(seen.value))
    told(left, "kubectl-edit")
    release.close()
    assert app.live is None
    assert app.deployment(Colour.GREEN) is None
    assert len(app.pods(Colour.BLUE)) == 2


def test_after_the_switch_to_both_colours(app: App) -> None:
    release = begun(app)
    release.promote()
    widened = {"spec": {"selector": {"version": None}}}
    app.kube.merge_patch("Service", SERVICE, widened, manager="kubectl-edit")
    with pytest.raises(ForeignWriteError) as seen:
        release.watch_tick()
    told(seen, "kubectl-edit")
    with pytest.raises(HarnessError) as left:
        release.roll_back(str(seen.value))
    told(left, "kubectl-edit")
    release.close()
    assert (len(app.pods(Colour.BLUE)), len(app.pods(Colour.GREEN))) == (2, 2), "either may be serving somebody"


def test_while_the_old_colour_drains(app: App) -> None:
    release = begun(app)
    release.promote()

    def once_drained(line: str) -> None:
        if line.startswith("drain:"):
            edit(app, "blue")

    release.steps.progress = once_drained
    with pytest.raises(NeedsPersonError) as left:
        release.finish()
    told(left, "kubectl-edit")
    release.close()
    assert app.live is Colour.BLUE
    assert app.endpoints() == set(app.pods(Colour.BLUE)), "what serves again was not retired"
    assert len(app.pods(Colour.GREEN)) == 2


def autoscaled(app: App, colour: Colour, size: int) -> None:
    """Raise an autoscaler's minimum, and wait until it has raised its Deployment."""
    name = f"{NAME}-{colour}"
    bounds = {"spec": {"minReplicas": size}}
    app.kube.merge_patch("HorizontalPodAutoscaler", name, bounds, manager="bluegreen-setup")

    def raised(found: list[dict[str, Any]]) -> bool | None:
        return found[0]["spec"]["replicas"] == size or None

    fields = f"metadata.name={name}"
    app.kube.wait("Deployment", raised, fields=fields, deadline=Deadline(60), awaited="its autoscaler's decision")


def test_an_autoscaler_that_raises_live_neither_stops_a_release_nor_is_undone(app: App) -> None:
    app.released("v1.0.0")
    autoscaled(app, Colour.BLUE, 3)
    release = app.release("v1.1.0")
    handle = release.begin()
    assert (handle.replicas, len(app.pods(Colour.GREEN))) == (3, 3)
    scaler = app.kube.get("HorizontalPodAutoscaler", f"{NAME}-green")
    budget = app.kube.get("PodDisruptionBudget", f"{NAME}-green")
    assert scaler is not None
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["scaleTargetRef"]["name"]) == (3, f"{NAME}-green")
    assert budget is not None
    assert budget["spec"]["selector"]["matchLabels"] == {"app": NAME, "version": "green"}
    autoscaled(app, Colour.BLUE, 4)
    release.check_live()
    release.promote()
    assert len(app.endpoints()) == 4
    autoscaled(app, Colour.BLUE, 5)
    release.watch_tick()
    release.roll_back("production: fail")
    release.close()
    assert app.live is Colour.BLUE
    app.await_size(Colour.BLUE)
    assert len(app.pods(Colour.BLUE)) == 5
    app.at_rest()
