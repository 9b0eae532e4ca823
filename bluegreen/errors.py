"""Every error a person may meet: one root, each holding its object and number, its sentence and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_OF_A_VALUE, MOST_OF_A_REASON = 300, 4000
"""Characters of a wrong value, and of what is wrong with it, that a message shows; a choice: more hides the rest."""


def readable(text: str, most: int) -> str:
    """A text that any terminal can show, no longer than that: bytes that are no text are escaped, the middle is cut."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    if len(clean) <= most:
        return clean
    half = most // 2
    return f"{clean[:half]}[... {len(clean) - 2 * half:,} characters ...]{clean[-half:]}"


class HarnessError(Exception):
    """The root of all errors of this project.

    ``sentence`` says what is wrong, with the object and the number; ``remedy`` says what to do next.
    ``str()`` gives both. Neither ever holds the value of a secret.
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


@dataclass(frozen=True)
class Mistake:
    """One thing wrong with the input: the setting (or file), the value given, why it is refused, what to write."""

    setting: str
    value: str | None  # None: not shown (a secret) or not set
    why: str
    remedy: str

    def __str__(self) -> str:
        shown = "" if self.value is None else f"={readable(repr(self.value), MOST_OF_A_VALUE)}"
        return f"{self.setting}{shown}: {readable(self.why, MOST_OF_A_REASON)} {self.remedy}".strip()


class InputError(HarnessError):
    """The input is refused before anything was changed; all mistakes at once. Exit code 4."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class CannotStartError(HarnessError):
    """The release could not start and nothing was changed: locked, not permitted, unreachable. Exit code 4."""


class TimeoutExpiredError(HarnessError):
    """A wait ended at its deadline. Holds what was awaited, for how long, and what was seen last."""

    def __init__(self, awaited: str, waited_s: float, last_seen: str = "", remedy: str = "") -> None:
        self.awaited, self.waited_s, self.last_seen = awaited, waited_s, last_seen
        seen = f" Last seen: {last_seen}." if last_seen else ""
        super().__init__(f"{awaited}: not so after {waited_s:.1f} s.{seen}", remedy)


class HookError(HarnessError):
    """A hook refused the next step: before the switch the candidate goes, after it live traffic goes back."""


class FrozenError(HookError):
    """A freeze began before live traffic was moved: the candidate goes, and traffic stays where it is."""


class LiveHarmedError(HarnessError):
    """Live traffic got worse while the candidate was only prepared or judged; the release ends."""


class WorkersError(HarnessError):
    """Workers that must not run twice could not be handed over to the candidate: live traffic does not move."""


class NeedsPersonError(HarnessError):
    """Neither going on nor going back is safe: a person has to look. Exit code 7."""


class TakenOverError(HarnessError):
    """The release is not this process' any more: it may change nothing, and whoever owns it puts it in order."""
