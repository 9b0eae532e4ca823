"""HTTP clients of a cluster: of an embedded one, or of a context of the user's kubeconfig."""

from __future__ import annotations

import ssl

import httpx
from kubernetes import client as kubernetes
from kubernetes import config

from bluegreen.localkube import Cluster

TIMEOUT_S = 30


def of_embedded(cluster: Cluster) -> httpx.Client:
    """A client of an embedded cluster, as its administrator."""
    return httpx.Client(
        base_url=cluster.server,
        headers={"Authorization": f"Bearer {cluster.token}"},
        verify=ssl.create_default_context(cafile=str(cluster.authority)),
        timeout=TIMEOUT_S,
        trust_env=False,
    )


def of_context(context: str) -> httpx.Client:
    """A client of a named context, with whatever way of logging in the official client finds there."""
    found = kubernetes.Configuration()
    config.load_kube_config(context=context, client_configuration=found)
    trust = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if not found.verify_ssl:  # insecure-skip-tls-verify
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    if found.cert_file:
        trust.load_cert_chain(found.cert_file, found.key_file)
    headers = {each["key"]: each["value"] for each in found.auth_settings().values() if each["in"] == "header"}
    return httpx.Client(base_url=found.host, headers=headers, verify=trust, timeout=TIMEOUT_S)
