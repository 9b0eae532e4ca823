"""When a request is repeated, and after how long: the one policy for every call to a Kubernetes API.

* A request that certainly did nothing (connection refused, 429) is repeated, whatever it is.
* A read is repeated after anything that passes: a cut-off answer, a time-out, 500, 502, 503, 504.
* A write after which it is unclear whether it happened is never simply repeated: ``writes.py`` first finds out.
* Any other answer is final.

Pauses double from ``first_s`` up to ``cap_s``, shortened at random so that many clients do not return together;
a ``Retry-After`` that asks for more is honoured. After ``attempts`` requests or ``total_s`` seconds it is over.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

NOT_DONE = frozenset({429})
"""Statuses of a request that the server did not begin to work on."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often, how long. The numbers are choices: enough for a server that fails one request in five and for a
    control plane that restarts, short enough that a person still waits for the message."""

    attempts: int = 10
    first_s: float = 0.1
    cap_s: float = 3.0
    total_s: float = 30.0

    def pause_s(self, failures: int, retry_after_s: float = 0.0, chance: float | None = None) -> float:
        """Seconds to wait after so many failures in a row (1 is the first). ``chance`` in 0..1 is for tests."""
        longest = min(self.cap_s, self.first_s * 2.0 ** min(failures - 1, 30))
        share = random.random() if chance is None else chance
        return max(longest * (0.5 + share / 2), retry_after_s)

    def over(self, failures: int, elapsed_s: float, pause_s: float = 0.0) -> bool:
        """Whether there is no further attempt after so many failures, if it came ``pause_s`` from now."""
        return failures >= self.attempts or elapsed_s + pause_s >= self.total_s


def retry_after_s(header: str | None) -> float:
    """The seconds of a ``Retry-After`` header; 0 when there is none. Dates are not read: Kubernetes sends seconds."""
    return float(header) if header and header.isascii() and header.isdigit() else 0.0
