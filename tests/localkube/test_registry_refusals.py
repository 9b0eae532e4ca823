"""What the generic registry refuses, in which order and in what words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError
from tests.localkube.serving import new_registry

MAP, NAMESPACE = KINDS["ConfigMap"], KINDS["Namespace"]
MOMENT = "2026-01-01T00:00:00.000000Z"
Obj = dict[str, Any]


@pytest.fixture
def registry() -> Registry:
    return new_registry()


def config_map() -> Obj:
    return {"metadata": {"name": "x"}, "data": {"a": "1"}}


def refused(action: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        action()
    return caught.value


def test_a_patch_may_not_take_the_name_away(registry: Registry) -> None:
    """checkName of the apiserver's handlers."""
    registry.create(MAP, "default", config_map(), manager="me")
    error = refused(lambda: registry.patch(MAP, "default", "x", "merge", {"metadata": {"name": None}}, manager="me"))
    assert error.message == "the name of the object (x based on URL) was undeterminable: name must be provided"


def test_a_cluster_scoped_object_is_freed_of_a_namespace(registry: Registry) -> None:
    """rest.EnsureObjectNamespaceMatchesRequestNamespace."""
    made = registry.create(NAMESPACE, "", {"metadata": {"name": "n", "namespace": "other"}}, manager="me")
    assert "namespace" not in made["metadata"]


def test_admission_refuses_before_the_store_knows_of_a_namesake(registry: Registry) -> None:
    """Store.Create: what is in the way is found last, so a quota that is used up says so first."""
    registry.create(MAP, "default", config_map(), manager="me")
    tried: list[bool] = []
    registry.admission.append(lambda request: tried.append(request.dry_run))
    assert refused(lambda: registry.create(MAP, "default", config_map(), manager="me")).reason == "AlreadyExists"
    assert tried == [True]  # asked, but nothing is charged


def test_an_event_with_a_time_of_its_own_names_its_reporter(registry: Registry) -> None:
    """legacyValidateEvent."""
    body = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}, "eventTime": MOMENT}
    error = refused(lambda: registry.create(KINDS["Event"], "default", body, manager="me"))
    fields = [cause["field"] for cause in (error.details or {})["causes"]]
    assert list(dict.fromkeys(fields)) == ["reportingComponent", "reportingInstance", "action", "reason"]


# -- server-side apply ------------------------------------------------------------------------------------------------
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def applied(registry: Registry, config: Obj, manager: str = "kubectl") -> Obj:
    return registry.patch(MAP, "default", "x", "apply", config, manager=manager)[0]


@pytest.mark.parametrize("meta", [{}, {"generateName": "x-"}])
def test_only_what_exists_is_applied_without_a_name(registry: Registry, meta: Obj) -> None:
    """checkName: what is to be made has to say its name itself."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}}
    error = refused(lambda: applied(registry, config))
    assert error.message == "the name of the object (x based on URL) was undeterminable: name must be provided"
    registry.create(MAP, "default", config_map(), manager="me")
    assert applied(registry, config)["metadata"]["name"] == "x"


def test_kubectl_keeps_the_annotation_of_client_side_apply(registry: Registry) -> None:
    """managedfields' lastAppliedUpdater: kubectl's server-side apply writes it anew, nobody else's does."""
    body = {**config_map(), "metadata": {"name": "x", "annotations": {LAST_APPLIED: "{}"}}}
    registry.create(MAP, "default", body, manager="kubectl-client-side-apply")
    config = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}, "data": {"b": "<1>"}}
    assert applied(registry, config, "other")["metadata"]["annotations"] == {LAST_APPLIED: "{}"}
    text = applied(registry, config)["metadata"]["annotations"][LAST_APPLIED]
    assert text == ('{"apiVersion":"v1","data":{"b":"\\u003c1\\u003e"},"kind":"ConfigMap","metadata":{"name":"x"}}\n')


# -- resource versions ------------------------------------------------------------------------------------------------
def test_a_version_that_is_no_number_is_the_stores_own_error(registry: Registry) -> None:
    """APIObjectVersioner.ObjectResourceVersion: no status of its own, so 500 without a reason."""
    registry.create(MAP, "default", config_map(), manager="me")
    change = {"metadata": {"resourceVersion": "abc"}}
    error = refused(lambda: registry.patch(MAP, "default", "x", "merge", change, manager="me"))
    assert (error.code, error.reason, error.details) == (500, "", None)
    assert error.message == 'strconv.ParseUint: parsing "abc": invalid syntax'


def test_a_new_object_states_no_version(registry: Registry) -> None:
    """etcd3's Create: after validation and admission, and not in a dry run; what is no number is overlooked."""
    body = {**config_map(), "metadata": {"name": "x", "resourceVersion": "7"}}
    assert registry.create(MAP, "default", body, manager="me", dry_run=True)
    error = refused(lambda: registry.create(MAP, "default", body, manager="me"))
    assert (error.code, error.reason) == (500, "")
    odd = {**config_map(), "metadata": {"name": "x", "resourceVersion": "-1"}}
    assert registry.create(MAP, "default", odd, manager="me")


def test_another_uid_is_the_stores_own_refusal(registry: Registry) -> None:
    """storage.Preconditions.Check: the key is that of etcd, where some kinds stand under other names."""
    spec = {"ports": [{"port": 80}]}
    registry.create(KINDS["Service"], "default", {"metadata": {"name": "x"}, "spec": spec}, manager="me")
    body = {"metadata": {"name": "x", "uid": "other"}, "spec": spec}
    error = refused(lambda: registry.update(KINDS["Service"], "default", "x", body, manager="me"))
    assert error.code == 409
    assert "StorageError: invalid object, Code: 4, Key: /registry/services/specs/default/x, Res" in error.message


# -- names and views --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("subresource", "name"), [("", None), ("scale", None), ("scale", "other")])
def test_what_is_put_says_its_name(registry: Registry, subresource: str, name: str | None) -> None:
    """checkName of the update handler, of the object or of its view."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec: Obj = {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    deployment = KINDS["Deployment"]
    registry.create(deployment, "default", {"metadata": {"name": "x"}, "spec": spec}, manager="me")
    body = {"metadata": {"name": name} if name else {}, "spec": spec if not subresource else {"replicas": 1}}
    error = refused(lambda: registry.update(deployment, "default", "x", body, manager="me", subresource=subresource))
    wrong = "the name of the object (other) does not match the name on the URL (x)"
    missing = "the name of the object (x based on URL) was undeterminable: name must be provided"
    assert error.message == (wrong if name else missing)


def test_an_owner_is_named_once(registry: Registry) -> None:
    """dedupOwnerReferences: of references that are the same, one stays."""
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "1"}
    owners = [owner, {**owner, "uid": "2"}, {**owner}]
    body = {"metadata": {"name": "x", "ownerReferences": owners}}
    made = registry.create(MAP, "default", body, manager="me")
    assert made["metadata"]["ownerReferences"] == owners[:2]
    patch = {"metadata": {"ownerReferences": [owner, owner]}}
    assert registry.patch(MAP, "default", "x", "merge", patch, manager="me")[0]["metadata"]["ownerReferences"] == [
        owner
    ]
