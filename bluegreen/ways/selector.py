"""Switching by a Service's selector: its ``version`` is the colour that gets all traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bluegreen.colour import NOBODY, live_colour
from bluegreen.ways.protocol import Obj, Op, Part, Split, UnclearError
from bluegreen.ways.splits import wholly


@dataclass(frozen=True)
class ServiceSelector:
    """One value of one field, so that a switch is whole or not at all."""

    selector_of: Callable[[str], Mapping[str, str] | None]
    """What each live Service selects besides the colour; None for one of which that is not known."""

    kind = "Service"

    def parts(self, obj: Obj) -> list[Part]:
        """The selector."""
        colour = live_colour(obj)
        own = self.selector_of(obj["metadata"]["name"])
        if own is not None and not own.items() <= obj["spec"]["selector"].items():
            told = ",".join(f"{key}={value}" for key, value in own.items())
            raise UnclearError(
                f"Service {obj['metadata']['name']} selects {obj['spec'].get('selector')}, and not {told}.",
                "Give it the selector of this application with the colour that serves now, then start again.",
            )
        return [Part("spec.selector", wholly(colour))]

    def operations(self, obj: Obj, split: Split) -> list[Op]:
        """One value replaced, tested against the whole selector as read."""
        if len(split) != 1:
            raise UnclearError(
                f"Service {obj['metadata']['name']} cannot share traffic out: a selector is at one colour.",
                "Leave TRAFFIC_STEPS out, or switch by an HTTPRoute.",
            )
        place = next(iter(split))
        return [
            {"op": "test", "path": "/spec/selector", "value": dict(obj["spec"]["selector"])},
            {"op": "replace", "path": "/spec/selector/version", "value": NOBODY if place is None else place.value},
        ]

    def owners(self, obj: Obj) -> list[Obj]:
        """Whoever wrote the selector, which is one value to the API server."""
        return [entry for entry in obj["metadata"].get("managedFields") or [] if "f:selector" in _spec(entry)]

    def pending(self, _: Obj, /) -> str:
        """Nothing: that it is followed shows in its EndpointSlices."""
        return ""


def _spec(entry: Obj) -> Obj:
    spec: Obj = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    return spec
