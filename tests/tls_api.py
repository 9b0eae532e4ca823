"""An HTTPS server of tests that answers as an API server does and says who came; beside it an OIDC issuer and a proxy.

It is there for logins that the embedded cluster does not know: client certificates, passwords, tokens of an issuer. It
answers ``/version``, and any other path with an object whose annotations say by what the client was known.
"""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Key = ec.EllipticCurvePrivateKey


class Authority:
    """A certificate authority, and the files of what it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _signed("authority", self._key, None, self._key, ())
        self.file = self._write("ca.crt", self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *sans: str) -> tuple[Path, Path]:
        """A certificate for a name, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(name, key, self._certificate, self._key, sans)
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        private = key.private_bytes(serialization.Encoding.PEM, *plain)
        made = certificate.public_bytes(serialization.Encoding.PEM)
        return self._write(f"{name}.crt", made), self._write(f"{name}.key", private)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


def _signed(name: str, key: Key, issuer: x509.Certificate | None, by: Key, sans: tuple[str, ...]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if issuer is None:
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
             "decipher_only"), False,
        )  # fmt: skip
        signs = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage)
        builder = builder.add_extension(signs, critical=True)
    if sans:
        names = [_name(san) for san in sans]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(by, hashes.SHA256())


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class Api:
    """The server. ``accepts`` says of an Authorization header whether it is known; a client certificate always is."""

    def __init__(self, authority: Authority, *sans: str, accepts: Callable[[str], bool] = lambda _: False) -> None:
        self.accepts = accepts
        self.seen: list[str] = []
        outer = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("server", *(sans or ("127.0.0.1",))))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(authority.file)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                certificate = self.connection.getpeercert()  # type: ignore[attr-defined]
                header = self.headers.get("Authorization", "")
                name = dict(pair[0] for pair in certificate["subject"])["commonName"] if certificate else ""
                known = name or (header if outer.accepts(header) else "")
                outer.seen.append(known)
                status = {"kind": "Status", "status": "Failure", "reason": "Unauthorized", "message": "Unauthorized"}
                found = {"kind": "Pod", "metadata": {"name": "me", "annotations": {"known-as": known}}}
                self._say(200 if known else 401, {"gitVersion": "v1.30.0", **found} if known else status)

            def _say(self, code: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


def id_token(user: str, lives_s: float) -> str:
    """A token as an issuer gives it out; what is in it is not signed, for the server of tests takes its word."""

    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {"sub": user, "exp": int(time.time() + lives_s), "iat": int(time.time())}
    return f"{part({'alg': 'none'})}.{part(claims)}.c2ln"


def is_fresh(header: str) -> bool:
    """Whether a bearer token is an issuer's whose time is not over."""
    try:
        payload = header.removeprefix("Bearer ").split(".")[1]
        return bool(json.loads(base64.urlsafe_b64decode(payload + "=="))["exp"] > time.time())
    except (ValueError, KeyError, IndexError):
        return False


class Issuer:
    """The two addresses of an OIDC issuer that a refresh needs; every refresh token is good once."""

    def __init__(self, authority: Authority, refresh_token: str, lives_s: float = 3600) -> None:
        self.authority = authority.file
        self.refresh_token, self.lives_s, self.refreshed = refresh_token, lives_s, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(200, {"issuer": outer.url, "token_endpoint": f"{outer.url}/token"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {key: values[-1] for key, values in parse_qs(body).items()}
                client = base64.b64encode(b"bluegreen:client-secret").decode()
                good = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == outer.refresh_token
                if not good or self.headers.get("Authorization") != f"Basic {client}":
                    self._say(400, {"error": "invalid_grant", "error_description": "the refresh token is not good"})
                    return
                outer.refreshed += 1
                outer.refresh_token = f"refresh-{outer.refreshed}"
                token = id_token("releaser", outer.lives_s)
                answer = {"access_token": "a", "token_type": "Bearer", "refresh_token": outer.refresh_token}
                self._say(200, {**answer, "id_token": token})

            def _say(self, code: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Silent."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("issuer", "127.0.0.1"))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def connect_proxy() -> Iterator[tuple[str, list[str]]]:
    """An HTTP proxy that takes CONNECT; gives its URL and the list of what it was asked to connect to."""
    asked: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            target = head.split()[1].decode()
            asked.append(target)
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as remote:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                while True:
                    for source in select.select([client, remote], [], [])[0]:
                        data = source.recv(65536)
                        if not data:
                            return
                        (remote if source is client else client).sendall(data)

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
    finally:
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
