"""Stages health and api: what the application answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bluegreen.gate.check import Check

NOT_IMPLEMENTED = 501  # what RFC 9110 has a server say that knows no such method

HEALTHY_WORDS = frozenset({"healthy", "ok", "up", "pass", "passing", "alive", "live", "ready", "green"})
"""What a health answer may say of itself; any other word is a failure, whatever the status."""


class _Response(Protocol):
    """What is needed of a response; httpx has it."""

    status_code: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def text(self) -> str: ...

    @property
    def content(self) -> bytes: ...


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. ``where``: who was asked for what, as a sentence names it; header names in lower case.

    ``problem``: why there is none; then the status is 0. ``garbled``: its bytes are no UTF-8, as JSON's must be.
    """

    where: str
    status: int
    headers: Mapping[str, str]
    text: str
    problem: str = ""
    garbled: bool = False

    @staticmethod
    def of(response: _Response, where: str) -> Answer:
        """The answer that an HTTP client's response is."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(where, response.status_code, headers, response.text, garbled=not _is_utf8(response.content))

    @staticmethod
    def missing(where: str, problem: str) -> Answer:
        """What stands for an answer that did not come, or not whole."""
        return Answer(where, 0, {}, "", problem)

    @property
    def document(self) -> Any:
        """The body read as JSON, as strictly as browsers read it; None when it is none."""
        if self.garbled:
            return None
        try:
            return json.loads(self.text, parse_constant=_no_json)
        except ValueError:
            return None


def healthy(answer: Answer, must_say: bool = True) -> list[Check]:
    """Status 200, and a body that says healthy: a backend can answer 200 and state that it is not well.

    ``must_say``: whether a body that states nothing is a failure; of /ready and /live the status alone may tell.
    """
    said = _stated_health(answer)
    checks = [_status(answer, 200)]
    if not answer.problem and (said or must_say):
        wanted, otherwise = (
            "healthy",
            f"{answer.where} says {said or 'nothing'!r} of itself, with status {answer.status}.",
        )
        checks.append(Check.that(f"{answer.where}: stated", said in HEALTHY_WORDS, said, wanted, otherwise))
    return checks


def succeeded(answer: Answer, in_json: bool = True) -> list[Check]:
    """Status 200 and, where asked for, a body in JSON that is called so: clients go by the content type."""
    checks = [_status(answer, 200)]
    if in_json and answer.status == 200:
        stated = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        called = stated == "application/json" or stated.endswith("+json")
        wrong = f"{answer.where} calls its answer {stated or 'nothing'} and not application/json."
        checks.append(Check.that(f"{answer.where}: content type", called, stated, "application/json", wrong))
        is_json = answer.document is not None
        otherwise = f"{answer.where} answered no JSON but {_excerpt(answer)}."
        checks.append(Check.that(f"{answer.where}: body", is_json, _excerpt(answer), "JSON", otherwise))
    return checks


def head(answer: Answer) -> list[Check]:
    """HEAD, which load balancers and monitors send, is answered, and by no fault of the server; it may be refused."""
    if answer.problem:
        return [_status(answer, 200)]
    fine = answer.status < 500 or answer.status == NOT_IMPLEMENTED
    otherwise = f"{answer.where}: status is {answer.status}: HEAD may be refused, but is no fault of the server."
    return [Check.that(f"{answer.where}: status", fine, answer.status, "below 500", otherwise)]


def found_nothing(answer: Answer) -> list[Check]:
    """An unknown path is 404: neither a fault of the server nor a success."""
    return [_status(answer, 404)]


def version(answer: Answer, header: str, expected: str) -> list[Check]:
    """The answer comes from the build that was asked for: by its header, and by its body where that states one.

    Without a ``header`` the application states no version and nothing is checked here.
    """
    if not header:
        return []
    if answer.problem:
        return [_status(answer, 200)]
    stated = answer.headers.get(header.lower(), "")
    why = "it does not come from the candidate's build"
    checks = [Check.equal(f"{answer.where}: {header}", stated, expected, why)]
    document = answer.document
    if isinstance(document, dict) and isinstance(document.get("version"), str):
        checks.append(Check.equal(f"{answer.where}: version in the body", document["version"], expected, why))
    return checks


def _status(answer: Answer, wanted: int) -> Check:
    if answer.problem:
        said = f"{answer.where} was not answered: {answer.problem}."
        return Check(f"{answer.where}: status", False, "no answer", str(wanted), said)
    return Check.equal(f"{answer.where}: status", answer.status, wanted, _excerpt(answer))


def _stated_health(answer: Answer) -> str:
    """The word of a health answer: its JSON's ``status``, or a body of a single word."""
    document = answer.document
    if isinstance(document, dict):
        return str(document.get("status", "")).strip().lower()
    word = str(document if isinstance(document, str) else answer.text).strip().lower()
    return word if word.isalpha() else ""


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _no_json(constant: str) -> None:
    """NaN and the infinities, which Python takes and RFC 8259 does not."""
    raise ValueError(f"{constant} is no JSON")


def _excerpt(answer: Answer) -> str:
    text = " ".join(answer.text.split())
    return repr(text if len(text) <= 160 else text[:160] + "...") if text else "an empty body"
