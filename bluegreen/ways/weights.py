"""The weights of one rule's backends: read as shares of the application's traffic, and written so.

A rule may also lead to others. Then their weights, and how much of the rule's traffic is the application's, stay as
they are; a rule that is the application's alone is weighed in hundredths where its own sum cannot express a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

from bluegreen.ways.backends import Backends
from bluegreen.ways.protocol import Place, Split, UnclearError

Obj = dict[str, Any]

WEIGHT = 1
"""A backend's weight where it states none (Gateway API v1)."""

HUNDREDTHS = 100


def weight(ref: Obj) -> int:
    """A backend's weight."""
    return int(ref.get("weight", WEIGHT))


def bases(backends: Backends, refs: Sequence[Obj]) -> list[str]:
    """The live Services that a rule leads to, by whichever of their colours."""
    return list(dict.fromkeys(own[0] for ref in refs if (own := _own(backends, ref))))


def split(title: str, backends: Backends, refs: Sequence[Obj], base: str) -> Split:
    """How a rule shares out what it sends to one live Service's colours. Raises UnclearError when it sends nothing."""
    found: dict[Place, int] = {}
    for ref in refs:
        own = _own(backends, ref)
        if own is None or own[0] != base:
            continue
        if own[1] in found:
            raise UnclearError(f"{title} names {ref['name']} twice.", "Leave one of the two out.")
        found[own[1]] = weight(ref)
    total = sum(found.values())
    if not total:
        raise UnclearError(
            f"{title} gives no weight to any colour of {base}.", "Give the colour that serves now all the weight."
        )
    return {place: Fraction(share, total) for place, share in found.items() if share}


def weighed(title: str, backends: Backends, refs: Sequence[Obj], wanted: Split) -> list[Obj]:
    """A rule's backends, weighed so that each live Service's colours share its traffic as wanted.

    Raises UnclearError when the weights of others beside it leave no whole numbers for that.
    """
    found = [dict(ref) for ref in refs]
    for base in bases(backends, refs):
        total = _total(title, backends, refs, base, wanted)
        found = _placed(backends, found, base, {place: int(share * total) for place, share in wanted.items()})
    return found


def _total(title: str, backends: Backends, refs: Sequence[Obj], base: str, wanted: Split) -> int:
    """The sum of the weights of one live Service's colours: as it is, where that divides as wanted."""
    total = sum(weight(ref) for ref in refs if (own := _own(backends, ref)) and own[0] == base)
    parts = lcm(*(share.denominator for share in wanted.values()))
    if total % parts == 0:
        return total
    if all((own := _own(backends, ref)) and own[0] == base for ref in refs):
        return lcm(HUNDREDTHS, parts)
    raise UnclearError(
        f"{title} gives {base} the weight {total} beside other backends, which cannot be divided into {parts} parts.",
        f"Multiply all weights of that rule so that those of {base} add up to a multiple of {parts}.",
    )


def _placed(backends: Backends, refs: list[Obj], base: str, wanted: dict[Place, int]) -> list[Obj]:
    """The same backends with these weights; one that is missing is added as a copy of the one it shares with."""
    found = [dict(ref) for ref in refs]
    own = {known[1]: number for number, ref in enumerate(found) if (known := _own(backends, ref)) and known[0] == base}
    for place in wanted:
        if place in own:
            continue
        donor = max(own, key=lambda there: weight(found[own[there]]))
        number = own[donor]
        if donor is None or place is None:  # a live Service itself and a colour's stand in each other's place
            own[place] = own.pop(donor)
            found[number] = {**found[number], "name": backends.name(base, place)}
            continue
        number = max(own.values()) + 1
        found.insert(number, {**found[own[donor]], "name": backends.name(base, place)})
        own = {there: at + (at >= number) for there, at in own.items()} | {place: number}
    for place, number in own.items():
        share = wanted.get(place, 0)
        if share != WEIGHT or "weight" in found[number]:
            found[number]["weight"] = share
    return found


def _own(backends: Backends, ref: Obj) -> tuple[str, Place] | None:
    """What a backend stands for; None for one that is no Service of this namespace, or somebody else's."""
    elsewhere = ref.get("namespace", backends.namespace) != backends.namespace
    if ref.get("kind", "Service") != "Service" or ref.get("group", "") or elsewhere:
        return None
    return backends.place(str(ref.get("name", "")))
