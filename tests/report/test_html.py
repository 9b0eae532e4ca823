"""The report's HTML: everything shown, everything escaped, nothing from outside, and never an exception."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from bluegreen import comparison
from bluegreen.report import evidence_html, summary_html, svg
from bluegreen.report.words import BANNERS
from bluegreen.verdict import EXIT_CODES
from tests.report import records

RECORDS = [records.switched, records.refused, records.rolled_back]
VOID = {"br", "hr", "img", "input", "meta", "link"}


class Balance(HTMLParser):
    """Whether every tag that is opened is closed, in order; gathers the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(record: dict[str, Any]) -> str:
    """Everything of the report that is ours."""
    return summary_html(record) + evidence_html(record.get("evidence") or {})


@pytest.mark.parametrize("record", RECORDS)
def test_it_is_well_formed_and_asks_for_nothing_from_outside(record: Callable[[], dict[str, Any]]) -> None:
    html = page(record())
    assert Balance(html).open == []
    assert "could not be drawn" not in html
    assert re.findall(r"(?:src|href|url\(|@import)[^>]*", html) == []
    assert "<script" not in html


@pytest.mark.parametrize("record", RECORDS)
def test_every_picture_is_well_formed_xml(record: Callable[[], dict[str, Any]]) -> None:
    pictures = re.findall(r"<svg.*?</svg>", page(record()), re.DOTALL)
    assert len(pictures) == 3
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        numbers = [float(n) for node in root.iter() for k in ("x", "y", "cx", "cy") if (n := node.get(k)) is not None]
        assert all(-20 <= number <= 1020 for number in numbers)


def test_every_outcome_has_its_words() -> None:
    assert set(BANNERS) == {str(outcome) for outcome in EXIT_CODES}


@pytest.mark.parametrize("outcome", [*BANNERS, "unheard-of", None])
def test_the_banner_says_how_it_ended(outcome: str | None) -> None:
    text = Balance(summary_html(records.switched() | {"outcome": outcome})).text
    title = BANNERS[outcome].title if outcome in BANNERS else "Unknown outcome"
    assert title in text


def test_it_shows_what_a_person_asks_for() -> None:
    text = Balance(page(records.refused())).text
    for wanted in (
        *(
            "Refused by the gate",
            "live traffic blue",
            "gremlinsai/backend:v1.1.0",
            "sha256:4f0c1f",
            "1ea74fcbd2",
            "mara",
        ),
        *("resources", "3 of 3", "test_the_candidate_carries_the_load", "took up to 812 ms", "not-run"),
        *("1,160", "no request failed", "First answer of v1.1.0: 102 ms after the patch was sent", "limit 500 ms"),
        *("Evidence of green", "Started container backend", "Deployment/gremlinsai-backend-green", "× 4"),
    ):
        assert wanted in text, wanted


def test_the_comparison_with_live_is_shown_by_endpoint() -> None:
    good, bad = (Balance(page(record)).text for record in (records.switched(), records.refused()))
    assert "Against the live pods" in good
    assert "no worse than live" in good
    assert "alike" in good
    assert "worse" in bad
    assert "Against fresh pods of the live release" in bad
    assert re.search(r"it takes 1\.[345]\d times as long as live", bad)
    skipped = comparison.skipped("live", "nothing is live yet")
    assert "Not compared: nothing is live yet." in Balance(page(records.switched() | {"compare": skipped})).text
    assert "Compared with live" not in Balance(page(records.switched() | {"compare": None})).text


def test_the_patches_are_shown_exactly() -> None:
    assert '"path": "/spec/selector/version"' in Balance(page(records.switched())).text


@pytest.mark.parametrize("key", ["image", "reason", "cluster", "digest", "candidate", "outcome"])
def test_what_comes_from_outside_is_escaped(key: str) -> None:
    evil = '"><script>alert(1)</script>'
    assert "<script" not in summary_html(records.switched() | {key: evil})


def test_evidence_is_escaped_too() -> None:
    evil = "</pre><script>alert(1)</script>"
    capture = {
        "colour": evil,
        "events": [{"type": evil, "reason": evil, "object": evil, "message": evil, "time": evil}],
        "logs": {evil: evil},
        "objects": {evil: {"a": evil}},
        "problems": [evil],
    }
    html = evidence_html(capture)
    assert "<script" not in html
    assert Balance(html).open == []


@pytest.mark.parametrize(
    "spoiled",
    [
        {},
        {"probe": {"requests": "many"}},
        {"probe": {"timeline": [{}], "marks": [{}]}},
        {"load": {"requests": None}},
        {"stages": {"api": {"tests": [None]}}},
        {"steps": [{"started_s": "soon"}]},
        {"patches": 3},
        {"durations_s": []},
        {"settings": []},
    ],
)
def test_an_odd_record_costs_a_part_and_never_the_report(spoiled: dict[str, Any]) -> None:
    html = summary_html((records.switched() | spoiled) if spoiled else {})
    assert Balance(html).open == []
    assert "bg-banner" in html


def test_long_logs_keep_their_end() -> None:
    html = evidence_html({"logs": {"a": "x" * 50_000 + "the reason"}})
    assert "the reason" in html
    assert "10,010 characters before this" in html


@pytest.mark.parametrize("least", [0, 1, 3, 90, 400, 12_000])
def test_bins_cover_every_millisecond_once(least: int) -> None:
    edges = svg.bin_edges(least, 3 * least + 10)
    assert edges[0] == least
    assert edges[-1] > 3 * least + 10
    assert all(a < b for a, b in itertools.pairwise(edges))
