"""load: beside what is live, under the same load in the same minute, the candidate is no worse and answers the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bluegreen import comparison, gate
from bluegreen.plugin.comparing import SameAnswers, sides, way_too_narrow
from bluegreen.plugin.measuring import Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("load")

FIRST = "nothing is live yet: a first release has nothing to be compared with"


@pytest.fixture(autouse=True)
def _wanted(settings: Settings) -> None:
    if settings.compare == "off":
        pytest.skip("COMPARE=off: nothing is compared with what is live")


def test_it_is_no_worse_than_live(
    target: Target, settings: Settings, run_dir: Path, note: Callable[[str, Any], None]
) -> None:
    if target.release.live is None:
        note("compare", comparison.skipped(settings.compare, FIRST))
        pytest.skip(FIRST)
    if unfit := way_too_narrow(target):
        gate.require(unfit)
    with sides(target) as (candidate, live):
        found = comparison.run(settings, candidate, live, run_dir)
    note("compare", found.to_json())
    gate.require(gate.compared(found))


def test_it_answers_as_live_does(
    same_answers: SameAnswers, settings: Settings, note: Callable[[str, Any], None]
) -> None:
    requests = [f"GET {path}" for path in settings.api_paths.split()]
    checks = [gate.same_content(request, same_answers(request)) for request in requests]
    note("requests compared", len(checks))
    gate.require(checks)
