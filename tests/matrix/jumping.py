"""A pytest plugin, ``-p tests.matrix.jumping``: this process's wall clock jumps while it runs, xdist's workers' too.

``CLOCK_JUMPS`` holds the jumps, as ``SECONDS_FROM_START:SECONDS_OFF,...``. Only ``bluegreen.clock`` is changed, which
every module asks for the time; TLS and the monotonic clock keep to the truth.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from bluegreen import clock

START_S = clock.now_s()
JUMPS = [(float(at), float(off)) for at, _, off in (one.partition(":") for one in os.environ["CLOCK_JUMPS"].split(","))]


def off_s() -> float:
    """By how much the wall clock is off now."""
    passed_s = clock.now_s() - START_S
    return next((off for at, off in reversed(JUMPS) if at <= passed_s), 0.0)


clock.utc = lambda: datetime.now(UTC) + timedelta(seconds=off_s())  # type: ignore[assignment]
clock.wall_s = lambda: datetime.now(UTC).timestamp() + off_s()  # type: ignore[assignment]
