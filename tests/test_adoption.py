"""Adopting what runs without colours: what does not fit is refused, no worker runs twice, configuration comes along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bluegreen import adoption, localkube
from bluegreen.adoption import plain
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError
from bluegreen.traffic import pod_ready
from tests.apps import App
from tests.workers import NAME, WithWorker, deployment


def silent(_: str) -> None:
    """Nobody is told."""


@pytest.fixture
def app(cluster: localkube.Cluster, tmp_path: Path) -> Iterator[WithWorker]:
    """An application with a worker, in a namespace where nothing runs yet."""
    app = WithWorker(cluster, tmp_path)
    app.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": app.namespace}})
    yield app
    app.remove()


def bring_up(app: WithWorker) -> None:
    """What `kubectl apply` does, and the controllers after it."""
    for obj in yaml.safe_load_all((app.manifests / "app.yaml").read_text()):
        app.kube.apply(obj, manager="kubectl")
    awaited = "three plain pods"
    app.kube.wait(
        "Pod", lambda pods: True if sum(map(pod_ready, pods)) == 3 else None, deadline=Deadline(60), awaited=awaited
    )


def all_sizes(app: WithWorker) -> dict[str, int]:
    """The wanted size of every Deployment."""
    return {obj["metadata"]["name"]: obj["spec"]["replicas"] for obj in app.kube.list("Deployment")}


def test_a_worker_is_handed_over_there_and_back(app: WithWorker) -> None:
    bring_up(app)
    settings = app.settings("v0")
    assert adoption.adopt(settings, app.kube, silent).startswith("Adopted:")
    assert all_sizes(app) == {NAME: 0, "worker": 0, f"{NAME}-blue": 2, "worker-blue": 1}
    app.assert_one_works()
    app.at_rest()
    assert app.said() == ["began v1", "ended v1", "began v1"]
    app.write("v2")
    app.released("v1.1.0")
    assert app.said()[-1] == "began v2"
    assert adoption.undo(settings, app.kube, silent).startswith("Undone:")
    assert all_sizes(app) == {NAME: 2, "worker": 1}
    assert app.said()[-2:] == ["ended v2", "began v2"]
    assert "twice" not in " ".join(app.said())
    assert app.service["spec"]["selector"] == {"app": NAME}


def test_what_a_colour_was_configured_with_comes_back_with_it(app: WithWorker) -> None:
    text = (app.manifests / "app.yaml").read_text()
    objects = list(yaml.safe_load_all(text))
    objects[0]["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "conf"}}]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"GREETING": "old"}}
    (app.manifests / "app.yaml").write_text(yaml.safe_dump_all([*objects, config]))
    bring_up(app)
    settings = app.settings("v0")
    adoption.adopt(settings, app.kube, silent)
    config["data"] = {"GREETING": "new"}
    (app.manifests / "app.yaml").write_text(yaml.safe_dump_all([*objects, config]))
    app.released("v1.1.0")  # brings its configuration along; the object that the team applied once is left alone
    found = app.kube.get("ConfigMap", "conf")
    assert found is not None
    assert found["data"] == {"GREETING": "old"}
    adoption.undo(settings, app.kube, silent)
    found = app.kube.get("ConfigMap", "conf")
    assert found is not None
    assert found["data"] == {"GREETING": "new"}
    container = (app.kube.get("Deployment", NAME) or {})["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"configMapRef": {"name": "conf"}}]
    assert [one["metadata"]["name"] for one in app.kube.list("ConfigMap") if "conf-" in one["metadata"]["name"]] == []


def test_nothing_is_adopted_that_does_not_run_or_is_something_else(app: WithWorker) -> None:
    settings = app.settings("v0")
    with pytest.raises(CannotStartError, match="There is no Service gremlinsai-service"):
        adoption.adopt(settings, app.kube, silent)
    objects = list(yaml.safe_load_all((app.manifests / "app.yaml").read_text()))
    app.kube.apply(objects[2], manager="kubectl")
    with pytest.raises(CannotStartError, match=f"There is no Deployment {NAME}"):
        adoption.adopt(settings, app.kube, silent)
    other = deployment(NAME, 0, {"name": "app", "image": "pause"})
    other["spec"]["selector"]["matchLabels"] = {"app": NAME, "x": "y"}  # type: ignore[index]
    other["spec"]["template"]["metadata"]["labels"] = {"app": NAME, "x": "y"}  # type: ignore[index]
    app.kube.apply(other, manager="kubectl")
    with pytest.raises(CannotStartError, match="it is not the same application"):
        adoption.adopt(settings, app.kube, silent)
    with pytest.raises(CannotStartError, match=r"selects .*, not as the YAML says"):
        adoption.undo(settings, app.kube, silent)
    app.kube.delete("Deployment", NAME)
    app.kube.apply(objects[0], manager="kubectl")
    app.kube.merge_patch("Service", "gremlinsai-service", {"spec": {"selector": {"app": "else"}}})
    with pytest.raises(CannotStartError, match="and the YAML says"):
        adoption.adopt(settings, app.kube, silent)
    assert app.kube.get("Lease", f"{NAME}-release") is None
    assert all_sizes(app) == {NAME: 2}


def test_templates_are_not_adopted(cluster: localkube.Cluster, tmp_path: Path) -> None:
    app = App(cluster, tmp_path)
    with pytest.raises(CannotStartError, match="MANIFESTS names no application as it is"):
        adoption.adopt(app.settings("v1"), app.kube, silent)


def test_routes_are_not_left_behind(app: WithWorker) -> None:
    routed = app.settings("v0", SWITCH_BY="ingress", ROUTE_NAME="front")
    for way in (adoption.adopt, adoption.undo):
        with pytest.raises(CannotStartError, match="switched by routes"):
            way(routed, app.kube, silent)


def test_an_application_that_was_never_plain_can_become_so(app: WithWorker) -> None:
    app.released("v1.0.0")
    assert "Nothing to adopt" in adoption.adopt(app.settings("v0"), app.kube, silent)
    adoption.undo(app.settings("v0"), app.kube, silent)
    assert all_sizes(app) == {NAME: 2, "worker": 1}
    app.kube.wait(
        "Pod", lambda pods: True if len(pods) == 3 else None, deadline=Deadline(20), awaited="plain pods alone"
    )
    assert "Nothing to undo" in adoption.undo(app.settings("v0"), app.kube, silent)


def test_where_a_service_stands_is_read_from_its_selector() -> None:
    def place(**selector: str) -> Colour | None:
        return plain.place_of({"spec": {"selector": selector}})

    assert place(app="a", version="blue") is Colour.BLUE
    assert place(app="a") is place(app="a", version="plain") is place(app="a", version="none") is None
    assert plain.may_reach({"spec": {"selector": {"app": "a"}}}, Colour.BLUE)
    assert plain.may_reach({"spec": {"selector": {"app": "a", "version": "blue"}}}, Colour.BLUE)
    assert not plain.may_reach({"spec": {"selector": {"app": "a", "version": "plain"}}}, Colour.BLUE)
    own = {"app": "a", "version": "v1"}
    assert plain.expected({"app": "a", "version": "v1"}, own, [])
    assert plain.expected({"app": "a", "version": "green"}, own, [])
    assert plain.expected({"app": "a", "version": "plain"}, own, ["plain"])
    assert not plain.expected({"app": "a", "version": "v2"}, own, [])
    assert not plain.expected({"app": "b", "version": "v1"}, own, [])
