"""YAML and settings -> objects: plain manifests with ``${PLACEHOLDER}``s, strict about everything unknown.

The files lie in ``bluegreen/manifests/``. A team replaces any of them by a directory of its own (MANIFESTS): a file
that is there takes the place of the built-in one of the same name, one that is not there leaves the built-in one.

What a manifest may use, besides plain YAML:

* ``${NAME}`` in a value or a key stands for a setting by its environment name, or for one of ``COMPUTED``. Values are
  put in after the YAML has been parsed, so none can break it. An unquoted value that is nothing but one placeholder
  becomes a number where the setting is one; in quotes it stays text. ``$${NAME}`` is a literal ``${NAME}``.
* ``!if:NAME`` before a value, a list entry or a whole document drops it when ``NAME`` stands for nothing.

A placeholder of a secret is accepted in objects of kind Secret only.
"""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bluegreen import files
from bluegreen.errors import InputError, Mistake
from bluegreen.settings import SETTINGS, Settings, as_text

Obj = dict[str, Any]

BUILT_IN = Path(__file__).parent / "manifests"

NAMES = (
    "namespace",
    "service-account",
    "release-role",
    "secrets",
    "configmap",
    "production-service",
    "preview-service",
    "ingress",
    "networkpolicy",
    "deployment",
    "hpa",
    "pdb",
)
"""The files, in the order in which they are applied."""

ON_DEMAND = ("load-pod",)
"""Files of what only some releases make, and take away again."""

GRACE_S = 5
"""A choice: seconds between the end of DRAIN_TIMEOUT and the kill, for a process to close what is left."""

COMPUTED: dict[str, str] = {
    "COLOUR": "blue or green, in the manifests that exist once for each",
    "PREVIEW_SERVICE_NAME": "SERVICE_NAME-preview",
    "PREVIEW_SERVICE_TYPE": "ClusterIP, or NodePort with PREVIEW_NODE_PORT",
    "HTTP_PORT": "the port of HEALTH_CHECK_URL",
    "HEALTH_PATH": "the path of HEALTH_CHECK_URL",
    "HEALTH_BASE": "that path without its last part: ${HEALTH_BASE}/ready, ${HEALTH_BASE}/live",
    "START_SECONDS": "HEALTH_CHECK_TIMEOUT in whole seconds",
    "GRACE_SECONDS": f"DRAIN_TIMEOUT in whole seconds and {GRACE_S} more",
    "WEAVIATE_PORT": "the port of WEAVIATE_URL",
    "OLLAMA_PORT": "the port of OLLAMA_BASE_URL",
    "LOAD_BALANCER": "true when the live Service is of type LoadBalancer",
    "LOAD_POD": "the name of a pod of the load test, in the manifest of such pods",
    "LOAD_CONFIG": "the name of the ConfigMap with its locust file",
}
"""Placeholders that are no settings, and what they stand for."""

_PLACEHOLDER = re.compile(r"(?P<escape>\$)?\$\{(?P<name>[^}]*)\}")
_CONDITION = "!if:"
_TAGS = {
    MappingNode: "tag:yaml.org,2002:map",
    SequenceNode: "tag:yaml.org,2002:seq",
    ScalarNode: "tag:yaml.org,2002:str",
}
_SECRETS = frozenset(s.name for s in SETTINGS if s.secret)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast, where PyYAML has it


@dataclass
class _File:
    """One file being rendered: its text, what placeholders stand for, and the mistakes found so far."""

    path: Path
    values: Mapping[str, Any] | None  # None: nothing is put in, the YAML is taken as it is
    mistakes: list[Mistake] = field(default_factory=list)
    done: dict[int, Node | None] = field(default_factory=dict)
    """Nodes already substituted: an anchor's is met again at each of its aliases, and values are put in once."""

    def mistake(self, line: int, why: str, remedy: str, value: str | None = None) -> None:
        """Note what is wrong at a line."""
        self.mistakes.append(Mistake(f"{self.path} line {line}", value, why, remedy))


def render(settings: Settings, name: str, **values: Any) -> list[Obj]:
    """The objects of one file, by its name without ``.yaml``; ``values`` add to the settings or replace them.

    Raises ``InputError`` with every mistake of the file, each by its line: YAML that cannot be parsed, unknown
    placeholders, what is no Kubernetes object, and objects that are there twice.
    """
    return render_file(settings, source(settings, name), name, **values)


def render_file(settings: Settings, path: Path, name: str = "", **values: Any) -> list[Obj]:
    """The objects of any file, by its path: a team's Job, say. What it may hold, and what is raised: as ``render``."""
    return _objects(_File(path, _values(settings, name, values)))


def read_plain(path: Path) -> list[Obj]:
    """The objects of a file that is taken as it is: what looks like a placeholder is text. Raises as ``render``."""
    return _objects(_File(path, None))


def texts_of(path: Path, kind: str) -> list[str]:
    """The text of each object of a kind, as it is written; of a file that is no YAML, of those before its mistake."""
    found: list[str] = []
    try:
        text = _read(path, os.stat(path).st_mtime)
        for node in yaml.compose_all(text, Loader=_Loader):
            nodes = [one for one in _members(node) if _kind_of(one) == kind]
            found += [text[one.start_mark.index : one.end_mark.index] for one in nodes]
    except (OSError, ValueError, yaml.YAMLError):  # whoever reads it says so
        return found
    return found


def _objects(file: _File) -> list[Obj]:
    objects = [_checked(file, obj, line) for obj, line in _documents(file)]
    _refuse_duplicates(file, objects)
    if file.mistakes:
        raise InputError(file.mistakes)
    return [obj for obj in objects if obj]


def render_all(settings: Settings, names: tuple[str, ...] = NAMES, **values: Any) -> dict[str, list[Obj]]:
    """Several files by their names; the mistakes of all of them are raised together."""
    rendered: dict[str, list[Obj]] = {}
    mistakes: list[Mistake] = []
    for name in names:
        try:
            rendered[name] = render(settings, name, **values)
        except InputError as problem:
            mistakes.extend(problem.mistakes)
    if mistakes:
        raise InputError(mistakes)
    return rendered


def source(settings: Settings, name: str) -> Path:
    """The file that a manifest is read from: the team's where it has one, else the built-in one."""
    directories = [settings.manifests] if settings.manifests else []
    for directory in [*directories, BUILT_IN]:
        path = directory / f"{name}.yaml"
        if os.path.lexists(path):  # one that cannot be read is refused, and not passed over for the built-in one
            return path
    raise InputError([Mistake("MANIFESTS", name, "there is no manifest of that name.", f"One of: {', '.join(NAMES)}.")])


def _values(settings: Settings, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What each placeholder stands for: settings, what follows from them, and what the caller gave."""
    values: dict[str, Any] = {s.name: getattr(settings, s.attribute) for s in SETTINGS}
    values |= {
        "PREVIEW_SERVICE_NAME": settings.preview_service_name,
        "PREVIEW_SERVICE_TYPE": settings.preview_service_type,
        "HTTP_PORT": settings.health_port,
        "HEALTH_PATH": settings.health_path,
        "HEALTH_BASE": settings.health_base,
        "START_SECONDS": math.ceil(settings.health_check_timeout),
        "GRACE_SECONDS": math.ceil(settings.drain_timeout) + GRACE_S,
        "WEAVIATE_PORT": _port(settings.weaviate_url),
        "OLLAMA_PORT": _port(settings.ollama_base_url),
    }
    if name == "networkpolicy":
        values["LOAD_BALANCER"] = "true" if _load_balanced(settings) else ""
    return {key: _typed(key, value) for key, value in {**values, **given}.items()}


def _typed(name: str, value: Any) -> Any:
    """A number for the setting that is one, also when the caller gave text: ``REPLICAS="3"``."""
    if isinstance(value, str) and name in _NUMBERS and re.fullmatch(r"[0-9]+", value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


_NUMBERS = frozenset(
    s.name for s in SETTINGS if s.default is not None and isinstance(s.parse(s.default), int | float)
) | {"MIN_REPLICAS", "MAX_REPLICAS", "LOAD_WARMUP", "LOAD_RATE", "COMPARE_DURATION"}


def _port(url: str) -> int | str:
    """The port of a URL, by its scheme where it names none; '' without a URL."""
    parts = urlsplit(url)
    return (parts.port or {"https": 443}.get(parts.scheme, 80)) if url else ""


def _load_balanced(settings: Settings) -> bool:
    services = render(settings, "production-service")
    return any((s.get("spec") or {}).get("type") == "LoadBalancer" for s in services)


# --- YAML -----------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _read(path: Path, _changed: float) -> str:
    text = files.read_text(path)
    files.require_bounded(text)
    return text


def _documents(file: _File) -> Iterator[tuple[Any, int]]:
    """Each object, also of a List, as plain data, with its first line; nothing more once the YAML cannot be parsed."""
    loader = None
    try:
        loader = _Loader(_read(file.path, os.stat(file.path).st_mtime if file.path.exists() else 0))
        while loader.check_node():
            node = loader.get_node()
            # Decided for a whole document: an anchor in a Secret may have its alias in another object of the same List.
            only_secrets = all(_kind_of(each) == "Secret" for each in _members(node))
            file.done.clear()
            kept = _substitute(file, node, frozenset() if only_secrets else _SECRETS)
            for each in _members(kept) if kept is not None else ():
                yield loader.construct_document(each), each.start_mark.line + 1
    except files.UnreadableError as problem:
        file.mistake(1, f"it cannot be read: {problem}.", "Mend it.")
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        why = f"it is not YAML: {problem.problem or problem.context}."
        file.mistake(mark.line + 1 if mark else 1, why, "Mend the file; `kubectl apply --dry-run=client` helps.")
    except yaml.YAMLError as problem:
        file.mistake(1, f"it is not YAML: {str(problem).splitlines()[0]}.", "Mend the file.")
    except (ValueError, TypeError, OverflowError, KeyError, AttributeError) as problem:
        file.mistake(1, f"it is not YAML: {files.unmade(problem)}.", "Mend the file.")
    finally:
        if loader is not None:
            loader.dispose()


def _members(node: Node) -> list[Node]:
    """The objects of a ``kind: List``, as `kubectl get -o yaml` prints it; the node itself when it is none."""
    pairs = node.value if isinstance(node, MappingNode) else []
    items = next((v for k, v in pairs if isinstance(k, ScalarNode) and k.value == "items"), None)
    return list(items.value) if _kind_of(node) == "List" and isinstance(items, SequenceNode) else [node]


def _kind_of(node: Node) -> str:
    """The ``kind`` that a document states, before anything is put in."""
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((str(v.value) for k, v in pairs if isinstance(k, ScalarNode) and k.value == "kind"), "")


_OPEN = ScalarNode(_TAGS[ScalarNode], "")  # a node whose substitution has begun and not ended


def _substitute(file: _File, node: Node, hidden: frozenset[str]) -> Node | None:
    """Put the values in, at and below this node; ``None`` when its condition drops it."""
    if id(node) not in file.done:
        file.done[id(node)] = _OPEN
        file.done[id(node)] = _substituted(file, node, hidden)
    if file.done[id(node)] is _OPEN:
        file.mistake(node.start_mark.line + 1, "an alias lies inside its own anchor.", "Write out what is meant.")
        return None
    return file.done[id(node)]


def _substituted(file: _File, node: Node, hidden: frozenset[str]) -> Node | None:
    if file.values is not None and str(node.tag).startswith(_CONDITION):
        name = str(node.tag).removeprefix(_CONDITION)
        if as_text(_value(file, node, name, hidden)) == "":
            return None
        node.tag = _TAGS[type(node)]
    if isinstance(node, MappingNode):
        _refuse_repeated_keys(file, node)
        pairs = ((_substitute(file, k, hidden), _substitute(file, v, hidden)) for k, v in node.value)
        node.value = [(k, v) for k, v in pairs if k is not None and v is not None]
    elif isinstance(node, SequenceNode):
        node.value = [kept for child in node.value if (kept := _substitute(file, child, hidden)) is not None]
    elif isinstance(node, ScalarNode) and file.values is not None:
        _fill_in(file, node, hidden)
    return node


def _fill_in(file: _File, node: ScalarNode, hidden: frozenset[str]) -> None:
    whole = _PLACEHOLDER.fullmatch(node.value)
    if whole and not whole["escape"]:
        value = _value(file, node, whole["name"], hidden)
        node.value = as_text(value)
        if not node.style and isinstance(value, int | float) and not isinstance(value, bool):
            node.tag = f"tag:yaml.org,2002:{'int' if isinstance(value, int) else 'float'}"
        return

    def value_of(match: re.Match[str]) -> str:
        return match[0][1:] if match["escape"] else as_text(_value(file, node, match["name"], hidden))

    node.value = _PLACEHOLDER.sub(value_of, node.value)


def _value(file: _File, node: Node, name: str, hidden: frozenset[str]) -> Any:
    """What a placeholder stands for; notes a mistake and gives '' where it may not be used."""
    line, values = node.start_mark.line + 1, file.values or {}
    if name not in values:
        known = "Write a setting's name or one of: " + ", ".join(COMPUTED) + "."
        file.mistake(line, f"${{{name}}} stands for nothing here.", known)
    elif name in hidden:
        file.mistake(line, f"${{{name}}} is a secret outside a Secret.", "Use it in kind Secret, and refer to that.")
    else:
        return values[name]
    return ""


def _refuse_repeated_keys(file: _File, node: MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        text = str(key.value)
        if text in seen:
            file.mistake(key.start_mark.line + 1, f"the key {text} is there twice.", "Keep one of them.")
        seen.add(text)


def _checked(file: _File, document: Any, line: int) -> Obj:
    """A document as an object; an empty one, with a mistake noted, when it is none."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        file.mistake(line, "it is not a Kubernetes object.", "Write apiVersion, kind and metadata.")
        return {}
    metadata = document.get("metadata")
    named = isinstance(metadata, dict) and isinstance(metadata.get("name"), str) and metadata["name"]
    for missing in [key for key in ("apiVersion", "kind") if not isinstance(document.get(key), str)]:
        file.mistake(line, f"the object has no {missing}.", f"Write {missing}.")
    if not named:
        file.mistake(line, "the object has no metadata.name.", "Write metadata.name.")
    elif re.search("[/%]", name := str(document["metadata"]["name"])) or name in (".", ".."):
        why = f"the object's name {name} cannot stand in a path of the API."
        file.mistake(line, why, "Use lower-case letters, digits, '-' and '.'.")
    return document if named and "kind" in document else {}


def _refuse_duplicates(file: _File, objects: list[Obj]) -> None:
    seen: set[tuple[str, str, str]] = set()
    for obj in filter(None, objects):
        metadata = obj["metadata"]
        key = str(obj["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"])
        if key in seen:
            file.mistakes.append(
                Mistake(str(file.path), None, f"{key[0]} {key[2]} is there twice.", "Keep one of them.")
            )
        seen.add(key)
