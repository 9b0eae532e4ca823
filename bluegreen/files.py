"""Reading the files that people hand over: ordinary ones, of a sensible size, of text; and YAML that cannot explode.

A pipe is read for ever, a device without end, and a few lines of YAML can nest so deep, or stand for so many values by
their aliases, that the process dies of them. All of that is refused here, before anything is made of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MOST_BYTES = 4 * 1024 * 1024
"""A choice: etcd takes no object of more than 1.5 MiB, and no file of settings comes near it."""

MOST_LEVELS = 100
"""Nested maps and lists; a choice: a pod's affinity, the deepest there is, has 13."""

MOST_VALUES = 200_000
"""Values with all aliases written out; a choice: more than 4 MiB of ordinary YAML holds."""


class UnreadableError(ValueError):
    """A file that cannot be taken in; ``str()`` says why, in half a sentence."""


def read_text(path: Path) -> str:
    """The text of an ordinary file in UTF-8, with or without a byte order mark. Raises UnreadableError."""
    try:
        if path.is_dir():
            raise UnreadableError("it is a directory")
        if path.exists() and not path.is_file():
            raise UnreadableError("it is a pipe or a device, not an ordinary file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UnreadableError(f"it has more than {MOST_BYTES // 1024 // 1024} MiB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError("it is not UTF-8 text") from None
    except OSError as problem:
        raise UnreadableError(problem.strerror or "it cannot be opened") from None
    except ValueError as problem:
        raise problem if isinstance(problem, UnreadableError) else UnreadableError(str(problem)) from None


def require_bounded(text: str) -> None:
    """Raise yaml.YAMLError for text that is no YAML, nests too deep, or stands for too many values."""
    sizes: dict[str, int] = {}  # anchor -> values it stands for, once it is closed
    levels: list[tuple[str | None, int]] = []  # of what is open: its anchor, and the values before it
    values = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.events.CollectionStartEvent):
            levels.append((event.anchor, values))
        elif isinstance(event, yaml.events.CollectionEndEvent):
            anchor, before = levels.pop()
            if anchor is not None:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.events.AliasEvent):
            values += sizes.get(event.anchor or "", 1)
        values += isinstance(event, yaml.events.NodeEvent)
        if len(levels) > MOST_LEVELS:
            raise _too_much(event, f"it nests deeper than {MOST_LEVELS} levels")
        if values > MOST_VALUES:
            raise _too_much(event, f"it stands for more than {MOST_VALUES:,} values")


def load_yaml(text: str, loader: Any = None) -> Any:
    """The one document of a bounded text. Raises yaml.YAMLError, also for values of which nothing can be made."""
    require_bounded(text)
    try:
        return yaml.load(text, Loader=loader or _Loader)
    except (ValueError, TypeError, OverflowError, RecursionError, KeyError, AttributeError) as problem:
        raise unmade(problem) from None


def unmade(problem: Exception) -> yaml.YAMLError:
    """The error for a value that is YAML but that nothing can be made of, such as the date 2020-99-99."""
    return yaml.YAMLError(f"nothing can be made of one of its values ({problem})")


def _too_much(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast, where PyYAML has it
