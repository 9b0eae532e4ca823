"""kubectl, unmodified: every command a person uses, and what it prints."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from bluegreen.localkube import Cluster
from tests.localkube.kubectl import Kubectl, rows

IDLE = "test/idle:v1"  # prints a line and waits
NEXT = "test/idle:v2"
BROKEN = "test/broken:v1"  # prints a line and fails
WEB = "test/web:v1"  # answers every request on port 8080 of the pod's address

SERVER = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello from the pod")
    def log_message(self, *_): pass
http.server.HTTPServer((os.environ["POD_IP"], 8080), Answer).serve_forever()
"""

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: test/idle:v1
        env: [{name: COLOUR, value: blue}]
        ports: [{name: http, containerPort: 8080}]
"""


@pytest.fixture(scope="module")
def images(cluster: Cluster) -> None:
    """Light programs as images."""
    idle = ["sh", "-c", "echo started; trap 'exit 0' TERM; while :; do sleep 1 & wait; done"]
    cluster.add_image(IDLE, idle)
    cluster.add_image(NEXT, idle, {"VERSION": "2"})
    cluster.add_image(BROKEN, ["sh", "-c", "echo broken; exit 3"])
    cluster.add_image(WEB, [sys.executable, "-c", SERVER])


@pytest.fixture
def kubectl(cluster: Cluster, images: None, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl in a new namespace, which goes at the end."""
    namespace = f"kubectl-{uuid.uuid4().hex[:6]}"
    run = Kubectl(cluster.kubeconfig, namespace, tmp_path)
    run("create", "namespace", namespace)
    yield run
    run("delete", "namespace", namespace, "--wait=false")


def deploy(kubectl: Kubectl, manifest: str = DEPLOYMENT) -> None:
    kubectl("apply", "-f", "-", stdin=manifest)
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")


def a_pod(kubectl: Kubectl, image: str = IDLE, name: str = "one", *more: str) -> None:
    kubectl("run", name, f"--image={image}", "--labels=run=test", *more)


def started(kubectl: Kubectl, image: str = IDLE, name: str = "one") -> None:
    a_pod(kubectl, image, name)
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")


# -- looking ---------------------------------------------------------------------------------------------------------
def test_what_is_served_is_listed(kubectl: Kubectl) -> None:
    shown = kubectl("api-resources")
    assert "deployments" in shown
    assert "apps/v1" in kubectl("api-versions").split()
    assert "pods" in kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").split()
    assert "Server Version: v1.34" in kubectl("version")
    assert "control plane" in kubectl("cluster-info")


# -- making and changing ---------------------------------------------------------------------------------------------
def test_apply_creates_configures_and_leaves_alone(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web unchanged\n"
    changed = DEPLOYMENT.replace("blue", "green")
    assert kubectl("apply", "-f", "-", "--dry-run=server", stdin=changed).startswith("deployment.apps/web configured")
    assert kubectl("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\n"
    path = "jsonpath={.spec.template.spec.containers[0].env[0].value}"
    assert kubectl("get", "deploy", "web", "-o", path) == "green"


def test_apply_refuses_an_unknown_field(kubectl: Kubectl) -> None:
    said = kubectl.refused("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas:", "replica:"))
    assert 'unknown field "spec.replica"' in said


def test_apply_on_the_server_knows_who_owns_what(kubectl: Kubectl) -> None:
    apply = ["apply", "--server-side", "-f", "-"]
    assert "serverside-applied" in kubectl(*apply, "--field-manager=a", stdin=DEPLOYMENT)
    other = DEPLOYMENT.replace("replicas: 1", "replicas: 2")
    said = kubectl.refused(*apply, "--field-manager=b", stdin=other)
    assert 'conflict with "a"' in said
    assert ".spec.replicas" in said
    kubectl(*apply, "--field-manager=b", "--force-conflicts", stdin=other)
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "2"


def test_diff_shows_what_would_change_and_changes_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    done = kubectl.run("diff", "-f", "-", stdin=DEPLOYMENT.replace("blue", "green"))
    assert done.returncode == 1
    assert "+          value: green\n" in done.stdout
    assert kubectl.run("diff", "-f", "-", stdin=DEPLOYMENT).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (["configmap", "x", "--from-literal=a=b"], "configmap/x created"),
        (["secret", "generic", "x", "--from-literal=a=b"], "secret/x created"),
        (["deployment", "x", "--image=pause", "--replicas=2", "--port=80"], "deployment.apps/x created"),
        (["job", "x", "--image=pause"], "job.batch/x created"),
        (["serviceaccount", "x"], "serviceaccount/x created"),
        (["service", "clusterip", "x", "--tcp=80:8080"], "service/x created"),
        (["service", "nodeport", "x", "--tcp=80:8080"], "service/x created"),
        (["service", "loadbalancer", "x", "--tcp=80:8080"], "service/x created"),
        (["quota", "x", "--hard=pods=5"], "resourcequota/x created"),
        (["role", "x", "--verb=get,list", "--resource=pods"], "role.rbac.authorization.k8s.io/x created"),
        (["rolebinding", "x", "--clusterrole=view", "--user=u"], "rolebinding.rbac.authorization.k8s.io/x created"),
        (["pdb", "x", "--selector=a=b", "--max-unavailable=1"], "poddisruptionbudget.policy/x created"),
        (["ingress", "x", "--rule=a.example/=svc:80"], "ingress.networking.k8s.io/x created"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_create_generates_objects(kubectl: Kubectl, arguments: list[str], made: str) -> None:
    assert kubectl("create", *arguments) == f"{made}\n"
    assert "already exists" in kubectl.refused("create", *arguments).lower()


def test_create_token_gives_one_that_lets_in(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "rolebinding", "reader", "--clusterrole=view", f"--serviceaccount={kubectl.namespace}:reader")
    token = kubectl("create", "token", "reader").strip()
    other = kubectl.home / "kubeconfig"
    other.write_text(kubectl.kubeconfig.read_text().replace(_admin(kubectl), token))
    as_reader = Kubectl(other, kubectl.namespace, kubectl.home)
    as_reader("get", "pods")
    assert "(Forbidden)" in as_reader.refused("delete", "configmap", "kube-root-ca.crt")
    assert f"system:serviceaccount:{kubectl.namespace}:reader" in as_reader("auth", "whoami")


def _admin(kubectl: Kubectl) -> str:
    view = kubectl("config", "view", "--raw", "-o", "jsonpath={.users[0].user.token}")
    assert len(view) > 20
    return view


def test_auth_can_i_answers_for_others(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods").strip() == "yes"
    assert kubectl.run("auth", "can-i", "create", "pods", "--as=somebody").stdout.strip() == "no"
    assert "*.*" in kubectl("auth", "can-i", "--list")


def test_replace_and_edit(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "one", "--from-literal=key=old")
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {key: new}}"
    assert kubectl("replace", "-f", "-", stdin=manifest) == "configmap/one replaced\n"
    assert kubectl("edit", "cm", "one", env={"KUBE_EDITOR": "sed -i s/new/edited/"}) == "configmap/one edited\n"
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.data.key}") == "edited"


@pytest.mark.parametrize(
    ("type_", "patch"),
    [
        ("strategic", '{"data": {"key": "new"}}'),
        ("merge", '{"data": {"key": "new"}}'),
        ("json", '[{"op": "replace", "path": "/data/key", "value": "new"}]'),
    ],
)
def test_patch_of_every_type(kubectl: Kubectl, type_: str, patch: str) -> None:
    kubectl("create", "configmap", "one", "--from-literal=key=old")
    assert kubectl("patch", "cm", "one", f"--type={type_}", "-p", patch) == "configmap/one patched\n"
    assert kubectl("get", "cm", "one", "-o", "jsonpath={.data.key}") == "new"


def test_label_and_annotate(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "one")
    assert kubectl("label", "cm", "one", "a=b") == "configmap/one labeled\n"
    assert "already has a value" in kubectl.refused("label", "cm", "one", "a=c")
    kubectl("label", "cm", "one", "a=c", "--overwrite")
    assert kubectl("annotate", "cm", "one", "n=m") == "configmap/one annotated\n"
    shown = json.loads(kubectl("get", "cm", "one", "-o", "json"))["metadata"]
    assert (shown["labels"], shown["annotations"]) == ({"a": "c"}, {"n": "m"})
    assert "unlabeled" in kubectl("label", "cm", "one", "a-")


def test_expose_and_autoscale(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    assert kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080") == "service/web exposed\n"
    assert kubectl("get", "svc", "web", "-o", "jsonpath={.spec.selector.app}") == "web"
    kubectl("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu=50%")
    assert "cpu: " in kubectl("get", "hpa", "web")


# -- rollouts --------------------------------------------------------------------------------------------------------
def test_scale_up_and_down(kubectl: Kubectl) -> None:
    deploy(kubectl)
    assert kubectl("scale", "deployment", "web", "--replicas=2") == "deployment.apps/web scaled\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}") == "2"
    kubectl("scale", "deployment", "web", "--replicas=0")
    kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=30s")


def test_a_rollout_from_image_to_undo(kubectl: Kubectl) -> None:
    deploy(kubectl)
    kubectl("set", "image", "deployment/web", f"main={NEXT}")
    done = kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert 'deployment "web" successfully rolled out' in done
    kubectl("set", "env", "deployment/web", "COLOUR=green")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    history = kubectl("rollout", "history", "deployment/web")
    assert [row[0] for row in rows(history)[1:] if row] == ["1", "2", "3"]
    assert IDLE in kubectl("rollout", "history", "deployment/web", "--revision=1")
    assert kubectl("rollout", "undo", "deployment/web", "--to-revision=1") == "deployment.apps/web rolled back\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == IDLE


def test_pause_resume_and_restart(kubectl: Kubectl) -> None:
    deploy(kubectl)
    assert kubectl("rollout", "pause", "deployment/web") == "deployment.apps/web paused\n"
    kubectl("set", "image", "deployment/web", f"main={NEXT}")
    assert "paused" in kubectl.refused("rollout", "restart", "deployment/web")
    assert kubectl("rollout", "resume", "deployment/web") == "deployment.apps/web resumed\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert kubectl("rollout", "restart", "deployment/web") == "deployment.apps/web restarted\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert len(kubectl("get", "rs", "-o", "name").split()) == 3


# -- pods ------------------------------------------------------------------------------------------------------------
def test_logs_of_a_pod_and_by_label(kubectl: Kubectl) -> None:
    started(kubectl)
    assert kubectl("logs", "one") == "started\n"
    assert kubectl("logs", "-l", "run=test", "--prefix", "--timestamps").startswith("[pod/one/one] 2")
    assert kubectl("logs", "one", "--tail=0") == ""


def test_logs_follow_and_previous(kubectl: Kubectl) -> None:
    a_pod(kubectl, BROKEN, "bad")
    with kubectl.start("logs", "-f", "bad", "--pod-running-timeout=20s") as following:
        kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/bad", "--timeout=30s")
        assert kubectl("logs", "bad", "--previous") == "broken\n"
        following.terminate()
    waits = "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff"
    kubectl("wait", f"--for={waits}", "pod/bad", "--timeout=30s")
    assert "CrashLoopBackOff" in kubectl("get", "pod", "bad")


# As kubectl 1.37 does it, and as it did until 1.30 (SPDY), which clients built on older libraries still do.
UPGRADES = {"websocket": {}, "spdy": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}}
FORWARDS = {"websocket": {}, "spdy": {"KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}}


@pytest.mark.parametrize("env", UPGRADES.values(), ids=UPGRADES)
def test_exec_runs_a_program_in_the_pod_and_gives_its_exit_code(kubectl: Kubectl, env: dict[str, str]) -> None:
    started(kubectl)
    assert kubectl("exec", "one", "--", "sh", "-c", "echo $HOSTNAME", env=env) == "one\n"
    large = "0123456789abcdef" * 20_000
    assert kubectl("exec", "-i", "one", "--", "cat", stdin=large, env=env) == large
    done = kubectl.run("exec", "one", "--", "sh", "-c", "echo out; echo err >&2; exit 7", env=env)
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr.startswith("err\n")
    missing = kubectl.run("exec", "one", "--", "/nope", env=env)
    assert 'exec: "/nope": stat /nope: no such file or directory: unknown' in missing.stderr


@pytest.mark.parametrize("env", FORWARDS.values(), ids=FORWARDS)
def test_port_forward_leads_to_the_pod(kubectl: Kubectl, env: dict[str, str]) -> None:
    started(kubectl, WEB)
    with kubectl.start("port-forward", "pod/one", ":8080", env=env) as forwarding:
        assert forwarding.stdout is not None
        said = forwarding.stdout.readline()
        port = int(said.split()[2].rpartition(":")[2])
        with urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            assert answer.read() == b"hello from the pod"
        forwarding.send_signal(signal.SIGINT)


def test_a_service_leads_to_its_pods(kubectl: Kubectl) -> None:
    started(kubectl, WEB)
    kubectl("expose", "pod", "one", "--port=8080", "--name=web")
    kubectl("wait", "--for=jsonpath={.endpoints[0].conditions.ready}=true", "endpointslice", "-l",
            "kubernetes.io/service-name=web", "--timeout=20s")  # fmt: skip
    address = kubectl("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}")
    with urlopen(f"http://{address}:8080/", timeout=10) as answer:
        assert answer.read() == b"hello from the pod"


def test_wait_for_what_does_not_come_ends(kubectl: Kubectl) -> None:
    a_pod(kubectl, "test/none:v1", "never")
    said = kubectl.refused("wait", "--for=condition=Ready", "pod/never", "--timeout=1s")
    assert "timed out waiting for the condition" in said


def test_delete_in_all_its_ways(kubectl: Kubectl) -> None:
    deploy(kubectl)
    assert (
        kubectl("delete", "deployment", "web", "--cascade=orphan")
        == f'deployment.apps "web" deleted from {kubectl.namespace} namespace\n'
    )
    assert kubectl("get", "rs", "-o", "name").startswith("replicaset.apps/web-")
    kubectl("delete", "rs", "--all", "--cascade=foreground", "--timeout=30s")
    started(kubectl)
    kubectl("delete", "pod", "one", "--force", "--grace-period=0")
    assert "NotFound" in kubectl.refused("get", "pod", "one")
    started(kubectl, name="two")
    kubectl("delete", "pod", "two", "--grace-period=1", "--wait=true", "--timeout=30s")
    assert "No resources found" in kubectl.run("get", "pods").stderr


def test_a_namespace_goes_with_everything_in_it(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-b"
    kubectl("create", "namespace", name)
    kubectl("create", "configmap", "one", "-n", name)
    assert kubectl("delete", "namespace", name, "--timeout=30s") == f'namespace "{name}" deleted\n'
    assert "NotFound" in kubectl.refused("get", "namespace", name)


def test_top_shows_what_pods_use(kubectl: Kubectl) -> None:
    started(kubectl)
    assert _retried(kubectl, "top", "pods").startswith("NAME")
    assert "CPU(cores)" in _retried(kubectl, "top", "nodes")


def _retried(kubectl: Kubectl, *arguments: str) -> str:
    """Metrics are there some seconds after a pod is, on every cluster: ask until they are, within bounds."""
    from bluegreen.clock import Deadline, sleep_s

    deadline = Deadline(20)
    while True:
        done = kubectl.run(*arguments)
        if done.returncode == 0 or deadline.expired:
            assert done.returncode == 0, done.stderr
            return done.stdout
        sleep_s(0.2)


def test_a_command_without_a_token_gets_nothing(kubectl: Kubectl) -> None:
    bare = kubectl.home / "bare"
    bare.write_text(kubectl.kubeconfig.read_text().replace(_admin(kubectl), "not-the-token"))
    said = Kubectl(bare, kubectl.namespace, kubectl.home).refused("get", "pods")
    assert "Unauthorized" in said or "must be logged in" in said


def test_kubectl_is_the_real_one(kubectl: Kubectl) -> None:
    shown = subprocess.run(kubectl.command("version", "--client"), capture_output=True, text=True, check=True)
    assert "Client Version: v1." in shown.stdout
