"""ClusterRoles that gather the rules of others, as Kubernetes' clusterroleaggregation controller makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bluegreen.localkube import selectors
from bluegreen.localkube.controllers.base import Context, Key, Obj, key_of, kind
from bluegreen.localkube.store import Change

MANAGER = "clusterrole-aggregation-controller"
"""The field manager of the rules it writes."""


@dataclass
class RoleAggregation:
    """Gives each ClusterRole with an aggregationRule the rules of those it selects."""

    context: Context
    name: str = "clusterrole-aggregation-controller"
    watches: tuple[str, ...] = ("ClusterRole",)

    def keys(self, change: Change) -> Iterable[Key]:
        """Every aggregating role: a change of any may add to it, or have added to it."""
        del change
        return [key_of(role) for role in self.context.all("ClusterRole") if role.get("aggregationRule")]

    def reconcile(self, key: Key) -> float | None:
        """Gather anew."""
        role = self.context.get("ClusterRole", *key)
        if role is not None and role.get("aggregationRule"):
            rules = gathered(role, self.context.all("ClusterRole"))
            if rules != (role.get("rules") or []):
                self._write(key, rules)
        return None

    def _write(self, key: Key, rules: list[Obj]) -> None:
        def change(copy: Obj) -> None:
            copy["rules"] = rules

        self.context.registry.modify(kind("ClusterRole"), key[0], key[1], change, manager=MANAGER, subresource="")


def gathered(role: Obj, roles: Iterable[Obj]) -> list[Obj]:
    """The rules of all selected roles but its own, selector by selector and by name, each rule once."""
    found: list[Obj] = []
    others = sorted((other for other in roles if key_of(other) != key_of(role)), key=key_of)
    for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
        for other in others:
            if selectors.selects(selector, other["metadata"].get("labels")):
                found += [rule for rule in other.get("rules") or () if rule not in found]
    return found
