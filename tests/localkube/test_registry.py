"""The registry: what create, update, patch and delete mean, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bluegreen import clock
from bluegreen.localkube import events
from bluegreen.localkube.admission import Admission
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError, forbidden
from tests.localkube.serving import new_registry

MAP, POD, DEPLOYMENT = KINDS["ConfigMap"], KINDS["Pod"], KINDS["Deployment"]
NAMESPACE, SERVICE, LEASE = KINDS["Namespace"], KINDS["Service"], KINDS["Lease"]
Obj = dict[str, Any]


@pytest.fixture
def registry() -> Registry:
    return new_registry()


def config_map(name: str = "x", **meta: Any) -> Obj:
    return {"metadata": {"name": name, **meta}, "data": {"a": "1"}}


def pod(name: str = "p", **spec: Any) -> Obj:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x:1"}], **spec}}


def deployment(name: str = "web") -> Obj:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}


def refused(action: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        action()
    return caught.value


# -- creating ------------------------------------------------------------------
def test_what_is_created_is_not_what_was_handed_in(registry: Registry) -> None:
    given = config_map()
    made = registry.create(MAP, "default", given, manager="me")
    made["data"]["a"] = "changed"
    assert given["data"] == {"a": "1"}
    assert "uid" not in given["metadata"]


def test_a_new_object_gets_its_metadata_from_the_server_only(registry: Registry) -> None:
    forged = config_map(uid="mine", creationTimestamp="2001-01-01T00:00:00Z", generation=7, selfLink="/x")
    meta = registry.create(MAP, "default", forged)["metadata"]
    assert meta["uid"] != "mine"
    assert not meta["creationTimestamp"].startswith("2001")
    assert "generation" not in meta
    assert "selfLink" not in meta


def test_a_create_with_a_resource_version_is_refused(registry: Registry) -> None:
    assert refused(lambda: registry.create(MAP, "default", config_map(resourceVersion="5"))).code == 500


def test_a_namespace_must_exist_and_must_not_be_going(registry: Registry) -> None:
    missing = refused(lambda: registry.create(MAP, "nowhere", config_map()))
    assert (missing.code, missing.message) == (404, 'namespaces "nowhere" not found')
    registry.create(NAMESPACE, "", {"metadata": {"name": "going"}})
    registry.delete(NAMESPACE, "", "going")
    ending = refused(lambda: registry.create(MAP, "going", config_map()))
    assert ending.code == 403
    assert ending.message == (
        'configmaps "x" is forbidden: unable to create new content in namespace going because it is being terminated'
    )
    assert ending.details is not None
    assert ending.details["causes"][0]["reason"] == "NamespaceTerminating"


def test_a_generated_name_that_is_taken_is_tried_again(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen.localkube import metadata

    suffixes = iter(["aaaaa", "aaaaa", "bbbbb"])
    monkeypatch.setattr(metadata, "random_suffix", lambda: next(suffixes))
    body = {"metadata": {"generateName": "gen-"}}
    names = [registry.create(MAP, "default", body)["metadata"]["name"] for _ in range(2)]
    assert names == ["gen-aaaaa", "gen-bbbbb"]


def test_a_dry_run_stores_nothing(registry: Registry) -> None:
    before = registry.store.resource_version
    tried = registry.create(MAP, "default", config_map(), dry_run=True)
    assert "resourceVersion" not in tried["metadata"]
    assert registry.store.resource_version == before
    registry.create(MAP, "default", config_map())
    patched, _ = registry.patch(MAP, "default", "x", "merge", {"data": {"a": "2"}}, manager="m", dry_run=True)
    assert patched["data"] == {"a": "2"}
    registry.delete(MAP, "default", "x", dry_run=True)
    assert registry.get(MAP, "default", "x")["data"] == {"a": "1"}


def test_a_pod_gets_its_account_token_volume_and_tolerations(registry: Registry) -> None:
    spec = registry.create(POD, "default", pod())["spec"]
    assert spec["serviceAccountName"] == "default"
    mount = spec["containers"][0]["volumeMounts"][0]
    assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert [volume["name"] for volume in spec["volumes"]] == [mount["name"]]
    assert {each["key"] for each in spec["tolerations"]} == {
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    }
    assert spec["priority"] == 0


def test_a_pod_may_do_without_a_token(registry: Registry) -> None:
    spec = registry.create(POD, "default", pod(automountServiceAccountToken=False))["spec"]
    assert "volumes" not in spec
    assert "volumeMounts" not in spec["containers"][0]


def test_a_pod_needs_its_service_account(registry: Registry) -> None:
    error = refused(lambda: registry.create(POD, "default", pod(serviceAccountName="absent")))
    assert error.code == 403
    assert error.message.endswith('error looking up service account default/absent: serviceaccount "absent" not found')


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"priorityClassName": "gold"}, "no PriorityClass with name gold was found"),
        (
            {"priority": 5},
            "the integer value of priority (5) must not be provided in pod spec; priority admission controller computed"
            " 0 from the given PriorityClass name",
        ),
        ({"runtimeClassName": "gvisor"}, 'pod rejected: RuntimeClass "gvisor" not found'),
    ],
)
def test_classes_a_pod_asks_for_must_exist(registry: Registry, spec: Obj, sentence: str) -> None:
    error = refused(lambda: registry.create(POD, "default", pod(**spec)))
    assert (error.code, error.message) == (403, f'pods "p" is forbidden: {sentence}')


def test_a_name_still_to_be_generated_is_refused_by_its_prefix(registry: Registry) -> None:
    unnamed = {**pod(serviceAccountName="absent"), "metadata": {"generateName": "web-"}}
    assert refused(lambda: registry.create(POD, "default", unnamed)).message.startswith('pods "web-" is forbidden')


def test_a_system_pods_priority_is_its_classes(registry: Registry) -> None:
    spec = registry.create(POD, "default", pod(priorityClassName="system-node-critical"))["spec"]
    assert spec["priority"] == 2_000_001_000


def test_a_namespace_with_a_generated_name_is_labelled_with_it(registry: Registry) -> None:
    meta = registry.create(NAMESPACE, "", {"metadata": {"generateName": "n-"}})["metadata"]
    assert meta["labels"] == {"kubernetes.io/metadata.name": meta["name"]}


def test_a_job_selects_its_pods_by_its_own_uid(registry: Registry) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}
    job = registry.create(KINDS["Job"], "default", {"metadata": {"name": "j"}, "spec": {"template": template}})
    uid = job["metadata"]["uid"]
    assert job["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": uid}
    assert job["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    (entry,) = job["metadata"]["managedFields"]
    assert "job-name" not in str(entry["fieldsV1"])


@pytest.mark.parametrize(("own", "shown"), [({}, {"app": "x", "job-name": "j"}), ({"app": "x"}, {"app": "x"})])
def test_a_job_without_labels_has_those_of_its_template(
    registry: Registry, own: dict[str, str], shown: dict[str, str]
) -> None:
    spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": spec}
    job = {"metadata": {"name": "j", "labels": own}, "spec": {"template": template}}
    labels = registry.create(KINDS["Job"], "default", job)["metadata"]["labels"]
    assert {key: value for key, value in labels.items() if key in ("app", "job-name")} == shown


# -- updating ------------------------------------------------------------------
def test_a_status_is_written_by_its_own_requests_only(registry: Registry) -> None:
    registry.create(DEPLOYMENT, "default", {**deployment(), "status": {"replicas": 9}})
    assert registry.get(DEPLOYMENT, "default", "web")["status"] == {}
    through_spec = {**deployment(), "status": {"replicas": 5}}
    registry.update(DEPLOYMENT, "default", "web", through_spec, manager="m")
    assert registry.get(DEPLOYMENT, "default", "web")["status"] == {}
    through_status = {**deployment(), "status": {"replicas": 4}}
    through_status["spec"] = {**through_status["spec"], "replicas": 77}
    registry.update(DEPLOYMENT, "default", "web", through_status, manager="m", subresource="status")
    stored = registry.get(DEPLOYMENT, "default", "web")
    assert stored["status"] == {"replicas": 4}
    assert stored["spec"]["replicas"] == 1


def test_the_generation_counts_changes_of_the_spec(registry: Registry) -> None:
    def generation() -> int:
        return int(registry.get(DEPLOYMENT, "default", "web")["metadata"]["generation"])

    registry.create(DEPLOYMENT, "default", deployment())
    registry.patch(DEPLOYMENT, "default", "web", "merge", {"metadata": {"labels": {"x": "y"}}}, manager="m")
    assert generation() == 1
    registry.patch(DEPLOYMENT, "default", "web", "merge", {"spec": {"replicas": 3}}, manager="m")
    assert generation() == 2
    registry.modify(DEPLOYMENT, "default", "web", lambda obj: obj["status"].update(replicas=3))
    assert generation() == 2
    registry.patch(DEPLOYMENT, "default", "web", "merge", {"metadata": {"annotations": {"x": "y"}}}, manager="m")
    assert generation() == 3


def test_nothing_is_written_where_nothing_changes(registry: Registry) -> None:
    made = registry.create(MAP, "default", config_map())
    version = made["metadata"]["resourceVersion"]
    assert registry.update(MAP, "default", "x", made, manager="other")["metadata"]["resourceVersion"] == version
    assert registry.modify(MAP, "default", "x", lambda obj: None, subresource="") is made
    assert registry.store.resource_version == int(version)


def test_a_stale_update_loses(registry: Registry) -> None:
    old = registry.create(MAP, "default", config_map())
    registry.update(MAP, "default", "x", {**old, "data": {"a": "2"}}, manager="m")
    error = refused(lambda: registry.update(MAP, "default", "x", {**old, "data": {"a": "3"}}, manager="m"))
    assert (error.code, error.reason) == (409, "Conflict")


def test_another_object_of_the_same_name_is_not_meant(registry: Registry) -> None:
    registry.create(MAP, "default", config_map())
    error = refused(lambda: registry.update(MAP, "default", "x", config_map(uid="other"), manager="m"))
    assert error.code == 409
    assert "Precondition failed: UID in precondition: other" in error.message


@pytest.mark.parametrize("kind", ["Lease", "PodDisruptionBudget"])
def test_some_kinds_take_no_blind_update(registry: Registry, kind: str) -> None:
    spec = {"spec": {"selector": {}}} if kind == "PodDisruptionBudget" else {}
    body = {"metadata": {"name": "x"}, **spec}
    registry.create(KINDS[kind], "default", body)
    error = refused(lambda: registry.update(KINDS[kind], "default", "x", body, manager="m"))
    assert error.code == 422
    assert "metadata.resourceVersion" in error.message


def test_an_update_creates_where_its_kind_allows_it(registry: Registry) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    assert registry.update(SERVICE, "default", "s", body, manager="m")["metadata"]["uid"]
    assert refused(lambda: registry.update(MAP, "default", "x", config_map(), manager="m")).code == 404


def test_a_patch_does_not_change_who_an_object_is(registry: Registry) -> None:
    registry.create(MAP, "default", config_map())
    renamed = refused(lambda: registry.patch(MAP, "default", "x", "merge", {"metadata": {"name": "y"}}, manager="m"))
    assert renamed.message == "the name of the object (y) does not match the name on the URL (x)"
    change = {"metadata": {"uid": "other", "resourceVersion": None}}
    assert refused(lambda: registry.patch(MAP, "default", "x", "merge", change, manager="m")).code in (409, 422)


def test_deletion_marks_are_not_for_clients(registry: Registry) -> None:
    registry.create(MAP, "default", config_map())
    body = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    error = refused(lambda: registry.patch(MAP, "default", "x", "merge", body, manager="m"))
    assert (error.code, error.details and error.details["causes"][0]["field"]) == (422, "metadata.deletionTimestamp")


def test_a_controller_changes_a_copy(registry: Registry) -> None:
    registry.create(POD, "default", pod())
    before = registry.get(POD, "default", "p")

    def ready(obj: Obj) -> None:
        obj["status"]["phase"] = "Running"

    after = registry.modify(POD, "default", "p", ready)
    assert before["status"]["phase"] == "Pending"
    assert after is not None
    assert after["status"]["phase"] == "Running"
    assert registry.modify(POD, "default", "absent", ready) is None


# -- scale ---------------------------------------------------------------------
def test_a_scale_shows_and_sets_replicas(registry: Registry) -> None:
    registry.create(DEPLOYMENT, "default", deployment())
    scaled, _ = registry.patch(
        DEPLOYMENT, "default", "web", "merge", {"spec": {"replicas": 4}}, manager="m", subresource="scale"
    )
    assert scaled["kind"] == "Scale"
    assert scaled["spec"] == {"replicas": 4}
    assert scaled["status"] == {"replicas": 0, "selector": "a=b"}
    assert registry.get(DEPLOYMENT, "default", "web")["spec"]["replicas"] == 4


@pytest.mark.parametrize(("replicas", "code"), [(-1, 422), ("three", 400), (True, 400)])
def test_a_scale_is_checked(registry: Registry, replicas: Any, code: int) -> None:
    registry.create(DEPLOYMENT, "default", deployment())
    body = {"metadata": {"name": "web"}, "spec": {"replicas": replicas}}
    error = refused(lambda: registry.update(DEPLOYMENT, "default", "web", body, manager="m", subresource="scale"))
    assert error.code == code


def apply_scale(registry: Registry, replicas: Any, *, manager: str, force: bool = False) -> Obj:
    config: Obj = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}}
    config["spec"] = {"replicas": replicas}
    return registry.patch(
        DEPLOYMENT, "default", "web", "apply", config, manager=manager, force=force, subresource="scale"
    )[0]


def test_a_scale_can_be_applied(registry: Registry) -> None:
    registry.create(DEPLOYMENT, "default", deployment(), manager="me")
    error = refused(lambda: apply_scale(registry, 3, manager="scaler"))
    assert error.code == 409
    assert str(error.message).endswith('conflict with "me" using autoscaling/v1: .spec.replicas')
    assert apply_scale(registry, 3, manager="scaler", force=True)["spec"] == {"replicas": 3}
    entries = registry.get(DEPLOYMENT, "default", "web")["metadata"]["managedFields"]
    (mine,) = [entry for entry in entries if entry["manager"] == "scaler"]
    assert (mine["apiVersion"], mine["subresource"]) == ("apps/v1", "scale")
    assert mine["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert refused(lambda: apply_scale(registry, -1, manager="scaler")).code == 422
    assert refused(lambda: apply_scale(registry, "x", manager="scaler")).code == 500


def test_another_uid_is_a_conflict_or_a_change_of_what_cannot_change(registry: Registry) -> None:
    registry.create(MAP, "default", config_map(), manager="me")
    other = {"metadata": {"uid": "other"}}
    error = refused(lambda: registry.patch(MAP, "default", "x", "merge", other, manager="me"))
    assert (error.code, error.reason) == (422, "Invalid")
    config: Obj = {"apiVersion": "v1", "kind": "ConfigMap", **other}
    assert refused(lambda: registry.patch(MAP, "default", "x", "apply", config, manager="me")).code == 422
    assert refused(lambda: registry.patch(MAP, "default", "new", "apply", config, manager="me")).code == 409


def test_a_job_keeps_labels_of_its_own_to_be_refused_for(registry: Registry) -> None:
    template = {"metadata": {"labels": {"job-name": "mine"}}, "spec": {**pod()["spec"], "restartPolicy": "Never"}}
    job = {"metadata": {"name": "j"}, "spec": {"template": template}}
    error = refused(lambda: registry.create(KINDS["Job"], "default", job, manager="me"))
    assert "spec.template.metadata.labels[job-name]" in str(error.message)


# -- deleting ------------------------------------------------------------------
def test_what_is_deleted_is_gone(registry: Registry) -> None:
    registry.create(MAP, "default", config_map())
    answer = registry.delete(MAP, "default", "x")
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert refused(lambda: registry.get(MAP, "default", "x")).code == 404
    assert refused(lambda: registry.delete(MAP, "default", "x")).code == 404


def test_finalizers_hold_an_object(registry: Registry) -> None:
    registry.create(MAP, "default", config_map(finalizers=["example.com/a", "example.com/b"]))
    held = registry.delete(MAP, "default", "x")
    assert held["metadata"]["deletionTimestamp"]
    adding = {"metadata": {"finalizers": ["example.com/a", "example.com/new"]}}
    assert refused(lambda: registry.patch(MAP, "default", "x", "merge", adding, manager="m")).code == 422
    for finalizers in (["example.com/b"], []):
        registry.patch(MAP, "default", "x", "merge", {"metadata": {"finalizers": finalizers}}, manager="m")
    assert registry.store.get(MAP, "default", "x") is None


def test_a_running_pod_has_its_grace(registry: Registry) -> None:
    registry.create(POD, "default", pod(nodeName="n", terminationGracePeriodSeconds=7))
    marked = registry.delete(POD, "default", "p")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
    again = registry.delete(POD, "default", "p", {"gracePeriodSeconds": 60})
    assert again["metadata"]["deletionGracePeriodSeconds"] == 7
    shorter = registry.delete(POD, "default", "p", {"gracePeriodSeconds": 2})
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 2
    gone = registry.delete(POD, "default", "p", {"gracePeriodSeconds": 0})
    assert gone["kind"] == "Pod"
    assert registry.store.get(POD, "default", "p") is None


def test_a_pod_that_runs_nowhere_goes_at_once(registry: Registry) -> None:
    registry.create(POD, "default", pod())
    registry.delete(POD, "default", "p")
    assert registry.store.get(POD, "default", "p") is None


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_what_becomes_of_dependents_is_kept_as_a_finalizer(registry: Registry, policy: str, finalizer: str) -> None:
    registry.create(DEPLOYMENT, "default", deployment())
    marked = registry.delete(DEPLOYMENT, "default", "web", {"propagationPolicy": policy})
    assert marked["metadata"]["finalizers"] == [finalizer]
    assert marked["metadata"]["generation"] == 2


def test_a_job_leaves_its_pods_unless_told_otherwise(registry: Registry) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x:1"}]}}
    for name, options in (("a", {}), ("b", {"propagationPolicy": "Background"})):
        registry.create(KINDS["Job"], "default", {"metadata": {"name": name}, "spec": {"template": template}})
        registry.delete(KINDS["Job"], "default", name, options)
    assert registry.get(KINDS["Job"], "default", "a")["metadata"]["finalizers"] == ["orphan"]
    assert registry.store.get(KINDS["Job"], "default", "b") is None


def test_an_event_has_no_dependents(registry: Registry) -> None:
    registry.event(registry.create(POD, "default", pod()), "Normal", "Started", "it did", "kubelet")
    event = registry.list(KINDS["Event"], "default")[0]["metadata"]["name"]
    registry.delete(KINDS["Event"], "default", event, {"propagationPolicy": "Foreground"})
    assert registry.list(KINDS["Event"], "default") == []


def test_options_that_contradict_each_other_are_refused(registry: Registry) -> None:
    registry.create(MAP, "default", config_map())
    for options in ({"propagationPolicy": "Sideways"}, {"propagationPolicy": "Orphan", "orphanDependents": True}):
        assert refused(lambda given=options: registry.delete(MAP, "default", "x", given)).code == 422


def test_preconditions_must_hold(registry: Registry) -> None:
    made = registry.create(MAP, "default", config_map())
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        assert refused(lambda given=wrong: registry.delete(MAP, "default", "x", {"preconditions": given})).code == 409
    uid = made["metadata"]["uid"]
    assert registry.delete(MAP, "default", "x", {"preconditions": {"uid": uid}})["status"] == "Success"


def test_a_namespace_goes_when_its_finalizer_does(registry: Registry) -> None:
    registry.create(NAMESPACE, "", {"metadata": {"name": "ns"}})
    going = registry.delete(NAMESPACE, "", "ns")
    assert going["status"]["phase"] == "Terminating"
    finalized = {**going, "spec": {"finalizers": []}}
    registry.update(NAMESPACE, "", "ns", finalized, manager="m", subresource="finalize")
    assert registry.store.get(NAMESPACE, "", "ns") is None


def test_namespaces_every_cluster_needs_stay(registry: Registry) -> None:
    error = refused(lambda: registry.delete(NAMESPACE, "", "default"))
    assert (error.code, error.message) == (
        403, 'namespaces "default" is forbidden: this namespace may not be deleted',
    )  # fmt: skip


# -- admission -----------------------------------------------------------------
def test_hooks_see_every_write_but_those_of_a_status(registry: Registry) -> None:
    seen = list[tuple[str, str]]()

    def hook(admission: Admission) -> None:
        seen.append((admission.operation, admission.kind.kind))

    registry.admission.append(hook)
    registry.create(POD, "default", pod())
    registry.modify(POD, "default", "p", lambda obj: obj["status"].update(phase="Running"))
    registry.patch(POD, "default", "p", "merge", {"metadata": {"labels": {"a": "b"}}}, manager="m")
    registry.delete(POD, "default", "p")
    assert seen == [("CREATE", "Pod"), ("UPDATE", "Pod"), ("DELETE", "Pod")]


def test_a_hook_may_refuse(registry: Registry) -> None:
    def hook(admission: Admission) -> None:
        raise forbidden("configmaps", "", "x", "no")

    registry.admission.append(hook)
    assert refused(lambda: registry.create(MAP, "default", config_map())).message.endswith("forbidden: no")
    assert registry.store.get(MAP, "default", "x") is None


# -- events --------------------------------------------------------------------
def test_the_same_event_again_is_counted(registry: Registry) -> None:
    about = registry.create(POD, "default", pod())
    for message in ("one", "one", "two", "one"):
        registry.event(about, "Warning", "Failed", message, "kubelet")
    found = registry.list(KINDS["Event"], "default", fields="involvedObject.name=p")
    assert sorted((event["message"], event["count"]) for event in found) == [("one", 3), ("two", 1)]


def test_events_are_forgotten_after_their_time(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    about = registry.create(POD, "default", pod())
    registry.event(about, "Normal", "Started", "it did", "kubelet")
    registry.expire_events()
    assert len(registry.list(KINDS["Event"])) == 1
    monkeypatch.setattr(events, "LIFETIME_S", -10)
    registry.expire_events()
    assert registry.list(KINDS["Event"]) == []


def test_an_event_about_what_is_going_is_no_error(registry: Registry) -> None:
    registry.create(NAMESPACE, "", {"metadata": {"name": "ns"}})
    made = registry.create(MAP, "ns", config_map())
    registry.delete(NAMESPACE, "", "ns")
    registry.event(made, "Normal", "Late", "too late", "kubelet")
    assert registry.list(KINDS["Event"]) == []


def test_what_goes_without_grace_is_marked_first(registry: Registry) -> None:
    # the generic registry's BeforeDelete: an update with the deletion's times, then the deletion, which answers with it
    seen: list[tuple[str, Obj]] = []
    registry.store.subscribe(POD, lambda change: seen.append((change.type, change.object["metadata"])))
    registry.create(POD, "default", pod(nodeName="n"))
    answer = registry.delete(POD, "default", "p", {"gracePeriodSeconds": 0})["metadata"]
    assert (answer["deletionGracePeriodSeconds"], answer["generation"]) == (0, 2)
    assert answer["deletionTimestamp"]
    assert [(type_, meta.get("deletionGracePeriodSeconds")) for type_, meta in seen] == [
        ("ADDED", None),
        ("MODIFIED", 0),
        ("DELETED", 0),
    ]


def test_a_shorter_grace_counts_from_the_first_request(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.create(POD, "default", pod(nodeName="n"))
    began = datetime(2031, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(clock, "utc", lambda: began)
    registry.delete(POD, "default", "p", {"gracePeriodSeconds": 60})
    monkeypatch.setattr(clock, "utc", lambda: began + timedelta(seconds=20))
    again = registry.delete(POD, "default", "p", {"gracePeriodSeconds": 30})["metadata"]
    assert (again["deletionTimestamp"], again["deletionGracePeriodSeconds"]) == ("2031-01-01T00:00:30Z", 30)


def test_a_gated_pod_says_so_from_the_start(registry: Registry) -> None:
    # the pod strategy's applySchedulingGatedCondition
    made = registry.create(POD, "default", pod(schedulingGates=[{"name": "example.org/wait"}]))
    (condition,) = made["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")


def test_an_event_says_where_it_comes_from(registry: Registry) -> None:
    about = registry.create(POD, "default", pod())
    registry.event(about, "Normal", "Pulled", "m", "kubelet", host="n1")
    registry.event({**about, "fieldPath": "spec.containers{a}"}, "Normal", "Pulled", "m", "kubelet", host="n1")
    for _ in range(2):
        registry.event(about, "Normal", "Scheduled", "m", "default-scheduler", host="n1", action="Binding")
    events = registry.list(KINDS["Event"], "default")
    told = [event for event in events if event["reason"] == "Pulled"]
    assert [(e["source"], e["reportingInstance"], e["count"]) for e in told] == [
        ({"component": "kubelet", "host": "n1"}, "n1", 1)
    ] * 2  # another container's is another event
    (bound,) = [event for event in events if event["reason"] == "Scheduled"]
    assert (bound["source"], bound["action"], bound["reportingInstance"]) == ({}, "Binding", "default-scheduler-n1")
    assert bound["firstTimestamp"] is None
    assert (bound["series"]["count"], "count" in bound) == (2, False)
