"""A real registry for tests: Debian's ``docker-registry`` on loopback, with users or tokens, and images pushed into it.

Images are pushed by the distribution API itself: a configuration, one empty layer, a manifest; an index over several.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bluegreen.clock import Deadline

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

USER, PASSWORD = "robot", "open-sesame"
HTPASSWD = f"{USER}:$2y$05$4IQ8hqhZD/1E33IVDWRRquSTRvlMDQeT7aVeNwfF2r6DcYKjcotPK\n"
"""The user and the bcrypt hash of the password, as ``htpasswd -nbB`` writes them."""


@dataclass
class Registry:
    """A registry that runs. ``headers``: what a request to it must say when it asks who is there."""

    host: str
    headers: dict[str, str] = field(default_factory=dict)

    def push(self, name: str, tag: str, platform: str = "linux/amd64", config_type: str = OCI_CONFIG) -> str:
        """Push an image of one platform; gives its digest."""
        system, architecture = platform.split("/")
        config = json.dumps({"os": system, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}})
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._blob(name, config.encode(), config_type),
            "layers": [self._blob(name, b"", LAYER)],
        }
        return self.put(name, tag, manifest, OCI_MANIFEST)

    def push_index(self, name: str, tag: str, *platforms: str) -> str:
        """Push an image of several platforms; gives the digest of its index."""
        entries = []
        for platform in platforms:
            system, architecture = platform.split("/")
            digest = self.push(name, f"{tag}-{architecture}", platform)
            size = len(self._get(name, digest).content)
            stated = {"os": system, "architecture": architecture}
            entries.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": size, "platform": stated})
        return self.put(name, tag, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, OCI_INDEX)

    def put(self, name: str, tag: str, manifest: dict[str, Any], media_type: str) -> str:
        """Put a manifest; gives its digest."""
        headers = {**self.headers, "Content-Type": media_type}
        answer = httpx.put(
            f"http://{self.host}/v2/{name}/manifests/{tag}", content=json.dumps(manifest), headers=headers
        )
        assert answer.status_code == 201, answer.text
        return str(answer.headers["Docker-Content-Digest"])

    def _get(self, name: str, reference: str) -> httpx.Response:
        headers = {**self.headers, "Accept": f"{OCI_MANIFEST}, {OCI_INDEX}"}
        return httpx.get(f"http://{self.host}/v2/{name}/manifests/{reference}", headers=headers)

    def _blob(self, name: str, content: bytes, media_type: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = httpx.post(f"http://{self.host}/v2/{name}/blobs/uploads/", headers=self.headers)
        assert begun.status_code == 202, begun.text
        url = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
        headers = {**self.headers, "Content-Type": "application/octet-stream"}
        done = httpx.put(url, content=content, headers=headers)
        assert done.status_code == 201, done.text
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


@contextmanager
def running(folder: Path, auth: dict[str, Any] | None = None, **headers: str) -> Iterator[Registry]:
    """A registry of its own, which keeps its images in a folder; skips the test where there is none to run."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (apt-get install docker-registry)")
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
        "http": {"addr": host, "secret": "of no importance"},
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _await(host, process, folder / "log")
        yield Registry(host, headers)
    finally:
        process.terminate()
        process.wait()


def _await(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = Deadline(20)
    while True:
        try:
            httpx.get(f"http://{host}/v2/", timeout=2)
            return
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text()
            assert not deadline.expired, log.read_text()
            time.sleep(0.05)


def basic_header(user: str = USER, password: str = PASSWORD) -> str:
    """The header by which a user logs in."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@contextmanager
def with_users(folder: Path) -> Iterator[Registry]:
    """A registry that asks for user and password."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}
    with running(folder, auth, Authorization=basic_header()) as registry:
        yield registry


# --- tokens -----------------------------------------------------------------------------------------------------------


class TokenServer:
    """What gives out tokens for a registry, as https://distribution.github.io/distribution/spec/auth/jwt/ asks.

    Anybody may pull ``public/...``; everything else takes the user and the password, or the refresh token.
    """

    REFRESH = "a-refresh-token"

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate(self._key)
        folder.mkdir(parents=True, exist_ok=True)
        self.bundle = folder / "bundle.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = {key: values[-1] for key, values in parse_qs(urlsplit(self.path).query).items()}
                outer.answer(self, query, self.headers.get("Authorization", "") == basic_header())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {key: values[-1] for key, values in parse_qs(body).items()}
                outer.answer(self, form, form.get("refresh_token") == outer.REFRESH)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"

    def answer(self, handler: BaseHTTPRequestHandler, query: dict[str, str], known: bool) -> None:
        """One request for a token: of the scope that is asked for, where whoever asks may."""
        self.asked.append(query.get("scope", ""))
        kind, name, actions = (query.get("scope") or "::").split(":")
        allowed = known or (name.startswith("public/") and actions == "pull")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}] if allowed else []
        content = json.dumps({"token": self.token(query.get("service", ""), access)}).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def token(self, service: str, access: list[dict[str, Any]]) -> str:
        """A signed token."""
        now = int(datetime.now(UTC).timestamp())
        chain = base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()
        header = {"typ": "JWT", "alg": "ES256", "x5c": [chain]}
        times = {"exp": now + 300, "nbf": now - 10, "iat": now}
        claims = {"iss": "tests", "sub": "", "aud": service, "jti": str(now), "access": access, **times}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


@contextmanager
def with_tokens(folder: Path) -> Iterator[tuple[Registry, TokenServer]]:
    """A registry that asks for tokens of a server beside it."""
    server = TokenServer(folder)
    auth = {
        "token": {"realm": server.realm, "service": "tests", "issuer": "tests", "rootcertbundle": str(server.bundle)}
    }
    try:
        with running(folder, auth) as registry:
            yield registry, server
    finally:
        server.close()
