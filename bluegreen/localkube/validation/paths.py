"""Paths of files inside volumes."""

from __future__ import annotations

import posixpath

from bluegreen.localkube.validation.fields import Causes, invalid, required


def no_backsteps(path: str, field: str) -> Causes:
    """A path without ``..``."""
    return [invalid(field, path, "must not contain '..'")] if ".." in path.split("/") else []


def descending(path: str, field: str) -> Causes:
    """A relative path that stays below where it starts."""
    causes = [invalid(field, path, "must be a relative path")] if posixpath.isabs(path) else []
    return causes + no_backsteps(path, field)


def non_reserved(path: str, field: str) -> Causes:
    """The path of a projected file, which may not begin as the kubelet's own files do."""
    causes = descending(path, field)
    if path.startswith("..") and not path.startswith("../"):
        causes.append(invalid(field, path, "must not start with '..'"))
    return causes


def needed(path: str | None, field: str) -> Causes:
    """The same for a path that must be there."""
    return non_reserved(path, field) if path else [required(field)]
