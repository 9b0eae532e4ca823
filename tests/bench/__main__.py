"""``python -m tests.bench [NAME...]``: measure and print a table. The machine is noisy: medians, and ratios."""

from __future__ import annotations

import sys

from bluegreen import localkube
from tests.bench import forward, large, measures, rollback, sizes
from tests.bench.rows import Row

ALL = {
    "up": measures.cluster_up,
    "replicas": measures.replicas,
    "pods": sizes.pods,
    "requests": sizes.requests,
    "watchers": sizes.watchers,
    "writes": sizes.writes,
    "proxy": measures.proxy,
    "collection": measures.collection,
    "release": measures.release,
    "rollback": rollback.rollback,
    "large": large.large,
    "forward": forward.forward,
}


def line(row: Row) -> str:
    """A row of the table."""
    other = f"{row.other:.3g} {row.unit} ({row.other_is}), ratio {row.ours / row.other:.2f}" if row.other else ""
    return f"| {row.what:<42} | {row.ours:>8.3g} {row.unit:<3} | {row.goal:<8} | {other} |"


def main() -> int:
    """Measure what was named, or everything."""
    names = sys.argv[1:] or list(ALL)
    print(f"| {'what':<42} | {'ours':<12} | {'goal':<8} | alternative, in the same run |\n|---|---|---|---|")
    for name in names:
        with localkube.running(localkube.DEFAULT_NAME) as cluster:
            for row in ALL[name](cluster):
                print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
