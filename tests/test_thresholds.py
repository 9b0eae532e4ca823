"""The file of thresholds: what it adds to the settings, and how strictly it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bluegreen import thresholds
from bluegreen.errors import InputError, Mistake
from bluegreen.settings import load
from bluegreen.thresholds import Limits
from tests.bad_input.case import Text
from tests.bad_input.thresholds import THRESHOLDS

YAML = """
all: {p99_ms: 900, rate: 50}
endpoints:
  GET /: {success: 0.999, p50_ms: 20, requests: 10}
  POST /api/v1/chat:
"""

TOML = """
all = { p99_ms = 900, rate = 50 }
[endpoints."GET /"]
success = 0.999
p50_ms = 20
requests = 10
"""


def read(tmp_path: Path, text: str | bytes, name: str = "limits.yaml") -> thresholds.Thresholds:
    """The thresholds that a file of this text gives."""
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return thresholds.load(load({"LOAD_THRESHOLDS": str(file), "LOAD_P95_MS": "300"}))


def test_without_a_file_the_settings_count() -> None:
    found = thresholds.load(load({"LOAD_SUCCESS_RATE": "0.9"}))
    assert found.all == Limits(success=0.9, p95_ms=500, requests=100)
    assert found.endpoints == {}


@pytest.mark.parametrize(("text", "name"), [(YAML.replace("  POST /api/v1/chat:\n", ""), "a.yaml"), (TOML, "a.toml")])
def test_a_file_adds_to_the_settings_and_beats_them(tmp_path: Path, text: str, name: str) -> None:
    found = read(tmp_path, text, name)
    assert found.all == Limits(success=0.95, p95_ms=300, p99_ms=900, rate=50, requests=100)
    assert found.endpoints == {"GET /": Limits(success=0.999, p50_ms=20, requests=10)}
    assert read(tmp_path, "all: {p95_ms: 40}").all.p95_ms == 40


@pytest.mark.parametrize("case", THRESHOLDS, ids=lambda case: case.id)
def test_a_bad_file_is_refused_with_place_value_and_remedy(tmp_path: Path, case: Text) -> None:
    name = "limits.toml" if "TOML" in case.id else "limits.yaml"
    with pytest.raises(InputError) as caught:
        read(tmp_path, case.text, name)
    said = str(caught.value)
    assert [part for part in (name, *case.shows) if part not in said] == [], said


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, "all: {p95: 1, rate: -1}\nendpoints: {get /: {}}\nmore: 1\n")
    assert len(caught.value.mistakes) == 4


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.text(alphabet="all: {}p95_ms endpoints\nGET /0.-'\"&*!", max_size=60))
def test_any_text_is_read_or_refused_in_words(tmp_path: Path, text: str) -> None:
    mistakes: tuple[Mistake, ...] = ()
    try:
        read(tmp_path, text)
    except InputError as problem:
        mistakes = problem.mistakes
    assert all(mistake.why and mistake.remedy for mistake in mistakes)
