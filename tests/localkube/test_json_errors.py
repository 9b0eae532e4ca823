"""Why a text is no JSON, in Go's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.localkube.json_errors import syntax_error

END = "unexpected end of JSON input"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", END),
        ("  ", END),
        ("{", END),
        ('{"a"', END),
        ('"abc', END),
        ("tru", END),
        ("-", END),
        ("{not json", "invalid character 'n' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[,]", "invalid character ',' looking for beginning of value"),
        ("truX", "invalid character 'X' in literal true (expecting 'e')"),
        ("nul}", "invalid character '}' in literal null (expecting 'l')"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1e+x", "invalid character 'x' in exponent of numeric literal"),
        ("01", "invalid character '1' after top-level value"),
        ('{"a":"\\q"}', "invalid character 'q' in string escape code"),
        ('"\\u12x4"', "invalid character 'x' in \\u hexadecimal character escape"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ('"\x01"', "invalid character '\\x01' in string literal"),
        ("'", "invalid character '\\'' looking for beginning of value"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("ü", "invalid character 'ü' looking for beginning of value"),
    ],
)
def test_the_first_thing_wrong_is_named(text: str, sentence: str) -> None:
    assert syntax_error(text.encode()) == sentence


@given(st.text(alphabet='{}[]",:0123e.-+truefalsn \\u\n', max_size=20))
def test_it_finds_fault_exactly_with_what_is_no_json(text: str) -> None:
    try:
        json.loads(text, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        assert syntax_error(text.encode()) != "invalid character in JSON"
    else:
        assert syntax_error(text.encode()) == "invalid character in JSON"  # nothing found


def test_deep_nesting_is_no_problem() -> None:
    assert syntax_error(b"[" * 100_000) == "exceeded max depth"
