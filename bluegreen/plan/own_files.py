"""A team's own YAML, read from its directory: whether a directory is an application as it is, and what lies in it.

A directory holds an application as it is when a Deployment lies in it and none of its Deployments says ``${COLOUR}``:
plain YAML, the output of ``kustomize build`` or of ``helm template``. Otherwise its files take the place of the
built-in ones of the same name (see ``manifests``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bluegreen import manifests
from bluegreen.errors import InputError, Mistake

Obj = dict[str, Any]

Stamp = tuple[tuple[str, int], ...]
"""The files of a directory, each with the time of its last change."""

SUFFIXES = (".yaml", ".yml", ".json")

SOURCES = {
    "kustomization.yaml": "kubectl kustomize",
    "kustomization.yml": "kubectl kustomize",
    "Chart.yaml": "helm template",
}
"""Files that are not applied but made into manifests, and what makes them."""

TEMPLATES = frozenset(f"{name}.yaml" for name in ("release-role", *manifests.ON_DEMAND))
"""Files that may replace built-in ones beside a team's own: they are the harness', and not the application's."""

HOOK = "helm.sh/hook"
"""Annotation of what Helm runs by itself at an install or a test; it is no part of the application."""

SERVERS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
"""Metadata that a server writes, as `kubectl get -o yaml` prints it."""

SERVERS_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")


def is_own(directory: Path | None) -> bool:
    """Whether a directory holds an application as it is."""
    return directory is not None and _is_own(directory, stamp(directory))


def read(directory: Path) -> list[tuple[str, Obj]]:
    """Every object of the application, with its file. Raises InputError with the mistakes of all files."""
    return _read(directory, stamp(directory))


def stamp(directory: Path) -> Stamp:
    """What tells that something in a directory has changed."""
    return tuple((str(path), path.stat().st_mtime_ns) for path in _files(directory) if path.exists())


def _files(directory: Path) -> Iterator[Path]:
    """The files with manifests, folders in it included: helm template --output-dir makes some."""
    for path in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
        if path.suffix in SUFFIXES and not hidden and path.name not in TEMPLATES:
            yield path


@functools.lru_cache(maxsize=16)
def _is_own(directory: Path, _: Stamp) -> bool:
    deployments = [text for path in _files(directory) for text in manifests.texts_of(path, "Deployment")]
    return bool(deployments) and not any("${COLOUR}" in text for text in deployments)


@functools.lru_cache(maxsize=16)
def _read(directory: Path, _: Stamp) -> list[tuple[str, Obj]]:
    found: list[tuple[str, Obj]] = []
    mistakes: list[Mistake] = []
    for path in _files(directory):
        if path.name in SOURCES:
            made = SOURCES[path.name]
            why, remedy = f"it is what `{made}` makes manifests of.", f"Name a directory with its output: {made} …"
            mistakes.append(Mistake(str(path), None, why, remedy))
            continue
        try:
            objects = manifests.read_plain(path)
        except InputError as problem:
            mistakes += problem.mistakes
        else:
            found += [(str(path), as_written(obj)) for obj in objects if not _is_hook(obj)]
    mistakes += _twice(found)
    if mistakes:
        raise InputError(mistakes)
    return found


def as_written(obj: Obj) -> Obj:
    """An object without what a server adds to it. Pure."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in SERVERS}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {k: v for k, v in annotations.items() if k not in SERVERS_ANNOTATIONS}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _is_hook(obj: Obj) -> bool:
    return HOOK in (obj["metadata"].get("annotations") or {})


def _twice(found: list[tuple[str, Obj]]) -> Iterator[Mistake]:
    """What two files say differently, perhaps, and nobody knows which counts."""
    seen: dict[tuple[str, str], str] = {}
    for path, obj in found:
        key = str(obj["kind"]), str(obj["metadata"]["name"])
        if key in seen:
            yield Mistake(path, None, f"{' '.join(key)} is there twice: also in {seen[key]}.", "Keep one of them.")
        seen.setdefault(key, path)
