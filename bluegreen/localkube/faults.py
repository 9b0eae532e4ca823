"""Faults on demand: which there are and what may be said of each. Pure.

``KINDS`` is the whole list. Which of them strike a request ``strikes`` decides, what then happens to the request is
``http/disturbed.py``'s, what happens to nodes and pods ``fault_hooks.py``'s. ``fault_board`` holds those that are set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.errors import HarnessError, InputError, Mistake

Values = Mapping[str, Any]

LONGEST_S = 3600.0
"""The longest delay that can be asked for: a choice."""


@dataclass(frozen=True)
class Answer:
    """What a request gets in place of its answer. ``status`` 0: the connection is cut without a word."""

    status: int
    done: bool  # whether the request is worked on all the same
    reason: str = ""
    message: str = ""


ANSWERS = {
    "429": Answer(429, False, "TooManyRequests", "too many requests, please try again later"),
    "500": Answer(500, False, "InternalError", "Internal error occurred"),
    "503": Answer(503, False, "ServiceUnavailable", "the server is currently unable to handle the request"),
    "cut-before": Answer(0, False),
    "cut-after": Answer(0, True),
    "504-after": Answer(504, True, "Timeout", "Timeout: request did not complete within the allotted timeout"),
}
"""By the word for it. Status, reason and message are those of a real server."""
ENDS = ("cut", "expired")
"""How a watch may end: its connection is cut, or an ERROR event says 410 and its versions are of no use any more."""
READS = ("cache", "all")
"""Which reads may be stale. ``cache``: those that Kubernetes answers from its watch cache, i.e. with resourceVersion
"0" or with a least one. ``all``: those without a resourceVersion too, which is worse than Kubernetes promises."""


class FaultRefusedError(HarnessError):
    """A cluster did not set or clear a fault. ``status``: the HTTP status; 0 when it did not answer."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        remedy = "Look at what there is: bluegreen cluster fault list, kubectl get pods -A."
        super().__init__(sentence, remedy if status else "Is the cluster up? bluegreen cluster status")
        self.status = status


class _Refused(ValueError):
    """Why a value cannot be meant, and what to write."""


@dataclass(frozen=True)
class Field:
    """One thing that can be said of a fault. ``default`` None: it has to be said."""

    name: str
    read: Callable[[Any], Any]
    default: Any
    meaning: str


def _number(low: float, high: float, unit: str) -> Callable[[Any], float]:
    def read(given: Any) -> float:
        try:
            number = float(given) if not isinstance(given, bool) else float("nan")
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not low <= number <= high:
            raise _Refused(f"Write {unit} from {low:g} to {high:g}.")
        return number

    return read


def _share(given: Any) -> float:
    share = _number(0, 1, "a share")(given)
    if share <= 0:
        raise _Refused("Write a share above 0 and up to 1; to end a fault, clear it.")
    return share


def _whole(given: Any) -> int:
    number = _number(0, 2**31, "a whole number")(given)
    if number != int(number):
        raise _Refused("Write a whole number.")
    return int(number)


def _text(given: Any) -> str:
    if not isinstance(given, str) or not given.isprintable() or len(given) > 256:
        raise _Refused("Write one line of text.")
    return given


def _words(known: Iterable[str] = ()) -> Callable[[Any], list[str]]:
    allowed = tuple(known)

    def read(given: Any) -> list[str]:
        words = given.split(",") if isinstance(given, str) else given
        words = [str(word).strip() for word in words] if isinstance(words, list | tuple) else [""]
        if not all(words) or (allowed and not set(words) <= set(allowed)):
            raise _Refused(f"Write one or more of {', '.join(allowed)}." if allowed else "Write words with commas.")
        return words

    return read


def _choice(known: tuple[str, ...]) -> Callable[[Any], str]:
    def read(given: Any) -> str:
        if given not in known:
            raise _Refused(f"Write one of {', '.join(known)}.")
        return str(given)

    return read


def _pod(given: Any) -> str:
    namespace, slash, name = _text(given).partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise _Refused("Write NAMESPACE/NAME.")
    return given  # type: ignore[no-any-return]


_seconds = _number(0, LONGEST_S, "seconds")
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_WHOSE = (
    Field("client", _text, "", "part of the User-Agent; only such clients"),
    Field("user", _text, "", "the authenticated user, for example system:serviceaccount:shop:releaser; only this one"),
    Field("namespace", _text, "", "only requests in this namespace"),
    Field("verbs", _words(VERBS), [], f"only these of {', '.join(VERBS)}"),
    Field("resources", _words(), [], "only these, in the plural, for example pods,services"),
    Field("seed", _whole, -1, "of the random choices; one is chosen and shown when none is given"),
)
_POD = Field("pod", _pod, None, "NAMESPACE/NAME")


@dataclass(frozen=True)
class Kind:
    """One kind of fault. ``selective``: it strikes requests, and can be narrowed to some of them."""

    meaning: str
    fields: tuple[Field, ...]
    selective: bool = False
    lasting: bool = True  # otherwise it happens once, when it is asked for

    @property
    def all_fields(self) -> tuple[Field, ...]:
        """Its own fields and, where it can be narrowed, those that do so."""
        return self.fields + (_WHOSE if self.selective else ())


KINDS: dict[str, Kind] = {
    "requests": Kind(
        "a share of requests fails",
        (
            Field("share", _share, None, "of requests, above 0 and up to 1"),
            Field("answers", _words(ANSWERS), list(ANSWERS), f"chosen from at random: {', '.join(ANSWERS)}"),
            Field("retry_after_s", _whole, 1, "what a 429 asks for, whole seconds"),
        ),
        selective=True,
    ),
    "latency": Kind(
        "requests are answered later",
        (Field("delay_s", _seconds, None, "seconds added"), Field("share", _share, 1.0, "of requests")),
        selective=True,
    ),
    "watches": Kind(
        "watches end early",
        (
            Field("share", _share, 1.0, "of watches"),
            Field("within_s", _seconds, 1.0, "each at a random moment within so many seconds"),
            Field("ends", _words(ENDS), list(ENDS), "chosen from at random: cut (connection), expired (410)"),
        ),
        selective=True,
    ),
    "stale": Kind(
        "gets and lists are answered from an older state",
        (
            Field("behind_s", _seconds, None, "seconds behind, at most back to when the fault was set"),
            Field("share", _share, 1.0, "of reads"),
            Field("reads", _choice(READS), "cache", "cache: those a watch cache answers; all: plain ones too"),
        ),
        selective=True,
    ),
    "pulls": Kind("images are pulled slowly", (Field("delay_s", _seconds, None, "seconds a pull takes longer"),)),
    "endpoints": Kind(
        "changes of endpoints are seen late",
        (
            Field("proxy_s", _seconds, 0.0, "seconds until the proxy follows a Service or EndpointSlice"),
            Field("slices_s", _seconds, 0.0, "seconds until EndpointSlices follow pods"),
            Field("router_s", _seconds, 0.0, "seconds until the router follows an Ingress or HTTPRoute"),
        ),
    ),
    "node": Kind("the node is not ready", ()),
    "freeze": Kind("all processes of a pod are stopped, until it is cleared", (_POD,)),
    "kill": Kind("a pod's programs are killed, once", (_POD,), lasting=False),
}


@dataclass(frozen=True)
class Fault:
    """A fault that was asked for: its name, its kind and every value."""

    name: str
    kind: str
    values: Values

    def as_dict(self) -> dict[str, Any]:
        """The fault as the API shows it: what is at rest (no client, no verbs) is left out."""
        return {"name": self.name, "kind": self.kind, **{k: v for k, v in self.values.items() if v not in ("", [])}}

    def seeded(self, seed: int) -> Fault:
        """The same, with this seed where none was given."""
        return replace(self, values={**self.values, "seed": seed}) if self.values.get("seed", 0) < 0 else self


def read(given: Mapping[str, Any]) -> Fault:
    """The fault that ``{"kind": …, "name": …, field: value, …}`` asks for; values may be text.

    Raises ``InputError`` with every mistake, each naming field and value.
    """
    kind_name = given.get("kind")
    if not isinstance(kind_name, str) or kind_name not in KINDS:
        raise InputError([_mistake("kind", kind_name, "is no fault.", f"Write one of {', '.join(KINDS)}.")])
    values, mistakes = _values(kind_name, given)
    usual = _usual_name(kind_name, values)
    name = given.get("name") or usual
    if not isinstance(name, str) or not name.isprintable() or len(name) > 200 or name != name.strip():
        mistakes.append(_mistake("name", name, "cannot be meant.", "Write one line of text."))
    elif name != usual and not KINDS[kind_name].selective:
        mistakes.append(_mistake("name", name, f"is not needed: there is one {kind_name}.", "Leave it out."))
    if mistakes:
        raise InputError(mistakes)
    return Fault(name, kind_name, values)


def _values(kind: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Mistake]]:
    known = {each.name: each for each in KINDS[kind].all_fields}
    mistakes = [
        _mistake(name, given[name], f"is no field of {kind}.", f"Its fields: {', '.join(known) or 'none'}.")
        for name in given
        if name not in known and name not in ("kind", "name")
    ]
    values: dict[str, Any] = {}
    for each in known.values():
        values[each.name] = each.default
        if each.name in given:
            try:
                values[each.name] = each.read(given[each.name])
            except _Refused as why:
                mistakes.append(_mistake(each.name, given[each.name], "cannot be meant.", str(why)))
        elif each.default is None:
            mistakes.append(_mistake(each.name, None, "is missing.", f"Write {each.name}=…: {each.meaning}."))
    if kind == "endpoints" and not any(values.values()):
        mistakes.append(
            _mistake("proxy_s", values["proxy_s"], "delays nothing.", "Give proxy_s, slices_s or router_s.")
        )
    return values, mistakes


def _usual_name(kind: str, values: Values) -> str:
    return f"{kind}:{values['pod']}" if "pod" in values else kind


def _mistake(name: str, value: Any, why: str, remedy: str) -> Mistake:
    return Mistake(name, None if value is None else str(value)[:100], why, remedy)
