"""Stage production: what live traffic meets after the switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bluegreen.gate.check import Check
from bluegreen.probe import ProbeResult

Obj = Mapping[str, Any]


def live_selector(service: Obj, labels: Mapping[str, str]) -> list[Check]:
    """The live Service selects the new colour and nothing else."""
    title, selector = f"Service {service['metadata']['name']}", service["spec"].get("selector", {})
    return [
        *(Check.equal(f"{title}: selector {name}", selector.get(name), value) for name, value in labels.items()),
        Check.equal(f"{title}: labels in the selector", len(selector), len(labels)),
    ]


def nobody_harmed(result: ProbeResult) -> list[Check]:
    """The probe has asked, and no request of it failed."""
    silent = "The probe has no answer that counts: nothing is known about live traffic."
    failed = f"{result.failed} of {result.requests} requests to live failed: {'; '.join(result.first_failures[:3])}."
    return [
        Check.that("probe: requests", result.requests > 0, result.requests, "at least 1", silent),
        Check.that("probe: failed requests", result.failed == 0, result.failed, "0", failed),
    ]
