"""A client of the official library for a context of kubeconfig files, logged in, or a refusal that says why not.

The library logs what goes wrong with a login and goes on as nobody; it passes over what it does not know (``as:``,
providers that are gone). All of that is refused here: whoever asks for an account gets that one or none. ``load`` is
also how a login that has run out is renewed: everything is read and asked for again, as the library does at first.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bluegreen import files
from bluegreen.errors import InputError, Mistake

Entry = dict[str, Any]

IMPERSONATION = ("as", "as-uid", "as-groups", "as-user-extra")
"""Keys of a user by which kubectl acts as somebody else; the official Python client knows none of them."""

OIDC = "oidc"
"""The one auth-provider that is left: those of clouds were removed with Kubernetes 1.26."""

MEND = "Mend the kubeconfig."


def load(kubeconfig: str, context: str) -> Any:
    """An ``ApiClient`` for a context. Raises InputError when the login gives no credentials, or others than asked."""
    user, cluster = _named(kubeconfig, context)
    _require_supported(user, context)
    from kubernetes.config import kube_config

    with _logged() as said:
        try:
            client = kube_config.new_client_from_config(config_file=kubeconfig, context=context)
        except Exception as problem:  # a login runs programs and asks servers: whatever goes wrong there comes through
            raise _useless(context, _short(problem)) from None
    configuration = client.configuration
    if user and not (configuration.api_key or configuration.cert_file or configuration.username):
        why = said[-1] if said else "it holds nothing to log in with"
        raise _useless(context, f"its user's login gives no credentials ({why})")
    return client if cluster.get("proxy-url") else _direct(client)


def entries(kubeconfig: str, section: str) -> dict[str, Any]:
    """What the kubeconfig files list in a section (``contexts``, ``users``), by name; of two the first counts."""
    found: dict[str, Any] = {}
    for path in filter(None, kubeconfig.split(os.pathsep)):
        try:
            file = Path(path).expanduser()
            if not os.path.lexists(file):
                continue
            content = files.load_yaml(files.read_text(file)) or {}
            listed = {str(entry["name"]): entry.get(section[:-1]) or {} for entry in content.get(section) or []}
        except (OSError, ValueError, RuntimeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as problem:
            said = f": {problem}" if isinstance(problem, files.UnreadableError) else ""
            why, remedy = f"it cannot be read as a kubeconfig{said}.", "Mend it, or name another with KUBECONFIG."
            raise InputError([Mistake("KUBECONFIG", path, why, remedy)]) from None
        if not all(isinstance(entry, dict) for entry in listed.values()):
            why = f"an entry of its {section} holds no {section[:-1]}."
            raise InputError([Mistake("KUBECONFIG", path, why, "Mend it, or name another with KUBECONFIG.")])
        found = {**listed, **found}
    return found


def _named(kubeconfig: str, context: str) -> tuple[Entry, Entry]:
    """The user and the cluster of a context; a user that is not listed is refused."""
    chosen = entries(kubeconfig, "contexts").get(context, {})
    users, name = entries(kubeconfig, "users"), str(chosen.get("user") or "")
    if name and name not in users:
        raise _useless(context, f"its user {name} is not in the kubeconfig")
    at = str(chosen.get("cluster") or "")
    cluster = dict(entries(kubeconfig, "clusters").get(at, {}))
    server = cluster.get("server")
    if not (isinstance(server, str) and re.match(r"https?://[^\s/]+", server)):
        stated = f"states {server!r}" if server else "states none"
        remedy = f"{MEND[:-1]}: server: https://HOST:PORT."
        raise _useless(context, f"cluster {at or 'without a name'} {stated} for its server", remedy)
    return dict(users.get(name) or {}), cluster


def _require_supported(user: Entry, context: str) -> None:
    """Refuse what the library would pass over in silence."""
    if keys := [key for key in IMPERSONATION if user.get(key)]:
        said = f"its user acts as somebody else ({', '.join(keys)}), which this client cannot"
        raise _useless(context, said, "Name a context that logs in as the account itself.")
    login = user.get("exec") or {}
    if not isinstance(login, dict) or not isinstance(login.get("command", ""), str):
        raise _useless(context, "its user logs in by exec, which names no command")
    program = login.get("command", "")
    if program and shutil.which(program) is None:
        said = f"its user logs in by the program {program}, which is not on PATH"
        raise _useless(context, said, f"{MEND[:-1]}, or install what it names.")
    provider = user.get("auth-provider") or {}
    if not isinstance(provider, dict) or not isinstance(provider.get("config") or {}, dict):
        raise _useless(context, "its user's auth-provider is none")
    if provider and provider.get("name") != OIDC:
        said = f"its user logs in by auth-provider {provider.get('name')}, which Kubernetes 1.26 removed"
        raise _useless(context, said, f"{MEND[:-1]}: use the exec plugin that took its place.")
    settings = provider.get("config") or {}
    if provider and not any(settings.get(f"idp-certificate-authority{end}") for end in ("", "-data")):
        _require_no_secret_to_strangers(str(settings.get("idp-issuer-url") or ""), context)


def _require_no_secret_to_strangers(issuer: str, context: str) -> None:
    """The library sends a client's secret without looking at the issuer's certificate where no authority is named."""
    host = urlsplit(issuer).hostname or ""
    if host and not loopback(host):
        said = f"its auth-provider oidc names no certificate authority for {issuer}"
        remedy = "Set idp-certificate-authority to the file of the authorities that you trust, or use an exec plugin."
        raise _useless(context, said, remedy)


def _useless(context: str, said: str, remedy: str = MEND) -> InputError:
    return InputError([Mistake("CLUSTER", context, f"its kubeconfig entry is of no use: {said}.", remedy)])


def _short(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return (lines[0] if lines else type(problem).__name__).rstrip(".")[:300]


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What the library logs as an error meanwhile, by the root logger, as it does."""
    said: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(" ".join(record.getMessage().split())[:300].rstrip("."))

    keeper = Keeper(logging.ERROR)
    logging.getLogger().addHandler(keeper)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(keeper)


def _direct(client: Any) -> Any:
    """The same client, not through a proxy of the environment when the server is on this machine."""
    host = urlsplit(client.configuration.host).hostname or ""
    if not client.configuration.proxy or not loopback(host):
        return client
    from kubernetes.client.api_client import ApiClient

    client.configuration.proxy = None
    return ApiClient(client.configuration)


def loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
