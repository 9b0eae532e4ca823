"""NetworkPolicies: stored and validated, not enforced; an Event on each says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bluegreen.localkube.controllers.base import Context, Key, key_of
from bluegreen.localkube.store import Change

WARNING = "This cluster stores NetworkPolicies but does not enforce them: pods are processes on one loopback network."


@dataclass
class NetworkPolicies:
    """Tells about every NetworkPolicy. Writes nothing into it: an object reads as it was applied."""

    context: Context
    name: str = "networkpolicy-controller"
    watches: tuple[str, ...] = ("NetworkPolicy",)

    def keys(self, change: Change) -> Iterable[Key]:
        """The policy itself, when it is new."""
        return [key_of(change.object)] if change.type == "ADDED" else ()

    def reconcile(self, key: Key) -> float | None:
        """Tell."""
        policy = self.context.get("NetworkPolicy", *key)
        if policy is not None:
            self.context.registry.event(policy, "Warning", "NotEnforced", WARNING, self.name)
        return None
