"""kubectl apply, diff, create, replace and edit: objects from files and from generators."""

from __future__ import annotations

import json

import pytest

from tests.localkube.kubectl import Kubectl
from tests.localkube.kubectl.workload import DEPLOYMENT

COLOUR = "jsonpath={.spec.template.spec.containers[0].env[0].value}"
GREEN = DEPLOYMENT.replace("blue", "green")


def test_apply_creates_configures_and_leaves_alone(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web unchanged\n"
    planned = kubectl("apply", "-f", "-", "--dry-run=server", stdin=GREEN)
    assert planned == "deployment.apps/web configured (server dry run)\n"
    assert kubectl("get", "deploy", "web", "-o", COLOUR) == "blue"
    assert kubectl("apply", "-f", "-", stdin=GREEN) == "deployment.apps/web configured\n"
    assert kubectl("get", "deploy", "web", "-o", COLOUR) == "green"
    assert "image: test/idle:v1" in kubectl("apply", "view-last-applied", "deployment/web")


def test_apply_takes_out_what_was_taken_out_and_leaves_what_others_set(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    kubectl("scale", "deployment", "web", "--replicas=3")
    kubectl("label", "deployment", "web", "team=a")
    without = DEPLOYMENT.replace("        env: [{name: COLOUR, value: blue}]\n", "").replace("  replicas: 1\n", "")
    kubectl("apply", "-f", "-", stdin=without)
    live = json.loads(kubectl("get", "deploy", "web", "-o", "json"))
    assert "env" not in live["spec"]["template"]["spec"]["containers"][0]
    assert live["spec"]["replicas"] == 1  # it was applied once and is not any more: back to the default
    assert live["metadata"]["labels"] == {"app": "web", "team": "a"}


def test_apply_of_several_objects_at_once(kubectl: Kubectl) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
    said = kubectl("apply", "-f", "-", stdin=f"{config}---\n{DEPLOYMENT}")
    assert said == "configmap/one created\ndeployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", "-o", "name", stdin=config) == "configmap/one\n"


def test_apply_refuses_an_unknown_field(kubectl: Kubectl) -> None:
    wrong = DEPLOYMENT.replace("replicas:", "replica:")
    assert 'unknown field "spec.replica"' in kubectl.refused("apply", "-f", "-", stdin=wrong)
    warned = kubectl.run("apply", "-f", "-", "--validate=warn", stdin=wrong)
    assert (warned.stdout, warned.returncode) == ("deployment.apps/web created\n", 0)
    assert 'Warning: unknown field "spec.replica"' in warned.stderr


def test_apply_on_the_server_knows_who_owns_what(kubectl: Kubectl) -> None:
    apply = ["apply", "--server-side", "-f", "-"]
    assert kubectl(*apply, "--field-manager=a", stdin=DEPLOYMENT) == "deployment.apps/web serverside-applied\n"
    other = DEPLOYMENT.replace("replicas: 1", "replicas: 2")
    said = kubectl.refused(*apply, "--field-manager=b", stdin=other)
    assert 'Apply failed with 1 conflict: conflict with "a": .spec.replicas' in said
    assert "Please review the fields above--they currently have other managers." in said
    planned = kubectl(*apply, "--field-manager=b", "--force-conflicts", "--dry-run=server", stdin=other)
    assert planned == "deployment.apps/web serverside-applied (server dry run)\n"
    kubectl(*apply, "--field-manager=b", "--force-conflicts", stdin=other)
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "2"
    managers = kubectl("get", "deploy", "web", "-o", "jsonpath={.metadata.managedFields[*].manager}",
                       "--show-managed-fields").split()  # fmt: skip
    assert {"a", "b"} <= set(managers)


def test_diff_shows_what_would_change_and_changes_nothing(kubectl: Kubectl) -> None:
    new = kubectl.run("diff", "-f", "-", stdin=DEPLOYMENT)
    assert (new.returncode, "+  name: web\n" in new.stdout) == (1, True)
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    done = kubectl.run("diff", "-f", "-", stdin=GREEN)
    assert done.returncode == 1
    assert "-          value: blue\n+          value: green\n" in done.stdout
    assert kubectl.run("diff", "--server-side", "--force-conflicts", "-f", "-", stdin=GREEN).returncode == 1
    assert kubectl.run("diff", "-f", "-", stdin=DEPLOYMENT).returncode == 0
    assert kubectl("get", "deploy", "web", "-o", COLOUR) == "blue"


# namespaces, config maps, secrets, deployments and jobs come as protobuf
@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (["configmap", "x", "--from-literal=a=b"], "configmap/x created"),
        (["secret", "generic", "x", "--from-literal=a=b"], "secret/x created"),
        (["secret", "docker-registry", "x", "--docker-server=r", "--docker-username=u", "--docker-password=p"],
         "secret/x created"),
        (["deployment", "x", "--image=pause", "--replicas=2", "--port=80"], "deployment.apps/x created"),
        (["job", "x", "--image=pause"], "job.batch/x created"),
        (["serviceaccount", "x"], "serviceaccount/x created"),
        (["service", "clusterip", "x", "--tcp=80:8080"], "service/x created"),
        (["service", "nodeport", "x", "--tcp=80:8080"], "service/x created"),
        (["service", "loadbalancer", "x", "--tcp=80:8080"], "service/x created"),
        (["service", "externalname", "x", "--external-name=a.example"], "service/x created"),
        (["quota", "x", "--hard=pods=5"], "resourcequota/x created"),
        (["role", "x", "--verb=get,list", "--resource=pods"], "role.rbac.authorization.k8s.io/x created"),
        (["rolebinding", "x", "--clusterrole=view", "--user=u"], "rolebinding.rbac.authorization.k8s.io/x created"),
        (["pdb", "x", "--selector=a=b", "--max-unavailable=1"], "poddisruptionbudget.policy/x created"),
        (["ingress", "x", "--rule=a.example/=svc:80"], "ingress.networking.k8s.io/x created"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)  # fmt: skip
def test_create_generates_objects(kubectl: Kubectl, arguments: list[str], made: str) -> None:
    assert kubectl("create", *arguments, "--dry-run=server") == made.replace("created", "created (server dry run)\n")
    assert kubectl("create", *arguments) == f"{made}\n"
    assert "already exists" in kubectl.refused("create", *arguments).lower()


def test_create_from_a_file_and_with_a_generated_name(kubectl: Kubectl) -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: one-}\n"
    first, second = (kubectl("create", "-f", "-", stdin=body) for _ in range(2))
    assert first.startswith("configmap/one-")
    assert first != second
    named = body.replace("generateName: one-", "name: one")
    assert kubectl("create", "-f", "-", stdin=named) == "configmap/one created\n"
    assert '(AlreadyExists): error when creating "STDIN": configmaps "one" already exists' in kubectl.refused(
        "create", "-f", "-", stdin=named
    )


def test_replace_and_edit(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "one", "--from-literal=key=old")
    uid = kubectl("get", "cm", "one", "-o", "jsonpath={.metadata.uid}")
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {key: new}}"
    assert kubectl("replace", "-f", "-", stdin=manifest) == "configmap/one replaced\n"
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.metadata.uid}") == uid
    assert kubectl("edit", "cm", "one", env={"KUBE_EDITOR": "sed -i s/new/edited/"}) == "configmap/one edited\n"
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.data.key}") == "edited"
    unchanged = kubectl.run("edit", "cm", "one", env={"KUBE_EDITOR": "true"})
    assert "Edit cancelled, no changes made." in unchanged.stdout + unchanged.stderr
    forced = kubectl("replace", "--force", "-f", "-", stdin=manifest)
    assert forced == f'configmap "one" deleted from {kubectl.namespace} namespace\nconfigmap/one replaced\n'
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.metadata.uid}") != uid
    stale = manifest.replace("name: one", 'name: one, resourceVersion: "1"')
    assert "the object has been modified; please apply your changes to the latest version" in kubectl.refused(
        "replace", "-f", "-", stdin=stale
    )
