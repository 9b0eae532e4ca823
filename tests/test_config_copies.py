"""Configuration belongs to a colour: copied under a hash, referred to by the pods, kept as long as anything uses it."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen import config_copies, localkube
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube, connect_handle

Obj = dict[str, Any]
APP = "shop"


def deployment(name: str = "shop-blue", *, replicas: int = 0) -> Obj:
    """A Deployment that refers to configuration in each way there is."""
    labels = {"app": name}
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "a"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "b"}}},
        {"name": "C", "value": "plain"},
        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    sources = [
        {"configMap": {"name": "two"}},
        {"secret": {"name": "hidden"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    volumes = [
        {"name": "files", "configMap": {"name": "two"}},
        {"name": "keys", "secret": {"secretName": "hidden"}},
        {"name": "both", "projected": {"sources": sources}},
        {"name": "scratch", "emptyDir": {}},
    ]
    optional = {"configMapRef": {"name": "not-there", "optional": True}}
    spec = {
        "imagePullSecrets": [{"name": "registry"}],
        "initContainers": [{"name": "first", "image": "a:1", "envFrom": [{"configMapRef": {"name": "one"}}, optional]}],
        "containers": [{"name": "app", "image": "a:1", "env": env, "envFrom": [{"secretRef": {"name": "more"}}]}],
        "volumes": volumes,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def config(kind: str, name: str, **data: str) -> Obj:
    """A ConfigMap or Secret."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}


@pytest.fixture
def kube(cluster: localkube.Cluster) -> Iterator[Kube]:
    """A namespace with the objects that ``deployment`` refers to, all but the optional one."""
    found = connect_handle(str(cluster.kubeconfig), cluster.context, f"copies-{uuid.uuid4().hex[:8]}")
    found.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": found.namespace}})
    for obj in (config("ConfigMap", "one", a="1"), config("ConfigMap", "two", f="2")):
        found.create(obj)
    for obj in (config("Secret", "hidden", b="Y2FuYXJ5"), config("Secret", "more", c="bW9yZQ==")):
        found.create(obj)
    yield found
    found.delete("Namespace", found.namespace)
    found.close()


def held() -> None:
    """The lock is held."""


def copies(kube: Kube) -> set[tuple[str, str]]:
    """The copies that there are: kind and the name of what each is a copy of."""
    label = f"{config_copies.COPY}={APP}"
    return {
        (kind, obj["metadata"]["annotations"][config_copies.COPIED_FROM])
        for kind in config_copies.KINDS
        for obj in kube.list(kind, labels=label)
    }


ALL = {("ConfigMap", "one"), ("ConfigMap", "two"), ("Secret", "hidden"), ("Secret", "more")}


def test_every_way_to_refer_to_configuration_is_found_and_nothing_else() -> None:
    given = deployment()
    before = copy.deepcopy(given)
    assert set(config_copies.used_by(given)) == {*ALL, ("ConfigMap", "not-there")}
    names = {key: f"{key[1]}-x" for key in ALL}
    changed = config_copies.renamed(given, names)
    assert given == before
    assert set(config_copies.used_by(changed)) == {
        *((kind, f"{name}-x") for kind, name in ALL),
        ("ConfigMap", "not-there"),
    }
    assert changed["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_the_name_says_whether_the_content_is_the_same_and_nothing_of_it() -> None:
    def name(obj: Obj) -> str:
        return str(config_copies.copy_of(obj, APP, "r1")["metadata"]["name"])

    first = config("Secret", "hidden", b="Y2FuYXJ5", c="eA==")
    assert name(first) == name({**first, "data": {"c": "eA==", "b": "Y2FuYXJ5"}, "metadata": {"name": "hidden"}})
    assert name(first) != name(config("Secret", "hidden", b="Y2FuYXJ5"))
    assert name(first) != name({**first, "type": "kubernetes.io/tls"})
    assert "canary" not in name(first)
    assert "Y2FuYXJ5" not in name(first)
    assert len(name(config("ConfigMap", "n" * 253))) == 253


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"name": "a", "annotations": {config_copies.SHARED: "true"}}},
        {"metadata": {"name": "a", "labels": {config_copies.COPY: APP}}},
        {"metadata": {"name": "kube-root-ca.crt"}},
        {"kind": "Secret", "type": config_copies.TOKEN},
    ],
    ids=["said to be shared", "a copy already", "the cluster's CA", "a ServiceAccount's token"],
)
def test_what_is_meant_to_change_under_running_pods_stays_shared(change: Obj) -> None:
    plain = config("ConfigMap", "a")
    assert not config_copies.stays_shared(plain)
    assert config_copies.stays_shared({**plain, **change})


def test_a_copy_is_made_once_for_a_content_and_goes_with_its_last_user(kube: Kube) -> None:
    old = config_copies.with_own(kube, APP, deployment(), "r1", held)
    assert copies(kube) == ALL
    kube.create(old)
    again = config_copies.with_own(kube, APP, deployment("shop-green"), "r2", held)
    assert config_copies.used_by(again) == config_copies.used_by(old)

    kube.merge_patch("ConfigMap", "one", {"data": {"a": "new"}})
    new = config_copies.with_own(kube, APP, deployment("shop-green"), "r3", held)
    kube.create(new)
    changed = set(config_copies.used_by(old)) - set(config_copies.used_by(new))
    assert len(changed) == 1
    assert config_copies.collect(kube, APP, held) == []
    [(kind, name)] = changed
    kept = kube.get(kind, name)
    assert kept is not None
    assert (kept["data"], kept["immutable"]) == ({"a": "1"}, True)

    kube.delete("Deployment", "shop-blue")
    assert config_copies.collect(kube, APP, held) == [(kind, name)]
    kube.delete("Deployment", "shop-green")
    assert len(config_copies.collect(kube, APP, held)) == 4
    assert copies(kube) == set()
    assert kube.get("ConfigMap", "one") is not None
    assert kube.get("Secret", "hidden") is not None


def test_another_applications_copies_stay(kube: Kube) -> None:
    config_copies.with_own(kube, APP, deployment(), "r1", held)
    assert config_copies.collect(kube, "another", held) == []
    assert copies(kube) == ALL


def test_whoever_lost_the_lock_removes_no_copy_that_its_successor_took(kube: Kube) -> None:
    config_copies.with_own(kube, APP, deployment(), "r1", held)
    looked: list[int] = []

    def frozen() -> None:
        """The lock is held when asked; a successor takes all copies before the first deletion is sent."""
        if not looked:
            looked.append(1)
            config_copies.with_own(kube, APP, deployment(), "r2", held)

    config_copies.collect(kube, APP, frozen)
    assert looked
    assert copies(kube) == ALL


def test_somebody_elses_object_under_a_copys_name_is_not_used(kube: Kube) -> None:
    name = config_copies.copy_of(config("ConfigMap", "one", a="1"), APP, "r1")["metadata"]["name"]
    kube.create(config("ConfigMap", name, a="other"))
    with pytest.raises(HarnessError, match=f"{name} is there"):
        config_copies.with_own(kube, APP, deployment(), "r1", held)
