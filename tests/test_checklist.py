"""What ``bluegreen preflight`` shows, from plain data and from a cluster."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bluegreen import checklist, settings
from bluegreen.access import LOAD_BALANCER, PORT_FORWARD, Address
from bluegreen.checklist import Answer, Row, papers, reach, room
from bluegreen.errors import InputError
from bluegreen.kube import Kube, connect_handle
from bluegreen.localkube import Cluster
from tests import account


def test_only_what_is_missing_fails_and_a_remedy_stands_below_its_row() -> None:
    rows = [Row("API", Answer.OK, "answers"), Row("image", Answer.UNKNOWN, "a tag", "Pin it.")]
    assert checklist.passed(rows)
    assert not checklist.passed([*rows, Row("quota", Answer.MISSING, "too small")])
    assert [line.split() for line in checklist.text(rows).splitlines()] == [
        ["ok", "API", "answers"],
        ["unknown", "image", "a", "tag"],
        ["->", "Pin", "it."],
    ]
    assert checklist.text([Row("plan", Answer.OK, "here\nthere")]).splitlines()[1].split() == ["there"]


def test_every_verb_of_a_rule_is_asked_for_by_itself() -> None:
    rule = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get", "list"], "resourceNames": ["a"]}
    assert list(checklist.wishes([rule])) == [("get", "", "pods", "log", "a"), ("list", "", "pods", "log", "a")]


@pytest.fixture
def kube(cluster: Cluster) -> Any:
    connected = connect_handle(str(cluster.kubeconfig), cluster.context, f"preflight-{uuid.uuid4().hex[:6]}")
    connected.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": connected.namespace}})
    yield connected
    connected.delete("Namespace", connected.namespace)
    connected.close()


def test_an_administrator_may_everything_and_looking_sets_nothing_up(kube: Kube) -> None:
    wanted = settings.load({"NAMESPACE": kube.namespace, "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0"})
    rows = {row.what: row for row in checklist.read(kube, wanted)}
    assert rows["permissions"].answer is Answer.OK, rows
    assert rows["image"].answer is Answer.NOT_ASKED
    assert rows["capacity"].answer is Answer.OK, rows
    assert rows["migrations"].answer is rows["dashboards"].answer is rows["rollback plan"].answer is Answer.UNKNOWN
    ready = rows["settings, objects"]
    assert ready.answer is Answer.OK
    assert "a release sets up" in ready.found
    assert kube.get("Service", "gremlinsai-service") is None  # nothing was changed


def test_a_cluster_that_is_not_set_up_says_so(kube: Kube, cluster: Cluster) -> None:
    given = {"CLUSTER": cluster.context, "NAMESPACE": kube.namespace, "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0"}
    rows = checklist.read(kube, settings.load(given))
    ready = next(row for row in rows if row.what == "settings, objects")
    assert ready.answer is Answer.MISSING
    assert "is not set up" in ready.found
    assert "bluegreen setup" in ready.remedy
    assert not checklist.passed(rows)


def test_the_release_account_may_all_that_its_role_lists_and_a_verb_taken_away_is_named(
    kube: Kube, cluster: Cluster, tmp_path: Path
) -> None:
    given = {"CLUSTER": cluster.context, "NAMESPACE": kube.namespace, "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0"}
    wanted = settings.load(given)
    path = account.set_up_for(kube, wanted, cluster, tmp_path / "kubeconfig")
    releasing = connect_handle(str(path), cluster.context, kube.namespace)
    try:
        rows = checklist.read(releasing, wanted)
        assert checklist.passed(rows), checklist.text(rows)
        fine = {row.what for row in rows if row.answer is Answer.OK}
        assert fine == {"API", "permissions", "settings, objects", "capacity", "reach"}, checklist.text(rows)
        assert "may not list nodes" in checklist.text(rows)
        role = kube.get("Role", f"{wanted.app_name}-release")
        assert role is not None
        at = next(i for i, rule in enumerate(role["rules"]) if rule["resources"] == ["services"])
        ops = [{"op": "replace", "path": f"/rules/{at}/verbs", "value": ["get", "list"]}]
        kube.json_patch("Role", role["metadata"]["name"], ops, manager="test")
        permissions = checklist.read(releasing, wanted)[1]
        assert permissions.answer is Answer.MISSING
        assert permissions.found == "may not patch services"
    finally:
        releasing.close()


def test_the_ways_that_would_be_taken_are_told_and_who_makes_the_load() -> None:
    balancer, forward = Address("192.0.2.1", 80, LOAD_BALANCER), Address("127.0.0.1", 40123, PORT_FORWARD)
    few = settings.load({"DOCKER_IMAGE": "team/shop:v1", "LOAD_IMAGE": "team/locust:v1"})
    assert (
        reach.said(few, balancer, forward) == "live at http://192.0.2.1:80 (load balancer), preview by a port-forward"
    )
    many = settings.load({"DOCKER_IMAGE": "team/shop:v1", "LOAD_IMAGE": "team/locust:v1", "LOAD_RATE": "500"})
    assert reach.said(many, forward, forward).endswith(
        "; 500 requests/s are made in the cluster, by 1 pod of team/locust:v1"
    )


# --- rows by themselves -----------------------------------------------------------------------------------------------


def test_a_room_that_is_too_small_is_missing_unless_nodes_come_by_themselves() -> None:
    node: dict[str, Any] = {"metadata": {"name": "n"}}
    assert room.judged(0, [node], [{}], []).answer is Answer.OK
    assert "not looked at" in room.judged(0, [node], [{"affinity": {"podAntiAffinity": {}}}], []).found
    assert room.judged(1, [node], [{}], []).answer is Answer.MISSING
    node["metadata"]["labels"] = {"karpenter.sh/nodepool": "default"}
    assert room.judged(1, [node], [{}], []).answer is Answer.UNKNOWN


def test_a_colour_that_no_node_has_room_for_is_missing(kube: Kube) -> None:
    given = {"NAMESPACE": kube.namespace, "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0", "REPLICAS": "2"}
    row = room.row(kube, settings.load({**given, "MEMORY_REQUEST": "900Ti", "MEMORY_LIMIT": "900Ti"}))
    assert row.answer is Answer.MISSING
    assert "2 more pods of blue, no ResourceQuota; the node has no room for 2 of 2 pods" in row.found
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}
    kube.create(quota)
    row = room.row(kube, settings.load(given))
    assert row.answer is Answer.MISSING
    assert "ResourceQuota q allows pods 1" in row.found


@pytest.fixture
def pages() -> Iterator[str]:
    """A web server: each path answers with the status that it names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path.strip("/")))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_dashboards_and_the_plan_are_looked_for_where_the_settings_say(pages: str, tmp_path: Path) -> None:
    plan, empty = tmp_path / "plan.md", tmp_path / "empty.md"
    plan.write_text("go back")
    empty.write_text("")

    def answers(dashboards: str, plan: object) -> list[Answer]:
        return [
            row.answer for row in papers.rows(settings.load({"DASHBOARDS": dashboards, "ROLLBACK_PLAN": str(plan)}))
        ]

    assert answers(f"{pages}/200 {pages}/401", plan) == [Answer.OK, Answer.OK]
    assert answers(f"{pages}/200 {pages}/404", empty) == [Answer.MISSING, Answer.MISSING]
    assert answers(f"{pages}/503", tmp_path / "none") == [Answer.MISSING, Answer.MISSING]
    assert papers.look("http://127.0.0.1:1/x")[0] is False


def test_a_place_may_not_hold_a_password() -> None:
    with pytest.raises(InputError, match="holds a user or a password") as refused:
        settings.load({"DASHBOARDS": "https://a:hush@grafana.example.com/d/1"})
    assert "hush" not in str(refused.value)
