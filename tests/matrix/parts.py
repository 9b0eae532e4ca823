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
    "signals": Entry("tests.matrix.interrupted", 6, "whole processes interrupted by SIGINT and SIGTERM, once or twice"),
    "workers": Entry("tests.matrix.workers", 4, "releases that lose an xdist worker"),
    "resets": Entry("tests.matrix.resets", 3, "`bluegreen reset` killed with -9"),
    "frozen": Entry("tests.matrix.frozen", 6, "releases frozen past their Lease, then woken"),
    "together": Entry("tests.matrix.together", 1, "ten releases at once on one application"),
    "disk": Entry("tests.matrix.full_disk", 4, "releases with a full disk under reports/"),
    "clocks": Entry("tests.matrix.clocks", 4, "releases whose wall clock jumps"),
    "switches": Entry("tests.switch_matrix", 3, "switches that no user is to feel, and a control that is felt"),
    "refused": Entry("tests.matrix.refused", 4, "bad images"),
    "good": Entry("tests.matrix.good", 2, "healthy images, while something else keeps every core busy"),
    "faults": Entry("tests.fault_matrix", 2, "whole releases on an API that fails one request in five, and worse"),
}
"""In the order in which they run."""
