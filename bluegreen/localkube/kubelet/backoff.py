"""How long to wait before something that failed is tried again: doubling, as the kubelet's back-off does. Pure."""

from __future__ import annotations

from dataclasses import dataclass

INITIAL_S = 10.0  # the kubelet's, for crashed containers and for images
MAXIMUM_S = 300.0


@dataclass
class BackOff:
    """Grows with each attempt; begins anew after it was left alone for twice its maximum."""

    current_s: float = 0.0
    _advanced_s: float = 0.0

    def remaining_s(self, failed_s: float, now_s: float) -> float:
        """Seconds still to wait after a failure at that moment; none after the first."""
        if now_s - self._advanced_s > 2 * MAXIMUM_S:
            self.current_s = 0.0
        return max(0.0, failed_s + self.current_s - now_s)

    def advance(self, now_s: float) -> None:
        """One more attempt is made: the next has to wait twice as long."""
        self.current_s = min(self.current_s * 2, MAXIMUM_S) if self.current_s else INITIAL_S
        self._advanced_s = now_s
