"""Whether the documents that a release is watched and taken back by are there: dashboards, the plan for going back."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from bluegreen.checklist.rows import Answer, Row
from bluegreen.settings import Settings

TIMEOUT_S = 5.0
"""A choice: a page that a person waits for in an incident comes within this."""

BEHIND_A_LOGIN = frozenset({401, 403})
"""Statuses of a page that is there, for those who log in."""


def rows(settings: Settings) -> list[Row]:
    """A row for the dashboards, and one for the plan for going back."""
    return [
        _row("dashboards", settings.dashboards.split(), "DASHBOARDS='https://grafana.example.com/d/release'"),
        _row("rollback plan", [settings.rollback_plan] if settings.rollback_plan else [], "ROLLBACK_PLAN=docs/plan.md"),
    ]


def _row(what: str, places: list[str], example: str) -> Row:
    if not places:
        setting = example.partition("=")[0]
        return Row(what, Answer.UNKNOWN, f"{setting} is not set", f"Say where it is, as {example}.")
    looks = [look(place) for place in places]
    bad = [f"{place} {said}" for place, (good, said) in zip(places, looks, strict=True) if not good]
    if bad:
        return Row(what, Answer.MISSING, "\n".join(bad), "Mend it, or correct the setting.")
    return Row(what, Answer.OK, "\n".join(f"{place} {said}" for place, (_, said) in zip(places, looks, strict=True)))


def look(place: str) -> tuple[bool, str]:
    """Whether a document is at a URL or in a file, and what was seen there, in words."""
    return _ask(place) if "://" in place else _read(Path(place).expanduser())


def _read(path: Path) -> tuple[bool, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        return False, f"cannot be read: {error.strerror}"
    return bool(content.strip()), "is there" if content.strip() else "is empty"


def _ask(url: str) -> tuple[bool, str]:
    """One GET; nobody is logged in, so a page that wants a login is there, and what it shows is not known."""
    import httpx

    host = urlsplit(url).hostname or ""
    try:
        with httpx.stream(
            "GET", url, timeout=TIMEOUT_S, follow_redirects=True, trust_env=not host.startswith("127.")
        ) as answer:
            status = answer.status_code
    except httpx.HTTPError as error:
        return False, f"does not answer ({(str(error) or type(error).__name__).splitlines()[0]})"
    if status in BEHIND_A_LOGIN:
        return True, f"is there, behind a login (HTTP {status})"
    return 200 <= status < 400, f"answers HTTP {status}"
