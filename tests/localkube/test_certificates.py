"""The certificates: what they name, how long they last, and what is kept when they are made anew."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from bluegreen.localkube.certificates import make
from bluegreen.localkube.credentials import Certificates

ADDRESSES = ["127.0.0.1", "127.9.16.1"]


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path)
    make(made, ADDRESSES)
    return made


def handshake(files: Certificates, name: str, authority: Path) -> None:
    """Shake hands over a pair of sockets, as a client that expects ``name``."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.server, files.server_key)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        answering = threading.Thread(target=_answer, args=(server, theirs))
        answering.start()
        try:
            ssl.create_default_context(cafile=str(authority)).wrap_socket(ours, server_hostname=name).close()
        finally:
            ours.close()
            answering.join()


def _answer(context: ssl.SSLContext, sock: socket.socket) -> None:
    try:
        context.wrap_socket(sock, server_side=True).close()
    except OSError:
        sock.close()


@pytest.mark.parametrize("name", [*ADDRESSES, "localhost", "kubernetes.default.svc"])
def test_clients_trust_it_under_every_name_of_the_api(files: Certificates, name: str) -> None:
    handshake(files, name, files.authority)


def test_clients_trust_it_under_no_other_name(files: Certificates) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        handshake(files, "127.9.9.9", files.authority)


def test_it_is_good_for_the_addresses_it_was_made_for(files: Certificates, tmp_path: Path) -> None:
    assert files.good_for(ADDRESSES)
    assert not files.good_for([*ADDRESSES, "127.8.16.1"])
    files.server_key.unlink()
    assert not files.good_for(ADDRESSES)
    assert not Certificates(tmp_path / "elsewhere").good_for(ADDRESSES)


def test_one_that_runs_out_is_not_good(files: Certificates) -> None:
    _, *addresses = files.serves.read_text().split()
    files.serves.write_text(" ".join(["1000000000", *addresses]))
    assert not files.good_for(ADDRESSES)


def test_a_new_certificate_is_signed_by_the_authority_that_kubeconfigs_hold(files: Certificates) -> None:
    before = files.authority.read_bytes()
    make(files, [*ADDRESSES, "127.8.16.1"])
    assert files.authority.read_bytes() == before
    handshake(files, "127.8.16.1", files.authority)


def test_keys_are_private(files: Certificates) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()} == {0o600}
