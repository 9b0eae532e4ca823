"""Evidence shows what happened and never what is secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from bluegreen import evidence, settings
from bluegreen.settings import SETTINGS

URL = {"NOTIFY_URL": "https://hooks.invalid/"}
"""What comes before the canary in a secret that is a URL."""

SECRETS = {s.name: f'{URL.get(s.name, "")}canary-{s.name.lower()}-7Q"x' for s in SETTINGS if s.secret}


def test_every_secret_setting_is_looked_for_in_every_form() -> None:
    values = evidence.secret_values(settings.load(SECRETS))
    assert set(values.values()) == {f"[{name}]" for name in SECRETS}


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_is_replaced_wherever_it_occurs(name: str) -> None:
    canary = f"{URL.get(name, '')}canary-{name.lower()}-7Q"
    secrets = evidence.secret_values(settings.load({name: canary}))
    coded = base64.b64encode(canary.encode()).decode()
    shown = {"log": f"connecting with {canary}", "data": [{"password": coded}], canary: f"{canary}{canary}", "n": 1}
    cleaned = evidence.redacted(shown, secrets)
    assert canary not in str(cleaned)
    assert coded not in str(cleaned)
    assert f"[{name}]" in str(cleaned)
    assert cleaned["n"] == 1


def test_what_holds_no_secret_stays_as_it_is() -> None:
    shown = {"log": ["GET / 200", 3, None, True], "nested": {"a": {"b": "c"}}}
    assert evidence.redacted(shown, evidence.secret_values(settings.load(SECRETS))) == shown


def test_a_disk_that_cannot_be_written_is_named_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    written = evidence._written({"problems": []}, tmp_path / "file" / "evidence-green.json")
    assert written["file"] == ""
    assert len(written["problems"]) == 1
