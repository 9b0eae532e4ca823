"""The catalogue itself: large enough, nothing twice, and each case says what its message must show."""

from __future__ import annotations

from collections import Counter

from tests.bad_input import catalogue


def test_the_catalogue_is_as_large_as_promised_and_has_no_case_twice() -> None:
    cases = catalogue()
    assert len(cases) >= 120
    kinds = Counter(kind for kind, _ in cases)
    assert kinds["setting"] >= 80
    assert kinds["manifest"] >= 40
    assert kinds["cluster"] >= 40
    assert [key for key, count in Counter((kind, case.id) for kind, case in cases).items() if count > 1] == []


def test_each_case_asks_for_what_is_wrong_and_for_a_remedy() -> None:
    assert [case.id for _, case in catalogue() if len(case.shows) < 2 or not case.wrong] == []
