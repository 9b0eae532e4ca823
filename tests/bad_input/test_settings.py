"""Every bad setting is refused with its name, its value (a secret's never), the reason and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.errors import InputError
from bluegreen.settings import load
from tests.bad_input.case import Text, Wrong
from tests.bad_input.settings import CANARY, DOTENV, SECRETS, SETTINGS


def refusal(case: Wrong) -> str:
    """The one sentence about the setting; it may be said of the setting that it does not go with."""
    with pytest.raises(InputError) as caught:
        load({case.name: case.value})
    [sentence] = [str(mistake) for mistake in caught.value.mistakes if case.name in str(mistake)]
    return sentence


@pytest.mark.parametrize("case", SETTINGS, ids=lambda case: case.id)
def test_a_bad_value_is_named_shown_and_mended(case: Wrong) -> None:
    sentence = refusal(case)
    assert [part for part in case.shows if part not in sentence] == [], sentence


@pytest.mark.parametrize("case", SECRETS, ids=lambda case: case.id.partition("=")[0])
def test_a_secret_is_refused_by_name_and_not_shown(case: Wrong) -> None:
    sentence = refusal(case)
    assert [part for part in (case.name, case.wrong, case.remedy) if part not in sentence] == [], sentence
    assert CANARY not in sentence


@pytest.mark.parametrize("case", DOTENV, ids=lambda case: case.id)
def test_a_bad_file_is_refused_by_line_and_not_shown(tmp_path: Path, case: Text) -> None:
    file = tmp_path / ".env"
    file.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    with pytest.raises(InputError) as caught:
        load({}, dotenv=file)
    said = str(caught.value)
    assert [part for part in case.shows if part not in said] == [], said
    assert CANARY not in said
