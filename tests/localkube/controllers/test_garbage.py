"""Owner references: cascades, orphans, waiting owners, dangling owners."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS
from tests.localkube.controllers.cluster import NAMESPACE, Cluster

Obj = dict[str, Any]


def owned_by(*owners: Obj, block: bool = False) -> list[Obj]:
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]


def config(cluster: Cluster, name: str, *owners: Obj, block: bool = False, **meta: Any) -> Obj:
    references = {"ownerReferences": owned_by(*owners, block=block)} if owners else {}
    return cluster.create("ConfigMap", {"metadata": {"name": name, **references, **meta}})


def left(cluster: Cluster) -> set[str]:
    return {each["metadata"]["name"] for each in cluster.list("ConfigMap")} - {"kube-root-ca.crt"}


def test_dependents_follow_through_generations(cluster: Cluster) -> None:
    top = config(cluster, "top")
    config(cluster, "grandchild", config(cluster, "child", top))
    cluster.delete("ConfigMap", "top")
    assert left(cluster) == set()


def test_one_of_two_owners_is_enough(cluster: Cluster) -> None:
    one, two = config(cluster, "one"), config(cluster, "two")
    config(cluster, "child", one, two)
    cluster.delete("ConfigMap", "one")
    assert left(cluster) == {"two", "child"}
    references = cluster.get("ConfigMap", "child")["metadata"]["ownerReferences"]
    assert [each["name"] for each in references] == ["two"]


def test_orphans_stay_without_owner(cluster: Cluster) -> None:
    config(cluster, "child", config(cluster, "top"))
    cluster.delete("ConfigMap", "top", propagationPolicy="Orphan")
    assert left(cluster) == {"child"}
    assert "ownerReferences" not in cluster.get("ConfigMap", "child")["metadata"]


def test_in_the_foreground_blocking_children_go_first(cluster: Cluster) -> None:
    top = config(cluster, "top")
    config(cluster, "child", top, block=True)
    gone: list[str] = []
    cluster.store.subscribe(
        KINDS["ConfigMap"], lambda change: gone.append(change.name) if change.type == "DELETED" else None
    )
    cluster.delete("ConfigMap", "top", propagationPolicy="Foreground")
    assert gone == ["child", "top"]


def test_in_the_foreground_the_owner_waits_for_a_held_child(cluster: Cluster) -> None:
    top = config(cluster, "top")
    config(cluster, "child", top, block=True, finalizers=["example.com/hold"])
    cluster.delete("ConfigMap", "top", propagationPolicy="Foreground")
    assert left(cluster) == {"top", "child"}
    assert cluster.get("ConfigMap", "top")["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert "deletionTimestamp" in cluster.get("ConfigMap", "child")["metadata"]
    cluster.merge("ConfigMap", "child", {"metadata": {"finalizers": None}})
    assert left(cluster) == set()


def test_in_the_foreground_nobody_waits_for_children_that_do_not_block(cluster: Cluster) -> None:
    top = config(cluster, "top")
    config(cluster, "child", top, finalizers=["example.com/hold"])
    cluster.delete("ConfigMap", "top", propagationPolicy="Foreground")
    assert left(cluster) == {"child"}
    assert "deletionTimestamp" in cluster.get("ConfigMap", "child")["metadata"]


@pytest.mark.parametrize("field", ["uid", "name"])
def test_an_owner_that_never_was_is_none(cluster: Cluster, field: str) -> None:
    (reference,) = owned_by(config(cluster, "top"))
    wrong = reference | {field: "00000000-0000-4000-8000-000000000000"}
    cluster.create("ConfigMap", {"metadata": {"name": "child", "ownerReferences": [wrong]}})
    assert left(cluster) == {"top"}


def test_an_owner_of_a_kind_that_is_not_served_is_believed(cluster: Cluster) -> None:
    reference = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "t", "uid": "u-1"}
    cluster.create("ConfigMap", {"metadata": {"name": "child", "ownerReferences": [reference]}})
    assert left(cluster) == {"child"}


def test_cluster_scoped_owners_count(cluster: Cluster) -> None:
    node = cluster.get("Node", "node")
    cluster.create("ConfigMap", {"metadata": {"name": "child", "ownerReferences": owned_by(node)}}, NAMESPACE)
    assert left(cluster) == {"child"}
    cluster.delete("Node", "node")
    assert left(cluster) == set()
