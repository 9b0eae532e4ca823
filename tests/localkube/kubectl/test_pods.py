"""kubectl run, logs, exec, attach, debug, cp, port-forward: what happens inside pods."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from contextlib import closing
from urllib.request import urlopen

import pytest

from tests.localkube.kubectl import Kubectl
from tests.localkube.kubectl.workload import BROKEN, SHELL, WEB, a_pod, in_time, started

# As kubectl 1.37 does it, and as it did until 1.30 (SPDY), which clients built on older libraries still do.
UPGRADES = {"websocket": {}, "spdy": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}}
FORWARDS = {"websocket": {}, "spdy": {"KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}}
TWO = """
apiVersion: v1
kind: Pod
metadata: {name: two, labels: {run: test}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers: [{name: init, image: test/shell:v1, command: [sh, -c, echo prepared]}]
  containers:
  - {name: a, image: test/shell:v1, command: [sh, -c, "echo one; echo two; echo three; exec sleep 600"]}
  - {name: b, image: test/shell:v1, command: [sh, -c, "echo other; exec sleep 600"]}
"""


def test_logs_of_a_pod_of_several_and_by_label(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=TWO)
    kubectl("wait", "--for=condition=Ready", "pod/two", "--timeout=30s")
    started(kubectl)
    assert kubectl("logs", "one") == "started\n"
    defaulted = kubectl.run("logs", "two")
    assert defaulted.stdout == "one\ntwo\nthree\n"
    assert 'Defaulted container "a" out of: a, b, init (init)' in defaulted.stderr
    assert kubectl("logs", "two", "-c", "a", "--tail=2") == "two\nthree\n"
    assert kubectl("logs", "two", "-c", "init") == "prepared\n"
    assert kubectl("logs", "two", "-c", "a", "--limit-bytes=5") == "one\nt"
    assert kubectl("logs", "two", "-c", "a", "--since=1h") == "one\ntwo\nthree\n"
    assert kubectl("logs", "two", "-c", "a", "--since-time=2999-01-01T00:00:00Z") == ""
    everything = kubectl("logs", "-l", "run=test", "--all-containers", "--prefix", "--tail=-1").splitlines()
    assert sorted(everything) == [
        "[pod/one/one] started", "[pod/two/a] one", "[pod/two/a] three", "[pod/two/a] two", "[pod/two/b] other",
        "[pod/two/init] prepared",
    ]  # fmt: skip
    stamped = kubectl("logs", "two", "-c", "b", "--timestamps")
    assert stamped.split()[0].endswith("Z")
    assert "container nope is not valid for pod two" in kubectl.refused("logs", "two", "-c", "nope")


def test_logs_follow_and_previous(kubectl: Kubectl) -> None:
    a_pod(kubectl, BROKEN, "bad")
    with kubectl.start("logs", "-f", "bad", "--pod-running-timeout=20s") as following:
        kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/bad", "--timeout=30s")
        assert kubectl("logs", "bad", "--previous") == "broken\n"
        following.terminate()
    started(kubectl)
    said = kubectl.refused("logs", "one", "--previous")
    assert 'previous terminated container "one" in pod "one" not found' in said


def test_logs_are_followed_to_their_end(kubectl: Kubectl) -> None:
    a_pod(kubectl, SHELL, "short", "--restart=Never", "--command", "--", "sh", "-c", "echo a; sleep 1; echo b")
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/short", "--timeout=30s")
    assert kubectl("logs", "-f", "short") == "a\nb\n"


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


class Terminal:
    """kubectl at a terminal, as a person has it."""

    def __init__(self, kubectl: Kubectl, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self._kubectl = subprocess.Popen(
            kubectl.command(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=kubectl.environment,
            cwd=kubectl.home, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def type(self, line: str) -> None:
        os.write(self._ours, line.encode() + b"\n")

    def until(self, word: str) -> str:
        """Everything up to a word; an end without it is an error."""
        said = b""
        while word.encode() not in said:
            said += os.read(self._ours, 4096)
        return said.decode()

    def ended(self) -> int:
        return self._kubectl.wait(timeout=30)

    def close(self) -> None:
        os.close(self._ours)
        if self._kubectl.poll() is None:
            self._kubectl.kill()
            self._kubectl.wait()


def test_exec_at_a_terminal(kubectl: Kubectl) -> None:
    started(kubectl)
    with closing(Terminal(kubectl, "exec", "-it", "one", "--", "sh")) as terminal:
        terminal.type("echo $((40 + 2)) on $TERM; test -t 0 && echo terminal; exit 3")
        said = terminal.until("terminal\r\n")
        assert "42 on xterm" in said
        assert terminal.ended() == 3


def test_run_with_input_and_removed_afterwards(kubectl: Kubectl) -> None:
    options = [f"--image={SHELL}", "--restart=Never", "-i", "--rm", "--quiet"]
    done = kubectl.run("run", "once", *options, stdin="read line\necho got $line from $HOSTNAME\nexit 4\nthe line\n")
    assert done.returncode == 4
    assert kubectl("get", "pods", "-o", "name") == ""


def test_run_at_a_terminal_and_attach_again(kubectl: Kubectl) -> None:
    with closing(Terminal(kubectl, "run", "shell", f"--image={SHELL}", "--restart=Never", "-it")) as terminal:
        terminal.until("If you don't see a command prompt")
        terminal.type("echo $((40 + 2))")
        terminal.until("42\r\n")
    with closing(Terminal(kubectl, "attach", "-it", "shell")) as terminal:
        terminal.type("echo $((70 + 7))")
        terminal.until("77\r\n")
        terminal.type("exit")
        terminal.ended()
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/shell", "--timeout=20s")
    assert "42" in kubectl("logs", "shell")


def test_debug_in_the_pod_and_in_a_copy(kubectl: Kubectl) -> None:
    started(kubectl)
    kubectl("debug", "one", f"--image={SHELL}", "-c", "look", "--", "sh", "-c", "echo looking at $HOSTNAME")
    in_time(kubectl, "logs", "one", "-c", "look", holds="looking at one\n")
    assert "Ephemeral Containers:\n  look:" in kubectl("describe", "pod", "one")
    kubectl("debug", "one", "--copy-to=copy", f"--image={SHELL}", "-c", "look", "--", "sleep", "600")
    kubectl("wait", "--for=condition=Ready", "pod/copy", "--timeout=30s")
    assert kubectl("exec", "copy", "-c", "look", "--", "hostname") == "copy\n"


def test_cp_there_and_back(kubectl: Kubectl) -> None:
    started(kubectl)
    name = f"/tmp/kubectl-{kubectl.namespace}"
    (kubectl.home / "there").write_text("content\n")
    kubectl("cp", "there", f"one:{name}")
    assert kubectl("exec", "one", "--", "cat", name) == "content\n"
    kubectl("cp", f"one:{name}", "back")
    kubectl("exec", "one", "--", "rm", name)
    assert (kubectl.home / "back").read_text() == "content\n"


@pytest.mark.parametrize("env", FORWARDS.values(), ids=FORWARDS)
@pytest.mark.parametrize("target", ["pod/one", "service/one"])
def test_port_forward_leads_to_the_pod(kubectl: Kubectl, env: dict[str, str], target: str) -> None:
    started(kubectl, WEB)
    kubectl("expose", "pod", "one", "--port=80", "--target-port=8080")
    port = ":8080" if target == "pod/one" else ":80"
    with kubectl.start("port-forward", target, port, env=env) as forwarding:
        assert forwarding.stdout is not None
        said = forwarding.stdout.readline()
        assert said.endswith("-> 8080\n")
        for _ in range(2):
            local = int(said.split()[2].rpartition(":")[2])
            with urlopen(f"http://127.0.0.1:{local}/", timeout=10) as answer:
                assert answer.read() == b"hello from the pod"
        forwarding.send_signal(signal.SIGINT)


def test_port_forward_to_a_deployment(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", f"--image={WEB}", "--port=8080")
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    with kubectl.start("port-forward", "deployment/web", ":8080", "--address=127.0.0.1") as forwarding:
        assert forwarding.stdout is not None
        local = int(forwarding.stdout.readline().split()[2].rpartition(":")[2])
        with urlopen(f"http://127.0.0.1:{local}/", timeout=10) as answer:
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
