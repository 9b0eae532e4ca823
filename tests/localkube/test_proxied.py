"""Requests handed on to pods: pods/NAME/proxy and services/NAME/proxy."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bluegreen.localkube.kinds import KINDS
from tests.localkube.serving import Served, serving

Obj = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


class Echo(http.server.BaseHTTPRequestHandler):
    """Says what it was asked."""

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = f"{self.command} {self.path} {self.rfile.read(size).decode()}".encode()
        self.send_response(418 if self.path == "/teapot" else 302 if self.path == "/moved" else 200)
        self.send_header("X-Secret", self.headers.get("Authorization", "none"))
        self.send_header("X-Uri", self.headers.get("X-Forwarded-Uri", ""))
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/moved":
            self.send_header("Location", "/there?x=1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def program() -> Iterator[int]:
    """The port of a pod's program."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def served(program: int) -> Iterator[Served]:
    """A server with a pod at this machine's address and a Service before it."""
    with serving() as found:
        found.do(lambda: _set_up(found, program))
        yield found


def _set_up(served: Served, port: int) -> None:
    registry = served.registry
    container = {"name": "c", "image": "i", "ports": [{"containerPort": port}]}
    for name in ("p", "lost"):
        pod = {"metadata": {"name": name}, "spec": {"containers": [container]}}
        registry.create(KINDS["Pod"], "default", pod)
    registry.modify(KINDS["Pod"], "default", "p", lambda pod: pod["status"].update(podIP="127.0.0.1"))
    ports = [{"name": "web", "port": 80}]
    for name, address in (("s", "127.0.0.1"), ("elsewhere", "127.0.0.2")):
        registry.create(KINDS["Service"], "default", {"metadata": {"name": name}, "spec": {"ports": ports}})
        subset = {"addresses": [{"ip": address}], "ports": [{"name": "web", "port": port}]}
        registry.create(KINDS["Endpoints"], "default", {"metadata": {"name": name}, "subsets": [subset]})


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with served.client() as found:
        yield found


def test_a_request_reaches_the_pod_and_its_answer_comes_back(client: httpx.Client, program: int) -> None:
    answer = client.get(f"{PODS}/p/proxy/a/b%20c?x=1&y=%2F", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.text) == (200, "GET /a/b%20c?x=1&y=%2F ")
    assert answer.headers["X-Secret"] == "none", "the API's credentials stay here"
    assert answer.headers["X-Uri"].startswith(f"{PODS}/p/proxy/a")
    posted = client.post(f"{PODS}/http:p:{program}/proxy/x", content=b"body")
    assert posted.text == "POST /x body"
    assert client.request("DELETE", f"{PODS}/p/proxy/").text == "DELETE / "
    assert client.head(f"{PODS}/p/proxy/").status_code == 200
    assert client.get(f"{PODS}/p/proxy/teapot").status_code == 418


@pytest.mark.parametrize("name", ["s:80", "s:web", "http:s:web"])
def test_a_services_port_goes_by_number_or_name(client: httpx.Client, name: str) -> None:
    assert client.get(f"{SERVICES}/{name}/proxy/x").text == "GET /x "


def test_redirects_stay_behind_the_proxy(client: httpx.Client) -> None:
    assert client.get(f"{PODS}/p/proxy/moved").headers["Location"] == f"{PODS}/p/proxy/there?x=1"
    bare = client.get(f"{PODS}/p/proxy?x=1")
    assert (bare.status_code, bare.headers["Location"]) == (301, f"{PODS}/p/proxy/?x=1")


# the sentences: registry/core/service/storage and registry/core/pod/strategy (ResourceLocation), apimachinery's proxy
@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (f"{PODS}/p:1/proxy/", 503, "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused"),
        (f"{PODS}/lost/proxy/", 400, "address not allowed"),
        (f"{PODS}/none/proxy/", 404, 'pods "none" not found'),
        (f"{PODS}/a:b:c:d/proxy/", 400, 'invalid pod request "a:b:c:d"'),
        (f"{SERVICES}/s/proxy/", 503, 'no endpoints available for service "s"'),
        (f"{SERVICES}/s:81/proxy/", 503, 'no service port 81 found for service "s"'),
        (f"{SERVICES}/elsewhere:80/proxy/", 503, 'no endpoints available for service "elsewhere"'),
        (f"{SERVICES}/ftp:s:80/proxy/", 400, 'invalid service request "ftp:s:80"'),
    ],
)
def test_what_cannot_be_reached_says_why(client: httpx.Client, path: str, code: int, message: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"], answer.json()["message"]) == (code, code, message)


def test_rights_are_asked_for_the_subresource(served: Served) -> None:
    account = served.do(lambda: served.registry.get(KINDS["ServiceAccount"], "default", "default"))
    request = {"spec": {"audiences": [], "expirationSeconds": 600}}
    token = served.do(lambda: served.authority.answer_token_request("default", account["metadata"]["name"], request))
    with served.client(token["status"]["token"]) as weak:
        refused = weak.get(f"{PODS}/p/proxy/")
    assert refused.status_code == 403
    assert 'cannot get resource "pods/proxy"' in refused.json()["message"]
