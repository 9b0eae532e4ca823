"""The ways to log in that a kubeconfig can hold, against a cluster that checks them."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen import settings
from bluegreen.errors import CannotStartError, InputError
from bluegreen.kube import Forbidden, Unauthorized, connect, connect_handle, transport
from bluegreen.localkube import Cluster
from tests import account, tls_api


def _exec(token: str, folder: Path) -> dict[str, Any]:
    api = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": api, "kind": "ExecCredential", "status": {"token": token}}
    plugin = folder / "plugin.py"
    plugin.write_text(f"print({json.dumps(json.dumps(credential))})\n")
    return {"exec": {"apiVersion": api, "command": sys.executable, "args": [str(plugin)], "interactiveMode": "Never"}}


def _file(token: str, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text(token)
    return {"tokenFile": str(folder / "token")}


@pytest.mark.parametrize("login", [_exec, _file], ids=["exec plugin", "token file"])
def test_a_login_is_the_account_it_stands_for(cluster: Cluster, tmp_path: Path, login: Any) -> None:
    namespace = f"login{login.__name__.replace('_', '-')}"
    admin = connect_handle(str(cluster.kubeconfig), cluster.context, namespace)
    try:
        path = account.set_up_for(admin, settings.load({"NAMESPACE": namespace}), cluster, tmp_path / "config")
        config = yaml.safe_load(path.read_text())
        for user in config["users"]:
            user["user"] = login(user["user"]["token"], tmp_path)
        path.write_text(yaml.safe_dump(config))
        kube = connect_handle(str(path), cluster.context, namespace)
        try:
            assert kube.get("Namespace", namespace) is not None
            with pytest.raises(Forbidden, match="gremlinsai-backend-release"):
                kube.get("Namespace", "default")
        finally:
            kube.close()
    finally:
        admin.delete("Namespace", namespace)
        admin.close()


# --- ways to log in that the embedded cluster does not know: a server that says who came ------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> tls_api.Authority:
    return tls_api.Authority(tmp_path)


@pytest.fixture
def api(authority: tls_api.Authority) -> Iterator[tls_api.Api]:
    found = tls_api.Api(authority)
    yield found
    found.close()


def write(folder: Path, user: Any, cluster: dict[str, Any], name: str = "config", **more: Any) -> str:
    """A kubeconfig with one context, ``ci``; ``more`` adds to its top level."""
    content = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "ci", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
        **more,
    }
    path = folder / name
    path.write_text(yaml.safe_dump(content))
    return str(path)


def known_as(kubeconfig: str) -> str:
    """As whom the server knows the context ``ci``."""
    kube = connect(settings.load({"CLUSTER": "ci", "KUBECONFIG": kubeconfig, "DOCKER_IMAGE": "a:v1"}))
    try:
        return str(kube.raw("/who")["metadata"]["annotations"]["known-as"])
    finally:
        kube.close()


def trusted(api: tls_api.Api, **more: Any) -> dict[str, Any]:
    return {"server": api.url, "certificate-authority": "ca.crt", **more}


def inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_client_certificates_in_files_inline_and_from_a_plugin(
    api: tls_api.Api, authority: tls_api.Authority, tmp_path: Path
) -> None:
    certificate, key = authority.issue("releaser")
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    for user in (
        {"client-certificate": "releaser.crt", "client-key": "releaser.key"},  # beside the kubeconfig
        {"client-certificate-data": inline(certificate), "client-key-data": inline(key)},
        plugin(tmp_path, status),
    ):
        assert known_as(write(tmp_path, user, trusted(api))) == "releaser"


def plugin(folder: Path, status: dict[str, Any], code: str = "") -> dict[str, Any]:
    """An exec plugin that gives this status, after some code of its own."""
    version = "client.authentication.k8s.io/v1"
    said = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    (folder / "plugin.py").write_text(f"{code}\nprint({said!r})\n")
    return {"exec": {"apiVersion": version, "command": sys.executable, "args": [str(folder / "plugin.py")]}}


def test_a_password_and_a_token_in_the_kubeconfig(api: tls_api.Api, tmp_path: Path) -> None:
    api.accepts = lambda header: header in ("Bearer letmein", f"Basic {base64.b64encode(b'u:p').decode()}")
    assert known_as(write(tmp_path, {"token": "letmein"}, trusted(api))) == "Bearer letmein"
    assert known_as(write(tmp_path, {"username": "u", "password": "p"}, trusted(api))).startswith("Basic ")


def test_one_context_from_several_files(api: tls_api.Api, tmp_path: Path) -> None:
    """Users, clusters and contexts of several files are one, and paths are beside the file that names them."""
    api.accepts = lambda header: header == "Bearer letmein"
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / "token").write_text("letmein")
    one = write(tmp_path, None, trusted(api), users=[])
    users = [{"name": "u", "user": {"tokenFile": "token"}}]
    two = write(tmp_path / "apart", None, {}, clusters=[], contexts=[], users=users)
    assert known_as(f"{tmp_path / 'none'}:{one}:{two}") == "Bearer letmein"


def test_the_current_context_is_never_taken(api: tls_api.Api, tmp_path: Path) -> None:
    path = write(tmp_path, {"token": "letmein"}, trusted(api), **{"current-context": "ci"})
    for cluster in ("production", "c", "u"):
        with pytest.raises(InputError, match="has no context"):
            connect(settings.load({"CLUSTER": cluster, "KUBECONFIG": path, "DOCKER_IMAGE": "a:v1"}))
    assert api.seen == []


def test_the_name_on_the_certificate_and_no_name_at_all(authority: tls_api.Authority, tmp_path: Path) -> None:
    api = tls_api.Api(authority, "kubernetes.internal", accepts=lambda _: True)
    try:
        with pytest.raises(CannotStartError, match=r"certificate of https://127\.0\.0\.1:.* is not trusted"):
            known_as(write(tmp_path, {"token": "t"}, trusted(api)))
        assert known_as(write(tmp_path, {"token": "t"}, trusted(api, **{"tls-server-name": "kubernetes.internal"})))
        with pytest.raises(CannotStartError, match="is not trusted"):
            known_as(write(tmp_path, {"token": "t"}, trusted(api, **{"tls-server-name": "other.internal"})))
        insecure = {"server": api.url, "insecure-skip-tls-verify": True}
        assert known_as(write(tmp_path, {"token": "t"}, insecure)) == "Bearer t"
    finally:
        api.close()


def test_a_proxy_is_used_where_the_kubeconfig_names_it(
    api: tls_api.Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a server on this machine; a proxy of the environment is not for those."""
    api.accepts = lambda _: True
    with tls_api.connect_proxy() as (url, asked):
        assert known_as(write(tmp_path, {"token": "t"}, trusted(api, **{"proxy-url": url})))
        assert set(asked) == {api.url.removeprefix("https://")}
        asked.clear()
        monkeypatch.setenv("HTTPS_PROXY", url)
        assert known_as(write(tmp_path, {"token": "t"}, trusted(api)))
        assert asked == []


# --- tokens that run out ----------------------------------------------------------------------------------------------


def oidc(issuer: tls_api.Issuer, token: str, refresh: str = "first") -> dict[str, Any]:
    config = {"idp-issuer-url": issuer.url, "client-id": "bluegreen", "client-secret": "client-secret"}
    config["idp-certificate-authority-data"] = inline(issuer.authority)
    return {"auth-provider": {"name": "oidc", "config": {**config, "id-token": token, "refresh-token": refresh}}}


@pytest.fixture
def issuer(authority: tls_api.Authority) -> Iterator[tls_api.Issuer]:
    found = tls_api.Issuer(authority, "first")
    yield found
    found.close()


def test_an_issuers_token_is_renewed_when_it_has_run_out_and_the_new_one_is_kept(
    api: tls_api.Api, issuer: tls_api.Issuer, tmp_path: Path
) -> None:
    api.accepts = tls_api.is_fresh
    good = write(tmp_path, oidc(issuer, tls_api.id_token("releaser", 3600)), trusted(api))
    assert known_as(good)
    assert issuer.refreshed == 0
    old = write(tmp_path, oidc(issuer, tls_api.id_token("releaser", -60)), trusted(api))
    assert known_as(old)
    assert known_as(old)  # with what the first refresh has written: a refresh token may be good only once
    assert issuer.refreshed == 1


def test_an_issuer_that_refuses_is_named(api: tls_api.Api, issuer: tls_api.Issuer, tmp_path: Path) -> None:
    path = write(tmp_path, oidc(issuer, tls_api.id_token("releaser", -60), "used-up"), trusted(api))
    with pytest.raises(InputError, match="invalid_grant") as refused:
        known_as(path)
    assert "client-secret" not in str(refused.value)


def test_credentials_that_run_out_in_mid_release_are_renewed(
    api: tls_api.Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is rewritten, and a program that says no time: both are asked again after the server's refusal."""
    monkeypatch.setattr(transport, "RENEW_AT_MOST_EVERY_S", 0.0)
    taken = "Bearer one"
    api.accepts = lambda header: header == taken
    (tmp_path / "token").write_text("one")
    file = {"tokenFile": "token"}
    program = plugin(tmp_path, {}, f"import json; token = open({str(tmp_path / 'token')!r}).read()")
    said = (tmp_path / "plugin.py").read_text().splitlines()[0]
    answer = "{'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', 'status': {'token': token}}"
    (tmp_path / "plugin.py").write_text(f"{said}\nprint(json.dumps({answer}))\n")
    for user in (file, program):
        taken = "Bearer one"
        (tmp_path / "token").write_text("one")
        kube = connect_handle(write(tmp_path, user, trusted(api)), "ci", "ns")
        try:
            assert kube.raw("/who")["metadata"]["annotations"]["known-as"] == "Bearer one"
            taken = "Bearer two"
            with pytest.raises(Unauthorized):
                kube.raw("/who")  # nothing new to log in with yet
            (tmp_path / "token").write_text("two")
            assert kube.raw("/who")["metadata"]["annotations"]["known-as"] == "Bearer two"
        finally:
            kube.close()


# --- what gives no account, or another one ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"exec": {"command": sys.executable, "args": ["-c", "import sys; sys.exit('no session')"]}}, "no session"),
        ({"exec": {"command": sys.executable, "args": ["-c", "print('hello')"]}}, "failed to decode"),
        ({"exec": {"command": "no-such-program"}}, "no-such-program, which is not on PATH"),
        ({"token": "t", "as": "system:admin"}, r"acts as somebody else \(as\)"),
        ({"auth-provider": {"name": "gcp", "config": {}}}, "auth-provider gcp"),
        ({"auth-provider": {"name": "oidc", "config": {"id-token": "not.a.token"}}}, "is of no use"),
        (
            {"auth-provider": {"name": "oidc", "config": {"idp-issuer-url": "https://idp.example.com"}}},
            "no certificate",
        ),
        ({"tokenFile": "/no/such/file"}, "No such file"),
        ({"something": "else"}, "nothing to log in with"),
    ],
)
def test_a_login_without_an_account_is_refused_before_the_server_is_asked(
    api: tls_api.Api, tmp_path: Path, user: dict[str, Any], said: str
) -> None:
    if "exec" in user:
        user["exec"]["apiVersion"] = "client.authentication.k8s.io/v1"
    with pytest.raises(InputError, match=f"CLUSTER='ci': its kubeconfig entry is of no use.*{said}|{said}"):
        known_as(write(tmp_path, user, trusted(api)))
    assert api.seen == []
