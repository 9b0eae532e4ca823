"""What goes with time: Events are kept for an hour after they last happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bluegreen.localkube.controllers.base import Context, Key
from bluegreen.localkube.store import Change

EVERY_S = 300.0
"""How often expired Events are looked for while there are any. A choice: nobody misses them by minutes."""
_EXPIRY: Key = ("", "")


@dataclass
class Housekeeping:
    """Removes expired Events."""

    context: Context
    name: str = "event-expiry"
    watches: tuple[str, ...] = ("Event",)
    _armed: bool = False

    def keys(self, change: Change) -> Iterable[Key]:
        """One key for all, the first time there is an Event."""
        if self._armed or change.type != "ADDED":
            return ()
        self._armed = True
        return [_EXPIRY]

    def reconcile(self, _: Key) -> float | None:
        """Remove what is too old; come again while there are any."""
        self.context.registry.expire_events()
        self._armed = bool(self.context.all("Event"))
        return EVERY_S if self._armed else None
