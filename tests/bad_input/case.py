"""What every case of the catalogue states: who it is, what is wrong, and the words that the refusal must show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Case(Protocol):
    """One bad setting, manifest or cluster."""

    @property
    def id(self) -> str:
        """Its name in the test run."""

    @property
    def wrong(self) -> str:
        """What is wrong, in words."""

    @property
    def shows(self) -> tuple[str, ...]:
        """What the message must show: the setting or object, the value, and what to do."""


@dataclass(frozen=True)
class Wrong:
    """A setting's value that is refused: why, and the remedy, both as the message says them."""

    name: str
    value: str
    wrong: str
    remedy: str

    @property
    def id(self) -> str:
        """The setting and a short form of its value."""
        shown = self.value.encode("unicode_escape").decode().rpartition("/tests/")[2] or self.value
        return f"{self.name}={shown if len(shown) <= 40 else f'{shown[:37]}...'}"

    @property
    def shows(self) -> tuple[str, ...]:
        """The setting, its value as Python writes text, why, and the remedy."""
        return self.name, repr(self.value)[1:-1], self.wrong, self.remedy


@dataclass(frozen=True)
class Text:
    """A file's text that is refused: a manifest, a ``.env`` file, a kubeconfig."""

    id: str
    wrong: str
    text: str | bytes
    shows: tuple[str, ...]
