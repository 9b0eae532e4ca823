"""What the owner of a release tells the processes that measure: one small file, replaced whole."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

FILE = "state.json"


@dataclass(frozen=True)
class State:
    """``phase`` is the phase whose tests may run; ``why`` says why later ones may not.

    ``only`` names the stages of the gate that are needed, blanks between; empty: all, and ``why`` says why so few.
    ``stop`` keeps every further test from running; ``harm`` is what the owner found wrong with production meanwhile.
    ``known`` holds the versions of the cluster's objects that the owner knew of when the phase began: whoever measures
    takes no older answer, whatever cache gives it.
    """

    handle: str  # the release's handle as JSON
    phase: str = "gate"
    why: str = ""
    only: str = ""
    stop: str = ""
    harm: str = ""
    known: list[list[Any]] = field(default_factory=list)


class StateFile:
    """The file that holds the state; written by the owner alone, read by everybody."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changing = threading.Lock()

    def write(self, state: State) -> None:
        """Replace the state; a reader sees the old or the new one, never a half."""
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(state)))
        draft.replace(self.path)

    def read(self) -> State:
        """The state as it stands now."""
        return State(**json.loads(self.path.read_text()))

    def change(self, **changes: Any) -> State:
        """Write the present state with some fields changed; the new state."""
        with self._changing:
            state = replace(self.read(), **changes)
            self.write(state)
        return state
