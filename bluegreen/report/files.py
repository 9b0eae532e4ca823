"""Writes release.json and summary.md, whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bluegreen.report.markdown import markdown


def write_json(record: Mapping[str, Any], path: Path) -> None:
    """Write the record as JSON. Raises OSError, and then an older file is still there as it was."""
    _write(path, json.dumps(_plain(record), indent=2, ensure_ascii=False, default=str) + "\n")


def write_markdown(record: Mapping[str, Any], path: Path) -> None:
    """Write the summary, for a pull request or a chat. Raises OSError as ``write_json``."""
    _write(path, markdown(record))


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """The value as JSON has it: JSON knows no infinity and no number that is none; those become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
