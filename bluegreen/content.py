"""Whether two releases answer the same: status, kind of content, and content but for declared fields. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 80
"""How many characters of a value a difference shows."""

ENOUGH = 20
"""How many differences of one answer are told; a choice: whoever needs more needs another tool."""


@dataclass(frozen=True)
class Said:
    """One answer: its status, its media type without parameters, and its body."""

    status: int
    media_type: str
    body: bytes


def differences(candidate: Said, live: Said, ignore: Sequence[str] = ()) -> list[str]:
    """In words, each place where the candidate's answer is not live's; empty when they are the same.

    ``ignore``: paths in JSON whose values may differ, such as ``version`` or ``items.*.id``; ``*`` stands for any key
    or place. What lies below an ignored path may differ too, but it must be there on both sides.
    """
    found: list[str] = []
    if candidate.status != live.status:
        found.append(f"status {candidate.status}, live's {live.status}")
    if candidate.media_type != live.media_type:
        found.append(f"content type {candidate.media_type or 'none'}, live's {live.media_type or 'none'}")
    bodies = _json(candidate), _json(live)
    if None not in bodies:
        places = _unequal(bodies[0][0], bodies[1][0], (), [tuple(path.split(".")) for path in ignore])  # type: ignore[index]
        found += [text for text, _ in zip(places, range(ENOUGH), strict=False)]
    elif candidate.body != live.body:
        found.append(f"body {_shown(_text(candidate))}, live's {_shown(_text(live))}")
    return found


def _json(said: Said) -> tuple[Any] | None:
    """The value that a body holds, in a tuple: it may be null; None when it is no JSON."""
    try:
        return (json.loads(said.body),)
    except ValueError:
        return None


def _text(said: Said) -> str:
    return said.body.decode("utf-8", "replace")


def _unequal(candidate: Any, live: Any, place: tuple[str, ...], ignore: Iterable[tuple[str, ...]]) -> Iterator[str]:
    name = ".".join(place) or "the whole"
    if any(_covers(path, place) for path in ignore):
        return
    if isinstance(candidate, dict) and isinstance(live, dict):
        for key in sorted(candidate.keys() | live.keys()):
            inner = (*place, str(key))
            if key not in candidate:
                yield f"{'.'.join(inner)} is gone, live's {_shown(live[key])}"
            elif key not in live:
                yield f"{'.'.join(inner)} is new: {_shown(candidate[key])}"
            else:
                yield from _unequal(candidate[key], live[key], inner, ignore)
    elif isinstance(candidate, list) and isinstance(live, list):
        if len(candidate) != len(live):
            yield f"{name} has {len(candidate)} entries, live's {len(live)}"
        for number, (ours, theirs) in enumerate(zip(candidate, live, strict=False)):
            yield from _unequal(ours, theirs, (*place, str(number)), ignore)
    elif type(candidate) is not type(live) or candidate != live:
        yield f"{name} is {_shown(candidate)}, live's {_shown(live)}"


def _covers(path: tuple[str, ...], place: tuple[str, ...]) -> bool:
    return len(path) == len(place) and all(want in ("*", got) for want, got in zip(path, place, strict=True))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
