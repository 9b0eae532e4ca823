"""kubectl rollout: status, history, undo, pause, resume, restart."""

from __future__ import annotations

from tests.localkube.kubectl import Kubectl, rows
from tests.localkube.kubectl.workload import IDLE, MISSING, NEXT, deploy, ordered

IMAGE = "jsonpath={.spec.template.spec.containers[0].image}"


def done(kubectl: Kubectl) -> str:
    return kubectl("rollout", "status", "deployment/web", "--timeout=30s")


def revisions(kubectl: Kubectl) -> list[list[str]]:
    return [row for row in rows(kubectl("rollout", "history", "deployment/web"))[1:] if row]


def test_from_image_to_undo(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("set", "image", "deployment/web", f"main={NEXT}")
    kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=second image")
    assert done(kubectl).splitlines()[-1] == 'deployment "web" successfully rolled out'
    kubectl("set", "env", "deployment/web", "COLOUR=green")
    done(kubectl)
    assert revisions(kubectl) == [["1", "<none>"], ["2", "second image"], ["3", "second image"]]
    ordered(
        kubectl("rollout", "history", "deployment/web", "--revision=1"),
        "deployment.apps/web with revision #1",
        "Pod Template:",
        f"Image: {IDLE}",
        "COLOUR: blue",
    )
    assert kubectl("rollout", "undo", "deployment/web", "--to-revision=1") == "deployment.apps/web rolled back\n"
    done(kubectl)
    assert kubectl("get", "deploy", "web", "-o", IMAGE) == IDLE
    assert [row[0] for row in revisions(kubectl)] == ["2", "3", "4"]
    kubectl("rollout", "undo", "deployment/web")
    assert kubectl("get", "deploy", "web", "-o", IMAGE) == NEXT
    said = kubectl.refused("rollout", "undo", "deployment/web", "--to-revision=99")
    assert "unable to find specified revision 99 in history" in said
    said = kubectl.refused("rollout", "status", "deployment/web", "--revision=1")
    assert "desired revision (1) is different from the running revision" in said


def test_pause_resume_and_restart(kubectl: Kubectl) -> None:
    deploy(kubectl)
    assert kubectl("rollout", "pause", "deployment/web") == "deployment.apps/web paused\n"
    assert "is already paused" in kubectl.refused("rollout", "pause", "deployment/web")
    kubectl("set", "image", "deployment/web", f"main={NEXT}")
    assert "paused" in kubectl.refused("rollout", "restart", "deployment/web")
    assert kubectl("rollout", "resume", "deployment/web") == "deployment.apps/web resumed\n"
    done(kubectl)
    assert kubectl("rollout", "restart", "deployment/web") == "deployment.apps/web restarted\n"
    done(kubectl)
    assert len(kubectl("get", "rs", "-o", "name").split()) == 3
    path = r"jsonpath={.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt}"
    assert kubectl("get", "deploy", "web", "-o", path).startswith("20")
    kubectl("rollout", "pause", "deployment/web")
    assert "you cannot rollback a paused deployment" in kubectl.refused("rollout", "undo", "deployment/web")


def test_status_of_one_that_does_not_get_there(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("patch", "deployment", "web", "-p", '{"spec": {"progressDeadlineSeconds": 1}}')
    kubectl("set", "image", "deployment/web", f"main={MISSING}")
    waited = kubectl.run("rollout", "status", "deployment/web", "--timeout=30s")
    assert waited.returncode == 1
    assert 'Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...' in waited.stdout
    assert 'error: deployment "web" exceeded its progress deadline' in waited.stderr
    assert "ProgressDeadlineExceeded" in kubectl("describe", "deployment", "web")
