"""A release: stand the other colour up, let it be judged, move live traffic, or leave everything as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.errors import HarnessError
from bluegreen.handle import Handle
from bluegreen.verdict import Outcome

if TYPE_CHECKING:
    from bluegreen.kube import Kube
    from bluegreen.settings import Settings

__all__ = ["Handle", "LiveHarmedError", "ProductionError", "Release"]


class LiveHarmedError(HarnessError):
    """Live traffic got worse while the candidate was only being judged; the gate ends."""


class ProductionError(HarnessError):
    """The switch failed, or what serves after it is wrong: traffic goes back."""


class Release:
    """The one owner of a release. The process that owns the run makes it; workers only get its handle."""

    def __init__(
        self, settings: Settings, kube: Kube, *, out_dir: Path, progress: Callable[[str], None] = print
    ) -> None:
        self.settings, self.kube, self.out_dir, self.progress = settings, kube, out_dir, progress

    def begin(self) -> Handle:
        """Take the lock, mend what an earlier run left, and stand the candidate up beside what is live.

        A candidate that does not come up is no exception: the handle says so and the gate fails on it.
        Raises CannotStartError when nothing may be changed.
        """
        raise NotImplementedError

    def check_live(self) -> None:
        """Raise LiveHarmedError when the probe says that live got worse since the release began."""
        raise NotImplementedError

    def promote(self) -> None:
        """Move live traffic to the candidate. Raises ProductionError after it has gone back, when it did not work."""
        raise NotImplementedError

    def watch_tick(self) -> None:
        """One cheap look at what serves after the switch. Raises ProductionError with the reason."""
        raise NotImplementedError

    def roll_back(self, reason: str) -> None:
        """Move live traffic back and remove the candidate. Raises NeedsPersonError when that is not safe."""
        raise NotImplementedError

    def revert(self, reason: str) -> None:
        """Before the switch: remove the candidate and leave everything as it was."""
        raise NotImplementedError

    def finish(self) -> None:
        """After the watch: drain and retire the old colour, close the journal, release the lock."""
        raise NotImplementedError

    def abort(self, reason: str) -> Outcome:
        """Whatever is right in the present phase: nothing, revert, roll back or finish. May be called again."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop the probe and the lease's thread. Never raises; may be called again."""
        raise NotImplementedError

    @property
    def record(self) -> dict[str, Any]:
        """What the report needs to know, as JSON-able values.

        Keys: release_id, started_at, started_by, image, digest, version, colour_before, colour_after, replicas,
        patches (exact JSON patches of the live Service, in order), steps ([{name, started_s, duration_s, detail}]),
        durations_s, probe, evidence, reason, recovered (what an earlier run had left, or None).
        """
        raise NotImplementedError
