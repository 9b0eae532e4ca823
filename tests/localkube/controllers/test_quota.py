"""Quotas: refusals in Kubernetes' words, and what is used."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS, Kind
from bluegreen.localkube.status import ApiError
from tests.localkube.controllers.cluster import NAMESPACE, Cluster, deployment, names, service, template

Obj = dict[str, Any]


def quota(cluster: Cluster, hard: Obj, name: str = "q", **spec: Any) -> None:
    cluster.create("ResourceQuota", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})


def pod(name: str, requests: Obj | None = None, limits: Obj | None = None, **spec: Any) -> Obj:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    container = {"name": "c", "image": "i", "resources": resources}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def used(cluster: Cluster, name: str = "q") -> Obj:
    found: Obj = cluster.get("ResourceQuota", name)["status"]["used"]
    return found


def refusal(cluster: Cluster, kind: str, obj: Obj) -> str:
    with pytest.raises(ApiError) as refused:
        cluster.create(kind, obj)
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")
    return refused.value.message


def test_counts_and_refuses_pods(cluster: Cluster) -> None:
    quota(cluster, {"pods": "1"})
    assert cluster.get("ResourceQuota", "q")["status"] == {"hard": {"pods": "1"}, "used": {"pods": "0"}}
    cluster.create("Pod", pod("one"))
    assert used(cluster) == {"pods": "1"}
    assert refusal(cluster, "Pod", pod("extra")) == (
        'pods "extra" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'
    )
    assert used(cluster) == {"pods": "1"}
    cluster.delete("Pod", "one")
    assert used(cluster) == {"pods": "0"}


def test_adds_up_cpu_and_memory_exactly(cluster: Cluster) -> None:
    quota(cluster, {"requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "2"})
    cluster.create("Pod", pod("one", {"cpu": "300m", "memory": "512Mi"}, {"cpu": "1"}))
    assert used(cluster) == {"requests.cpu": "300m", "requests.memory": "512Mi", "limits.cpu": "1"}
    message = refusal(cluster, "Pod", pod("two", {"cpu": "800m", "memory": "600Mi"}, {"cpu": "1"}))
    assert message == (
        'pods "two" is forbidden: exceeded quota: q, requested: requests.cpu=800m,requests.memory=600Mi,'
        " used: requests.cpu=300m,requests.memory=512Mi, limited: requests.cpu=1,requests.memory=1Gi"
    )
    cluster.create("Pod", pod("two", {"cpu": "700m", "memory": "512Mi"}, {"cpu": "1"}))
    assert used(cluster) == {"requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "2"}


def test_what_is_limited_must_be_stated(cluster: Cluster) -> None:
    quota(cluster, {"requests.cpu": "1", "limits.memory": "1Gi"})
    assert refusal(cluster, "Pod", pod("silent")) == (
        'pods "silent" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c'
    )


def test_finished_pods_use_nothing_but_their_place(cluster: Cluster) -> None:
    quota(cluster, {"pods": "1", "count/pods": "5"})
    cluster.create("Pod", pod("one"))
    cluster.pods.end("one", "Succeeded")
    assert used(cluster) == {"pods": "0", "count/pods": "1"}
    cluster.create("Pod", pod("two"))


def test_counts_any_kind(cluster: Cluster) -> None:
    quota(cluster, {"count/deployments.apps": "1", "configmaps": "2", "count/secrets": "0"})
    cluster.create("Deployment", deployment())
    assert used(cluster) == {"count/deployments.apps": "1", "configmaps": "1", "count/secrets": "0"}
    assert "count/deployments.apps=1" in refusal(cluster, "Deployment", deployment("other"))
    assert "count/secrets=1" in refusal(cluster, "Secret", {"metadata": {"name": "s"}})


def test_services_count_their_ports(cluster: Cluster) -> None:
    quota(cluster, {"services": "5", "services.nodeports": "1", "services.loadbalancers": "1"})
    cluster.create("Service", service("plain"))
    cluster.create("Service", service("open", type="LoadBalancer"))
    assert used(cluster) == {"services": "2", "services.nodeports": "1", "services.loadbalancers": "1"}
    with pytest.raises(ApiError, match=r"services\.nodeports=1"):
        cluster.merge("Service", "plain", {"spec": {"type": "NodePort"}})


def test_scopes_choose_pods(cluster: Cluster) -> None:
    quota(cluster, {"pods": "0"}, scopes=["BestEffort"])
    assert "exceeded quota" in refusal(cluster, "Pod", pod("free"))
    cluster.create("Pod", pod("asking", {"cpu": "1m"}))
    assert used(cluster) == {"pods": "0"}


def test_priority_classes_and_deadlines_are_scopes(cluster: Cluster) -> None:
    expression = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    quota(cluster, {"pods": "5"}, "high", scopeSelector={"matchExpressions": [expression]})
    quota(cluster, {"pods": "5"}, "ending", scopes=["Terminating"])
    cluster.create("Pod", pod("a", activeDeadlineSeconds=60))
    cluster.create("Pod", pod("b"))
    assert (used(cluster, "high"), used(cluster, "ending")) == ({"pods": "0"}, {"pods": "1"})


def test_a_dry_run_is_checked_but_not_charged(cluster: Cluster) -> None:
    quota(cluster, {"pods": "1"})

    def dry(name: str) -> Obj:
        created: Obj = cluster.do(
            lambda: cluster.registry.create(KINDS["Pod"], NAMESPACE, pod(name), manager="t", dry_run=True)
        )
        return created

    dry("one")
    assert used(cluster) == {"pods": "0"}
    cluster.create("Pod", pod("one"))
    with pytest.raises(ApiError, match="exceeded quota"):
        dry("two")


def test_a_quota_counts_from_its_first_moment(cluster: Cluster) -> None:
    """Between its creation and its first status nothing slips through."""

    def at_once() -> list[str]:
        spec = {"hard": {"pods": "1"}}
        cluster.registry.create(KINDS["ResourceQuota"], NAMESPACE, {"metadata": {"name": "q"}, "spec": spec})
        cluster.registry.create(KINDS["Pod"], NAMESPACE, pod("one"))
        with pytest.raises(ApiError, match="exceeded quota"):
            cluster.registry.create(KINDS["Pod"], NAMESPACE, pod("two"))
        return names(cluster.list("Pod"))

    assert cluster.do(at_once) == ["one"]


def test_a_create_that_fails_later_is_not_charged_for_good(cluster: Cluster) -> None:
    quota(cluster, {"pods": "5"})
    cluster.create("Pod", pod("one"))
    with pytest.raises(ApiError, match="already exists"):
        cluster.create("Pod", pod("one"))
    assert used(cluster) == {"pods": "1"}


def test_raising_a_quota_lets_waiting_replicas_in_at_once(cluster: Cluster) -> None:
    quota(cluster, {"pods": "1"})
    cluster.create("Deployment", deployment(replicas=3))
    assert len(cluster.list("Pod")) == 1
    cluster.merge("ResourceQuota", "q", {"spec": {"hard": {"pods": "9"}}})
    assert len(cluster.list("Pod")) == 3


def test_init_containers_count_by_the_hungriest(cluster: Cluster) -> None:
    quota(cluster, {"requests.cpu": "10"})
    spec = template(requests={"cpu": "1"})["spec"]
    hungry = {"name": "i", "image": "i", "resources": {"requests": {"cpu": "3"}}}
    cluster.create("Pod", {"metadata": {"name": "p"}, "spec": {**spec, "initContainers": [hungry]}})
    assert used(cluster) == {"requests.cpu": "3"}


def test_what_all_use_alike_is_counted_without_being_looked_at(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in range(5):
        cluster.create("ConfigMap", {"metadata": {"name": f"m{each}"}})
    number = str(len(cluster.list("ConfigMap")))
    looked_at, everything = [], cluster.store.list

    def listing(kind: Kind, namespace: str = "") -> list[Obj]:
        looked_at.append(kind.kind)
        return everything(kind, namespace)

    monkeypatch.setattr(cluster.store, "list", listing)
    quota(cluster, {"count/configmaps": "20", "configmaps": "20", "secrets": "3", "pods": "7"})
    cluster.create("ConfigMap", {"metadata": {"name": "one-more"}})
    cluster.delete("ConfigMap", "m0")
    assert used(cluster) == {"count/configmaps": number, "configmaps": number, "secrets": "0", "pods": "0"}
    assert "Pod" in looked_at
    assert not {"ConfigMap", "Secret"} & set(looked_at)
