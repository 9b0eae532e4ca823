"""Namespaces: birth and death."""

from __future__ import annotations

from tests.localkube.controllers.cluster import NAMESPACE, Cluster, conditions, deployment


def test_is_born_with_an_account_and_the_certificate(cluster: Cluster) -> None:
    assert cluster.get("ServiceAccount", "default")
    assert cluster.get("ConfigMap", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}


def test_what_it_was_born_with_comes_back(cluster: Cluster) -> None:
    cluster.delete("ServiceAccount", "default")
    cluster.delete("ConfigMap", "kube-root-ca.crt")
    assert cluster.get("ServiceAccount", "default")
    cluster.merge("ConfigMap", "kube-root-ca.crt", {"data": {"ca.crt": "forged"}})
    assert cluster.get("ConfigMap", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}


def test_goes_with_all_that_is_in_it(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    cluster.create("ConfigMap", {"metadata": {"name": "c"}})
    cluster.delete("Namespace", NAMESPACE)
    assert cluster.find("Namespace", NAMESPACE) is None
    for kind in ("Deployment", "ReplicaSet", "Pod", "ConfigMap", "ServiceAccount", "Event"):
        assert cluster.list(kind) == [], kind


def test_says_what_holds_it(cluster: Cluster) -> None:
    cluster.create("ConfigMap", {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    cluster.delete("Namespace", NAMESPACE)
    namespace = cluster.get("Namespace", NAMESPACE)
    assert namespace["status"]["phase"] == "Terminating"
    assert conditions(namespace) == {
        "NamespaceDeletionDiscoveryFailure": ("False", "ResourcesDiscovered"),
        "NamespaceDeletionGroupVersionParsingFailure": ("False", "ParsedGroupVersions"),
        "NamespaceDeletionContentFailure": ("False", "ContentDeleted"),
        "NamespaceContentRemaining": ("True", "SomeResourcesRemain"),
        "NamespaceFinalizersRemaining": ("True", "SomeFinalizersRemain"),
    }
    messages = {each["type"]: each["message"] for each in namespace["status"]["conditions"]}
    assert messages["NamespaceContentRemaining"] == "Some resources are remaining: configmaps. has 1 resource instances"
    assert messages["NamespaceFinalizersRemaining"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    cluster.merge("ConfigMap", "held", {"metadata": {"finalizers": None}})
    assert cluster.find("Namespace", NAMESPACE) is None


def test_waits_for_pods_to_stop(cluster: Cluster) -> None:
    cluster.pods.stop = False
    cluster.create("Deployment", deployment(replicas=1))
    cluster.delete("Namespace", NAMESPACE)
    assert len(cluster.list("Pod")) == 1
    cluster.delete("Pod", cluster.list("Pod")[0]["metadata"]["name"], gracePeriodSeconds=0)
    assert cluster.find("Namespace", NAMESPACE) is None
