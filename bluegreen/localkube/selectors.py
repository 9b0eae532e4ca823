"""Label and field selectors: parsing with Kubernetes' refusals, and matching."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import ApiError, bad_request
from bluegreen.localkube.validation import names

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|,|\(|\)|>|<)|([^\s,()=!<>]+))")


@dataclass(frozen=True)
class Requirement:
    """One term of a label selector. ``operator``: In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it; an absent label satisfies NotIn, as in Kubernetes."""
        return _OPERATORS[self.operator](labels.get(self.key), self.values)


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _compares(value: str | None, bound: frozenset[str], sign: int) -> bool:
    left, right = _number(value), _number(next(iter(bound)))
    return left is not None and right is not None and (left - right) * sign > 0


_OPERATORS: dict[str, Callable[[str | None, frozenset[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: _compares(value, values, 1),
    "Lt": lambda value, values: _compares(value, values, -1),
}


class _Parser:
    """Reads a label selector's text: KEY [= | == | != | in (...) | notin (...) | > | <] , !KEY."""

    def __init__(self, text: str) -> None:
        self._tokens = self._split(text)
        self._at = 0

    @staticmethod
    def _split(text: str) -> list[str]:
        tokens, at = [], 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:  # cannot happen: every character is an operator or part of a word
                raise bad_request(f"unable to parse requirement: {text}")
            tokens.append(found[1] or found[2])
            at = found.end()
        return tokens

    def parse(self) -> tuple[Requirement, ...]:
        """All terms."""
        requirements = []
        while self._peek():
            requirements.append(self._requirement())
            following = self._next()
            if following not in ("", ","):
                raise _unparsable(following, "',' or 'end of string'")
            if following == "," and not self._peek():
                raise _unparsable("", "identifier after ','")
        return tuple(requirements)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._next()
        key = self._next()
        if key in _PUNCTUATION:
            raise _unparsable(key, "!, identifier, or 'end of string'")
        _check_key(key)
        if negated:
            return Requirement(key, "DoesNotExist")
        if self._peek() in ("", ","):
            return Requirement(key, "Exists")
        return self._with_values(key, self._next())

    def _with_values(self, key: str, operator: str) -> Requirement:
        if operator not in _NAMES:
            raise _unparsable(operator, "in, notin, =, ==, !=, gt, lt")
        values = self._set() if operator in ("in", "notin") else self._single()
        _check_values(key, values)
        if operator in "<>" and _number(next(iter(values))) is None:
            raise bad_request(f"for 'Gt', 'Lt' operators, the value must be an integer: key {key}")
        return Requirement(key, _NAMES[operator], values)

    def _single(self) -> frozenset[str]:
        if self._peek() in ("", ","):
            return frozenset([""])
        value = self._next()
        if value in _PUNCTUATION:
            raise _unparsable(value, "identifier")
        return frozenset([value])

    def _set(self) -> frozenset[str]:
        if self._peek() != "(":
            # without a comma, alone of all these sentences: Kubernetes' own slip
            raise bad_request(f"unable to parse requirement: found '{self._peek()}' expected: '('")
        self._next()
        values, value = set(), ""
        while True:
            token = self._next()
            if token in (",", ")"):
                values.add(value)
                value = ""
                if token == ")":
                    return frozenset(values)
            elif token == "" or token in _PUNCTUATION or value:
                raise _unparsable(token, "',', ')' or identifier")
            else:
                value = token


_PUNCTUATION = frozenset(["", "=", "==", "!=", "!", ",", "(", ")", "<", ">"])
_NAMES = {"=": "In", "==": "In", "!=": "NotIn", "in": "In", "notin": "NotIn", ">": "Gt", "<": "Lt"}


def _unparsable(found: str, expected: str) -> ApiError:
    return bad_request(f"unable to parse requirement: found '{found}', expected: {expected}")


def _check_key(key: str) -> None:
    _refuse("<nil>", key, names.qualified(key))


def _check_values(key: str, values: frozenset[str]) -> None:
    for place, value in enumerate(sorted(values)):  # labels.NewRequirement counts them in order
        _refuse(f"values[{place}][{key}]", value, names.label_value(value))


def _refuse(field: str, value: str, why: list[str]) -> None:
    if why:
        raise bad_request(f'unable to parse requirement: {field}: Invalid value: "{value}": {"; ".join(why)}')


@lru_cache(maxsize=1024)
def parse_labels(text: str) -> tuple[Requirement, ...]:
    """A label selector's terms; 400 when it cannot be read."""
    return _Parser(text).parse()


def matches_labels(requirements: tuple[Requirement, ...], labels: Mapping[str, str] | None) -> bool:
    """Whether labels satisfy every term."""
    return all(requirement.matches(labels or {}) for requirement in requirements)


@lru_cache(maxsize=1024)
def _from_label_selector(match_labels: tuple[tuple[str, str], ...], expressions: tuple[Requirement, ...]) -> Any:
    return tuple(Requirement(key, "In", frozenset([value])) for key, value in match_labels) + expressions


def from_label_selector(selector: Obj | None) -> tuple[Requirement, ...] | None:
    """The terms of a LabelSelector object (matchLabels, matchExpressions). None selects nothing; {} everything."""
    if selector is None:
        return None
    expressions = tuple(
        Requirement(term["key"], term["operator"], frozenset(term.get("values") or ()))
        for term in selector.get("matchExpressions") or ()
    )
    terms: tuple[Requirement, ...] = _from_label_selector(
        tuple(sorted((selector.get("matchLabels") or {}).items())), expressions
    )
    return terms


def selects(selector: Obj | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a LabelSelector object selects labels; None selects nothing."""
    terms = from_label_selector(selector)
    return terms is not None and matches_labels(terms, labels)


@dataclass(frozen=True)
class FieldTerm:
    """One term of a field selector: ``path`` equals (or not) ``value``."""

    path: tuple[str, ...]
    value: str
    equal: bool

    def matches(self, obj: Obj) -> bool:
        """Whether the object satisfies it; an absent field is the empty string."""
        return (_field(obj, self.path) == self.value) == self.equal


def as_go(selector: Obj | None) -> str:
    """A LabelSelector as Go prints a pointer to the API's struct: how events and messages name one."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    rules = "".join(
        f"LabelSelectorRequirement{{Key:{rule['key']},Operator:{rule['operator']},"
        f"Values:[{' '.join(rule.get('values') or ())}],}},"
        for rule in selector.get("matchExpressions") or ()
    )
    matched = f"map[string]string{{{labels}}}"
    return f"&LabelSelector{{MatchLabels:{matched},MatchExpressions:[]LabelSelectorRequirement{{{rules}}},}}"


def _field(obj: Obj, path: tuple[str, ...]) -> str:
    value: Any = obj
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


# Field selectors that are not the path they are named after (events' source is a struct), and the value an absent
# field counts as where that is not the empty string.
_PATHS = {("Event", "source"): ("source", "component"), ("Job", "status.successful"): ("status", "succeeded")}
_FALSE_WHEN_ABSENT = frozenset(["spec.unschedulable", "spec.hostNetwork"])
_ESCAPE = re.compile(r"\\(.?)|([,=])", re.DOTALL)
_FIELD_TERM = re.compile(r"(.*?)(==|!=|=)(.*)", re.DOTALL)


@lru_cache(maxsize=1024)
def parse_fields(kind: Kind, text: str) -> tuple[FieldTerm, ...]:
    """A field selector's terms; 400 for one that cannot be read or a field that kind does not offer."""
    return tuple(_field_term(kind, text, term) for term in re.split(r"(?<!\\),", text) if term)


def _field_term(kind: Kind, selector: str, text: str) -> FieldTerm:
    found = _FIELD_TERM.fullmatch(text)
    if found is None:
        raise bad_request(f"invalid selector: '{selector}'; can't understand '{text}'")
    name, operator, value = found[1], found[2], _unescaped(found[3])
    if name not in ("metadata.name", "metadata.namespace") and name not in kind.fields:
        known = 'is not a known field selector: only "metadata.name", "metadata.namespace"'
        raise bad_request(kind.field_refusal.format(field=name) if kind.field_refusal else f'"{name}" {known}')
    path = _PATHS.get((kind.key, name), tuple(name.split(".")))
    if name in _FALSE_WHEN_ABSENT and value == "false":
        return FieldTerm(path, "true", operator == "!=")
    return FieldTerm(path, value, operator != "!=")


def _unescaped(value: str) -> str:
    """A field selector's value without its escapes (fields.UnescapeValue); 400 for what none of them is."""
    for found in _ESCAPE.finditer(value):
        if found[2]:
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(found[2])}")
        if found[1] not in (*r"\,=",):
            raise bad_request(f"invalid field selector: invalid escape sequence: {found[0]}")
    return _ESCAPE.sub(r"\1", value)


def matches_fields(terms: tuple[FieldTerm, ...], obj: Obj) -> bool:
    """Whether the object satisfies every term."""
    return all(term.matches(obj) for term in terms)


@dataclass(frozen=True)
class Selection:
    """A list's or watch's two selectors together."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, obj: Obj) -> bool:
        """Whether an object is selected."""
        if self.labels and not matches_labels(self.labels, obj["metadata"].get("labels")):
            return False
        return not self.fields or matches_fields(self.fields, obj)


def selection(kind: Kind, labels: str = "", fields: str = "") -> Selection:
    """Parse both selectors; 400 with Kubernetes' sentence when one is wrong."""
    return Selection(parse_labels(labels) if labels else (), parse_fields(kind, fields) if fields else ())
