"""Runs one release in a process of its own, without pytest, and kills it with -9 at a chosen write to the API.

    python -m tests.driver --kubeconfig FILE --context NAME --reports DIR [--refuse] \
        [--kill before|after (--write N [--of TEXT] | --step NAME)] [--freeze]

Settings come from the environment, as everywhere. Prints one line of JSON at its end: the writes made, and the outcome.
``before``: the N-th write is never sent; ``after``: it is sent and answered, and nothing after it happens; ``--of``
counts only those writes whose description ends with a text. With ``--step`` the write is the one that enters this step
into the journal. ``--freeze`` stops the process there, as SIGSTOP does, in place of killing it: once woken, it goes on
with the very next request. ``--instead`` does an adoption, or undoes one, in place of a release.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from bluegreen import adoption, settings
from bluegreen.clock import Deadline
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.journal import Record, Step
from bluegreen.kube import Kube, connect_handle
from bluegreen.kube.transport import Transport
from bluegreen.release import Release

NOT_COUNTED = ("selfsubject", "dryRun", "bluegreen-setup", "bluegreen-first", "bluegreen-lock", "/events")
"""Requests that are no step of a release: questions, setting up, and those that come at any time, from threads of their
own: the lock's renewals and Events."""


class Deadly:
    """Ends this process at a write, or freezes it. Counts every write but those of ``NOT_COUNTED``."""

    def __init__(
        self, when: str, number: int, step: str = "", sent: signal.Signals = signal.SIGKILL, of: str = ""
    ) -> None:
        self.when, self.number, self.step, self.sent, self.of = when, number, step, sent, of
        self.writes: list[str] = []
        self._met = 0  # writes that ``number`` counts
        self._entering = ""  # the step that the journal is entering at this moment

    def arm(self, kube: Kube) -> None:
        """Count the writes of this connection from now on."""
        attempt = kube.transport._attempt

        def counted(method: str, url: str, what: str, *rest: Any) -> Any:
            if method in ("GET", "HEAD") or any(word in url for word in NOT_COUNTED):
                return attempt(method, url, what, *rest)
            self.writes.append(what)
            self._met += what.endswith(self.of)
            number = self._met if what.endswith(self.of) else 0
            self._strike("before", number)
            try:
                return attempt(method, url, what, *rest)
            finally:  # refused or not: a controller may have changed the object meanwhile
                self._strike("after", number)

        kube.transport._attempt = counted  # type: ignore[method-assign]

    def listen(self, release: Release) -> None:
        """Know which step the journal is entering."""
        write = release.desk.journal._write

        def entering(record: Record) -> Record:
            self._entering = record.step
            try:
                return write(record)
            finally:
                self._entering = ""

        release.desk.journal._write = entering  # type: ignore[method-assign]

    def _strike(self, when: str, number: int) -> None:
        here = self._entering == self.step if self.step else number == self.number
        if self.when == when and here:
            self.when = ""  # once
            os.kill(os.getpid(), self.sent)


def run(release: Release, refuse: bool, roll_back: bool) -> str:
    """The turns of a release, with the gate's place taken by a word."""
    try:
        handle = release.begin()
        if refuse or not handle.available:
            release.revert(handle.unavailable_reason or "refused as asked")
            return str(release.desk.record.outcome)
        release.check_live()
        release.promote()
        if roll_back:
            release.roll_back("rolled back as asked")
            return str(release.desk.record.outcome)
        release.watch_tick()
        release.finish()
        return str(release.desk.record.outcome)
    finally:
        release.close()


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run the release that the arguments and the environment describe."""
    parser = argparse.ArgumentParser()
    for name in ("kubeconfig", "context", "reports"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--kill", default="", choices=["", "before", "after"])
    parser.add_argument("--write", type=int, default=0)
    parser.add_argument("--of", default="")
    parser.add_argument("--step", default="", choices=["", *Step])
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--refuse", action="store_true")
    parser.add_argument("--roll-back", action="store_true")
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument("--wait-for-lock", action="store_true")
    parser.add_argument("--instead", default="", choices=["", "adopt", "undo"], help="of a release: an adoption")
    given = parser.parse_args()
    chosen = settings.load(os.environ, {"REHEARSE": "true"} if given.rehearse else {})
    kube = connect_handle(given.kubeconfig, given.context, chosen.namespace)
    assert isinstance(kube.transport, Transport)
    sent = signal.SIGSTOP if given.freeze else signal.SIGKILL
    deadly = Deadly(given.kill, given.write, given.step, sent, given.of)
    deadly.arm(kube)
    deadline = Deadline(30 if given.wait_for_lock else 0)
    try:
        while given.instead:
            try:
                said = getattr(adoption, given.instead)(chosen, kube, _tell)
                print(json.dumps({"outcome": said, "writes": deadly.writes}))
                return 0
            except CannotStartError:
                if deadline.expired:
                    raise
        while True:
            release = Release(chosen, kube, out_dir=Path(given.reports), progress=_tell)
            deadly.listen(release)
            try:
                outcome = run(release, given.refuse, given.roll_back)
                break
            except CannotStartError:
                if deadline.expired:
                    raise
    except HarnessError as error:
        print(json.dumps({"error": str(error), "kind": type(error).__name__, "writes": deadly.writes}))
        return 1
    print(json.dumps({"outcome": outcome, "writes": deadly.writes, "record": release.record}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
