"""Kubeconfigs that lead nowhere, and servers that are none, for the cases of ``clusters.LOST``."""

from __future__ import annotations

import base64
import copy
import datetime
import http.server
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bluegreen.kube import Kube

Obj = dict[str, Any]


@dataclass
class Place:
    """A folder to write kubeconfigs in, and the good one to change."""

    folder: Path
    good: Obj
    context: str
    namespace: str = "default"
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # what the server of this test answers
    url: str = ""

    @classmethod
    def of(cls, kube: Kube) -> Place:
        """Beside the kubeconfig of a connection, in its folder: that goes with the cluster."""
        path = Path(kube.kubeconfig)
        return cls(path.parent, yaml.safe_load(path.read_text()), kube.context, kube.namespace)

    def config(self, *, cluster: Obj | None = None, user: Obj | None = None) -> Obj:
        """The good kubeconfig with another cluster or user."""
        config = copy.deepcopy(self.good)
        for entry in config["clusters"]:
            entry["cluster"].update(cluster or {})
        for entry in config["users"] if user is not None else []:
            entry["user"] = user
        return config

    def write(self, content: Obj | str | bytes) -> str:
        """Write a kubeconfig; its path."""
        path = self.folder / f"kubeconfig-{self.namespace}"
        text = yaml.safe_dump(content) if isinstance(content, dict) else content
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return str(path)

    def settings(self, content: Obj | str | bytes, cluster: str = "") -> dict[str, str]:
        """The settings that lead to a kubeconfig's context."""
        return {"KUBECONFIG": self.write(content), "CLUSTER": cluster or self.context}

    # -- the cases ------------------------------------------------------------------------------------------------
    def unreachable(self) -> dict[str, str]:
        """A port on which nobody listens."""
        return self.settings(self.config(cluster={"server": "https://127.0.0.1:1"}))

    def wrong_authority(self) -> dict[str, str]:
        """Another authority than the one that signed the server's certificate."""
        return self.settings(self.config(cluster={"certificate-authority-data": authority(days=10)}))

    def expired_authority(self) -> dict[str, str]:
        """An authority whose time is over."""
        return self.settings(self.config(cluster={"certificate-authority-data": authority(days=-1)}))

    def broken_authority(self) -> dict[str, str]:
        """Data that was cut off."""
        return self.settings(self.config(cluster={"certificate-authority-data": "abc"}))

    def no_file(self) -> dict[str, str]:
        """A path at which there is nothing."""
        return {"KUBECONFIG": str(self.folder / "no/such/file"), "CLUSTER": self.context}

    def empty(self) -> dict[str, str]:
        """A file without a word."""
        return self.settings("")

    def no_yaml(self) -> dict[str, str]:
        """A file that ends too early."""
        return self.settings("contexts: [")

    def binary(self) -> dict[str, str]:
        """A file of another kind."""
        return self.settings(b"\xff\xfe\x00")

    def a_list(self) -> dict[str, str]:
        """YAML, and no kubeconfig."""
        return self.settings("- one\n- two\n")

    def a_pipe(self) -> dict[str, str]:
        """A path that could be read for ever."""
        path = self.folder / f"pipe-{self.namespace}"
        os.mkfifo(path)
        return {"KUBECONFIG": str(path), "CLUSTER": self.context}

    def too_deep(self) -> dict[str, str]:
        """Lists in lists."""
        return self.settings("[" * 300 + "]" * 300)

    def words_for_a_cluster(self) -> dict[str, str]:
        """A list of words where maps belong."""
        return self.settings({**self.good, "clusters": [{"name": "c", "cluster": "words"}]})

    def number_for_a_server(self) -> dict[str, str]:
        """An address that is none."""
        return self.settings(self.config(cluster={"server": 6443}))

    def another_scheme(self) -> dict[str, str]:
        """An address of another kind."""
        return self.settings(self.config(cluster={"server": "ftp://127.0.0.1"}))

    def words_for_a_login(self) -> dict[str, str]:
        """A login by a word."""
        return self.settings(self.config(user={"exec": "aws"}))

    def removed_login(self) -> dict[str, str]:
        """A way to log in that no client has any more."""
        return self.settings(self.config(user={"auth-provider": {"name": "gcp"}}))

    def no_context(self) -> dict[str, str]:
        """A context that is not in the file."""
        return self.settings(self.good, "nowhere")

    def no_cluster(self) -> dict[str, str]:
        """A context whose cluster is not in the file."""
        return self.settings({**self.good, "clusters": []})

    def no_user(self) -> dict[str, str]:
        """A context whose user is not in the file."""
        return self.settings({**self.good, "users": []})

    def no_program(self) -> dict[str, str]:
        """A login program that is not installed."""
        program = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "no-such-login",
            "interactiveMode": "Never",
        }
        return self.settings(self.config(user={"exec": program}))

    def in_cluster(self) -> dict[str, str]:
        """This process runs in no pod."""
        return {"CLUSTER": "in-cluster"}

    def too_old(self) -> dict[str, str]:
        """A server that states an old version."""
        return self._served("application/json", json.dumps({"gitVersion": "v1.24.3"}).encode())

    def no_version(self) -> dict[str, str]:
        """A server that answers JSON about something else."""
        return self._served("application/json", b'{"hello": "world"}')

    def a_page(self) -> dict[str, str]:
        """A server that answers a page whatever is asked."""
        return self._served("text/html", b"<html>Please log in</html>")

    def _served(self, kind: str, body: bytes) -> dict[str, str]:
        self.pages["/version"] = (kind, body)
        config = self.config(cluster={"server": self.url})
        for entry in config["clusters"]:
            entry["cluster"].pop("certificate-authority-data", None)
        return self.settings(config)


@contextmanager
def serving(place: Place) -> Iterator[Place]:
    """The place with a server of its own at ``url``, which answers what the case says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = place.pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        place.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield place
        finally:
            server.shutdown()
            thread.join()


def authority(days: int) -> str:
    """A certificate authority of nobody's that ends in so many days, as a kubeconfig holds it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(end - datetime.timedelta(days=30))
    builder = builder.not_valid_after(end).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    certificate = builder.sign(key, hashes.SHA256())
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.PEM)).decode()
