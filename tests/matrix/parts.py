"""Which parts there are: a name, the module that holds its ``run``, and how many cases make a quick sample of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from tests.matrix.row import Part


@dataclass(frozen=True)
class Entry:
    """A part by its place. ``quick`` is the number of cases that ``--quick`` tries."""

    module: str
    quick: int
    what: str

    def load(self) -> Part:
        """The module itself."""
        part: Part = import_module(self.module)  # type: ignore[assignment]
        return part


PARTS = {
    "kills": Entry("tests.kill_matrix", 4, "releases killed with -9 at a write to the API, and at random moments"),
    "runs": Entry("tests.matrix.runs", 6, "whole processes killed with -9: releases, with xdist too, and commands"),
}
"""In the order in which they run."""
