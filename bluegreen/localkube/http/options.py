"""The query of a request: CreateOptions, UpdateOptions, PatchOptions and ListOptions, checked as Kubernetes does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from bluegreen.localkube.go_formats import as_json, quoted
from bluegreen.localkube.status import Cause, bad_request, invalid

Query = Mapping[str, str]
_LONGEST_MANAGER = 128
_FALSE = ("", "0", "false")
_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}


@dataclass(frozen=True)
class WriteOptions:
    """How a create, update or patch is to be made. ``validation``: Ignore, Warn or Strict."""

    manager: str
    dry_run: bool = False
    force: bool = False
    validation: str = "Warn"


@dataclass(frozen=True)
class ListOptions:
    """What of a collection is asked for. ``timeout_s`` is None where the client leaves it to the server."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    continue_: str = ""
    version: str = ""
    version_match: str = ""
    watch: bool = False
    bookmarks: bool = False
    initial_events: bool | None = None
    timeout_s: int | None = None


@lru_cache(maxsize=2048)
def parse(text: str) -> Query:
    """A query string; of a repeated key the first value counts."""
    found: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(key, value)
    return found


def flag(query: Query, name: str) -> bool:
    """A boolean as Kubernetes reads it: present means true, unless it says false."""
    return name in query and query[name].lower() not in _FALSE


def number(query: Query, name: str) -> int | None:
    """An integer, None when absent; 400 for anything else."""
    text = query.get(name, "")
    if not text:
        return None
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdecimal()):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(digits) > 18:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def manager_of(query: Query, user_agent: str) -> str:
    """The field manager: as stated, else the program's name from its User-Agent."""
    return query.get("fieldManager") or user_agent.partition("/")[0][:_LONGEST_MANAGER] or "unknown"


def write_options(verb: str, query: Query, user_agent: str, *, applying: bool = False) -> WriteOptions:
    """The options of a write; 422 naming everything that is wrong with them."""
    if not query and not applying:
        return WriteOptions(manager_of(query, user_agent))
    causes = [*_manager_causes(query, applying=applying), *_dry_run_causes(_words(query)), *_validation_causes(query)]
    if "force" in query and verb == "patch" and not applying:
        causes.append(Cause("force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch"))
    if causes:
        raise invalid(_OPTIONS[verb], "meta.k8s.io", "", causes)
    return WriteOptions(
        manager_of(query, user_agent), bool(query.get("dryRun")), flag(query, "force"),
        query.get("fieldValidation") or "Warn",
    )  # fmt: skip


def dry_run_of(query: Query, body: Mapping[str, object]) -> bool:
    """Whether a DELETE is only tried; 422 for a word that is not All."""
    stated = body.get("dryRun") or _words(query)
    words = stated if isinstance(stated, list) else [stated]
    if causes := _dry_run_causes([str(word) for word in words]):
        raise invalid("DeleteOptions", "meta.k8s.io", "", causes)
    return bool(words)


def _manager_causes(query: Query, *, applying: bool) -> list[Cause]:
    manager = query.get("fieldManager", "")
    if not manager:
        required = "Required value: is required for apply patch"
        return [Cause("fieldManager", "FieldValueRequired", required)] if applying else []
    causes = []
    if len(manager) > _LONGEST_MANAGER:
        why = f"Too long: may not be more than {_LONGEST_MANAGER} bytes"
        causes.append(Cause("fieldManager", "FieldValueTooLong", why))
    if not manager.isprintable():
        why = f"Invalid value: {quoted(manager)}: should only contain printable characters"
        causes.append(Cause("fieldManager", "FieldValueInvalid", why))
    return causes


def _words(query: Query) -> list[str]:
    return [query["dryRun"]] if query.get("dryRun") else []


def _dry_run_causes(words: list[str]) -> list[Cause]:
    if all(word == "All" for word in words):
        return []
    return [Cause("dryRun", "FieldValueNotSupported", f'Unsupported value: {as_json(words)}: supported values: "All"')]


def _validation_causes(query: Query) -> list[Cause]:
    return _one_of(query, "fieldValidation", ("", "Ignore", "Strict", "Warn"))


def _one_of(query: Query, name: str, allowed: tuple[str, ...]) -> list[Cause]:
    word = query.get(name, "")
    if not word or word in allowed:
        return []
    supported = ", ".join(f'"{each}"' for each in allowed)
    return [Cause(name, "FieldValueNotSupported", f'Unsupported value: "{word}": supported values: {supported}')]


def list_options(query: Query) -> ListOptions:
    """The options of a list or watch; 400 and 422 for what cannot be meant."""
    if not query:
        return ListOptions()
    initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    options = ListOptions(
        labels=query.get("labelSelector", ""),
        fields=query.get("fieldSelector", ""),
        limit=max(0, number(query, "limit") or 0),
        continue_=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        version_match=query.get("resourceVersionMatch", ""),
        watch=flag(query, "watch"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial_events=initial,
        timeout_s=number(query, "timeoutSeconds"),
    )
    causes = _list_causes(options)
    if causes:
        raise invalid("ListOptions", "meta.k8s.io", "", causes)
    if options.version and not (options.version.isascii() and options.version.isdecimal()):
        why = f'strconv.ParseUint: parsing "{options.version}": invalid syntax'
        raise bad_request(f'invalid resource version: resourceVersion: Invalid value: "{options.version}": {why}')
    return options


def _list_causes(options: ListOptions) -> list[Cause]:
    """What of resourceVersionMatch and sendInitialEvents contradicts the rest."""
    match, causes = options.version_match, []
    if options.watch and options.initial_events is None and match:
        causes.append(_forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
    if options.watch and options.initial_events is not None and match != "NotOlderThan":
        causes.append(_forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    if not options.watch and options.initial_events is not None:
        why = "Forbidden: sendInitialEvents is forbidden for list"
        causes.append(Cause("sendInitialEvents", "FieldValueForbidden", why))
    if options.watch or not match:
        return causes
    if not options.version:
        causes.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if options.continue_:
        causes.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    if match not in ("Exact", "NotOlderThan"):
        why = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        causes.append(Cause("resourceVersionMatch", "FieldValueNotSupported", why))
    if match == "Exact" and options.version == "0":
        causes.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    return causes


def _forbidden(why: str) -> Cause:
    return Cause("resourceVersionMatch", "FieldValueForbidden", f"Forbidden: {why}")
