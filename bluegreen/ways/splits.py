"""Shares of live traffic: made, compared, told, and read from the parts of an object."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from bluegreen.ways.protocol import Part, Place, Split, UnclearError


def wholly(place: Place) -> Split:
    """All of it at one place."""
    return {place: Fraction(1)}


def shared(before: Place, after: Place, percent: int) -> Split:
    """So many of a hundred requests at ``after``, the rest at ``before``."""
    part = Fraction(percent, 100)
    return {place: share for place, share in ((before, 1 - part), (after, part)) if share}


def told(split: Split) -> str:
    """A split in words: ``blue``, ``nobody``, or ``90 % blue, 10 % green``."""
    if len(split) == 1:
        return str(next(iter(split)) or "nobody")
    shares = sorted(split.items(), key=lambda entry: (-entry[1], str(entry[0])))
    return ", ".join(f"{_percent(share)} % {place or 'nobody'}" for place, share in shares)


def _percent(share: Fraction) -> str:
    percent = share * 100
    return str(percent) if percent.denominator == 1 else f"{float(percent):.1f}"


def common(title: str, parts: Sequence[Part]) -> Split:
    """The split that all parts of an object have. Raises UnclearError, naming the parts, when they differ."""
    first = parts[0]
    for part in parts[1:]:
        if part.split != first.split:
            raise UnclearError(
                f"{title} does not send all traffic the same way: {first.at} to {told(first.split)}, {part.at} to "
                f"{told(part.split)}.",
                "Give all of its backends the colour that serves now, then start again.",
            )
    return first.split


def whole(title: str, parts: Sequence[Part]) -> Place:
    """The one place to which an object sends all traffic. Raises UnclearError when there are several."""
    split = common(title, parts)
    if len(split) != 1:
        raise UnclearError(
            f"{title} sends {told(split)}: it has to be all at one colour before a release.",
            "Give the colour that serves now all the weight and the other one 0, then start again.",
        )
    return next(iter(split))


def reached(parts: Sequence[Part]) -> set[Place]:
    """Every place that gets any of the traffic."""
    return {place for part in parts for place in part.split}
