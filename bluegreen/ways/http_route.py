"""Switching by an HTTPRoute of the Gateway API: the weights of the application's backends in each rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bluegreen.ways import weights
from bluegreen.ways.backends import Backends
from bluegreen.ways.protocol import Obj, Op, Part, RefusedRouteError, Split, UnclearError

CONDITIONS = ("Accepted", "ResolvedRefs")
"""What every Gateway that follows a route says of it, for the generation that it has seen (Gateway API v1)."""


@dataclass(frozen=True)
class HttpRoute:
    """All rules in one patch; backends of others in the same rules keep their weights."""

    backends: Backends

    kind = "HTTPRoute"

    def parts(self, obj: Obj) -> list[Part]:
        """The application's backends in each rule, by live Service."""
        found = [
            Part(f"rules[{number}]", weights.split(_title(obj, number), self.backends, refs, base))
            for number, refs in _rules(obj)
            for base in weights.bases(self.backends, refs)
        ]
        if not found:
            names = dict.fromkeys(str(ref.get("name")) for _, refs in _rules(obj) for ref in refs)
            raise UnclearError(
                f"HTTPRoute {obj['metadata']['name']} has no backend of this application; its backends: "
                f"{', '.join(names) or 'none'}.",
                f"Let it lead to {self.backends.told()}.",
            )
        return found

    def operations(self, obj: Obj, split: Split) -> list[Op]:
        """The backends of each rule replaced by the same ones with other weights, tested against those read."""
        ops: list[Op] = []
        for number, refs in _rules(obj):
            weighed = weights.weighed(_title(obj, number), self.backends, refs, split)
            if weighed != list(refs):
                path = f"/spec/rules/{number}/backendRefs"
                ops += [
                    {"op": "test", "path": path, "value": list(refs)},
                    {"op": "replace", "path": path, "value": weighed},
                ]
        return ops

    def owners(self, obj: Obj) -> list[Obj]:
        """Whoever wrote the rules, which are one value to the API server."""
        entries = obj["metadata"].get("managedFields") or []
        return [entry for entry in entries if "f:rules" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})]

    def pending(self, obj: Obj) -> str:
        """What the Gateways that follow the route have not said of its present generation yet."""
        parents = (obj.get("status") or {}).get("parents") or []
        said = [line for parent in parents for line in _said(obj, parent)]
        if not parents:
            return "no Gateway has taken it up"
        return "; ".join(said)


def _said(obj: Obj, parent: Obj) -> Iterator[str]:
    """What one Gateway has not said yet. Raises RefusedRouteError for what it refuses."""
    conditions = {condition.get("type"): condition for condition in parent.get("conditions") or []}
    gateway = (parent.get("parentRef") or {}).get("name", "")
    for kind in CONDITIONS:
        condition = conditions.get(kind) or {}
        if int(condition.get("observedGeneration") or 0) < int(obj["metadata"].get("generation") or 0):
            yield f"Gateway {gateway} has not said {kind} of its present state"
        elif condition.get("status") != "True":
            raise RefusedRouteError(
                f"Gateway {gateway} does not follow HTTPRoute {obj['metadata']['name']}: {kind} is "
                f"{condition.get('status')}, {condition.get('reason')}: {condition.get('message', '')}".rstrip(": ")
                + ".",
                "See `kubectl describe httproute`; mend the route or the Gateway, then start again.",
            )


def _rules(obj: Obj) -> Iterator[tuple[int, Sequence[Obj]]]:
    for number, rule in enumerate((obj.get("spec") or {}).get("rules") or []):
        yield number, rule.get("backendRefs") or []


def _title(obj: Obj, rule: int) -> str:
    return f"HTTPRoute {obj['metadata']['name']}, rules[{rule}]"
