"""What a client needs to be let in: the files of the certificates, the administrator's token, the kubeconfig."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

from bluegreen import clock
from bluegreen.localkube.state import StateDir, write_private

RENEW_S = 30 * 86400.0  # a choice: a certificate with less left is made anew when the cluster starts
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: {context}
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: {context}
  user:
    token: {token}
contexts:
- name: {context}
  context:
    cluster: {context}
    user: {context}
current-context: {context}
preferences: {{}}
"""


@dataclass(frozen=True)
class Certificates:
    """The files of the certificate authority and of the API server's certificate, all PEM."""

    directory: Path

    @property
    def authority(self) -> Path:
        """The authority's certificate: what clients trust."""
        return self.directory / "ca.crt"

    @property
    def authority_key(self) -> Path:
        """The authority's key."""
        return self.directory / "ca.key"

    @property
    def server(self) -> Path:
        """The API server's certificate."""
        return self.directory / "server.crt"

    @property
    def server_key(self) -> Path:
        """The API server's key."""
        return self.directory / "server.key"

    @property
    def serves(self) -> Path:
        """One line: until when the certificate is valid (seconds since the epoch), then the addresses it names."""
        return self.directory / "serves"

    def good_for(self, addresses: list[str]) -> bool:
        """Whether all files are there and the server's certificate names ``addresses`` for some time to come."""
        files = (self.authority, self.authority_key, self.server, self.server_key, self.serves)
        if not all(file.exists() for file in files):
            return False
        until, *named = self.serves.read_text().split()
        return set(addresses) <= set(named) and float(until) > clock.wall_s() + RENEW_S


def admin_token(state: StateDir) -> str:
    """The administrator's bearer token, made at first."""
    if not state.token.exists():
        write_private(state.token, secrets.token_urlsafe(32) + "\n")
    return state.token.read_text().strip()


def write_kubeconfig(state: StateDir, server: str) -> None:
    """Write the kubeconfig: one cluster, one user, one context."""
    authority = base64.b64encode(Certificates(state.certificates).authority.read_bytes()).decode()
    text = KUBECONFIG.format(context=state.context, server=server, authority=authority, token=admin_token(state))
    write_private(state.kubeconfig, text)
