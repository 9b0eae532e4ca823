"""Switches back and forth that no user is to feel: each stands a colour up, moves live traffic, drains and retires.

    python -m tests.matrix switches [--count N]

Each switch is a whole ``bluegreen rollback``: lock, journal, check, one patch, drain, the old colour's end. Meanwhile
users ask more than 200 times a second: fresh and kept connections, answers that take 2 s, streams. The control kills
the old pods at once in place of the drain: users who felt nothing then would feel nothing ever.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bluegreen import clock, localkube, rollback
from bluegreen.errors import HarnessError
from tests.apps import App
from tests.matrix.row import Row
from tests.users import Felt, users

SWITCHES = 100
BEFORE_S = 10.0
"""How long users are watched before the first switch."""

AROUND_S = 1.0
"""Before and after a switch: what comes within counts as during it."""

RATE = 200
"""The least number of requests a second at which the figures mean something."""

SETTINGS = {"DRAIN_TIMEOUT": "10"}


class Switches:
    """One application that is switched back and forth, and what users felt."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.done, self.wrong = 0, list[str]()
        self.windows: list[tuple[float, float]] = []
        self.quiet = (0.0, 0.0)
        self.felt, self.took_s = Felt(), 0.0

    def run(self, count: int, before_s: float) -> None:
        """Release two versions, let users in, and switch between the versions so often."""
        self.app.released("v1.0.0", **SETTINGS)
        second = self.app.released("v1.1.0", **SETTINGS)
        assert second.handle is not None
        with users(second.handle.live_urls["http"]) as self.felt:
            began_s = clock.now_s()
            clock.sleep_s(before_s)
            self.quiet = (began_s, clock.now_s())
            for number in range(1, count + 1):
                self._switch(number, count)
            self.took_s = clock.now_s() - began_s

    def _switch(self, number: int, count: int) -> None:
        before, began_s = self.app.live, clock.now_s()
        try:
            rollback.roll_back(self.app.settings("v1.0.0", **SETTINGS), self.app.kube, self._note)
            assert before is not None
            assert self.app.live is before.other, f"live is {self.app.live}"
            self.done += 1
        except (AssertionError, HarnessError) as error:
            self.wrong.append(f"switch {number} from {before}: {error}")
        took = f"{clock.now_s() - began_s:.1f} s"
        print(f"{number}/{count} {before} -> {self.app.live}: {took}", file=sys.stderr, flush=True)

    def _note(self, line: str) -> None:
        if line.startswith("switch"):
            self.windows.append((clock.now_s() - AROUND_S, clock.now_s() + AROUND_S))

    def row(self, count: int, seed: int) -> Row:
        """The line of the table."""
        failed, requests = self.felt.failed.total(), self.felt.answered.total() + self.felt.failed.total()
        wrong = [*self.wrong, *self.felt.first_failures]
        if len(self.windows) < self.done:
            wrong.append("the moments of the switches were not seen")
        rate = requests / self.took_s
        if rate < RATE:
            wrong.append(f"users asked only {rate:.0f} times a second, not {RATE}")
        figures = {
            "requests a second": f"{rate:.0f}",
            "longest gap": f"{self.felt.longest_gap_s * 1000:.0f} ms",
            "p99 before": f"{self.felt.p99_s([self.quiet]) * 1000:.1f} ms",
            f"p99 within {AROUND_S:.0f} s of a switch": f"{self.felt.p99_s(self.windows) * 1000:.1f} ms",
            **{f"{kind} answers": f"{number:,}" for kind, number in sorted(self.felt.answered.items())},
        }
        what = "switches back and forth, each with drain and the old colour's end"
        return Row(what, count, self.done, seed, requests, failed, wrong=wrong, figures=figures)


def cut(app: App) -> Felt:
    """What users feel when the old colour's pods are killed right after the switch: the control."""
    app.released("v1.0.0", **SETTINGS)
    release = app.release("v1.1.0", RETIRE="keep", **SETTINGS)
    try:
        handle = release.begin()
        with users(handle.live_urls["http"]) as felt:
            old = app.live
            assert old is not None
            clock.sleep_s(3)  # until all have connected, and slow answers are under way
            pods = app.pods(old)
            release.promote()
            for pod in pods:
                app.cluster.set_fault("kill", pod=f"{app.namespace}/{pod}")
            clock.sleep_s(3)  # whose answers were under way has noticed
        release.finish()
    finally:
        release.close()
    return felt


def run(seed: int, count: int | None = None) -> list[Row]:
    """The switches, ``SWITCHES`` of them or ``count``, and the control. Nothing is left to chance here."""
    count = SWITCHES if count is None else count
    with localkube.running() as cluster, tempfile.TemporaryDirectory() as folder:
        app, other = App(cluster, Path(folder)), App(cluster, Path(folder))
        try:
            switches = Switches(app)
            switches.run(count, BEFORE_S)
            control = cut(other)
        finally:
            app.remove()
            other.remove()
    return [switches.row(count, seed), _control(control, seed)]


def _control(felt: Felt, seed: int) -> Row:
    failed = felt.failed.total()
    wrong = [] if failed else ["the old pods were killed and no user felt it: these users feel nothing"]
    figures = {f"{kind} failures": str(number) for kind, number in sorted(felt.failed.items())}
    requests = felt.answered.total() + failed
    what = "control: old pods killed in place of the drain; users must feel it"
    return Row(what, 1, int(failed > 0), seed, requests, failed, may_fail=True, wrong=wrong, figures=figures)
