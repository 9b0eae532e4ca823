"""Jobs: completions, failures, back-off, deadlines, suspension, indexes, removal."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.localkube.controllers.job_indexes import parsed_indexes, written_indexes
from bluegreen.localkube.controllers.job_rules import FINALIZER
from tests.localkube.controllers.cluster import Cluster, conditions, names, template

Obj = dict[str, Any]


def job(name: str = "j", **spec: Any) -> Obj:
    made = template(restartPolicy=spec.pop("restartPolicy", "Never"))
    return {"metadata": {"name": name}, "spec": {**spec, "template": made}}


def running(cluster: Cluster) -> list[str]:
    return names([pod for pod in cluster.list("Pod") if pod["status"].get("phase") in ("Running", "Pending")])


def status(cluster: Cluster, name: str = "j") -> Obj:
    found: Obj = cluster.get("Job", name)["status"]
    return found


def test_completes_with_its_pod(cluster: Cluster) -> None:
    cluster.create("Job", job())
    (pod,) = cluster.list("Pod", "job-name=j")
    uid = cluster.get("Job", "j")["metadata"]["uid"]
    assert pod["metadata"]["labels"] == {
        "app": "web",
        "job-name": "j",
        "controller-uid": uid,
        "batch.kubernetes.io/job-name": "j",
        "batch.kubernetes.io/controller-uid": uid,
    }
    assert pod["metadata"]["finalizers"] == [FINALIZER]
    assert status(cluster)["active"] == status(cluster)["ready"] == 1
    cluster.pods.end(pod["metadata"]["name"], "Succeeded")
    assert conditions(cluster.get("Job", "j")) == {
        "SuccessCriteriaMet": ("True", "CompletionsReached"),
        "Complete": ("True", "CompletionsReached"),
    }
    ended = status(cluster)
    assert (ended["succeeded"], ended["ready"], ended["terminating"], ended["uncountedTerminatedPods"]) == (1, 0, 0, {})
    assert "active" not in ended
    assert ended["completionTime"] >= ended["startTime"]
    assert "finalizers" not in cluster.list("Pod")[0]["metadata"]
    assert [reason for reason, _ in cluster.events("Job")] == ["SuccessfulCreate", "Completed"]


def test_one_that_another_controller_runs_is_left_alone(cluster: Cluster) -> None:
    cluster.create("Job", job(managedBy="example.com/queue"))
    cluster.create("Job", job("own", managedBy="kubernetes.io/job-controller"))
    assert names(cluster.list("Job")) == ["j", "own"]
    assert [pod["metadata"]["labels"]["job-name"] for pod in cluster.list("Pod")] == ["own"]
    assert status(cluster) == {}


def test_fails_at_its_limit_of_retries(cluster: Cluster) -> None:
    cluster.create("Job", job(backoffLimit=0))
    cluster.pods.end(running(cluster)[0], "Failed")
    assert conditions(cluster.get("Job", "j")) == {
        "FailureTarget": ("True", "BackoffLimitExceeded"),
        "Failed": ("True", "BackoffLimitExceeded"),
    }
    assert status(cluster)["failed"] == 1
    assert ("BackoffLimitExceeded", "Job has reached the specified backoff limit") in cluster.events("Job")


def test_retries_after_a_pause_that_doubles(cluster: Cluster) -> None:
    cluster.create("Job", job(backoffLimit=3))
    for pause_s in (10, 20, 40):
        cluster.pods.end(running(cluster)[0], "Failed")
        cluster.after(pause_s - 2)
        assert running(cluster) == []
        cluster.after(3)
        assert len(running(cluster)) == 1
    cluster.pods.end(running(cluster)[0], "Succeeded")
    assert conditions(cluster.get("Job", "j"))["Complete"][0] == "True"
    assert (status(cluster)["failed"], status(cluster)["succeeded"]) == (3, 1)


def test_runs_so_many_at_once_until_all_are_done(cluster: Cluster) -> None:
    cluster.create("Job", job(completions=5, parallelism=2))
    for left in (5, 4, 3, 2, 1):
        assert len(running(cluster)) == min(2, left)
        cluster.pods.end(running(cluster)[0], "Succeeded")
    assert status(cluster)["succeeded"] == 5
    assert len(cluster.list("Pod")) == 5


def test_without_completions_the_first_success_ends_it_for_all(cluster: Cluster) -> None:
    cluster.create("Job", job(parallelism=2, completions=None))
    first, second = running(cluster)
    cluster.pods.end(first, "Succeeded")
    assert running(cluster) == [second]
    assert "Complete" not in conditions(cluster.get("Job", "j"))
    cluster.pods.end(second, "Failed")
    assert conditions(cluster.get("Job", "j"))["Complete"][0] == "True"


def test_the_deadline_ends_what_still_runs(cluster: Cluster) -> None:
    cluster.create("Job", job(activeDeadlineSeconds=30, parallelism=2, completions=2))
    cluster.after(31)
    assert conditions(cluster.get("Job", "j"))["Failed"] == ("True", "DeadlineExceeded")
    assert running(cluster) == []
    assert status(cluster)["failed"] == 2


def test_a_failing_job_is_over_only_when_its_pods_are(cluster: Cluster) -> None:
    cluster.pods.stop = False
    cluster.create("Job", job(activeDeadlineSeconds=30))
    cluster.after(31)
    assert set(conditions(cluster.get("Job", "j"))) == {"FailureTarget"}
    assert status(cluster)["terminating"] == 1
    cluster.delete("Pod", cluster.list("Pod")[0]["metadata"]["name"], gracePeriodSeconds=0)
    assert set(conditions(cluster.get("Job", "j"))) == {"FailureTarget", "Failed"}


def test_suspended_it_stops_and_resumed_it_starts_anew(cluster: Cluster) -> None:
    cluster.create("Job", job(suspend=True))
    assert cluster.list("Pod") == []
    assert conditions(cluster.get("Job", "j")) == {"Suspended": ("True", "JobSuspended")}
    assert "startTime" not in status(cluster)
    cluster.merge("Job", "j", {"spec": {"suspend": False}})
    assert len(running(cluster)) == 1
    assert conditions(cluster.get("Job", "j")) == {"Suspended": ("False", "JobResumed")}
    cluster.merge("Job", "j", {"spec": {"suspend": True}})
    assert running(cluster) == []
    assert [reason for reason, _ in cluster.events("Job") if reason in ("Suspended", "Resumed")] == [
        "Resumed",
        "Suspended",
    ]


def test_a_deleted_pod_is_a_failure_and_is_replaced(cluster: Cluster) -> None:
    cluster.create("Job", job())
    cluster.delete("Pod", running(cluster)[0])
    cluster.after(11)
    assert status(cluster)["failed"] == 1
    assert len(running(cluster)) == 1


def test_restarts_in_place_count_too(cluster: Cluster) -> None:
    cluster.create("Job", job(backoffLimit=2, restartPolicy="OnFailure"))
    name = running(cluster)[0]
    statuses = [{"name": "c", "restartCount": 2, "state": {"running": {}}, "ready": True, "image": "i", "imageID": ""}]
    cluster.merge("Pod", name, {"status": {"containerStatuses": statuses}}, subresource="status")
    assert conditions(cluster.get("Job", "j"))["Failed"] == ("True", "BackoffLimitExceeded")


def test_indexed_pods_know_their_index_and_each_index_is_done_once(cluster: Cluster) -> None:
    cluster.create("Job", job(completionMode="Indexed", completions=3, parallelism=2, backoffLimit=6))
    first, second = cluster.list("Pod")
    assert [pod["metadata"]["name"].rsplit("-", 1)[0] for pod in (first, second)] == ["j-0", "j-1"]
    assert first["spec"]["hostname"] == "j-0"
    assert first["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    cluster.pods.end(second["metadata"]["name"], "Succeeded")
    assert status(cluster)["completedIndexes"] == "1"
    cluster.pods.end(first["metadata"]["name"], "Failed")
    cluster.after(11)
    indexes = sorted(pod["metadata"]["name"].rsplit("-", 1)[0] for pod in cluster.list("Pod"))
    assert indexes == ["j-0", "j-0", "j-1", "j-2"]
    for name in running(cluster):
        cluster.pods.end(name, "Succeeded")
    assert (status(cluster)["completedIndexes"], status(cluster)["succeeded"]) == ("0-2", 3)
    assert conditions(cluster.get("Job", "j"))["Complete"][0] == "True"


@pytest.mark.parametrize("text", ["", "0", "0,1", "0-2", "1,3-5,7", "0,1,4,5,9-11"])
def test_indexes_are_written_as_they_are_read(text: str) -> None:
    assert written_indexes(parsed_indexes(text)) == text


def test_finished_jobs_go_after_their_time(cluster: Cluster) -> None:
    cluster.create("Job", job(ttlSecondsAfterFinished=60))
    cluster.pods.end(running(cluster)[0], "Succeeded")
    cluster.after(50)
    assert cluster.find("Job", "j")
    cluster.after(11)
    assert cluster.find("Job", "j") is None
    assert cluster.list("Pod") == []


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_deleting_a_job_frees_and_takes_its_pods(cluster: Cluster, policy: str) -> None:
    cluster.create("Job", job())
    cluster.delete("Job", "j", propagationPolicy=policy)
    assert cluster.find("Job", "j") is None
    assert cluster.list("Pod") == []


def test_a_policy_may_end_it_at_once_or_forgive(cluster: Cluster) -> None:
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}},
    ]
    cluster.create("Job", job(podFailurePolicy={"rules": rules}))
    name = running(cluster)[0]
    conditions_of = cluster.get("Pod", name)["status"]["conditions"]
    target = {"type": "DisruptionTarget", "status": "True"}
    cluster.merge("Pod", name, {"status": {"conditions": [*conditions_of, target]}}, subresource="status")
    cluster.pods.end(name, "Failed")
    assert "failed" not in status(cluster)
    cluster.after(11)
    name = running(cluster)[0]
    cluster.pods.end(name, "Failed")
    assert conditions(cluster.get("Job", "j"))["Failed"] == ("True", "PodFailurePolicy")
    message = next(each["message"] for each in status(cluster)["conditions"] if each["type"] == "Failed")
    assert message == f"Container c for pod test/{name} failed with exit code 1 matching FailJob rule at index 1"


def by_index(cluster: Cluster) -> dict[str, str]:
    """Index -> name of the pod that runs for it."""
    key = "batch.kubernetes.io/job-completion-index"
    return {cluster.get("Pod", name)["metadata"]["labels"][key]: name for name in running(cluster)}


def test_each_index_may_have_its_own_limit(cluster: Cluster) -> None:
    cluster.create("Job", job(completionMode="Indexed", completions=2, parallelism=2, backoffLimitPerIndex=1))
    cluster.pods.end(by_index(cluster)["0"], "Failed")
    assert status(cluster)["failedIndexes"] == ""
    assert list(by_index(cluster)) == ["1"]
    cluster.after(11)
    again = cluster.get("Pod", by_index(cluster)["0"])
    assert again["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] == "1"
    cluster.pods.end(by_index(cluster)["0"], "Failed")
    assert status(cluster)["failedIndexes"] == "0"
    assert list(by_index(cluster)) == ["1"]
    cluster.pods.end(by_index(cluster)["1"], "Succeeded")
    assert conditions(cluster.get("Job", "j"))["Failed"] == ("True", "FailedIndexes")
    assert status(cluster)["completedIndexes"] == "1"


def test_too_many_failed_indexes_end_it(cluster: Cluster) -> None:
    spec = {"completionMode": "Indexed", "completions": 4, "parallelism": 2, "backoffLimitPerIndex": 0}
    cluster.create("Job", job(**spec, maxFailedIndexes=1))
    cluster.pods.end(by_index(cluster)["0"], "Failed")
    assert sorted(by_index(cluster)) == ["1", "2"]
    cluster.pods.end(by_index(cluster)["1"], "Failed")
    assert conditions(cluster.get("Job", "j"))["Failed"] == ("True", "MaxFailedIndexesExceeded")
    assert running(cluster) == []


def test_a_success_policy_is_content_with_less(cluster: Cluster) -> None:
    rules = [{"succeededIndexes": "0,2", "succeededCount": 1}]
    spec = {"completionMode": "Indexed", "completions": 4, "parallelism": 4}
    cluster.create("Job", job(**spec, successPolicy={"rules": rules}))
    cluster.pods.end(by_index(cluster)["1"], "Succeeded")
    assert len(running(cluster)) == 3
    cluster.pods.end(by_index(cluster)["2"], "Succeeded")
    assert conditions(cluster.get("Job", "j")) == {
        "SuccessCriteriaMet": ("True", "SuccessPolicy"),
        "Complete": ("True", "SuccessPolicy"),
    }
    assert running(cluster) == []
    assert status(cluster)["conditions"][0]["message"] == "Matched rules at index 0"


@pytest.mark.parametrize("change", [{"suspend": True}, {"parallelism": 0}])
def test_pods_that_are_not_wanted_any_more_did_not_fail(cluster: Cluster, change: Obj) -> None:
    # the job controller's deleteJobPods lets go of them before it deletes them
    cluster.create("Job", job(parallelism=2, completions=2))
    assert len(running(cluster)) == 2
    cluster.merge("Job", "j", {"spec": change})
    assert cluster.list("Pod") == []
    assert "failed" not in status(cluster)
