"""Which backend a request goes to: rules in order of precedence, the first that matches decides. Pure.

The order is the Gateway API's (the most particular host, then path, method, headers, parameters, then the older rule),
which agrees with what Ingress says of hosts and paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

EXACT, PREFIX = "Exact", "Prefix"


class Backend(NamedTuple):
    """A port, by number or name, of a Service; ``problem``: why requests for it are answered with an error."""

    namespace: str
    service: str
    port: int | str
    problem: str = ""


class Request(NamedTuple):
    """What of a request rules look at; ``host`` has no port and is in small letters, as header names are."""

    host: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}


class Host(NamedTuple):
    """A host's name, ``*.`` before it for all below it; "" is every host. ``deep``: for more than one label below."""

    name: str = ""
    deep: bool = True

    def matches(self, host: str) -> bool:
        """Whether a request for that host is meant."""
        if not self.name.startswith("*."):
            return self.name in ("", host)
        label, dot, rest = host.partition(".")
        if self.deep:
            return host.endswith(self.name[1:]) and len(host) > len(self.name) - 1
        return bool(label and dot) and rest == self.name[2:]


EVERY_HOST = Host()


@dataclass(frozen=True)
class Match:
    """What a request has to be for one rule."""

    host: Host = EVERY_HOST
    path: str = "/"
    kind: str = PREFIX
    method: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    def matches(self, request: Request) -> bool:
        """Whether it is."""
        return (
            self.host.matches(request.host)
            and self._leads_to(request.path)
            and self.method in ("", request.method)
            and all(request.headers.get(name) == value for name, value in self.headers.items())
            and all(request.parameters.get(name) == value for name, value in self.parameters.items())
        )

    def _leads_to(self, path: str) -> bool:
        if self.kind == EXACT:
            return path == self.path
        whole = self.path.rstrip("/")  # a prefix is one of whole elements
        return path == whole or path.startswith(f"{whole}/")

    @property
    def rank(self) -> tuple[int, ...]:
        """What sorts the more particular first."""
        host = self.host.name
        return (
            -2 if host and not host.startswith("*.") else -1 if host else 0,
            -len(host),
            0 if self.kind == EXACT else 1,
            -len(self.path),
            0 if self.method else 1,
            -len(self.headers),
            -len(self.parameters),
        )


class Share(NamedTuple):
    """A backend and its weight among those of its rule."""

    backend: Backend
    weight: int = 1


@dataclass(frozen=True)
class Rule:
    """Requests that match go to one of the shares. ``age`` sorts rules that are as particular as each other.

    ``last``: what no other rule matches, as an Ingress' default backend.
    """

    match: Match
    shares: tuple[Share, ...]
    age: tuple[str | int, ...] = ()
    last: bool = False


class Turns:
    """Shares out requests by weight, evenly over any number of them: each backend in its turn, none at random."""

    def __init__(self, shares: Sequence[Share]) -> None:
        self._shares = [share for share in shares if share.weight > 0]
        self._total = sum(share.weight for share in self._shares)
        self._owed = [0] * len(self._shares)

    def next(self) -> Backend | None:
        """Whose turn it is; None where no backend has any weight."""
        if not self._shares:
            return None
        for place, share in enumerate(self._shares):
            self._owed[place] += share.weight
        chosen = max(range(len(self._owed)), key=self._owed.__getitem__)
        self._owed[chosen] -= self._total
        return self._shares[chosen].backend


class Table:
    """The rules of one address and port."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        ordered = sorted(rules, key=lambda rule: (rule.last, rule.match.rank, rule.age))
        self._rules = [(rule, Turns(rule.shares)) for rule in ordered]

    def choose(self, request: Request) -> tuple[Rule | None, Backend | None]:
        """The rule that matches, and the backend whose turn it is; no rule: 404, no backend: 500."""
        for rule, turns in self._rules:
            if rule.match.matches(request):
                return rule, turns.next()
        return None, None
