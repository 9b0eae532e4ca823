"""What a registry says of an image: references and credentials by the rules, and a real registry's answers."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bluegreen import grammar, registry
from bluegreen.kube import RetryPolicy
from bluegreen.registry import Credential, Found, Location, challenge, client
from tests import oci


def at(reference: str) -> Location:
    return registry.locate(grammar.parse_image(reference))


DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("reference", "url", "path", "asked"),
    [
        ("nginx", "https://registry-1.docker.io", "docker.io/library/nginx", "latest"),
        ("team/app:v1", "https://registry-1.docker.io", "docker.io/team/app", "v1"),
        ("docker.io/nginx:1", "https://registry-1.docker.io", "docker.io/library/nginx", "1"),
        ("index.docker.io/team/app", "https://registry-1.docker.io", "docker.io/team/app", "latest"),
        ("ghcr.io/team/app:v1", "https://ghcr.io", "ghcr.io/team/app", "v1"),
        ("registry:5000/app:v1", "https://registry:5000", "registry:5000/app", "v1"),
        ("localhost/app:v1", "http://localhost", "localhost/app", "v1"),
        ("127.0.0.1:5000/app:v1", "http://127.0.0.1:5000", "127.0.0.1:5000/app", "v1"),
        ("[::1]:5000/app:v1", "http://[::1]:5000", "[::1]:5000/app", "v1"),
        ("10.0.0.1:5000/app:v1", "https://10.0.0.1:5000", "10.0.0.1:5000/app", "v1"),
        (f"ghcr.io/team/app:v1@{DIGEST}", "https://ghcr.io", "ghcr.io/team/app", DIGEST),
    ],
)
def test_a_reference_names_a_registry(reference: str, url: str, path: str, asked: str) -> None:
    found = at(reference)
    assert (found.url, found.path, found.reference) == (url, path, asked)


def test_a_pinned_reference_has_no_tag() -> None:
    assert at("ghcr.io/team/app:v1").pinned(DIGEST) == f"ghcr.io/team/app@{DIGEST}"
    assert at("nginx:1").pinned(DIGEST) == f"docker.io/library/nginx@{DIGEST}"


# --- credentials ------------------------------------------------------------------------------------------------------


def secret(content: Any, kind: str = "kubernetes.io/dockerconfigjson") -> dict[str, Any]:
    key = {"kubernetes.io/dockercfg": ".dockercfg"}.get(kind, ".dockerconfigjson")
    text = content if isinstance(content, str) else json.dumps(content)
    return {"metadata": {"name": "pull"}, "type": kind, "data": {key: base64.b64encode(text.encode()).decode()}}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("entry", "user", "password"),
    [
        ({"auth": encoded("u:pass:word")}, "u", "pass:word"),
        ({"username": "u", "password": "hush"}, "u", "hush"),
        ({"username": "x", "password": "y", "auth": encoded("u:hush")}, "u", "hush"),
        ({}, "", ""),
    ],
)
def test_both_ways_to_write_a_password_are_read(entry: Any, user: str, password: str) -> None:
    for found in (
        registry.read_pull_secret(secret({"auths": {"ghcr.io": entry}})),
        registry.read_pull_secret(secret({"ghcr.io": entry}, "kubernetes.io/dockercfg")),
    ):
        assert [(one.key, one.username, one.password) for one in found] == [("ghcr.io", user, password)]
        assert not password or password not in repr(found)


def test_tokens_in_a_pull_secret_are_read() -> None:
    entry = {"auth": encoded("00000000-0000:"), "identitytoken": "i", "registrytoken": "r"}
    [found] = registry.read_pull_secret(secret({"auths": {"a.azurecr.io": entry}}))
    assert (found.identity_token, found.registry_token) == ("i", "r")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (secret({"auths": {}}, "Opaque"), "of type Opaque"),
        (secret("no json"), "cannot be read"),
        (secret([]), "cannot be read"),
        (secret({"auths": {"a": {"auth": "%%%\xff"}}}), "cannot be read"),
        ({"metadata": {"name": "pull"}, "type": "kubernetes.io/dockercfg"}, "cannot be read"),
    ],
)
def test_what_is_no_pull_secret_is_named_and_not_shown(found: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"Secret pull .*{said}"):
        registry.read_pull_secret(found)


@pytest.mark.parametrize(
    ("key", "image", "counts"),
    [
        ("ghcr.io", "ghcr.io/team/app", True),
        ("https://ghcr.io/v2/", "ghcr.io/team/app", True),
        ("https://index.docker.io/v1/", "team/app", True),
        ("docker.io", "nginx", True),
        ("ghcr.io/team", "ghcr.io/team/app", True),
        ("ghcr.io/team/app", "ghcr.io/team/app", True),
        ("ghcr.io/te", "ghcr.io/team/app", False),
        ("*.azurecr.io", "mine.azurecr.io/app", True),
        ("*.io", "mine.azurecr.io/app", False),
        ("*", "ghcr.io/app", False),
        ("reg:5000", "reg:5000/app", True),
        ("reg", "reg:5000/app", False),
        ("reg:5000", "reg:5001/app", False),
        ("quay.io", "ghcr.io/app", False),
    ],
)
def test_a_credential_counts_as_a_kubelet_counts_it(key: str, image: str, counts: bool) -> None:
    assert bool(registry.for_image([Credential(key, "pull")], at(image))) is counts


def test_the_most_specific_credential_is_tried_first() -> None:
    keys = ["ghcr.io", "ghcr.io/team/app", "ghcr.io/team"]
    found = registry.for_image([Credential(key, "pull") for key in keys], at("ghcr.io/team/app:v1"))
    assert [one.key for one in found] == ["ghcr.io/team/app", "ghcr.io/team", "ghcr.io"]


def test_challenges_are_taken_apart() -> None:
    [basic, bearer] = challenge.parse(
        'Basic realm="a, b=\\"c\\"", Bearer realm="https://x/t",service=reg, scope="r:a:pull,push"'
    )
    assert (basic.scheme, basic.parameters) == ("basic", {"realm": 'a, b="c"'})
    assert bearer.parameters == {"realm": "https://x/t", "service": "reg", "scope": "r:a:pull,push"}
    assert challenge.parse("") == []
    assert challenge.parse("=,") == []


# --- a real registry --------------------------------------------------------------------------------------------------


def test_a_registry_says_digest_and_platforms(tmp_path: Path) -> None:
    with oci.running(tmp_path) as running:
        one, many = running.push("team/app", "v1"), running.push_index("team/app", "v2", "linux/amd64", "linux/arm64")
        running.push("team/chart", "v1", config_type="application/vnd.cncf.helm.config.v1+json")
        assert registry.resolve(at(f"{running.host}/team/app:v1"), []) == Found(one, ("linux/amd64",))
        assert registry.resolve(at(f"{running.host}/team/app:v9@{one}"), []).digest == one
        assert registry.resolve(at(f"{running.host}/team/app:v2"), []) == Found(many, ("linux/amd64", "linux/arm64"))
        for absent in ("team/app:v3", "team/none:v1", f"team/app@{DIGEST}"):
            with pytest.raises(registry.NotThereError, match=rf"{running.host} has no {absent} \(MANIFEST_UNKNOWN"):
                registry.resolve(at(f"{running.host}/{absent}"), [])
        with pytest.raises(registry.NotAnImageError, match=r"no image that a node can run.*helm"):
            registry.resolve(at(f"{running.host}/team/chart:v1"), [])
    with pytest.raises(registry.UnansweredError, match=r"does not answer.*refused"):
        registry.resolve(at(f"{running.host}/team/app:v1"), [])


def test_a_registry_that_asks_for_a_password(tmp_path: Path) -> None:
    with oci.with_users(tmp_path) as running:
        digest = running.push("team/app", "v1")
        image, key = at(f"{running.host}/team/app:v1"), running.host
        good = Credential(key, "good", oci.USER, oci.PASSWORD)
        wrong = Credential(key, "wrong", oci.USER, "not-it")
        assert registry.resolve(image, [wrong, good]) == Found(digest, ("linux/amd64",), "good")
        with pytest.raises(registry.AccessRefusedError, match="without credentials") as nobody:
            registry.resolve(image, [])
        assert nobody.value.secrets == ()
        with pytest.raises(registry.AccessRefusedError, match=r"with the pull secret wrong \(HTTP 401") as refused:
            registry.resolve(image, [wrong])
        assert refused.value.secrets == ("wrong",)
        assert "not-it" not in str(refused.value)


def test_a_registry_that_asks_for_tokens(tmp_path: Path) -> None:
    with oci.with_tokens(tmp_path) as (running, tokens):
        for name in ("public/app", "team/app"):
            access = [{"type": "repository", "name": name, "actions": ["pull", "push"]}]
            running.headers = {"Authorization": f"Bearer {tokens.token('tests', access)}"}
            running.push(name, "v1")
        mine = at(f"{running.host}/team/app:v1")
        assert registry.resolve(at(f"{running.host}/public/app:v1"), []).secret == ""
        for good in (
            Credential(running.host, "pull", oci.USER, oci.PASSWORD),
            Credential(running.host, "pull", identity_token=tokens.REFRESH),
            Credential(running.host, "pull", registry_token=running.headers["Authorization"].split()[1]),
        ):
            assert registry.resolve(mine, [good]).secret == "pull"
        for bad in ([], [Credential(running.host, "pull", oci.USER, "not-it")]):
            with pytest.raises(registry.AccessRefusedError, match="does not show team/app:v1"):
                registry.resolve(mine, bad)
        assert set(tokens.asked) == {"repository:public/app:pull", "repository:team/app:pull"}


# --- answers that a real one gives on a bad day ------------------------------------------------------------------


@contextmanager
def answering(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, the last one for ever; with the requests it had."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, content = answers[min(len(seen), len(answers) - 1)]
            seen.append(f"{self.command} {self.headers.get('Authorization', '')}".strip())
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "POLICY", RetryPolicy(attempts=3, first_s=0.001, total_s=5.0))


INDEX = json.dumps({"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
TYPE = {"Content-Type": oci.OCI_INDEX}


def test_a_busy_registry_is_asked_again_and_given_up(tmp_path: Path) -> None:
    with answering((429, {}, b""), (503, {}, b""), (200, TYPE, INDEX)) as (host, seen):
        assert registry.resolve(at(f"{host}/app:v1"), []).platforms == ("linux/amd64",)
        assert len(seen) == 4
    with (
        answering((429, {"Retry-After": "60"}, b"")) as (host, seen),
        pytest.raises(registry.UnansweredError, match=r"asked too often \(HTTP 429, try again after 60 s\)"),
    ):
        registry.resolve(at(f"{host}/app:v1"), [])
    assert len(seen) == 1  # nobody waits a minute
    with answering((500, {}, b"")) as (host, seen), pytest.raises(registry.UnansweredError, match=r"fails \(HTTP 500"):
        registry.resolve(at(f"{host}/app:v1"), [])
    assert len(seen) == 3


def test_a_registry_without_head_is_asked_by_get() -> None:
    with answering((405, {}, b""), (200, TYPE, INDEX)) as (host, seen):
        assert registry.resolve(at(f"{host}/app:v1"), []).digest.startswith("sha256:")
        assert [word.split()[0] for word in seen] == ["HEAD", "GET"]


def test_content_that_has_another_hash_is_no_image() -> None:
    stated = {**TYPE, "Docker-Content-Digest": DIGEST}
    with (
        answering((200, stated, INDEX)) as (host, _),
        pytest.raises(registry.NotAnImageError, match="and sends sha256:"),
    ):
        registry.resolve(at(f"{host}/app:v1"), [])


def test_credentials_are_sent_to_nobody_over_plain_http() -> None:
    challenge_ = {"WWW-Authenticate": 'Bearer realm="http://tokens.example.com/token",service="x"'}
    with answering((401, challenge_, b"")) as (host, _), pytest.raises(registry.UnansweredError, match="plain HTTP"):
        registry.resolve(at(f"{host}/app:v1"), [Credential(host, "pull", "u", "p")])
    with (
        answering((307, {"Location": "http://mirror.example.com/app"}, b"")) as (host, _),
        pytest.raises(registry.UnansweredError, match="plain HTTP"),
    ):
        registry.resolve(at(f"{host}/app:v1"), [])


def test_an_answer_that_is_no_json_is_no_answer() -> None:
    with answering((200, TYPE, b"<html>")) as (host, _), pytest.raises(registry.UnansweredError, match="not JSON"):
        registry.resolve(at(f"{host}/app:v1"), [])
