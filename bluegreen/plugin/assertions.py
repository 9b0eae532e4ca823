"""Where a test's source asserts something. Pure: in goes source text, out come the lines that, once reached, assert.

An assertion is an ``assert``; a call whose name says so (``assertEqual``, ``require``, ``check_health``,
``raise_for_status``, ``pytest.raises``); or the condition of an ``if`` that raises or fails the test. Names are taken
at their word: what such a function does is not looked into.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

NAMES = re.compile(
    r"_*(assert|check|require|expect|verif|validat|ensure|must|should|fail$|raises|raise_for|warns)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Assertion:
    """One statement that asserts: it is reached when one of its lines is."""

    first: int
    last: int


@dataclass(frozen=True)
class Function:
    """A function of a file: its name, the line its code begins at (its first decorator's, say), its assertions."""

    name: str
    line: int
    assertions: tuple[Assertion, ...]


def functions_of(source: str) -> list[Function]:
    """Every function of a source text, nested ones and methods too. What is no Python has none."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    return [
        Function(node.name, min([node.lineno, *(one.lineno for one in node.decorator_list)]), tuple(_in(node.body)))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _in(body: list[ast.stmt]) -> Iterator[Assertion]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assert):
                yield Assertion(node.lineno, node.end_lineno or node.lineno)
            elif isinstance(node, ast.Call) and NAMES.match(_name(node.func)):
                yield Assertion(node.func.lineno, node.end_lineno or node.lineno)
            elif isinstance(node, ast.If) and any(_ends_the_test(one) for one in [*node.body, *node.orelse]):
                yield Assertion(node.test.lineno, node.test.end_lineno or node.test.lineno)
            elif isinstance(node, ast.Try) and any(_ends_the_test(one) for h in node.handlers for one in h.body):
                yield Assertion(node.body[0].lineno, node.body[0].end_lineno or node.body[0].lineno)


def _ends_the_test(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(statement, ast.Raise) or (isinstance(call, ast.Call) and _name(call.func) in ("fail", "exit"))


def _name(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""
