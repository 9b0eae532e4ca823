"""How often the comparison errs, measured: ``python -m tests.compare_rates [ROUNDS] [SEED]`` prints a table.

Each round is a whole comparison of three endpoints, of which one differs. The bounds are those of Wilson (95 %).
"""

from __future__ import annotations

import math
import sys

from bluegreen.compare import Judgement
from tests.test_compare import judgements

CASES = (
    ("equal, 700 answers", 1.0, 700, Judgement.WORSE, 0.01),
    ("equal, 150 answers", 1.0, 150, Judgement.WORSE, 0.01),
    ("10 % slower, 700 answers", 1.1, 700, Judgement.WORSE, 0.01),
    ("20 % slower, 700 answers", 1.2, 700, Judgement.ALIKE, 0.05),
    ("20 % slower, 150 answers", 1.2, 150, Judgement.ALIKE, 0.05),
    ("30 % slower, 700 answers", 1.3, 700, Judgement.ALIKE, 0.05),
)
"""What is compared, how much slower one endpoint is, its answers, the wrong judgement, and its promised rate."""


def upper_bound(errors: int, rounds: int, z: float = 1.96) -> float:
    """The upper end of Wilson's interval for a share."""
    share, square = errors / rounds, z * z
    middle = share + square / (2 * rounds)
    return (middle + z * math.sqrt(share * (1 - share) / rounds + square / (4 * rounds**2))) / (1 + square / rounds)


def main() -> int:
    """Print the table; 1 when a rate is above its promise beyond doubt."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(f"{rounds} comparisons each, seed {seed}")
    print("| Releases | worse | unclear | alike | wrong | at most (95 %) | promised |\n|---|---|---|---|---|---|---|")
    kept = True
    for name, factor, number, wrong, promised in CASES:
        found = judgements(seed, rounds, factor, number)
        counts = [found.count(judgement) for judgement in (Judgement.WORSE, Judgement.UNCLEAR, Judgement.ALIKE)]
        errors = found.count(wrong)
        shown = " | ".join(map(str, counts))
        print(f"| {name} | {shown} | {errors} | {upper_bound(errors, rounds):.2%} | {promised:.0%} |", flush=True)
        kept = kept and errors / rounds <= promised
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
