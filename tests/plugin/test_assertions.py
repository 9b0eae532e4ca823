"""Which lines of a test's source assert."""

from __future__ import annotations

import textwrap

import pytest

from bluegreen.plugin.assertions import functions_of

ASSERTING = [
    "assert answer.ok",
    "assert (\n        answer.ok\n    )",
    "gate.require(checks)",
    "self.assertEqual(1, one)",
    "check_health(candidate)",
    "candidate.get('/').raise_for_status()",
    "with pytest.raises(ValueError):\n        ask()",
    "for pod in pods:\n        assert pod",
    "if answer.bad:\n        pytest.fail('bad')",
    "if answer.bad:\n        raise RuntimeError",
    "try:\n        ask()\n    except OSError:\n        pytest.fail('it did not answer')",
]

SILENT = ["pass", "answer = candidate.get('/')", "return answer.ok", "print(answer)", "if answer.bad:\n        pass"]


def count(body: str) -> int:
    (found,) = functions_of(f"def test_it():\n    {body}\n")
    return len(found.assertions)


@pytest.mark.parametrize("body", ASSERTING)
def test_these_assert(body: str) -> None:
    assert count(body) >= 1


@pytest.mark.parametrize("body", SILENT)
def test_these_do_not(body: str) -> None:
    assert count(body) == 0


def test_a_function_is_found_where_its_code_begins_with_the_lines_that_assert() -> None:
    source = textwrap.dedent("""
        class TestIt:
            @pytest.mark.stage("api")
            def test_it(self):
                if self:
                    assert (
                        1
                    )
    """)
    (found,) = functions_of(source)
    assert (found.name, found.line) == ("test_it", 3)
    assert [(one.first, one.last) for one in found.assertions] == [(6, 8)]


def test_what_is_no_python_has_no_functions() -> None:
    assert functions_of("def (:") == []
