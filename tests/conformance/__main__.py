"""``python -m tests.conformance [--cluster CONTEXT] [--exact] [-k NAME] [-v]``: replay and print what differs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator

import httpx

from tests.conformance import replay
from tests.conformance.clients import of_context, of_embedded


@contextlib.contextmanager
def client_of(context: str) -> Iterator[httpx.Client]:
    """A client of the named context, or of an embedded cluster that lives as long as this."""
    if context:
        with of_context(context) as client:
            yield client
        return
    from bluegreen import localkube

    with localkube.running("conformance") as cluster, of_embedded(cluster) as client:
        yield client


def main() -> int:
    """Replay every chosen scenario; 0 when every step matched."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument(
        "--cluster", default="", metavar="CONTEXT", help="a context of the kubeconfig; embedded if not given"
    )
    parser.add_argument("-k", default="", metavar="NAME", help="only scenarios whose name contains this")
    parser.add_argument("--exact", action="store_true", help="compare the wording of errors too")
    parser.add_argument("-v", action="store_true", help="print every difference")
    options = parser.parse_args()
    chosen = [(name, func) for name, func in replay.scenarios() if options.k in name]
    total = good = whole = 0
    with client_of(options.cluster) as client:
        for name, func in chosen:
            want = replay.recording(name)
            failures = replay.compare(want, *replay.run(client, func), exact=options.exact)
            total, good, whole = total + len(want), good + len(want) - len(failures), whole + (not failures)
            print(f"{name}: {len(want) - len(failures)}/{len(want)}", flush=True)
            for failure in failures:
                print(f"    step {failure.step} {failure.request}: {len(failure.differences)} differences")
                for line in failure.differences if options.v else failure.differences[:3]:
                    print(f"        {line}")
    print(f"{good}/{total} steps match, {whole}/{len(chosen)} scenarios whole")
    return 0 if chosen and good == total else 1


if __name__ == "__main__":
    sys.exit(main())
