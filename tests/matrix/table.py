"""The table of a run, as Markdown: on the terminal and in ``docs/``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from tests.matrix.row import Row

HEAD = ("", "tried", "ended as they must", "requests to live meanwhile", "of them failed", "to run it again")


def table(rows: Mapping[str, Sequence[Row]]) -> str:
    """All rows, by the part that gave them."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    lines += [_line(_cells(part, row)) for part, found in rows.items() for row in found]
    return "\n".join(lines)


def figures(rows: Mapping[str, Sequence[Row]]) -> str:
    """What the rows tell besides, a line each."""
    told = [(row.what, row.figures) for found in rows.values() for row in found if row.figures]
    return "\n".join(
        f"- {what}: " + "; ".join(f"{name} {value}" for name, value in more.items()) for what, more in told
    )


def wrong(rows: Mapping[str, Sequence[Row]]) -> str:
    """What did not end as it must, a line each; empty when everything did."""
    return "\n".join(f"- {row.what}: {line}" for found in rows.values() for row in found for line in row.wrong)


def page(rows: Mapping[str, Sequence[Row]], command: str) -> str:
    """The page for ``docs/``: how it was made, the table, the figures, and what was not so."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [
        "# Resilience, measured",
        f"Written by `{command}` on a machine with {_number(cores or 1)}, against the embedded cluster.",
        "The last column has the command that runs a line again; its seed chooses the cases and the moments.",
        table(rows),
        figures(rows),
        f"**Not as it must be:**\n\n{wrong(rows)}" if wrong(rows) else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _number(cores: int) -> str:
    words = {1: "one core", 2: "two cores", 4: "four cores", 8: "eight cores"}
    return words.get(cores, f"{cores} cores")


def _cells(part: str, row: Row) -> list[str]:
    asked = [f"{row.requests:,}", f"{row.failed:,}"] if row.requests else ["–", "–"]
    again = f"`python -m tests.matrix {part} --seed {row.seed}`"
    return [row.what, str(row.tried), f"{row.right}{'' if row.ok else ' **(!)**'}", *asked, again]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
