"""Finding the cluster that was asked for, and nothing but that one: the current context is never taken by accident."""

from __future__ import annotations

import os
import re
import shutil
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bluegreen import files
from bluegreen.errors import CannotStartError, InputError, Mistake
from bluegreen.kube.client import Kube
from bluegreen.kube.errors import KubeError, Unauthorized
from bluegreen.kube.retry import RetryPolicy
from bluegreen.kube.transport import Transport
from bluegreen.settings import LOCAL, Settings

KIND = "kind"
IN_CLUSTER = "in-cluster"
KIND_CONTEXTS = ("kind-bluegreen", "kind-kind")

OLDEST = (1, 29)
"""The oldest server that is released onto. A choice: what older ones do was never looked at, and none is maintained."""

FIRST_CONTACT = RetryPolicy(attempts=4, total_s=10.0)
"""A cluster that does not answer at first is given up sooner than one that stops answering in mid-release."""


def connect(settings: Settings) -> Kube:
    """The cluster that CLUSTER names; the embedded one is started when it does not run.

    Raises ``InputError`` for a context that is not there and ``CannotStartError`` for a cluster that does not answer.
    """
    notes: list[str] = []
    if settings.cluster == LOCAL:
        kubeconfig, context = _embedded(notes)
    elif settings.cluster == IN_CLUSTER:
        return _checked(_in_cluster(settings.namespace), settings)
    else:
        kubeconfig = settings.kubeconfig or str(Path("~/.kube/config").expanduser())
        context = _context(settings.cluster, kubeconfig)
        _require_server(kubeconfig, context)
        _require_user(kubeconfig, context)
    kube = connect_handle(kubeconfig, context, settings.namespace)
    kube.notes += notes
    return _checked(kube, settings)


def connect_handle(kubeconfig: str, context: str, namespace: str) -> Kube:
    """The same cluster from another process, by what a ``Kube`` knows of itself; asks it nothing yet."""
    if not kubeconfig:
        return _in_cluster(namespace)
    from kubernetes.config import kube_config

    try:
        client = kube_config.new_client_from_config(config_file=kubeconfig, context=context)
    except (kube_config.ConfigException, OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as problem:
        reason = next(iter(str(problem).splitlines()), type(problem).__name__)
        mistake = Mistake("CLUSTER", context, f"its kubeconfig entry is of no use: {reason}.", "Mend the kubeconfig.")
        raise InputError([mistake]) from None
    return Kube(Transport(_direct(client)), namespace, context=context, kubeconfig=kubeconfig)


def contexts(kubeconfig: str) -> list[str]:
    """The contexts of the kubeconfig files (one path, or several as KUBECONFIG lists them), sorted."""
    return sorted(_entries(kubeconfig, "contexts"))


def _entries(kubeconfig: str, section: str) -> dict[str, Any]:
    """What the kubeconfig files list in a section (``contexts``, ``users``), by name; of two the first counts."""
    found: dict[str, Any] = {}
    for path in filter(None, kubeconfig.split(os.pathsep)):
        try:
            file = Path(path).expanduser()
            if not os.path.lexists(file):
                continue
            content = files.load_yaml(files.read_text(file)) or {}
            entries = {str(entry["name"]): entry.get(section[:-1]) or {} for entry in content.get(section) or []}
        except (OSError, ValueError, RuntimeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as problem:
            said = f": {problem}" if isinstance(problem, files.UnreadableError) else ""
            why, remedy = f"it cannot be read as a kubeconfig{said}.", "Mend it, or name another with KUBECONFIG."
            raise InputError([Mistake("KUBECONFIG", path, why, remedy)]) from None
        if not all(isinstance(entry, dict) for entry in entries.values()):
            why = f"an entry of its {section} holds no {section[:-1]}."
            raise InputError([Mistake("KUBECONFIG", path, why, "Mend it, or name another with KUBECONFIG.")])
        found = {**entries, **found}
    return found


def _require_server(kubeconfig: str, context: str) -> None:
    """Refuse a context whose cluster is not listed or has no address."""
    cluster = str(_entries(kubeconfig, "contexts").get(context, {}).get("cluster") or "")
    server = _entries(kubeconfig, "clusters").get(cluster, {}).get("server")
    if not (isinstance(server, str) and re.match(r"https?://[^\s/]+", server)):
        stated = f"states {server!r}" if server else "states none"
        why = f"its kubeconfig entry is of no use: cluster {cluster or 'without a name'} {stated} for its server."
        raise InputError([Mistake("CLUSTER", context, why, "Mend the kubeconfig: server: https://HOST:PORT.")])


def _require_user(kubeconfig: str, context: str) -> None:
    """Refuse a context whose user is not listed or logs in by a program that is not there.

    The client would only log that, and go on as nobody.
    """
    user = str(_entries(kubeconfig, "contexts").get(context, {}).get("user") or "")
    users = _entries(kubeconfig, "users")
    why = ""
    if user and user not in users:
        why = f"its user {user} is not in the kubeconfig."
    login = (users.get(user) or {}).get("exec") or {}
    if not isinstance(login, dict) or not isinstance(login.get("command", ""), str):
        why, login = f"its user {user} logs in by exec, which names no command.", {}
    if "auth-provider" in (users.get(user) or {}):
        why = f"its user {user} logs in by auth-provider, which Kubernetes 1.26 removed."
    program = login.get("command", "")
    if program and shutil.which(program) is None:
        why = f"its user {user} logs in by the program {program}, which is not on PATH."
    if why:
        raise InputError([Mistake("CLUSTER", context, why, "Mend the kubeconfig, or install what it names.")])


def _context(cluster: str, kubeconfig: str) -> str:
    known = contexts(kubeconfig)
    wanted = KIND_CONTEXTS if cluster == KIND else (cluster,)
    for context in wanted:
        if context in known:
            return context
    listed = f"Known contexts: {', '.join(known)}." if known else "It knows no context at all."
    if not any(Path(path).expanduser().exists() for path in kubeconfig.split(os.pathsep) if path):
        listed = "There is no such file."
    remedy = {KIND: "Create the cluster first: kind create cluster --name bluegreen."}.get(
        cluster, "Name one of them with CLUSTER, choose the kubeconfig with KUBECONFIG, or use CLUSTER=local."
    )
    why = f"{kubeconfig} has no context {' or '.join(wanted)}. {listed}"
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


def _in_cluster(namespace: str) -> Kube:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException as problem:
        why = f"this process does not run in a pod with a service account ({problem})."
        raise InputError([Mistake("CLUSTER", IN_CLUSTER, why, "Name a context of the kubeconfig.")]) from None
    return Kube(Transport(ApiClient(configuration)), namespace, context=IN_CLUSTER)


def _direct(client: Any) -> Any:
    """The same client, not through an HTTP proxy when the server is on this machine."""
    host = urlsplit(client.configuration.host).hostname or ""
    if not client.configuration.proxy or not _loopback(host):
        return client
    from kubernetes.client.api_client import ApiClient

    client.configuration.proxy = None
    return ApiClient(client.configuration)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
