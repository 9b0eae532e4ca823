"""load: under load the candidate keeps its success rate, its latency, its pods, and its limits of CPU and memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bluegreen import gate, load
from bluegreen.plugin.measuring import Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("load")


def test_it_bears_the_load(target: Target, settings: Settings, run_dir: Path, note: Callable[[str, Any], None]) -> None:
    pods = target.pods()
    result = load.run(settings, target.release.preview_urls["http"], run_dir)
    note("load", result.to_json())
    note("requests", result.requests)
    note("success rate", round(result.success_rate, 4))
    note("p95 ms", result.p95_ms)
    judged = gate.load(
        result,
        min_requests=settings.load_min_requests,
        success_rate=settings.load_success_rate,
        p95_ms=settings.load_p95_ms,
    )
    after = target.pods()
    gate.require([*judged, *gate.restarts_unchanged(pods, after), *gate.usage(target.usage(after), after)])
