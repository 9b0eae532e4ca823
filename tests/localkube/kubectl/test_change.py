"""kubectl patch, label, annotate, set, scale, autoscale, expose: single changes."""

from __future__ import annotations

import json

import pytest

from tests.localkube.kubectl import Kubectl
from tests.localkube.kubectl.workload import DEPLOYMENT, in_time

CONTAINER = "jsonpath={.spec.template.spec.containers[0]}"


def container(kubectl: Kubectl) -> dict[str, object]:
    found: dict[str, object] = json.loads(kubectl("get", "deployment", "web", "-o", CONTAINER))
    return found


@pytest.mark.parametrize(
    ("type_", "patch"),
    [
        ("strategic", '{"data": {"key": "new", "gone": null}}'),
        ("merge", '{"data": {"key": "new", "gone": null}}'),
        ("json", '[{"op": "replace", "path": "/data/key", "value": "new"}, {"op": "remove", "path": "/data/gone"}]'),
    ],
)
def test_patch_of_every_type(kubectl: Kubectl, type_: str, patch: str) -> None:
    kubectl("create", "configmap", "one", "--from-literal=key=old", "--from-literal=gone=x")
    assert kubectl("patch", "cm", "one", f"--type={type_}", "-p", patch) == "configmap/one patched\n"
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.data}") == '{"key":"new"}'
    again = kubectl.run("patch", "cm", "one", f"--type={type_}", "-p", patch)
    assert again.stdout == ("" if type_ == "json" else "configmap/one patched (no change)\n")


def test_patches_treat_lists_each_in_its_way(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    variables = '[{"name": "SIZE", "value": "1"}]'
    body = f'{{"spec": {{"template": {{"spec": {{"containers": [{{"name": "main", "env": {variables}}}]}}}}}}}}'
    kubectl("patch", "deployment", "web", "-p", body)
    assert container(kubectl)["env"] == [{"name": "SIZE", "value": "1"}, {"name": "COLOUR", "value": "blue"}]
    said = kubectl.refused("patch", "deployment", "web", "--type=merge", "-p", body)
    assert "spec.template.spec.containers[0].image: Required value" in said


def test_patch_of_a_subresource(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    kubectl("patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec": {"replicas": 2}}')
    shown = kubectl("get", "deployment", "web", "--subresource=scale", "-o", "jsonpath={.kind} {.spec.replicas}")
    assert shown == "Scale 2"
    table = kubectl("get", "deployment", "web", "--subresource=scale").split()
    assert table[:6] == ["NAME", "DESIRED", "AVAILABLE", "AGE", "web", "2"]


@pytest.mark.parametrize(("command", "field", "past"), [("label", "labels", "labeled"),
                                                        ("annotate", "annotations", "annotated")])  # fmt: skip
def test_label_and_annotate(kubectl: Kubectl, command: str, field: str, past: str) -> None:
    kubectl("create", "configmap", "one")
    assert kubectl(command, "cm", "one", "a=b") == f"configmap/one {past}\n"
    assert "--overwrite is false" in kubectl.refused(command, "cm", "one", "a=c")
    kubectl(command, "cm", "one", "a=c", "d=e", "--overwrite")
    assert kubectl("get", "cm", "one", "-o", f"jsonpath={{.metadata.{field}}}") == '{"a":"c","d":"e"}'
    kubectl(command, "cm", "one", "a-")
    assert kubectl("get", "cm", "one", "-o", f"jsonpath={{.metadata.{field}}}") == '{"d":"e"}'
    assert kubectl(command, "cm", "--all", "x=y").count(past) == 2
    assert "d=e" in kubectl(command, "cm", "one", "--list")


def test_set_image_env_resources_and_account(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert kubectl("set", "image", "deployment/web", "main=test/idle:v2") == "deployment.apps/web image updated\n"
    assert kubectl("set", "env", "deployment/web", "SIZE=2", "COLOUR-") == "deployment.apps/web env updated\n"
    limits = ["--limits=cpu=1,memory=64Mi", "--requests=cpu=100m"]
    said = kubectl("set", "resources", "deployment/web", *limits)
    assert said == "deployment.apps/web resource requirements updated\n"
    kubectl("set", "serviceaccount", "deployment/web", "default")
    now = container(kubectl)
    assert (now["image"], now["env"]) == ("test/idle:v2", [{"name": "SIZE", "value": "2"}])
    assert now["resources"] == {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "100m"}}
    assert "SIZE=2" in kubectl("set", "env", "deployment/web", "--list")
    assert 'unable to find container named "nope"' in kubectl.refused("set", "image", "deployment/web", "nope=x")
    kubectl("create", "configmap", "more", "--from-literal=level=7")
    kubectl("set", "env", "deployment/web", "--from=configmap/more")
    assert "LEVEL from configmap more, key level" in kubectl("set", "env", "deployment/web", "--list")


def test_scale_up_and_down(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert kubectl("scale", "deployment", "web", "--replicas=2") == "deployment.apps/web scaled\n"
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/web", "--timeout=30s")
    said = kubectl.refused("scale", "deployment", "web", "--current-replicas=5", "--replicas=1")
    assert "Expected replicas to be 5, was 2" in said
    kubectl("scale", "deployment", "web", "--replicas=0")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=30s")


def test_expose_and_autoscale(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080") == "service/web exposed\n"
    assert kubectl("get", "svc", "web", "-o", "jsonpath={.spec.selector}") == '{"app":"web"}'
    said = kubectl("autoscale", "deployment", "web", "--min=2", "--max=3", "--cpu=50%")
    assert said == "horizontalpodautoscaler.autoscaling/web autoscaled\n"
    row = in_time(kubectl, "get", "hpa", "web", holds="2         3         2").splitlines()[1]
    assert row.split()[:4] == ["web", "Deployment/web", "cpu:", "<unknown>/50%"]  # it has no request for CPU
