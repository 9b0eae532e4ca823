"""A rehearsal: live traffic forward and back again, each confirmed and measured, before the switch that counts.

It proves the way back while nothing is wrong. Its moves are steps of the journal like any other: a run that is killed
in the middle is rolled back, wherever live traffic is then.
"""

from __future__ import annotations

from typing import Any

from bluegreen import clock, moves
from bluegreen.clock import Deadline
from bluegreen.desk import Desk
from bluegreen.probe import Probe
from bluegreen.probe.result import REHEARSE_BACK, REHEARSE_FORWARD, SWITCH

ENOUGH = 20
"""Requests of the probe that a move has to be measured by before the next one; a choice: one second's."""

PATIENCE_S = 5.0
"""How long those may take at most; what was measured until then has to do."""

_WAYS = ((REHEARSE_FORWARD, moves.rehearse_forward), (REHEARSE_BACK, moves.rehearse_back))


def rehearse(desk: Desk, probe: Probe | None) -> None:
    """Move live traffic to the candidate and back, and let each be felt. A first release has no way back."""
    if desk.record.first:
        desk.steps.progress("nothing served before this release: there is no way back to rehearse")
        return
    for mark, move in _WAYS:
        if probe is not None:
            probe.mark(mark)
        move(desk)
        _let_it_be_felt(probe, mark)


def _let_it_be_felt(probe: Probe | None, mark: str) -> None:
    patience = Deadline(PATIENCE_S)
    while probe is not None and probe.felt(mark).requests < ENOUGH and not patience.expired:
        clock.sleep_s(0.05)


def account(desk: Desk, probe: Probe | None) -> list[dict[str, Any]]:
    """Each move of a rehearsed switch, the last one included, and what was felt of it; nothing without a rehearsal.

    Keys: way, confirmed_after_s, requests, failed, longest_gap_ms. The last move counts until the old colour drains.
    """
    if len(desk.moved) < len(_WAYS):
        return []
    return [_measured(move, probe) for move in desk.moved if move["mark"] in (REHEARSE_FORWARD, REHEARSE_BACK, SWITCH)]


def _measured(move: dict[str, Any], probe: Probe | None) -> dict[str, Any]:
    felt = probe.felt(move["mark"]) if probe is not None else None
    return {
        "way": f"{move['from']} -> {move['to']}",
        "confirmed_after_s": move["confirmed_after_s"],
        "requests": felt.requests if felt is not None else 0,
        "failed": felt.failed if felt is not None else 0,
        "longest_gap_ms": felt.longest_gap_ms if felt is not None else None,
    }
