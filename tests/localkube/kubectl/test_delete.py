"""kubectl delete and wait: ends, and waiting for them."""

from __future__ import annotations

from tests.localkube.kubectl import Kubectl
from tests.localkube.kubectl.workload import MISSING, a_pod, deploy, started


def test_wait_for_conditions_values_and_creation(kubectl: Kubectl) -> None:
    started(kubectl)
    assert kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=20s") == "pod/one condition met\n"
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod", "--all", "--timeout=20s")
    kubectl("wait", "--for=jsonpath={.status.podIP}", "pod/one", "--timeout=20s")
    with kubectl.start("wait", "--for=create", "configmap/late", "--timeout=20s") as waiting:
        kubectl("create", "configmap", "late")
        assert waiting.wait(timeout=20) == 0
    with kubectl.start("wait", "--for=delete", "configmap/late", "--timeout=20s") as waiting:
        kubectl("delete", "configmap", "late")
        assert waiting.wait(timeout=20) == 0


def test_wait_for_what_does_not_come_ends(kubectl: Kubectl) -> None:
    a_pod(kubectl, MISSING, "never")
    said = kubectl.refused("wait", "--for=condition=Ready", "pod/never", "--timeout=1s")
    assert "timed out waiting for the condition on pods/never" in said
    assert 'pods "none" not found' in kubectl.refused("wait", "--for=condition=Ready", "pod/none", "--timeout=1s")


def test_delete_with_its_dependents_in_every_way(kubectl: Kubectl) -> None:
    deploy(kubectl)
    said = kubectl("delete", "deployment", "web", "--cascade=orphan")
    assert said == f'deployment.apps "web" deleted from {kubectl.namespace} namespace\n'
    assert kubectl("get", "rs", "-o", "name").startswith("replicaset.apps/web-")
    kubectl("delete", "rs", "--all", "--cascade=foreground", "--timeout=30s")
    assert kubectl.run("get", "pods").stderr == f"No resources found in {kubectl.namespace} namespace.\n"
    deploy(kubectl)
    kubectl("delete", "deployment/web", "--cascade=background")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=30s")


def test_delete_of_pods_at_once_and_with_patience(kubectl: Kubectl) -> None:
    started(kubectl)
    forced = kubectl.run("delete", "pod", "one", "--force", "--grace-period=0")
    assert "Warning: Immediate deletion does not wait for confirmation" in forced.stderr
    assert forced.stdout == f'pod "one" force deleted from {kubectl.namespace} namespace\n'
    assert "NotFound" in kubectl.refused("get", "pod", "one")
    started(kubectl, name="two")
    kubectl("delete", "pod", "two", "--grace-period=1", "--wait=true", "--timeout=30s")
    started(kubectl, name="three")
    assert "(server dry run)" in kubectl("delete", "pod", "three", "--dry-run=server")
    kubectl("delete", "pod", "three", "--now", "--wait=false")
    kubectl("wait", "--for=delete", "pod/three", "--timeout=20s")


def test_delete_by_selectors_files_and_names(kubectl: Kubectl) -> None:
    for name in ("one", "two", "three", "four"):
        kubectl("create", "configmap", name)
    kubectl("label", "cm", "one", "two", "gone=yes")
    assert kubectl("delete", "cm", "-l", "gone=yes", "-o", "name") == "configmap/one\nconfigmap/two\n"
    assert "three" in kubectl("delete", "cm", "--field-selector=metadata.name=three")
    body = "{apiVersion: v1, kind: ConfigMap, metadata: {name: four}}"
    kubectl("delete", "-f", "-", stdin=body)
    assert '(NotFound): error when deleting "STDIN": configmaps "four" not found' in kubectl.refused(
        "delete", "-f", "-", stdin=body
    )
    assert kubectl("delete", "cm", "four", "--ignore-not-found") == ""
    assert kubectl.run("delete", "cm", "-l", "gone=yes").stdout == "No resources found\n"


def test_a_namespace_goes_with_everything_in_it(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-b"
    kubectl("create", "namespace", name)
    kubectl("create", "configmap", "one", "-n", name)
    assert kubectl("delete", "namespace", name, "--timeout=30s") == f'namespace "{name}" deleted\n'
    assert "NotFound" in kubectl.refused("get", "namespace", name)
