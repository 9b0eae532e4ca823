"""What a probe's or a hook's action came to, and how Go writes how long it took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Whether a handler succeeded, and what there is to say about it.

    ``broken``: it could not be tried at all. ``refused``: nobody listens at the port. ``answered``: there was an
    answer, only not a good one.
    """

    ok: bool
    message: str = ""
    broken: bool = False
    refused: bool = False
    answered: bool = False


def go_duration(seconds: float) -> str:
    """A duration as Go writes it: 1.5s, 10s, 1m20s, 5m0s."""
    return f"{int(seconds) // 60}m{int(seconds) % 60}s" if seconds >= 60 else f"{seconds:g}s"
