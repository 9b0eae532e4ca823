"""release.json: as its schema describes it, whole or not written, and nothing in it that JSON does not know."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bluegreen.report import write_json, write_markdown
from bluegreen.verdict import EXIT_CODES, SEVERITY
from tests.report import records

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/release.schema.json").read_text())
RECORDS = [records.switched, records.refused, records.rolled_back]


def test_the_schema_is_one_and_knows_every_outcome_and_verdict() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]["outcome"]["enum"]) == {str(outcome) for outcome in EXIT_CODES}
    stage = SCHEMA["properties"]["stages"]["additionalProperties"]
    assert set(stage["properties"]["verdict"]["enum"]) == {str(verdict) for verdict in SEVERITY}


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_written_as_the_schema_describes_it(record: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    write_json(record(), tmp_path / "release.json")
    written = json.loads((tmp_path / "release.json").read_text())
    jsonschema.validate(written, SCHEMA, jsonschema.Draft202012Validator)
    assert written["outcome"] == record()["outcome"]
    assert [file.name for file in tmp_path.iterdir()] == ["release.json"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("outcome", "fine"),
        ("colour_after", "red"),
        ("stages", {"api": {"verdict": "good"}}),
        ("probe", {"requests": 1}),
    ],
)
def test_a_record_that_is_wrong_is_told(key: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(records.switched() | {key: value}, SCHEMA)


def test_numbers_that_json_does_not_know_become_null(tmp_path: Path) -> None:
    write_json({"a": math.inf, "b": [math.nan, 1.5], "c": {1: "x"}}, tmp_path / "release.json")
    written = json.loads((tmp_path / "release.json").read_text(), parse_constant=pytest.fail)
    assert written == {"a": None, "b": [None, 1.5], "c": {"1": "x"}}


def test_what_cannot_be_written_leaves_the_older_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    file.write_text("older")
    file.with_name(".release.json.part").mkdir()  # stands where the new one would be drafted
    with pytest.raises(OSError, match="release"):
        write_json({}, file)
    assert file.read_text() == "older"


def test_the_summary_tells_outcome_stages_failures_and_figures(tmp_path: Path) -> None:
    write_markdown(records.refused(), tmp_path / "summary.md")
    text = (tmp_path / "summary.md").read_text()
    assert text.startswith("# Refused by the gate: gremlinsai/backend:v1.1.0\n")
    assert "| load | fail | 0 of 1 |" in text
    assert "> 95 of 100 answers took up to 812 ms" in text
    assert "1,160 requests to the live service, no request failed; longest gap 91 ms." in text
    assert "5,400 requests, 100.00% answered well, 300 requests/s" in text
    assert '"value": "green"' not in text  # nothing was switched, so no patch was sent
    assert '"value": "green"' in _markdown(records.switched())


def _markdown(record: dict[str, Any]) -> str:
    from bluegreen.report import markdown

    return markdown(record)


def test_a_table_of_the_summary_cannot_be_broken_out_of() -> None:
    assert "| Namespace | a \\| b c |" in _markdown({"namespace": "a | b\nc"})


def test_a_record_of_nothing_still_gives_a_summary() -> None:
    assert _markdown({}).startswith("# Unknown outcome: release")
