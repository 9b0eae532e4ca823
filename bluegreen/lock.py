"""The lock of a release: a Lease an application, ``$APP_NAME-release``, renewed while the release runs.

The Lease says who may run. It does not fence: a frozen process wakes up believing that it holds it. What fences is the
epoch on the live Service and the resourceVersion of the journal; before each step this module is asked as well.

Whether a holder is alive is judged by its renewals as they are seen here, on a monotonic clock. Wall clocks differ and
jump, so what a Lease says of the time may only keep a process out: a Lease that looks fresh is left alone at once, and
one that looks expired, or dated in the future, is watched for its whole duration and taken only if nothing moved.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import datetime

from bluegreen import clock, fence
from bluegreen.clock import Deadline
from bluegreen.colour import Obj
from bluegreen.errors import CannotStartError, HarnessError, TakenOverError, TimeoutExpiredError
from bluegreen.kube import Kube
from bluegreen.settings import Settings

MANAGER = "bluegreen-lock"
RENEWALS = 3
"""Renewals in one duration of the Lease, as client-go's leader election does it."""


class LockLostError(TakenOverError):
    """Another process holds the lock now: this one may change nothing any more."""


def seconds_since_renewal(lease: Obj) -> float:
    """Seconds since the holder renewed, by the two wall clocks; negative when dated in the future."""
    spec = lease.get("spec", {})
    written = spec.get("renewTime") or spec.get("acquireTime") or "1970-01-01T00:00:00Z"
    return (clock.utc() - datetime.fromisoformat(written.replace("Z", "+00:00"))).total_seconds()


def observation_s(lease: Obj) -> float | None:
    """Seconds to watch the Lease for a renewal before taking it: None when its holder is alive, 0 when it is free."""
    spec = lease.get("spec", {})
    if not spec.get("holderIdentity"):
        return 0.0
    duration_s = float(spec.get("leaseDurationSeconds") or 0)
    since_s = seconds_since_renewal(lease)
    looks_fresh = -1.0 <= since_s <= duration_s  # from the future: the two clocks differ, and only watching can tell
    return None if looks_fresh else duration_s


class Lock:
    """Held from ``take`` to ``release``. ``check`` is asked before every change."""

    def __init__(self, kube: Kube, settings: Settings, identity: str) -> None:
        self._kube, self._app, self._namespace = kube, settings.app_name, settings.namespace
        self.name = f"{settings.app_name}-release"
        self.identity = identity
        self.duration_s = math.ceil(settings.lease_duration)  # whole seconds: the Lease can hold no others
        self._lease: Obj | None = None
        self._renewed_s = 0.0
        self._lost: LockLostError | None = None
        self._guard = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, *, patient: Callable[[str], None] | None = None) -> None:
        """Become the holder. Raises CannotStartError when another one is alive: at once when its Lease looks fresh.

        ``patient``: even then only when it shows a sign of life, for it may have died just now; told how long it takes.
        """
        lease = self._kube.get("Lease", self.name)
        if lease is not None:
            self._await_free(lease, patient)
        self._renewed_s = clock.now_s()
        self._lease = self._create() if lease is None else self._claim(_signs(lease))
        self._thread = threading.Thread(target=self._renew_until_stopped, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise LockLostError unless this process still holds the lock; renews it first when that is overdue."""
        with self._guard:
            if self._lost is None and clock.now_s() - self._renewed_s > 2 * self.duration_s / RENEWALS:
                self._renew()
            if self._lost is not None:
                raise self._lost
            if self._lease is None:
                raise LockLostError(f"Lease {self.name} is not held.")

    def holder(self) -> str:
        """Who holds the lock now, and since when, in one sentence; never raises."""
        try:
            spec = (self._kube.get("Lease", self.name) or {}).get("spec", {})
        except HarnessError as error:
            return f"Who holds Lease {self.name} now is not known: {error.sentence}"
        if not spec.get("holderIdentity"):
            return f"Nobody holds Lease {self.name} now."
        return f"Lease {self.name} is held by {spec['holderIdentity']} since {spec.get('acquireTime')}."

    def release(self) -> None:
        """Stop renewing and let the next one in at once. Never raises: a Lease that is not released runs out."""
        self.stop()
        with self._guard:
            if self._lease is None or self._lost is not None:
                return
            try:
                self._write({"holderIdentity": "", "leaseDurationSeconds": 1})
            except HarnessError:
                return
            finally:
                self._lease = None

    def stop(self) -> None:
        """Stop renewing; the Lease stays until it runs out."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)

    def _await_free(self, lease: Obj, patient: Callable[[str], None] | None) -> None:
        """Watch a Lease that looks dead for as long as its holder would need to show that it lives."""
        patience_s = observation_s(lease)
        if patience_s is None and patient:
            patience_s = float(lease["spec"].get("leaseDurationSeconds") or 0)
            patient(
                f"{lease['spec'].get('holderIdentity')} is watched for a sign of life, for {patience_s:g} s at most"
            )
        if patience_s is None:
            raise self._held(lease)
        if patience_s == 0:
            return
        seen = (lease["spec"].get("holderIdentity"), lease["spec"].get("renewTime"))
        try:
            renewed = self._kube.wait(
                "Lease",
                lambda found: next((one for one in found if _signs(one) != seen), None),
                fields=f"metadata.name={self.name}",
                deadline=Deadline(patience_s),
                awaited=f"a sign of life of {seen[0]}",
            )
        except TimeoutExpiredError:
            return
        if renewed["spec"].get("holderIdentity"):
            raise self._held(renewed)

    def _create(self) -> Obj:
        obj = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "labels": {"app": self._app, "app.kubernetes.io/managed-by": "bluegreen"}},
            "spec": self._spec(transitions=0),
        }
        return fence.create(self._kube, obj, ours=self._is_ours, otherwise=self._held)

    def _claim(self, observed: tuple[str | None, str | None]) -> Obj:
        """Write this process in as the holder, unless the Lease was renewed or taken since it was observed."""

        def decide(found: Obj) -> list[fence.Op]:
            if found.get("spec", {}).get("holderIdentity") and _signs(found) != observed:
                raise self._held(found)
            transitions = int(found.get("spec", {}).get("leaseTransitions") or 0) + 1
            return [{"op": "add", "path": "/spec", "value": self._spec(transitions)}]

        return fence.patch(self._kube, "Lease", self.name, decide, landed=self._is_ours, manager=MANAGER)

    def _spec(self, transitions: int) -> Obj:
        now = clock.micro_timestamp()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.duration_s,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(self.duration_s / RENEWALS):
            with self._guard:
                if self._lost is None and not self._stop.is_set():
                    self._renew()

    def _renew(self) -> None:
        """One renewal. A failing API is no loss until the Lease has run out; another holder is."""
        asked_s = clock.now_s()
        try:
            self._write({"renewTime": clock.micro_timestamp()})
            self._renewed_s = asked_s
        except LockLostError as error:
            self._lost = error
        except HarnessError as error:
            if clock.now_s() - self._renewed_s > self.duration_s:
                self._lost = LockLostError(
                    f"Lease {self.name} ran out and could not be renewed: {error.sentence}",
                    "This release changes nothing any more; the next one or `bluegreen recover` puts it in order.",
                )

    def _write(self, changes: Obj) -> None:
        def decide(found: Obj) -> list[fence.Op]:
            if not self._is_ours(found):
                raise self._taken(found)
            return [{"op": "add", "path": f"/spec/{key}", "value": value} for key, value in changes.items()]

        def landed(found: Obj) -> bool:
            return all(found.get("spec", {}).get(key) == value for key, value in changes.items())

        self._lease = fence.patch(
            self._kube, "Lease", self.name, decide, landed=landed, manager=MANAGER, known=self._lease
        )

    def _is_ours(self, lease: Obj) -> bool:
        return bool(lease.get("spec", {}).get("holderIdentity") == self.identity)

    def _held(self, lease: Obj) -> CannotStartError:
        spec = lease.get("spec", {})
        duration_s = float(spec.get("leaseDurationSeconds") or 0)
        left_s = max(1.0, min(duration_s, duration_s - seconds_since_renewal(lease)))
        return CannotStartError(
            f"{self._app} in namespace {self._namespace} is being released by {spec.get('holderIdentity')} "
            f"since {spec.get('acquireTime')}.",
            f"Wait until that release ends; if its process is gone, start again in {left_s:.0f} s, when its lease "
            f"({self.name}) has run out.",
        )

    def _taken(self, lease: Obj) -> LockLostError:
        holder = lease.get("spec", {}).get("holderIdentity") or "nobody"
        return LockLostError(
            f"Lease {self.name} is held by {holder} now, not by {self.identity}: this release was taken over.",
            "It changes nothing any more; see `bluegreen status`.",
        )


def _signs(lease: Obj) -> tuple[str | None, str | None]:
    """What changes when the holder of a Lease is alive, or is another."""
    spec = lease.get("spec", {})
    return spec.get("holderIdentity"), spec.get("renewTime")
