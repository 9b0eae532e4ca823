"""ClusterRoles that gather the rules of others (Kubernetes' clusterroleaggregation controller)."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.controllers.role_aggregation import gathered
from bluegreen.localkube.kinds import KINDS
from tests.localkube.controllers.cluster import Cluster

Obj = dict[str, Any]


def rule(resource: str) -> Obj:
    return {"apiGroups": [""], "resources": [resource], "verbs": ["get"]}


def role(name: str, *resources: str, labels: Obj | None = None, gathers: Obj | None = None) -> Obj:
    made: Obj = {"metadata": {"name": name, "labels": labels or {}}, "rules": [rule(each) for each in resources]}
    if gathers is not None:
        made["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": gathers}]}
    return made


def test_rules_come_by_name_each_once_and_not_from_itself() -> None:
    mine = role("m", "own", labels={"to": "m"}, gathers={"to": "m"})
    two = [role("b", "pods", "nodes", labels={"to": "m"}), role("a", "nodes", labels={"to": "m"})]
    assert gathered(mine, [mine, *two, role("c", "x")]) == [rule("nodes"), rule("pods")]


def test_a_role_follows_what_it_selects(cluster: Cluster) -> None:
    cluster.create("ClusterRole", role("all", "given", gathers={"to": "all"}), namespace="")
    cluster.create("ClusterRole", role("one", "pods", labels={"to": "all"}), namespace="")
    assert cluster.get("ClusterRole", "all", namespace="")["rules"] == [rule("pods")]
    cluster.do(lambda: cluster.registry.delete(KINDS["ClusterRole"], "", "one"))
    assert not cluster.get("ClusterRole", "all", namespace="").get("rules")
