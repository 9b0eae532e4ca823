"""The faults that are set at the moment, and what they need of the cluster: hooks into its parts, and how old the
store's versions are. One object of the daemon's; a daemon that ends forgets it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from bluegreen import clock
from bluegreen.localkube import strikes
from bluegreen.localkube.faults import KINDS, Fault, Values
from bluegreen.localkube.status import ApiError, not_found
from bluegreen.localkube.store import Store
from bluegreen.localkube.strikes import Active, Asked, Strike

Hook = Callable[[Values, bool], None]
"""Puts a fault into a part of the cluster (True) or takes it out. Raises ApiError for what is not there."""

SAMPLE_S = 0.02
"""How often the store's version is noted while reads are to be stale: a choice, the error of ``behind_s``."""


class Board:
    """Set, list, clear; and what befalls a request."""

    def __init__(self, store: Store, hooks: Mapping[str, Hook] | None = None) -> None:
        self.striking: tuple[Active, ...] = ()  # those that strike requests; empty: nothing has to be looked at
        self._store, self._hooks = store, hooks or {}
        self._active: dict[str, Active] = {}
        self._versions: deque[tuple[float, int]] = deque()
        self._sampling: asyncio.TimerHandle | None = None

    # -- setting ---------------------------------------------------------------
    def set(self, fault: Fault) -> dict[str, Any]:
        """Put a fault to work, in place of one of the same name; gives it as it is listed. Raises ApiError."""
        kind = KINDS[fault.kind]
        if not kind.selective:
            self._hook(fault)(fault.values, True)
        if not kind.lasting:
            return fault.as_dict()
        if kind.selective:
            fault = fault.seeded(random.SystemRandom().randrange(2**31))
        self._active[fault.name] = Active(fault)
        self._look()
        return self._active[fault.name].as_dict()

    def all(self) -> list[dict[str, Any]]:
        """Every fault at work."""
        return [active.as_dict() for active in self._active.values()]

    def clear(self, name: str = "") -> list[dict[str, Any]]:
        """End one fault, or all without a name; gives what they were. 404 for one that is not there."""
        if name and name not in self._active:
            raise not_found("faults", "", name)
        ended = [self._active.pop(each) for each in ([name] if name else list(self._active))]
        self._look()
        for active in ended:
            if not KINDS[active.fault.kind].selective:
                self._take_out(active.fault)
        return [active.as_dict() for active in ended]

    def close(self) -> None:
        """Note no more versions."""
        if self._sampling:
            self._sampling.cancel()
            self._sampling = None

    def _hook(self, fault: Fault) -> Hook:
        hook = self._hooks.get(fault.kind)
        if hook is None:
            raise ApiError(501, "NotImplemented", f"kind={fault.kind!r}: this cluster has no such part", {})
        return hook

    def _take_out(self, fault: Fault) -> None:
        try:
            self._hook(fault)(fault.values, False)
        except ApiError as error:
            if error.code != 404:  # a pod that is gone is frozen no more
                raise

    def _look(self) -> None:
        """What has to be done from now on."""
        self.striking = tuple(active for active in self._active.values() if KINDS[active.fault.kind].selective)
        kinds = {active.fault.kind for active in self.striking}
        if "stale" in kinds and self._sampling is None:
            self._versions.clear()
            self._sample()
        elif "stale" not in kinds:
            self.close()

    # -- striking --------------------------------------------------------------
    def strike(self, asked: Asked) -> Strike:
        """What befalls a request."""
        return strikes.strike(self.striking, asked)

    def expired(self, strike: Strike, resource: str) -> None:
        """A watch was told that its version has expired: so has every older one."""
        active = self._active.get(strike.watch_by)
        if active is not None:
            active.floors[resource] = self._store.resource_version

    # -- how old versions are --------------------------------------------------
    def version_behind(self, behind_s: float) -> int:
        """The store's version so long ago; the oldest known where that is longer than anybody has looked."""
        return version_at(self._versions, clock.now_s() - behind_s, self._store.resource_version)

    def _sample(self) -> None:
        now_s, version = clock.now_s(), self._store.resource_version
        if not self._versions or self._versions[-1][1] != version:
            self._versions.append((now_s, version))
        longest_s = max((a.fault.values.get("behind_s", 0.0) for a in self._active.values()), default=0.0)
        while len(self._versions) > 1 and self._versions[1][0] <= now_s - longest_s:
            self._versions.popleft()
        self._sampling = asyncio.get_running_loop().call_later(SAMPLE_S, self._sample)


def version_at(versions: deque[tuple[float, int]], moment_s: float, now: int) -> int:
    """The version at a moment, from (moment, version) pairs, oldest first. Pure."""
    found = versions[0][1] if versions else now
    for noted_s, version in versions:
        if noted_s > moment_s:
            break
        found = version
    return found
