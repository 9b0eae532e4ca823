"""Which faults strike a request: from the request and a generator with the fault's seed. Pure but for that generator.

The same seed and the same requests in the same order meet the same faults.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from bluegreen.localkube.faults import ANSWERS, KINDS, Answer, Fault


@dataclass(frozen=True)
class Asked:
    """What of a request decides. ``verb`` and ``resource`` are "" for discovery and other paths."""

    client: str
    user: str
    verb: str = ""
    resource: str = ""
    namespace: str = ""


@dataclass(frozen=True)
class Strike:
    """What befalls one request; nothing by default."""

    delay_s: float = 0.0
    answer: Answer | None = None
    by: str = ""
    """The fault that gives the answer."""
    retry_after_s: int = 0
    watch_ends_s: float | None = None
    """Seconds after which a watch ends; None: as it would."""
    watch_expires: bool = False
    floor: int = 0
    """The version below which a watch is told that it has expired."""
    behind_s: float = 0.0
    """How old the state is that a read gets."""
    plain_reads: bool = False
    """Whether that goes for reads without a resourceVersion too."""
    watch_by: str = ""
    """The fault that ends the watch."""


NONE = Strike()


@dataclass
class Active:
    """A fault at work: its generator, and how many requests it could have struck and has struck."""

    fault: Fault
    seen: int = 0
    struck: int = 0
    floors: dict[str, int] = field(default_factory=dict)
    """By resource: the version below which watches have expired."""

    def __post_init__(self) -> None:
        """Begin the generator at the fault's seed."""
        self._chance = random.Random(f"{self.fault.values.get('seed', 0)} {self.fault.name}")

    def as_dict(self) -> dict[str, Any]:
        """The fault with its counts."""
        counts = {"seen": self.seen, "struck": self.struck} if KINDS[self.fault.kind].selective else {}
        return {**self.fault.as_dict(), **counts}

    def concerns(self, asked: Asked) -> bool:
        """Whether a request is one of those the fault is narrowed to."""
        values, kind = self.fault.values, self.fault.kind
        return (
            values["client"] in asked.client
            and values["user"] in ("", asked.user)
            and values["namespace"] in ("", asked.namespace)
            and (not values["verbs"] or asked.verb in values["verbs"])
            and (not values["resources"] or asked.resource in values["resources"])
            and (kind != "watches" or asked.verb == "watch")
            and (kind != "stale" or asked.verb in ("get", "list"))
        )

    def apply(self, asked: Asked, strike: Strike) -> Strike:
        """The strike with what this fault adds. Draws the same number of times for every request it concerns."""
        hit, where, choice = (self._chance.random() for _ in range(3))
        self.seen += 1
        add = _ADD[self.fault.kind]
        if self.fault.kind == "watches":
            strike = replace(strike, floor=max(strike.floor, self.floors.get(asked.resource, 0)))
        if hit >= self.fault.values["share"]:
            return strike
        self.struck += 1
        return add(self.fault, strike, where, choice)


def strike(active: Iterable[Active], asked: Asked) -> Strike:
    """What befalls a request: delays add up, of answers the first counts."""
    result = NONE
    for each in active:
        if each.concerns(asked):
            result = each.apply(asked, result)
    return result


def _add_answer(fault: Fault, strike: Strike, _where: float, choice: float) -> Strike:
    if strike.answer is not None:
        return strike
    words = fault.values["answers"]
    answer = ANSWERS[words[int(choice * len(words))]]
    after_s = fault.values["retry_after_s"] if answer.status == 429 else 0
    return replace(strike, answer=answer, by=fault.name, retry_after_s=after_s)


def _add_delay(fault: Fault, strike: Strike, _where: float, _choice: float) -> Strike:
    return replace(strike, delay_s=strike.delay_s + fault.values["delay_s"])


def _add_end(fault: Fault, strike: Strike, where: float, choice: float) -> Strike:
    ends_s = where * fault.values["within_s"]
    if strike.watch_ends_s is not None and strike.watch_ends_s <= ends_s:
        return strike
    words = fault.values["ends"]
    expires = words[int(choice * len(words))] == "expired"
    return replace(strike, watch_ends_s=ends_s, watch_expires=expires, watch_by=fault.name)


def _add_age(fault: Fault, strike: Strike, _where: float, _choice: float) -> Strike:
    plain = strike.plain_reads or fault.values["reads"] == "all"
    return replace(strike, behind_s=max(strike.behind_s, fault.values["behind_s"]), plain_reads=plain)


_ADD: dict[str, Callable[[Fault, Strike, float, float], Strike]] = {
    "requests": _add_answer,
    "latency": _add_delay,
    "watches": _add_end,
    "stale": _add_age,
}
