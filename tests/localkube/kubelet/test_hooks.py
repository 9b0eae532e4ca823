"""Lifecycle hooks: the kubelet's sentences (pkg/kubelet/lifecycle, startContainer), and what a failed one leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.localkube.kubelet.node import Node, has_ended, is_running, on_node, shell, state_of

Obj = dict[str, object]


def waits_after_hook(pod: Obj) -> bool:
    return state_of(pod).get("waiting", {}).get("reason") == "PostStartHookError"


def test_a_failed_post_start_hook_is_shown_with_its_sentence(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        hook = {"exec": {"command": ["sh", "-c", "echo out; echo err >&2; exit 4"]}}
        script = "trap 'exit 0' TERM; sleep 60 & wait"
        node.pod("p", shell(script, lifecycle={"postStart": hook}))
        pod = await node.until("p", waits_after_hook)
        title = f"p_test({pod['metadata']['uid']})"
        command = "sh -c echo out; echo err >&2; exit 4"
        assert state_of(pod)["waiting"]["message"] == (
            f'Exec lifecycle hook ([{command}]) for Container "app" in Pod "{title}" failed - error: '
            f"command '{command}' exited with 4: err\n, message: \"out\\nerr\\n\""
        )
        assert "terminated" in pod["status"]["containerStatuses"][0]["lastState"]
        told = node.events("p")
        assert ("FailedPostStartHook", "PostStartHook failed") in told
        assert ("Killing", "FailedPostStartHook") in told

    on_node(tmp_path, test)


def test_a_container_that_is_not_restarted_shows_how_it_ended(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        trapped = tmp_path / "trapped"  # process 1 is deaf to a signal that it has not trapped
        hook = {"exec": {"command": ["sh", "-c", f"until test -e {trapped}; do sleep 0.05; done; exit 1"]}}
        script = f"trap 'exit 5' TERM; touch {trapped}; sleep 60 & wait"
        node.pod("p", shell(script, lifecycle={"postStart": hook}), restartPolicy="Never")
        pod = await node.until("p", has_ended)
        assert state_of(pod)["terminated"]["exitCode"] == 5
        assert pod["status"]["phase"] == "Failed"

    on_node(tmp_path, test)


SERVER = """
import http.server, os, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers["User-Agent"], self.headers["X-Custom"], flush=True)
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.HTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""


def test_an_http_hook_is_content_with_any_status(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        hook = {"httpGet": {"path": "/stop", "port": 8080, "httpHeaders": [{"name": "x-custom", "value": "1"}]}}
        script = f"exec python3 -c '{SERVER}'"
        ready = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
        node.pod("p", shell(script, lifecycle={"preStop": hook}, readinessProbe=ready))
        await node.until("p", is_running)
        await node.until("p", lambda pod: pod["status"]["containerStatuses"][0]["ready"])
        pod = node.get("p")
        assert pod is not None
        node.delete("p")
        await node.wait(lambda: "/stop kube-lifecycle/1.34 1" in node.raw_log("p") if node.get("p") else "gone")
        await node.gone("p")
        assert "FailedPreStopHook" not in [reason for reason, _ in node.events("p")]

    on_node(tmp_path, test)


@pytest.mark.parametrize("hook", [{"exec": {"command": ["sh", "-c", "exit 4"]}}, {"httpGet": {"port": 9}}])
def test_a_failed_pre_stop_hook_is_told_and_the_container_stopped(tmp_path: Path, hook: Obj) -> None:
    async def test(node: Node) -> None:
        node.pod("p", shell("trap 'exit 0' TERM; sleep 60 & wait", lifecycle={"preStop": hook}))
        await node.until("p", is_running)
        node.delete("p")
        await node.gone("p")
        told = [reason for reason, _ in node.events("p")]
        assert told[-2:] == ["Killing", "FailedPreStopHook"]

    on_node(tmp_path, test)
