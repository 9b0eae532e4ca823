"""Asking as somebody else (``kubectl --as``): the Impersonate headers, as kube-apiserver's filter reads them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp import web

from bluegreen.localkube.http.paths import clean
from bluegreen.localkube.rbac import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, Attributes, User

_EXTRA = "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"


class WithoutUserError(Exception):
    """Groups, a uid or more of a user are asked for, and no user; ``str`` is how Go prints what was asked for."""


@dataclass(frozen=True)
class Impersonation:
    """The user a request is to be seen as, and every right its sender needs for that."""

    user: User
    needs: tuple[Attributes, ...]


def asked(request: web.BaseRequest) -> Impersonation | None:
    """Whom a request wants to be; None for most. Raises WithoutUserError where it names no user."""
    headers = request.headers
    name = clean(headers.get("Impersonate-User", ""))
    groups = [clean(group) for group in headers.getall("Impersonate-Group", [])]
    extra = _extra(request)
    uid = clean(headers.get("Impersonate-Uid", ""))
    if not name:
        if groups or extra or uid:
            raise WithoutUserError(_printed(groups, extra, uid))
        return None
    needs = [_right_to_be(name)]
    needs += [Attributes("impersonate", resource="groups", name=group) for group in groups]
    needs += [
        Attributes("impersonate", _AUTHENTICATION, "userextras", key, name=value)
        for key, values in extra.items()
        for value in values
    ]
    if uid:
        needs.append(Attributes("impersonate", _AUTHENTICATION, "uids", name=uid))
    user = User(name, _groups(name, groups), uid, tuple((key, tuple(values)) for key, values in extra.items()))
    return Impersonation(user, tuple(needs))


def _extra(request: web.BaseRequest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for header, value in request.headers.items():
        if header.lower().startswith(_EXTRA):
            found.setdefault(unquote(header.lower()[len(_EXTRA) :]), []).append(clean(value))
    return found


def _account(name: str) -> tuple[str, str] | None:
    """The namespace and name of a service account's user name."""
    parts = name.split(":")
    if name.startswith("system:serviceaccount:") and len(parts) == 4:
        return parts[2], parts[3]
    return None


def _right_to_be(name: str) -> Attributes:
    if account := _account(name):
        return Attributes("impersonate", resource="serviceaccounts", namespace=account[0], name=account[1])
    return Attributes("impersonate", resource="users", name=name)


def _groups(name: str, groups: list[str]) -> tuple[str, ...]:
    """The groups as stated, or a service account's own; and whether the user counts as authenticated."""
    account = _account(name)
    if account and not groups:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{account[0]}"]
    if name == ANONYMOUS:
        implied, enough = UNAUTHENTICATED, {UNAUTHENTICATED}
    else:
        implied, enough = AUTHENTICATED, {AUTHENTICATED, UNAUTHENTICATED}
    return tuple(groups) if enough & set(groups) else (*groups, implied)


def _printed(groups: list[str], extra: dict[str, list[str]], uid: str) -> str:
    """The object references that the filter makes of the headers, as Go's %v prints them."""
    version = f"{_AUTHENTICATION}/v1"
    shown = [f"{{Group  {group}    }}" for group in groups]
    shown += [f"{{UserExtra  {value}  {version}  {key}}}" for key, values in extra.items() for value in values]
    shown += [f"{{UID  {uid}  {version}  }}"] if uid else []
    return f"requested [{' '.join(shown)}] without impersonating a user"
