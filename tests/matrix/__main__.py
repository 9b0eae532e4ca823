"""``python -m tests.matrix [PART...]``: run the full matrices and print one table; exits with 1 if anything is not so.

python -m tests.matrix                          all parts, whole: hours on a small machine
python -m tests.matrix kills --seed 7           one part, other chances
python -m tests.matrix --quick                  a sample of each part
python -m tests.matrix --write docs/resilience.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.parts import PARTS
from tests.matrix.table import Tried, figures, page, table, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.parts if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    before = given.write.read_text() if given.write and given.write.exists() else ""
    done: list[Tried] = []
    for name in given.parts or PARTS:
        entry = PARTS[name]
        print(f"--- {name}: {entry.what}", file=sys.stderr, flush=True)
        count = entry.quick if given.quick else given.count
        done.append(Tried(name, given.seed, count, list(entry.load().run(given.seed, count))))
        if given.write:  # after every part: a run of hours that is cut off leaves what it found
            given.write.write_text(page(done, before))
    print(table(done))
    print(figures(done))
    if lines := wrong(done):
        print(f"\nNot as it must be:\n{lines}")
    return 0 if all(one.rows and all(row.ok for row in one.rows) for one in done) else 1


def _parser() -> argparse.ArgumentParser:
    parts = "\n".join(f"  {name:<10} {entry.what}" for name, entry in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix",
        description=__doc__,
        epilog=f"parts:\n{parts}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="the parts to run; all when none is named")
    parser.add_argument("--seed", type=int, default=1, help="chooses cases and moments (default 1)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--count", type=int, help="cases of each part; all of them by default")
    size.add_argument("--quick", action="store_true", help="a small sample of each part")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the table as a page, such as docs/resilience.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
