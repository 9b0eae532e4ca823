"""Lists: selected, in pages, as of one resourceVersion. From stored bytes to bytes, without decoding objects anew."""

from __future__ import annotations

import base64
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import orjson

from bluegreen.localkube import json_errors, selectors
from bluegreen.localkube.http.options import ListOptions
from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import ApiError, bad_request
from bluegreen.localkube.store import Entry, Store

_CONTINUE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without"
    " the continue parameter."
)
_VERSION_TOO_OLD = "The resourceVersion for the provided list is too old."
_NOT_BASE64 = re.compile(r"[^-_A-Za-z0-9]")
_NO_NAMESPACE = "-"  # stands for a cluster-scoped object's namespace in a continue token


@dataclass(frozen=True)
class Page:
    """A list's answer: its entries and the metadata of the list."""

    entries: list[Entry]
    metadata: Obj = field(default_factory=dict)


def page(store: Store, kind: Kind, namespace: str, options: ListOptions) -> Page:
    """The objects asked for. 410 when a list is continued after its version was forgotten."""
    selected = selectors.selection(kind, options.labels, options.fields)
    version, after = _position(store, options)
    entries: Iterable[Entry] = _as_of(store, kind, namespace, version, after)
    if selected:
        entries = (entry for entry in entries if selected.matches(entry.obj))
    if not options.limit or (options.version == "0" and not options.continue_):
        # at version 0 any state will do, and the watch cache, which answers then, knows no pages
        return Page(list(entries), {"resourceVersion": str(version)})
    rest = iter(entries)
    found = list(islice(rest, options.limit))
    metadata: Obj = {"resourceVersion": str(version)}
    following = next(rest, None)
    if following is not None:
        metadata["continue"] = _token(version, found[-1])
        if not selected:
            metadata["remainingItemCount"] = 1 + sum(1 for _ in rest)
    return Page(found, metadata)


def body(kind: Kind, found: Page) -> bytes:
    """The list as JSON. Its items carry no apiVersion and kind, as Kubernetes' own lists."""
    skipped = len(kind.json_prefix) - 1
    if kind.custom:  # whose items say what they are
        items = b",".join([entry.encoded for entry in found.entries])
    else:
        items = b",".join([b"{" + entry.encoded[skipped + 1 :] for entry in found.entries])
    head = b'{"kind":"%s","apiVersion":"%s","metadata":%s,"items":[' % (
        kind.list_kind.encode(), kind.api_version.encode(), orjson.dumps(found.metadata),
    )  # fmt: skip
    return head + items + b"]}"


def _position(store: Store, options: ListOptions) -> tuple[int, tuple[str, str] | None]:
    """The version a list is of, and the key it continues behind."""
    current = store.resource_version
    if options.continue_:
        version, after = _read_token(options.continue_)
        if options.version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        return (version if 0 < version <= current else current), after
    wanted = int(options.version or 0)
    if wanted > current:
        raise too_large(wanted, current)
    return (wanted if options.version_match == "Exact" else current), None


def check_not_older_than(store: Store, version: str) -> None:
    """504 for one object at a version the server has not reached; 500 for a version that is none (cacher.Get)."""
    if not version:
        return
    if not (version.isascii() and version.isdecimal()):
        why = f'strconv.ParseUint: parsing "{version}": invalid syntax'
        raise ApiError(500, "", f'resourceVersion: Invalid value: "{version}": {why}')
    if int(version) > store.resource_version:
        raise too_large(int(version), store.resource_version)


def too_large(wanted: int, current: int) -> ApiError:
    """504 for a version the server has not reached: the client is ahead of it."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def _as_of(store: Store, kind: Kind, namespace: str, version: int, after: tuple[str, str] | None) -> Iterator[Entry]:
    """Entries in order behind a key, as they were at a version: later changes are taken back."""
    if version == store.resource_version:
        return store.entries(kind, namespace, after)
    before = _states_before(store, kind, version, continued=after is not None)
    if not before:
        return store.entries(kind, namespace, after)
    return _with_states(store, kind, namespace, after, before)


def object_as_of(store: Store, kind: Kind, namespace: str, name: str, version: int) -> Entry | None:
    """One object as it was at a version, or is (0); None where it did not exist. 410 when that is forgotten."""
    if version:
        before = _states_before(store, kind, version, continued=False)
        if (namespace, name) in before:
            return before[namespace, name]
    return store.entry(kind, namespace, name)


def _with_states(
    store: Store, kind: Kind, namespace: str, after: tuple[str, str] | None,
    before: dict[tuple[str, str], Entry | None],
) -> Iterator[Entry]:  # fmt: skip
    now = {_key(entry): entry for entry in store.entries(kind, namespace, after)}
    wanted = {
        key: entry
        for key, entry in before.items()
        if (not namespace or key[0] == namespace) and (after is None or key > after)
    }
    merged = {**now, **wanted}
    return (entry for _, entry in sorted(merged.items()) if entry is not None)


def _states_before(store: Store, kind: Kind, version: int, *, continued: bool) -> dict[tuple[str, str], Entry | None]:
    """What each object changed since a version was like then; None where it did not exist."""
    states: dict[tuple[str, str], Entry | None] = {}
    try:
        changes = store.history(kind, version)
    except ApiError as expired:
        raise ApiError(410, "Expired", _CONTINUE_TOO_OLD if continued else _VERSION_TOO_OLD) from expired
    for change in changes:
        states.setdefault((change.namespace, change.name), change.before)
    return states


def _key(entry: Entry) -> tuple[str, str]:
    meta = entry.obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _token(version: int, last: Entry) -> str:
    namespace, name = _key(last)
    text = orjson.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": f"{namespace or _NO_NAMESPACE}/{name}"})
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    """The version and the key of a token; 400 for what is none (apiserver's storage.DecodeContinue)."""
    stated = _decoded(token)
    version, start = stated.get("rv") or 0, stated.get("start") or ""
    if stated.get("v") != "meta.k8s.io/v1":
        raise _bad_token(f": server does not recognize this encoded version {stated.get('v') or ''}")
    if not version:
        raise _bad_token(": incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not start:
        raise _bad_token(": encoded start key empty (version meta.k8s.io/v1)")
    rooted = start if start.startswith("/") else f"/{start}"
    if posixpath.normpath(rooted) != rooted:
        raise _bad_token(f": {start}")
    namespace, slash, name = rooted[1:].partition("/")
    if not slash:  # a key of one part, as a real server writes for the objects of a namespace
        namespace, name = _NO_NAMESPACE, namespace
    return version, ("" if namespace == _NO_NAMESPACE else namespace, name)


def _decoded(token: str) -> Obj:
    strange = _NOT_BASE64.search(token)
    whole = len(token) - len(token) % 4
    if strange or len(token) % 4 == 1:
        raise _bad_token(f": illegal base64 data at input byte {strange.start() if strange else whole}")
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    try:
        stated = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_token(f": {json_errors.syntax_error(text)}") from None
    if not isinstance(stated, dict) or not isinstance(stated.get("rv", 0), int):
        raise _bad_token(": json: cannot unmarshal it into Go value of type storage.continueToken")
    return stated


def _bad_token(why: str) -> ApiError:
    return bad_request(f"invalid continue token: continue key is not valid{why}")
