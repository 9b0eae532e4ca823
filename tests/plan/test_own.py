"""A team's own YAML as a plan: what is taken for it, what becomes of it, and what no release could work with."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen.colour import Colour
from bluegreen.errors import InputError
from bluegreen.manifests import BUILT_IN
from bluegreen.plan import Plan, plan_of
from bluegreen.plan.own import Own
from bluegreen.plan.templates import Templates
from bluegreen.settings import load

Obj = dict[str, Any]

LABELS = {"shop": "yes", "tier": "web"}


def pods(labels: dict[str, str], **more: Any) -> Obj:
    """A pod template."""
    container = {"name": "app", "image": "team/shop:v1", "ports": [{"name": "web", "containerPort": 8080}]}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], **more}}


def deployment(name: str = "web", labels: dict[str, str] = LABELS, **more: Any) -> Obj:
    """A Deployment as a team writes it."""
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": pods(labels), **more}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str = "shop", selector: dict[str, str] = LABELS, **more: Any) -> Obj:
    """A Service as a team writes it."""
    spec = {"selector": selector, "ports": [{"port": 80, "targetPort": "web"}], **more}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": {"dns": "shop"}},
        "spec": spec,
    }


def other(kind: str, name: str, **more: Any) -> Obj:
    """Any other object."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def plan(folder: Path, *objects: Obj, **settings: str) -> Plan:
    """The plan of these objects, in one file."""
    (folder / "app.yaml").write_text(yaml.safe_dump_all(objects))
    chosen = {"SERVICE_NAME": "shop", "DOCKER_IMAGE": "team/shop:v2", "APP_NAME": "shop", "NAMESPACE": "team"}
    return plan_of(load({**chosen, "MANIFESTS": str(folder), **settings}))


def test_a_directory_is_the_application_itself_when_its_deployments_know_no_colour(tmp_path: Path) -> None:
    assert isinstance(plan(tmp_path, service()), Templates)  # only a Service in place of a built-in one
    assert isinstance(plan(tmp_path, service(), deployment()), Own)
    (tmp_path / "deployment.yaml").write_text((BUILT_IN / "deployment.yaml").read_text())
    assert isinstance(plan(tmp_path, service()), Templates)


def test_a_dollar_sign_is_text_and_folders_and_lists_are_read(tmp_path: Path) -> None:
    (tmp_path / "chart" / "templates").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("no: object")
    made = {"apiVersion": "v1", "kind": "List", "items": [deployment("late", {"tier": "late"})]}
    (tmp_path / "chart" / "templates" / "late.yml").write_text(yaml.safe_dump(made))
    shell = {"args": ["echo ${HOME} !if"]}
    web = deployment()
    web["spec"]["template"]["spec"]["containers"][0] |= shell
    own = plan(tmp_path, web, service())
    assert own.names == ("web", "late")
    [container] = own.deployment("web", Colour.BLUE, 1)["spec"]["template"]["spec"]["containers"]
    assert container["args"] == shell["args"]


def test_a_colour_adds_labels_selectors_and_names_and_changes_nothing_else(tmp_path: Path) -> None:
    found = deployment(strategy={"type": "Recreate"}, minReadySeconds=3)
    own = plan(tmp_path, found, service())
    made = own.deployment("web", Colour.GREEN, 5)
    assert made["metadata"] == {"name": "web-green", "namespace": "team", "labels": {"version": "green"}}
    assert made["spec"].pop("selector") == {"matchLabels": {**LABELS, "version": "green"}}
    template = made["spec"].pop("template")
    assert template["metadata"] == {"labels": {**LABELS, "version": "green"}}
    assert template["spec"]["containers"][0].pop("image") == "team/shop:v2"  # the repository's, at the tag asked for
    was = found["spec"]["template"]["spec"]
    assert template["spec"] == {**was, "containers": [{k: v for k, v in was["containers"][0].items() if k != "image"}]}
    assert made["spec"] == {"replicas": 5, "strategy": {"type": "Recreate"}, "minReadySeconds": 3}
    assert own.selector("web") == "shop=yes,tier=web"
    assert own.first_size("web") == 3


def test_what_a_server_added_is_left_out(tmp_path: Path) -> None:
    found = deployment()
    found["metadata"] |= {"uid": "1", "resourceVersion": "7", "annotations": {"deployment.kubernetes.io/revision": "4"}}
    found["status"] = {"replicas": 3}
    made = plan(tmp_path, found, service()).deployment("web", Colour.BLUE, 1)
    assert "status" not in made
    assert made["metadata"]["annotations"] == {}
    assert "uid" not in made["metadata"]


def test_services_that_lead_to_a_released_deployment_move_and_have_a_preview(tmp_path: Path) -> None:
    own = plan(
        tmp_path,
        deployment(),
        service("admin", {"tier": "web"}),
        service(
            type="LoadBalancer", loadBalancerIP="1.2.3.4", ports=[{"port": 80, "targetPort": 8080, "nodePort": 31000}]
        ),
        service("database", {"tier": "db"}),
    )
    assert own.services == ("shop", "admin")
    assert own.service_selector("admin") == {"tier": "web"}
    assert own.service_selector("database") is None
    around = {(obj["kind"], obj["metadata"]["name"]): obj for _, obj in own.around()}
    assert around["Service", "shop"]["spec"]["selector"] == {**LABELS, "version": "none"}
    assert around["Service", "shop"]["spec"]["loadBalancerIP"] == "1.2.3.4"
    assert around["Service", "database"]["spec"]["selector"] == {"tier": "db"}
    preview = around["Service", "shop-preview"]
    assert preview["spec"] == {
        "type": "ClusterIP",
        "selector": {**LABELS, "version": "none"},
        "ports": [{"port": 80, "targetPort": 8080}],
    }
    assert preview["metadata"] == {"name": "shop-preview", "namespace": "team"}
    assert ("Namespace", "team") in around
    assert ("Role", "shop-release") in around


@pytest.mark.parametrize(
    ("ports", "name", "inside"),
    [
        ([{"port": 80}], "80", "80"),
        ([{"name": "grpc", "port": 50}, {"name": "http", "port": 80, "targetPort": "web"}], "http", "web"),
        ([{"name": "metrics", "port": 90}, {"name": "web", "port": 80, "targetPort": 8080}], "web", "8080"),
        ([{"name": "metrics", "port": 90}, {"name": "site", "port": 80, "targetPort": "web"}], "site", "web"),
        ([{"name": "first", "port": 81}, {"name": "second", "port": 82}], "first", "81"),
    ],
)
def test_the_port_that_users_ask_is_found(tmp_path: Path, ports: list[Obj], name: str, inside: str) -> None:
    own = plan(tmp_path, deployment(), service(ports=ports), HEALTH_CHECK_URL="http://localhost:8080/health")
    assert (own.service_port, own.pod_port(LABELS)) == (name, inside)


def test_the_pods_of_another_deployment_are_asked_where_its_own_service_leads(tmp_path: Path) -> None:
    prices = {"tier": "prices"}
    own = plan(
        tmp_path,
        deployment(),
        service(),
        deployment("prices", prices),
        service("prices", prices, ports=[{"port": 90, "targetPort": 9000}]),
    )
    assert own.pod_port({**prices, "version": "blue"}) == "9000"
    assert own.pod_port(LABELS) == own.pod_port({"tier": "none of them"}) == "web"


def test_autoscalers_and_budgets_belong_to_a_colour(tmp_path: Path) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = other(
        "HorizontalPodAutoscaler", "scale", spec={"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4}
    )
    budget = other(
        "PodDisruptionBudget", "keep", spec={"selector": {"matchLabels": {"tier": "web"}}, "minAvailable": 1}
    )
    own = plan(tmp_path, deployment(), service(), scaler, budget)
    [pinned] = own.autoscalers("web", Colour.BLUE, 7)
    assert pinned["metadata"]["name"] == "scale-blue"
    assert pinned["spec"] == {"scaleTargetRef": {**target, "name": "web-blue"}, "minReplicas": 7, "maxReplicas": 7}
    assert own.budget(Colour.GREEN) == ("keep-green", {"tier": "web", "version": "green"})
    scaling = own.scaling(Colour.GREEN)
    assert scaling is not None
    assert (scaling.name, scaling.least, scaling.most) == ("scale-green", 2, 4)
    bare = plan(tmp_path, deployment(), service())
    assert bare.scaling(Colour.BLUE) is None
    assert bare.budget(Colour.BLUE) is None


def test_configuration_comes_with_the_release_and_the_rest_with_setting_up(tmp_path: Path) -> None:
    web = deployment()
    sources = [
        {"secretRef": {"name": "keys"}},
        {"configMapRef": {"name": "shared"}},
        {"configMapRef": {"name": "plain"}},
    ]
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = sources
    shared = other("ConfigMap", "shared", data={"a": "1"})
    shared["metadata"]["annotations"] = {"bluegreen/shared": "true"}
    hook = other("Pod", "test", spec={})
    hook["metadata"]["annotations"] = {"helm.sh/hook": "test"}
    own = plan(
        tmp_path,
        web,
        service(),
        shared,
        hook,
        other("ConfigMap", "plain", data={"b": "2"}),
        other("ConfigMap", "unused"),
        other("Secret", "keys", stringData={"k": "v"}),
        other("ServiceAccount", "me"),
        other("Widget", "theirs"),
    )
    assert own.configuration() == {
        ("ConfigMap", "plain"): other("ConfigMap", "plain", data={"b": "2"}),
        ("Secret", "keys"): other("Secret", "keys", type="Opaque", data={"k": base64.b64encode(b"v").decode()}),
    }
    around = [(obj["kind"], obj["metadata"]["name"]) for _, obj in own.around()]
    assert {("ConfigMap", "shared"), ("ConfigMap", "unused"), ("ServiceAccount", "me")} <= {*around}
    assert not {("ConfigMap", "plain"), ("Secret", "keys"), ("Pod", "test"), ("Widget", "theirs")} & {*around}


def two_containers(annotated: str) -> Obj:
    """A Deployment whose first container is not the application."""
    web = deployment()
    template = web["spec"]["template"]
    template["spec"]["containers"].insert(0, {"name": "logs", "image": "logs:1"})
    template["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": annotated}
    return web


def test_the_application_may_be_another_container_than_the_first(tmp_path: Path) -> None:
    assert plan(tmp_path, two_containers("app"), service()).names == ("web",)
    with pytest.raises(InputError, match=r"whose container logs runs logs:1"):
        _ = plan(tmp_path, two_containers("logs"), service()).names


WRONG: dict[str, tuple[list[Obj], dict[str, str], str]] = {
    "no such Service": ([deployment()], {}, "SERVICE_NAME='shop'.*no Service of that name leads to a Deployment"),
    "no such extra one": (
        [deployment(), service()],
        {"EXTRA_SERVICES": "chat"},
        "EXTRA_SERVICES='chat'.*Name one .* shop",
    ),
    "another image": ([deployment(), service()], {"DOCKER_IMAGE": "team/other:v1"}, "another repository"),
    "two behind one": (
        [deployment(), deployment("more", {"shop": "yes", "tier": "more"}), service(selector={"shop": "yes"})],
        {},
        "leads to the pods of several Deployments: web, more",
    ),
    "told apart by version": (
        [
            deployment("v1", {"a": "b", "version": "v1"}),
            deployment("v2", {"a": "b", "version": "v2"}),
            service(selector={"a": "b"}),
        ],
        {},
        "selects the pods of Deployment v2 too",
    ),
    "uncoloured pods": (
        [deployment(), service(), {**deployment("db"), "kind": "StatefulSet"}],
        {},
        "leads to the pods of StatefulSet db too",
    ),
    "another namespace": (
        [{**deployment(), "metadata": {"name": "web", "namespace": "prod"}}, service()],
        {},
        "another namespace than NAMESPACE=team",
    ),
    "headless": ([deployment(), service(clusterIP="None")], {}, "a headless Service has no address"),
    "no port": ([deployment(), service(ports=[])], {}, "it has no port"),
    "no selector": ([deployment(selector={}), service()], {}, "it has no selector"),
    "another selector": ([deployment(selector={"matchLabels": {"x": "y"}}), service()], {}, "does not select the pods"),
    "no container": ([deployment(template=pods(LABELS, containers=[])), service()], {}, "its pods have no container"),
    "KEDA": (
        [deployment(), service(), other("ScaledObject", "s", spec={"scaleTargetRef": {"name": "web"}})],
        {},
        "a release cannot hold it still",
    ),
    "twice": ([deployment(), service(), deployment()], {}, "Deployment web is there twice"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_release_could_work_with_is_refused(tmp_path: Path, case: str) -> None:
    objects, settings, said = WRONG[case]
    with pytest.raises(InputError) as refused:
        _ = plan(tmp_path, *objects, **settings).names
    assert re.search(said, str(refused.value)), str(refused.value)


def test_what_manifests_are_made_of_is_not_taken_for_manifests(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [app.yaml]\n")
    with pytest.raises(InputError, match="kubectl kustomize"):
        _ = plan(tmp_path, deployment(), service()).names


def test_the_same_object_in_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(service()))
    with pytest.raises(InputError, match=r"Service shop is there twice: also in .*again\.yaml"):
        _ = plan(tmp_path, deployment(), service()).names
