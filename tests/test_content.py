"""Two answers compared: status, kind of content, and content but for declared fields."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.content import ENOUGH, Said, differences


def said(value: Any, status: int = 200, kind: str = "application/json") -> Said:
    return Said(status, kind, value if isinstance(value, bytes) else json.dumps(value).encode())


BASE = {"version": "v1", "items": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], "total": 2}


@pytest.mark.parametrize(
    ("candidate", "ignore", "told"),
    [
        (BASE, (), []),
        ({**BASE, "version": "v2"}, (), ["version is 'v2', live's 'v1'"]),
        ({**BASE, "version": "v2"}, ("version",), []),
        ({**BASE, "total": "2"}, (), ["total is '2', live's '2'"]),
        ({**BASE, "total": 2.0}, (), ["total is '2.0', live's '2'"]),
        ({**BASE, "new": None}, (), ["new is new: 'null'"]),
        ({"version": "v1", "total": 2}, (), ["items is gone, live's"]),
        ({"items": BASE["items"], "total": 2}, ("version",), ["version is gone, live's 'v1'"]),
        ({**BASE, "items": [{"id": 7, "name": "a"}, {"id": 8, "name": "b"}]}, ("items.*.id",), []),
        ({**BASE, "items": [{"id": 7, "name": "x"}, {"id": 8, "name": "b"}]}, ("items.*.id",), ["items.0.name is 'x'"]),
        ({**BASE, "items": []}, (), ["items has 0 entries, live's 2"]),
        ([], (), ["the whole is '[]', live's"]),
    ],
)
def test_json_is_compared_by_its_fields(candidate: Any, ignore: tuple[str, ...], told: list[str]) -> None:
    found = differences(said(candidate), said(BASE), ignore)
    assert len(found) == len(told), found
    assert all(part in text for part, text in zip(told, found, strict=True)), found


def test_status_and_kind_count_and_so_does_text() -> None:
    found = differences(said(b"on", 500, "text/plain"), said(b"off", 200, "text/html"))
    assert found == [
        "status 500, live's 200",
        "content type text/plain, live's text/html",
        "body 'on', live's 'off'",
    ]
    assert differences(said(b"{", 200), said({})) == ["body '{', live's '{}'"]


def test_no_answer_makes_an_endless_list() -> None:
    many, other = ({str(n): value for n in range(500)} for value in (1, 2))
    assert len(differences(said(many), said(other))) == ENOUGH


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_the_same_is_the_same_and_the_different_is_different(one: Any, other: Any) -> None:
    assert differences(said(one), said(one)) == []
    assert bool(differences(said(one), said(other))) == (
        json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True)
    )
