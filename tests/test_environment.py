"""Setting up and resetting on a running cluster: what is made, what is never touched again, what is refused first."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen import environment, manifests
from bluegreen.applying import FIRST, RELEASE, SETUP
from bluegreen.errors import CannotStartError, InputError
from bluegreen.kube import Kube, connect, connect_handle
from bluegreen.localkube import Cluster
from bluegreen.settings import Settings, load

NUMBERS = itertools.count()
APP = "gremlinsai-backend"
LIVE = "gremlinsai-service"
SECRET = f"{APP}-secrets"
KINDS = (
    "Secret",
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "Ingress",
)

PER_COLOUR = ("HorizontalPodAutoscaler", "PodDisruptionBudget")

Make = Callable[..., Settings]


@pytest.fixture
def make(cluster: Cluster) -> Iterator[Make]:
    """Settings for a namespace of this test's own, which is gone afterwards."""
    namespace = f"environment-{os.getpid()}-{next(NUMBERS)}"
    base = {
        "CLUSTER": cluster.context,
        "KUBECONFIG": str(cluster.kubeconfig),
        "NAMESPACE": namespace,
        "DOCKER_IMAGE": "gremlinsai/backend:v1.0.0",
    }
    yield lambda **env: load({**base, **env})
    kube = connect(load(base))
    environment.reset(kube, load(base))
    kube.close()


@pytest.fixture
def kube(make: Make) -> Iterator[Kube]:
    kube = connect(make())
    yield kube
    kube.close()


def versions(kube: Kube) -> dict[tuple[str, str], str]:
    found = [obj for kind in KINDS for obj in kube.list(kind)] + kube.list("Namespace")
    mine = [o for o in found if kube.namespace in (o["metadata"]["name"], o["metadata"].get("namespace"))]
    return {(o["kind"], o["metadata"]["name"]): o["metadata"]["resourceVersion"] for o in mine}


def must(kube: Kube, kind: str, name: str) -> dict[str, Any]:
    found = kube.get(kind, name)
    assert found is not None
    return found


def owners(obj: dict[str, Any], field: str) -> set[str]:
    """Who owns a field of an object's spec."""
    entries = obj["metadata"]["managedFields"]
    return {e["manager"] for e in entries if field in e["fieldsV1"].get("f:spec", {})}


# --- what is made ---------------------------------------------------------------------------------------------


def test_everything_around_a_release_is_made(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make(INGRESS_HOST="app.example.com", DB_PASSWORD="secret"))
    made = set(versions(kube))
    assert made >= {
        ("Namespace", kube.namespace),
        ("ServiceAccount", APP),
        ("ServiceAccount", f"{APP}-release"),
        ("Role", APP),
        ("Role", f"{APP}-release"),
        ("RoleBinding", APP),
        ("Secret", SECRET),
        ("ConfigMap", f"{APP}-config"),
        ("Service", LIVE),
        ("Service", f"{LIVE}-preview"),
        ("Ingress", APP),
        ("NetworkPolicy", APP),
        *(
            (kind, f"{APP}-{c}")
            for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget")
            for c in ("blue", "green")
        ),
    }
    assert kube.list("Deployment") == []


def test_the_first_selector_matches_no_pod(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    for name in (LIVE, f"{LIVE}-preview"):
        service = must(kube, "Service", name)
        assert service["spec"]["selector"] == {"app": APP, "version": "none"}
        assert owners(service, "f:selector") == {FIRST}
        assert owners(service, "f:ports") == {SETUP}


# --- again ----------------------------------------------------------------------------------------------------


def test_setting_up_again_changes_nothing(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make(DB_PASSWORD="a"))
    before = versions(kube)
    environment.set_up(kube, make(DB_PASSWORD="a"))
    assert versions(kube) == before


def test_setting_up_again_moves_no_traffic(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    switch = [{"op": "replace", "path": "/spec/selector/version", "value": "blue"}]
    kube.json_patch("Service", LIVE, switch, manager=RELEASE)
    before = versions(kube)
    environment.set_up(kube, make())
    assert must(kube, "Service", LIVE)["spec"]["selector"]["version"] == "blue"
    assert versions(kube) == before


def test_setting_up_leaves_a_releases_autoscaler_bounds(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    [pinned] = manifests.render(make(), "hpa", COLOUR="blue", MIN_REPLICAS="7", MAX_REPLICAS="20")
    kube.apply(pinned, manager=RELEASE, force=True)
    environment.set_up(kube, make(HPA_CPU="50"))
    spec = must(kube, "HorizontalPodAutoscaler", f"{APP}-blue")["spec"]
    assert spec["minReplicas"] == 7
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 50


def test_setting_up_leaves_the_bounds_that_a_person_set(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    kube.merge_patch("HorizontalPodAutoscaler", f"{APP}-blue", {"spec": {"minReplicas": 5}}, manager="kubectl-edit")
    environment.set_up(kube, make(HPA_CPU="50"))
    spec = must(kube, "HorizontalPodAutoscaler", f"{APP}-blue")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (5, 20)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 50


def test_what_a_setting_no_longer_asks_for_goes(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    kube.create(tls_secret())
    environment.set_up(kube, make(TLS_SECRET="certificate"))
    assert ports(kube) == ["http", "https", "metrics"]
    environment.set_up(kube, make())
    assert ports(kube) == ["http", "metrics"]


def tls_secret() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "certificate"}, "data": {}}


def ports(kube: Kube) -> list[str]:
    return [port["name"] for port in must(kube, "Service", LIVE)["spec"]["ports"]]


# --- secrets --------------------------------------------------------------------------------------------------


def test_secrets_are_kept_changed_and_made_once(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make(DB_PASSWORD="one"))
    first = must(kube, "Secret", SECRET)["data"]
    assert first.keys() == {"DB_PASSWORD", "ENCRYPTION_KEY", "SECRET_KEY"}
    environment.set_up(kube, make(REDIS_PASSWORD="two"))
    second = must(kube, "Secret", SECRET)["data"]
    assert {key: second[key] for key in first} == first
    environment.set_up(kube, make(DB_PASSWORD="three"))
    third = must(kube, "Secret", SECRET)["data"]
    assert third["DB_PASSWORD"] != first["DB_PASSWORD"]
    assert third["ENCRYPTION_KEY"] == first["ENCRYPTION_KEY"]


def test_keys_made_at_the_same_time_are_the_same(kube: Kube, make: Make, cluster: Cluster) -> None:
    problems: list[BaseException] = []

    def run() -> None:
        own = connect_handle(str(cluster.kubeconfig), cluster.context, kube.namespace)
        try:
            environment.set_up(own, make())
            keys.append(must(own, "Secret", SECRET)["data"])
        except BaseException as problem:
            problems.append(problem)
        finally:
            own.close()

    keys: list[dict[str, str]] = []
    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert keys == [must(kube, "Secret", SECRET)["data"]] * 5


# --- refused before any change --------------------------------------------------------------------------------


def own_manifests(tmp_path: Path, name: str, old: str, new: str) -> dict[str, str]:
    text = (manifests.BUILT_IN / f"{name}.yaml").read_text()
    assert old in text
    (tmp_path / f"{name}.yaml").write_text(text.replace(old, new))
    return {"MANIFESTS": str(tmp_path)}


BAD = {
    "an unknown field": ("hpa", "maxReplicas:", "maximumReplicas:"),
    "a bad value": ("pdb", "maxUnavailable: 1", "maxUnavailable: lots"),
}


def test_all_refusals_are_told_at_once_and_change_nothing_that_is_there(kube: Kube, make: Make, tmp_path: Path) -> None:
    environment.set_up(kube, make())
    before = versions(kube)
    own_manifests(tmp_path, *BAD["an unknown field"])
    settings = make(**own_manifests(tmp_path, *BAD["a bad value"]), DB_HOST="new")
    with pytest.raises(InputError, match=r"(?s)hpa\.yaml.*pdb\.yaml"):
        environment.set_up(kube, settings)
    assert versions(kube) == before


def test_fields_of_somebody_else_are_not_taken(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    kube.merge_patch("Service", LIVE, {"spec": {"sessionAffinity": "ClientIP"}}, manager="argocd-controller")
    before = versions(kube)
    with pytest.raises(CannotStartError, match=r"Service gremlinsai-service .*sessionAffinity \(argocd-controller\)"):
        environment.set_up(kube, make())
    assert versions(kube) == before


def test_a_namespace_in_deletion_is_named(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    kube.create(held)
    kube.delete("Namespace", kube.namespace)
    try:
        with pytest.raises(CannotStartError, match=f"NAMESPACE={kube.namespace}: it is being deleted, since 20"):
            environment.set_up(kube, make())
        with pytest.raises(CannotStartError, match="being deleted"):
            environment.ensure(kube, make())
    finally:
        kube.merge_patch("ConfigMap", "held", {"metadata": {"finalizers": None}})


def test_a_secret_that_pods_need_and_nobody_made_is_named(kube: Kube, make: Make, tmp_path: Path) -> None:
    settings = make(**own_manifests(tmp_path, "deployment", "${APP_NAME}-secrets", "vault-secrets"))
    with pytest.raises(InputError, match=r"Secret vault-secrets: it is not in namespace"):
        environment.set_up(kube, settings)
    assert kube.get("Namespace", kube.namespace) is None


# --- before a release -----------------------------------------------------------------------------------------


def test_on_a_named_cluster_a_release_writes_nothing(kube: Kube, make: Make) -> None:
    with pytest.raises(CannotStartError, match=r"(?s)is not set up: no Namespace .*`bluegreen setup`"):
        environment.ensure(kube, make())
    assert kube.get("Namespace", kube.namespace) is None
    environment.set_up(kube, make())
    before = versions(kube)
    environment.ensure(kube, make(DB_HOST="new", DB_PASSWORD="new"))
    assert versions(kube) == before


def test_on_the_embedded_cluster_a_release_sets_up_what_is_not_as_it_should_be(kube: Kube, make: Make) -> None:
    embedded = dataclasses.replace(make(), cluster="local")
    environment.ensure(kube, embedded)
    before = versions(kube)
    sent = kube.transport.requests
    environment.ensure(kube, embedded)
    assert versions(kube) == before
    assert kube.transport.requests - sent <= 25, "an environment that is as it should be is looked at, not applied"
    kube.delete("PodDisruptionBudget", f"{APP}-blue")
    elsewhere = [{"op": "replace", "path": "/spec/ports/0/targetPort", "value": 1234}]
    kube.json_patch("Service", LIVE, elsewhere, manager=RELEASE)
    environment.ensure(kube, embedded)
    assert kube.get("PodDisruptionBudget", f"{APP}-blue") is not None
    assert must(kube, "Service", LIVE)["spec"]["ports"][0]["targetPort"] == "http"


@pytest.mark.parametrize(
    ("kind", "name"), [("Secret", SECRET), ("ConfigMap", f"{APP}-config"), ("Service", LIVE), ("ServiceAccount", APP)]
)
def test_what_is_missing_is_named(kube: Kube, make: Make, kind: str, name: str) -> None:
    environment.set_up(kube, make())
    kube.delete(kind, name)
    with pytest.raises(CannotStartError, match=f"not set up: no {kind} {name}"):
        environment.ensure(kube, make())


def test_the_release_account_needs_no_more_than_its_role(
    kube: Kube, make: Make, cluster: Cluster, tmp_path: Path
) -> None:
    environment.set_up(kube, make())
    path = f"/api/v1/namespaces/{kube.namespace}/serviceaccounts/{APP}-release/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = kube.post_answer(path, request, "ask for a token")["status"]["token"]
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config))
    own = connect_handle(str(kubeconfig), cluster.context, kube.namespace)
    environment.ensure(own, make())
    assert own.can_i("patch", "", "services")
    assert own.can_i("create", "", "secrets")  # a colour's own copies
    assert not own.can_i("create", "rbac.authorization.k8s.io", "roles")
    own.close()


# --- away -----------------------------------------------------------------------------------------------------


def test_reset_leaves_nothing_and_may_be_repeated(kube: Kube, make: Make) -> None:
    environment.set_up(kube, make())
    kube.create(manifests.render(make(), "deployment", COLOUR="blue", REPLICAS="0")[0])
    environment.reset(kube, make())
    assert versions(kube) == {}
    assert kube.list("Deployment") == []
    environment.reset(kube, make())
    environment.set_up(kube, make())
    assert kube.get("Service", LIVE) is not None


def test_in_default_only_what_was_made_is_deleted(cluster: Cluster, make: Make) -> None:
    settings = make(NAMESPACE="default", APP_NAME="in-default", SERVICE_NAME="in-default")
    kube = connect(settings)
    environment.set_up(kube, settings)
    kube.create(manifests.render(settings, "deployment", COLOUR="blue", REPLICAS="0")[0])
    environment.reset(kube, settings)
    left = [key for key in versions(kube) if "in-default" in key[1]] + kube.list("Deployment")
    assert left == []
    assert kube.get("Namespace", "default") is not None
    kube.close()


def test_nothing_of_a_copied_directory_is_special(kube: Kube, make: Make, tmp_path: Path) -> None:
    shutil.copytree(manifests.BUILT_IN, tmp_path / "own")
    environment.set_up(kube, make())
    before = versions(kube)
    environment.set_up(kube, make(MANIFESTS=str(tmp_path / "own")))
    assert versions(kube) == before
