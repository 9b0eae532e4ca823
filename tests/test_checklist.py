"""What ``bluegreen preflight`` shows, from plain data and from a cluster."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from bluegreen import checklist, settings
from bluegreen.checklist import Answer, Row
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


def test_every_verb_of_a_rule_is_asked_for_by_itself() -> None:
    rule = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get", "list"], "resourceNames": ["a"]}
    assert list(checklist.wishes([rule])) == [("get", "", "pods", "log", "a"), ("list", "", "pods", "log", "a")]


@pytest.mark.parametrize(
    ("reference", "said"),
    [("", "not set"), ("team/app:v1", "can move"), (f"team/app@sha256:{'a' * 64}", "pinned to a digest")],
)
def test_a_digest_is_told_from_a_tag_and_the_registry_is_claimed_by_neither(reference: str, said: str) -> None:
    row = checklist.image(reference)
    assert said in row.found
    assert row.answer is Answer.UNKNOWN


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
    ready = rows["settings, objects, quotas"]
    assert ready.answer is Answer.OK
    assert "a release sets up" in ready.found
    assert kube.get("Service", "gremlinsai-service") is None  # nothing was changed


def test_a_cluster_that_is_not_set_up_says_so(kube: Kube, cluster: Cluster) -> None:
    given = {"CLUSTER": cluster.context, "NAMESPACE": kube.namespace, "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0"}
    rows = checklist.read(kube, settings.load(given))
    assert rows[-1].answer is Answer.MISSING
    assert "is not set up" in rows[-1].found
    assert "bluegreen setup" in rows[-1].remedy
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
        assert all(row.answer is Answer.OK for row in rows if row.what != "image"), checklist.text(rows)
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
