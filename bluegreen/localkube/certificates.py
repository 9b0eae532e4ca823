"""The cluster's own certificate authority and the API server's certificate: elliptic-curve keys, mode 0600.

Run as a process of its own, ``python -m bluegreen.localkube.certificates DIRECTORY ADDRESS...``, so that the daemon
does not keep the cryptography library in its memory for two signatures.
"""

from __future__ import annotations

import ipaddress
import sys
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bluegreen import clock
from bluegreen.localkube.credentials import RENEW_S, Certificates
from bluegreen.localkube.state import write_private

# the names that pods know the API by, as a real cluster's certificate lists them
NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_DAYS = 3650  # a choice: the authority is this cluster's alone and signs for nobody else
AUTHORITY_DAYS = 4000  # a choice: outlives what it signed


def make(files: Certificates, addresses: list[str]) -> None:
    """Make the server's certificate for ``addresses``, and an authority where there is no valid one.

    The authority is kept while it is valid: kubeconfigs written earlier hold it.
    """
    authority, authority_key = _kept_authority(files) or _new_authority(files)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("localkube", SERVER_DAYS).issuer_name(authority.subject).public_key(key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_alternatives(addresses), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, SHA256())
    )
    _write(files.server_key, key)
    _write(files.server, certificate)
    until = int(certificate.not_valid_after_utc.timestamp())
    write_private(files.serves, " ".join([str(until), *addresses]) + "\n")


def _kept_authority(files: Certificates) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    if not (files.authority.exists() and files.authority_key.exists()):
        return None
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    key = load_pem_private_key(files.authority_key.read_bytes(), None)
    last_use = clock.utc() + timedelta(seconds=RENEW_S)
    usable = isinstance(key, ec.EllipticCurvePrivateKey) and authority.not_valid_after_utc > last_use
    return (authority, key) if usable and isinstance(key, ec.EllipticCurvePrivateKey) else None


def _new_authority(files: Certificates) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    authority = (
        _builder("localkube-ca", AUTHORITY_DAYS)
        .issuer_name(_name("localkube-ca"))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    _write(files.authority_key, key)
    _write(files.authority, authority)
    return authority, key


def _builder(common_name: str, days: int) -> x509.CertificateBuilder:
    now = clock.utc()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # a clock that was just set back still accepts it
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternatives(addresses: list[str]) -> x509.SubjectAlternativeName:
    named = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    return x509.SubjectAlternativeName([*(x509.DNSName(name) for name in NAMES), *named])


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, item: x509.Certificate | ec.EllipticCurvePrivateKey) -> None:
    if isinstance(item, x509.Certificate):
        pem = item.public_bytes(Encoding.PEM)
    else:
        pem = item.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(path, pem.decode())


if __name__ == "__main__":
    make(Certificates(Path(sys.argv[1])), sys.argv[2:])
