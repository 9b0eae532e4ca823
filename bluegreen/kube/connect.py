"""Finding the cluster that was asked for, and nothing but that one: the current context is never taken by accident."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from bluegreen.errors import CannotStartError, InputError, Mistake
from bluegreen.kube import login
from bluegreen.kube.client import Kube
from bluegreen.kube.errors import KubeError, Unauthorized
from bluegreen.kube.retry import RetryPolicy
from bluegreen.kube.transport import Transport
from bluegreen.settings import KIND, LOCAL, Settings

IN_CLUSTER = "in-cluster"

OLDEST = (1, 29)
"""The oldest server that is released onto. A choice: what older ones do was never looked at, and none is maintained."""

FIRST_CONTACT = RetryPolicy(attempts=4, total_s=10.0)
"""A cluster that does not answer at first is given up sooner than one that stops answering in mid-release."""


def connect(settings: Settings) -> Kube:
    """The cluster that CLUSTER names; the embedded one is started when it does not run, kind's made if it is not there.

    Raises ``InputError`` for a context that is not there and ``CannotStartError`` for a cluster that does not answer.
    """
    notes: list[str] = []
    if settings.cluster == KIND:
        return _checked(_kind(settings), settings)
    if settings.cluster == LOCAL:
        kubeconfig, context = _embedded(notes)
    elif settings.cluster == IN_CLUSTER:
        return _checked(_in_cluster(settings.namespace), settings)
    else:
        kubeconfig = settings.kubeconfig or str(Path("~/.kube/config").expanduser())
        context = _context(settings.cluster, kubeconfig)
    kube = connect_handle(kubeconfig, context, settings.namespace)
    kube.notes += notes
    return _checked(kube, settings)


def connect_handle(kubeconfig: str, context: str, namespace: str) -> Kube:
    """The same cluster from another process, by what a ``Kube`` knows of itself; asks it nothing yet."""
    if not kubeconfig:
        return _in_cluster(namespace)
    renew = partial(login.load, kubeconfig, context)
    client = renew()
    kube = Kube(Transport(client, renew=renew), namespace, context=context, kubeconfig=kubeconfig)
    if not client.configuration.verify_ssl:
        kube.notes.append(f"The certificate of {kube.server} is not looked at (insecure-skip-tls-verify).")
    return kube


def contexts(kubeconfig: str) -> list[str]:
    """The contexts of the kubeconfig files (one path, or several as KUBECONFIG lists them), sorted."""
    return sorted(login.entries(kubeconfig, "contexts"))


def _context(cluster: str, kubeconfig: str) -> str:
    known = contexts(kubeconfig)
    if cluster in known:
        return cluster
    listed = f"Known contexts: {', '.join(known)}." if known else "It knows no context at all."
    if not any(Path(path).expanduser().exists() for path in kubeconfig.split(os.pathsep) if path):
        listed = "There is no such file."
    remedy = "Name one of them with CLUSTER, choose the kubeconfig with KUBECONFIG, or use CLUSTER=local."
    why = f"{kubeconfig} has no context {cluster}. {listed}"
    raise InputError([Mistake("CLUSTER", cluster, why, remedy)])


def _embedded(notes: list[str]) -> tuple[str, str]:
    """Kubeconfig and context of the embedded cluster, started when it does not run; notes what a person should know."""
    from bluegreen import localkube

    cluster = localkube.start()
    if cluster.outdated:
        notes.append(
            "The embedded cluster was started by other code than is installed now: `bluegreen cluster up --restart`."
        )
    return str(cluster.kubeconfig), str(cluster.context)


def _kind(settings: Settings) -> Kube:
    """kind's cluster, made if it is not there; with the ports of this machine at which its Services answer."""
    from bluegreen import kindcluster

    ports = [port for port in (settings.node_port, settings.preview_node_port) if port]
    cluster = kindcluster.start(ports, settings.kind_node_image or "")
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, settings.namespace)
    kube.published = cluster.published
    if cluster.note:
        kube.notes.append(cluster.note)
    return kube


def _in_cluster(namespace: str) -> Kube:
    from kubernetes.config import ConfigException

    try:
        client = _account()
    except ConfigException as problem:
        why = f"this process does not run in a pod with a service account ({problem})."
        raise InputError([Mistake("CLUSTER", IN_CLUSTER, why, "Name a context of the kubeconfig.")]) from None
    return Kube(Transport(client, renew=_account), namespace, context=IN_CLUSTER)


def _account() -> Any:
    """A client for the service account of the pod that this runs in; its API is asked directly, without a proxy."""
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import load_incluster_config

    configuration = Configuration()
    load_incluster_config(client_configuration=configuration)
    configuration.proxy = None
    return ApiClient(configuration)


def _checked(kube: Kube, settings: Settings) -> Kube:
    """The cluster, once it has answered; with its version."""
    patience = kube.transport.policy
    kube.transport.policy = FIRST_CONTACT
    try:
        kube.server_version = str(kube.raw("/version").get("gitVersion", ""))
    except KubeError as problem:
        kube.close()
        remedy = problem.remedy if isinstance(problem, Unauthorized) or settings.cluster != LOCAL else _LOCAL_REMEDY
        sentence = f"CLUSTER={settings.cluster}: {kube.server} is of no use. {problem.sentence}"
        raise CannotStartError(sentence, remedy) from None
    kube.transport.policy = patience
    _require_version(kube, settings)
    return kube


def _require_version(kube: Kube, settings: Settings) -> None:
    """Refuse a server older than ``OLDEST``, or one that is no Kubernetes at all."""
    match = re.match(r"v(\d+)\.(\d+)", kube.server_version)
    if match and (int(match[1]), int(match[2])) >= OLDEST:
        return
    kube.close()
    stated = kube.server_version or "no version at all"
    raise CannotStartError(
        f"CLUSTER={settings.cluster}: {kube.server} states {stated}, and {'.'.join(map(str, OLDEST))} is the oldest "
        "Kubernetes that releases are made on.",
        "Upgrade the cluster, or name another one.",
    )


_LOCAL_REMEDY = "Restart it: `bluegreen cluster down`, then again."
