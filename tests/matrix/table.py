"""The table of a run, as Markdown: on the terminal and in ``docs/``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.matrix.row import Row

HEAD = ("", "tried", "ended as they must", "requests to live meanwhile", "of them failed", "to run it again")

AGAIN = re.compile(r"`python -m tests\.matrix (\w+) [^`]*` \|$")
"""The last cell of a line: which part it is of."""


@dataclass(frozen=True)
class Tried:
    """What a part gave, and how it was run."""

    part: str
    seed: int
    count: int | None
    rows: Sequence[Row]

    @property
    def again(self) -> str:
        """The command that tries the same cases again."""
        count = "" if self.count is None else f" --count {self.count}"
        return f"python -m tests.matrix {self.part} --seed {self.seed}{count}"


def table(tried: Sequence[Tried], earlier: Mapping[str, Sequence[str]] | None = None) -> str:
    """All rows, in the order of the parts; ``earlier``: lines of parts that were not tried this time."""
    lines = {part: list(found) for part, found in (earlier or {}).items()}
    lines |= {one.part: [_line(_cells(one, row)) for row in one.rows] for one in tried}
    return "\n".join([_line(HEAD), _line(["---"] * len(HEAD)), *(line for found in lines.values() for line in found)])


def figures(tried: Sequence[Tried]) -> str:
    """What the rows tell besides, a line each."""
    told = [(row.what, row.figures) for one in tried for row in one.rows if row.figures]
    return "\n".join(
        f"- {what}: " + "; ".join(f"{name} {value}" for name, value in more.items()) for what, more in told
    )


def wrong(tried: Sequence[Tried]) -> str:
    """What did not end as it must, a line each; empty when everything did."""
    return "\n".join(f"- {row.what}: {line}" for one in tried for row in one.rows for line in row.wrong)


def page(tried: Sequence[Tried], before: str = "") -> str:
    """The page for ``docs/``; of the page that was there ``before``, the lines of other parts are kept."""
    done = {one.part for one in tried}
    earlier: dict[str, list[str]] = {}
    for line in before.splitlines():
        if (found := AGAIN.search(line)) and found[1] not in done:
            earlier.setdefault(found[1], []).append(line)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [
        "# Resilience, measured",
        "What was tried, how often, and how often it ended as it must: one colour serves and is healthy, the live\n"
        "selector was a colour's at every moment, nothing is left over in the cluster or on the machine, the journal\n"
        "tells what happened, and the last good version was never overwritten.",
        f"Written by `python -m tests.matrix --write`, against the embedded cluster, on a machine with "
        f"{_number(cores or 1)} that had other work to do. The last column has the command that tries the same cases\n"
        "again; without `--count` a part is run whole. `(!)` marks what was not as it must be.",
        table(tried, earlier),
        "\n".join(filter(None, [_kept_figures(before, earlier), figures(tried)])),
        f"**Not as it must be:**\n\n{wrong(tried)}" if wrong(tried) else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _kept_figures(before: str, earlier: Mapping[str, Sequence[str]]) -> str:
    """The further figures of a page's lines that are kept, which stand below its table."""
    kept = [line.split(" | ")[0].removeprefix("| ") for lines in earlier.values() for line in lines]
    found = [line for line in before.splitlines() if any(line.startswith(f"- {what}: ") for what in kept)]
    return "\n".join(line for line in found if "NOT AS IT MUST BE" not in line)


def _number(cores: int) -> str:
    words = {1: "one core", 2: "two cores", 4: "four cores", 8: "eight cores"}
    return words.get(cores, f"{cores} cores")


def _cells(one: Tried, row: Row) -> list[str]:
    asked = [f"{row.requests:,}", f"{row.failed:,}"] if row.requests else ["–", "–"]
    return [row.what, str(row.tried), f"{row.right}{'' if row.ok else ' **(!)**'}", *asked, f"`{one.again}`"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
