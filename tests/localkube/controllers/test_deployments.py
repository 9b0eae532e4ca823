"""Deployments: roll outs, revisions, scaling, pauses, deadlines."""

from __future__ import annotations

import pytest

from bluegreen.localkube.kinds import KINDS
from tests.localkube.controllers.cluster import NAMESPACE, Cluster, conditions, deployment, names

REVISION = "deployment.kubernetes.io/revision"


def sizes(cluster: Cluster) -> dict[str, int]:
    """Revision -> spec.replicas."""
    return {rs["metadata"]["annotations"][REVISION]: rs["spec"]["replicas"] for rs in cluster.list("ReplicaSet")}


def set_image(cluster: Cluster, image: str, name: str = "web") -> None:
    containers = {"containers": [{"name": "c", "image": image}]}
    cluster.merge("Deployment", name, {"spec": {"template": {"spec": containers}}})


def test_becomes_available_with_one_replica_set_of_its_template(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=3))
    status = cluster.get("Deployment", "web")["status"]
    counts = {key: value for key, value in status.items() if key != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }
    assert conditions(cluster.get("Deployment", "web")) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    (rs,) = cluster.list("ReplicaSet")
    assert rs["metadata"]["annotations"] == {
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert rs["metadata"]["name"] == f"web-{rs['metadata']['labels']['pod-template-hash']}"
    assert cluster.get("Deployment", "web")["metadata"]["annotations"] == {REVISION: "1"}
    assert cluster.events("Deployment") == [
        ("ScalingReplicaSet", f"Scaled up replica set {rs['metadata']['name']} from 0 to 3")
    ]


def test_status_does_not_move_the_generation(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    assert cluster.get("Deployment", "web")["metadata"]["generation"] == 1


def test_rolls_to_a_new_template_and_keeps_the_old_set_at_zero(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=4))
    set_image(cluster, "app:2")
    assert sizes(cluster) == {"1": 0, "2": 4}
    assert cluster.get("Deployment", "web")["metadata"]["annotations"][REVISION] == "2"
    images = {pod["spec"]["containers"][0]["image"] for pod in cluster.list("Pod")}
    assert images == {"app:2"}


def test_a_bad_template_stops_the_roll_out_at_its_limits(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=4))
    cluster.pods.ready = False
    set_image(cluster, "bad")
    assert sizes(cluster) == {"1": 3, "2": 2}  # surge 1, unavailable 1
    status = cluster.get("Deployment", "web")["status"]
    assert (status["availableReplicas"], status["unavailableReplicas"]) == (3, 2)
    assert conditions(cluster.get("Deployment", "web"))["Progressing"] == ("True", "ReplicaSetUpdated")


def test_the_progress_deadline_is_judged_to_the_second_after(cluster: Cluster) -> None:
    cluster.pods.ready = False
    cluster.create("Deployment", deployment(progressDeadlineSeconds=60))
    cluster.after(59)
    assert conditions(cluster.get("Deployment", "web"))["Progressing"][0] == "True"
    cluster.after(2)
    web = cluster.get("Deployment", "web")
    assert conditions(web)["Progressing"] == ("False", "ProgressDeadlineExceeded")
    assert conditions(web)["Available"] == ("False", "MinimumReplicasUnavailable")


def test_a_late_success_is_still_a_success(cluster: Cluster) -> None:
    cluster.pods.ready = False
    cluster.create("Deployment", deployment(replicas=1, progressDeadlineSeconds=5))
    cluster.after(10)
    cluster.pods.set_ready(names(cluster.list("Pod"))[0], True)
    assert conditions(cluster.get("Deployment", "web"))["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_undo_takes_the_old_set_up_again_under_a_new_number(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    first = names(cluster.list("ReplicaSet"))[0]
    set_image(cluster, "app:2")
    set_image(cluster, "app:1")
    assert sizes(cluster) == {"2": 0, "3": 2}
    again = cluster.get("ReplicaSet", first)["metadata"]["annotations"]
    assert again["deployment.kubernetes.io/revision-history"] == "1"
    assert len(cluster.list("ReplicaSet")) == 2


def test_the_cause_of_a_change_goes_with_its_revision(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    cause = {"kubernetes.io/change-cause": "second", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    body = {"metadata": {"annotations": cause}, "spec": {"template": {"spec": {"hostname": "x"}}}}
    cluster.merge("Deployment", "web", body)
    causes = {
        rs["metadata"]["annotations"][REVISION]: rs["metadata"]["annotations"].get("kubernetes.io/change-cause")
        for rs in cluster.list("ReplicaSet")
    }
    assert causes == {"1": None, "2": "second"}
    assert not any("last-applied" in key for rs in cluster.list("ReplicaSet") for key in rs["metadata"]["annotations"])


def test_old_sets_beyond_the_limit_go_oldest_first(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(revisionHistoryLimit=2))
    for number in range(2, 6):
        set_image(cluster, f"app:{number}")
    assert sizes(cluster) == {"3": 0, "4": 0, "5": 2}


def test_scaling_is_no_roll_out(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    cluster.merge("Deployment", "web", {"spec": {"replicas": 5}}, subresource="scale")
    web = cluster.get("Deployment", "web")
    assert web["status"]["availableReplicas"] == 5
    assert conditions(web)["Progressing"] == ("True", "NewReplicaSetAvailable")
    assert sizes(cluster) == {"1": 5}
    cluster.merge("Deployment", "web", {"spec": {"replicas": 0}}, subresource="scale")
    assert cluster.list("Pod") == []
    assert conditions(cluster.get("Deployment", "web"))["Available"] == ("True", "MinimumReplicasAvailable")


def test_scaling_in_mid_roll_out_shares_out(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(replicas=10))
    cluster.pods.ready = False
    set_image(cluster, "bad")
    assert sizes(cluster) == {"1": 8, "2": 5}
    cluster.merge("Deployment", "web", {"spec": {"replicas": 20}}, subresource="scale")
    assert sizes(cluster) == {"1": 15, "2": 10}  # 25 = 20 and a quarter, in the ratio there was


def test_shrinking_in_mid_roll_out_keeps_what_must_be_available(cluster: Cluster) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    cluster.create("Deployment", deployment(replicas=10, strategy=rolling))
    cluster.pods.ready = False
    set_image(cluster, "app:2")
    assert sizes(cluster) == {"1": 8, "2": 5}
    cluster.merge("Deployment", "web", {"spec": {"replicas": 5}})
    assert sizes(cluster) == {"1": 3, "2": 5}  # as Kubernetes' own controllers end up
    assert cluster.get("Deployment", "web")["status"]["availableReplicas"] == 3


def test_paused_it_scales_but_does_not_roll(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    cluster.merge("Deployment", "web", {"spec": {"paused": True}})
    assert conditions(cluster.get("Deployment", "web"))["Progressing"] == ("Unknown", "DeploymentPaused")
    set_image(cluster, "app:2")
    assert sizes(cluster) == {"1": 2}
    cluster.merge("Deployment", "web", {"spec": {"replicas": 3}})
    assert sizes(cluster) == {"1": 3}
    cluster.merge("Deployment", "web", {"spec": {"paused": False}})
    assert sizes(cluster) == {"1": 0, "2": 3}
    assert conditions(cluster.get("Deployment", "web"))["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_paused_from_birth_it_makes_nothing(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(paused=True))
    assert cluster.list("ReplicaSet") == []
    assert cluster.get("Deployment", "web")["status"]["observedGeneration"] == 1


def test_recreate_waits_until_the_last_old_pod_is_gone(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(strategy={"type": "Recreate"}))
    cluster.pods.stop = False
    set_image(cluster, "app:2")
    assert sizes(cluster) == {"1": 0}
    assert len(cluster.list("Pod")) == 2
    for name in names(cluster.list("Pod")):
        cluster.delete("Pod", name, gracePeriodSeconds=0)
    assert sizes(cluster) == {"1": 0, "2": 2}


def test_available_counts_only_after_min_ready_seconds(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment(minReadySeconds=30))
    status = cluster.get("Deployment", "web")["status"]
    assert (status["readyReplicas"], status.get("availableReplicas", 0)) == (2, 0)
    cluster.after(31)
    assert cluster.get("Deployment", "web")["status"]["availableReplicas"] == 2


def test_a_taken_name_is_a_collision_and_another_name_is_found(cluster: Cluster) -> None:
    wanted = deployment()
    cluster.create("Deployment", wanted)
    taken = names(cluster.list("ReplicaSet"))[0]
    cluster.delete("Deployment", "web", propagationPolicy="Orphan")
    cluster.merge("ReplicaSet", taken, {"metadata": {"labels": {"app": "other"}}})
    cluster.create("Deployment", wanted)
    cluster.after(1)
    web = cluster.get("Deployment", "web")
    assert web["status"]["collisionCount"] == 1
    assert web["status"]["availableReplicas"] == 2
    assert len(cluster.list("ReplicaSet")) == 2


def test_an_orphan_of_the_same_template_is_adopted(cluster: Cluster) -> None:
    cluster.create("Deployment", deployment())
    pods, sets = names(cluster.list("Pod")), names(cluster.list("ReplicaSet"))
    cluster.delete("Deployment", "web", propagationPolicy="Orphan")
    assert "ownerReferences" not in cluster.list("ReplicaSet")[0]["metadata"]
    cluster.create("Deployment", deployment())
    assert names(cluster.list("ReplicaSet")) == sets
    assert names(cluster.list("Pod")) == pods
    owner = cluster.list("ReplicaSet")[0]["metadata"]["ownerReferences"][0]
    assert owner["uid"] == cluster.get("Deployment", "web")["metadata"]["uid"]


def test_a_new_manager_goes_on_where_the_old_one_stopped(cluster: Cluster) -> None:
    cluster.do(cluster.manager.stop)
    cluster.registry.create(KINDS["Deployment"], NAMESPACE, deployment(), manager="tests")
    assert cluster.list("Pod") == []
    cluster.do(cluster.manager.start)
    assert cluster.get("Deployment", "web")["status"]["availableReplicas"] == 2


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_deleting_takes_the_children_along(cluster: Cluster, policy: str) -> None:
    cluster.create("Deployment", deployment())
    cluster.delete("Deployment", "web", propagationPolicy=policy)
    assert cluster.find("Deployment", "web") is None
    assert cluster.list("ReplicaSet") == []
    assert cluster.list("Pod") == []


def test_failure_to_create_pods_shows_on_the_deployment(cluster: Cluster) -> None:
    cluster.create("ResourceQuota", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    cluster.create("Deployment", deployment())
    web = cluster.get("Deployment", "web")
    assert conditions(web)["ReplicaFailure"] == ("True", "FailedCreate")
    assert len(cluster.list("Pod")) == 1
    cluster.merge("ResourceQuota", "q", {"spec": {"hard": {"pods": "5"}}})
    assert "ReplicaFailure" not in conditions(cluster.get("Deployment", "web"))
    assert cluster.get("Deployment", "web")["status"]["availableReplicas"] == 2
