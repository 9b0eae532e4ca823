"""``python -m tests.gate [CASE...]``: releases the catalogue of bad releases and prints where each was caught.

Exits with 1 when one was missed, was caught elsewhere, or was not told of as the catalogue says.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bluegreen import localkube
from tests.gate.catalogue import CASES, Case
from tests.gate.runner import ELSEWHERE, MISSED, RIGHT, Caught, Serving, run

PAGE_HEAD = """# The catalogue of bad releases

Each is released for real on the embedded cluster, beside a good version that serves, and must be caught at its stage,
with a sentence in the report that says what is wrong, while no user notices. `{command}`
releases them all and writes this page; with names of cases it releases those and changes their rows alone. The ordinary
tests release a seeded sample. What a case does wrong stands in `tests/gate/catalogue.py`. Seconds are of a whole
release, two at a time on two cores that had much else to do.

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.gate", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="the cases to release; all when none is named")
    parser.add_argument("--sample", type=int, metavar="N", help="so many, chosen by the seed")
    parser.add_argument("--seed", type=int, default=1, help="chooses the sample (default 1)")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="releases at a time (default 2)")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the table as a page; rows of cases not released now stay"
    )
    given = parser.parse_args(arguments)
    by_id = {case.id: case for case in CASES}
    if unknown := [name for name in given.cases if name not in by_id]:
        parser.error(f"no such case: {', '.join(unknown)}")
    cases = [by_id[name] for name in given.cases] or CASES
    if given.sample:
        cases = sample(given.seed, given.sample)
    caught = release(cases, given.at_once)
    print(table(caught))
    print(f"\n{totals(caught)}")
    if given.write:
        given.write.write_text(page(caught, given.write.read_text() if given.write.exists() else ""))
    return 1 if any(one.wrong for one in caught) else 0


def sample(seed: int, count: int) -> list[Case]:
    """So many cases, each stage as often as it can be."""
    chance = random.Random(seed)
    by_stage: dict[str, list[Case]] = {}
    for case in chance.sample(CASES, len(CASES)):
        by_stage.setdefault(case.stage, []).append(case)
    chosen: list[Case] = []
    while len(chosen) < min(count, len(CASES)):
        for stage in sorted(by_stage):
            if by_stage[stage] and len(chosen) < count:
                chosen.append(by_stage[stage].pop())
    return chosen


def release(cases: Sequence[Case], at_once: int) -> list[Caught]:
    """Release them, a few at a time, each on an application that serves a good version."""
    waiting, found, turn = list(reversed(cases)), [], threading.Lock()
    with (
        tempfile.TemporaryDirectory(prefix="bluegreen-gate-") as folder,
        localkube.running(localkube.DEFAULT_NAME) as cluster,
    ):

        def work(worker: int) -> None:
            serving: Serving | None = None
            number = 0
            while True:
                with turn:
                    if not waiting:
                        break
                    case = waiting.pop()
                number += 1
                place = Path(folder) / f"{worker}-{number}"
                if case.fresh:
                    own = Serving(cluster, place, first=case)
                else:
                    own = serving = serving or Serving(cluster, place)
                one = run(case, own)
                with turn:
                    found.append(one)
                    print(f"{len(found)}/{len(cases)} {line(one)}", file=sys.stderr, flush=True)
                if case.fresh or one.wrong:
                    own.remove()
                    serving = None if own is serving else serving
            if serving is not None:
                serving.remove()

        with ThreadPoolExecutor(at_once) as pool:
            for future in [pool.submit(work, worker) for worker in range(at_once)]:
                future.result()
    order = {case.id: place for place, case in enumerate(CASES)}
    return sorted(found, key=lambda one: order[one.case.id])


def line(one: Caught) -> str:
    """One case in one line."""
    said = (
        f"NOT AS IT MUST BE: {one.wrong}" if one.wrong else f"{one.where}: {one.stage or 'let through, as documented'}"
    )
    return f"{one.case.id}: {said} ({one.seconds:.0f} s)"


def table(caught: Sequence[Caught]) -> str:
    """The table, in Markdown."""
    rows = ["| case | what is wrong | must be caught by | was caught | seconds |", "|---|---|---|---|---|"]
    for one in caught:
        where = one.where if one.stage or one.where == MISSED else "let through, as documented"
        rows.append(
            f"| `{one.case.id}` | {one.case.what} | {one.case.stage or '-'} | "
            f"{where}{f' ({one.stage})' if one.where == ELSEWHERE else ''}{'; ' + one.wrong if one.wrong else ''} | "
            f"{one.seconds:.0f} |"
        )
    return "\n".join(rows)


def totals(caught: Sequence[Caught]) -> str:
    """How many were caught where."""
    count = Counter(one.where for one in caught)
    seconds = sorted(one.seconds for one in caught)
    said = ", ".join(f"{count[where]} {words}" for where, words in WORDS.items())
    wrong = sum(bool(one.wrong) for one in caught)
    return (
        f"{len(caught)} bad releases: {said}; {wrong} not as they must be; median {seconds[len(seconds) // 2]:.0f} s."
    )


WORDS = {RIGHT: "caught at the right stage", ELSEWHERE: "caught elsewhere", MISSED: "missed"}


def page(caught: Sequence[Caught], before: str = "") -> str:
    """The page of docs/: a row a case of the catalogue, in its order; of those not released now the row it had."""
    *head, _ = table(caught[:1]).splitlines()
    rows = {_case_of(row): row for row in [*before.splitlines(), *table(caught).splitlines()] if row.startswith("| `")}
    shown = [rows[case.id] for case in CASES if case.id in rows]
    right, missed = (sum(f" {where} " in row or f" {where};" in row for row in shown) for where in (RIGHT, MISSED))
    documented = sum("let through, as documented" in row for row in shown)
    said = (
        f"{len(shown)} of the catalogue's {len(CASES)} releases: {right} caught at the right stage, {documented} let "
        f"through as documented, {missed} missed, {len(shown) - right - documented - missed} caught elsewhere."
    )
    intro = PAGE_HEAD.format(command="python -m tests.gate --write docs/gate-catalogue.md")
    return f"{intro}{said}\n\n" + "\n".join([*head, *shown]) + "\n"


def _case_of(row: str) -> str:
    return row.split("`")[1]


if __name__ == "__main__":
    sys.exit(main())
