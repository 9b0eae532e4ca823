"""A release's record, as ``release.json`` holds it: what the tests said joined to what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bluegreen.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from bluegreen.plugin.owner import Owner
    from bluegreen.plugin.validation import Validation
    from bluegreen.settings import Settings


def release_record(owner: Owner | Validation, settings: Settings, wall_s: float) -> dict[str, Any]:
    """The record of a run, as JSON-able values; the keys are described by docs/release.schema.json."""
    done = owner.release.record if owner.release is not None else {}
    handle = getattr(owner, "handle", None)
    record: dict[str, Any] = {
        "outcome": str(owner.outcome or Outcome.HARNESS_FAILED),
        "reason": owner.problem,
        "suite": owner.suite,
        "image": settings.docker_image or (handle.image if handle else ""),
        "namespace": settings.namespace,
        "service": settings.service_name,
        "cluster": settings.cluster,
        "colour_before": handle.live if handle else None,
        "colour_after": handle.live if handle else None,
        "candidate": handle.candidate if handle else None,
        **done,
        "stages": _stages(owner),
        "load": _noted(owner, "load"),
        "compare": _noted(owner, "compare"),
        "settings": settings.public(),
    }
    record["reason"] = owner.problem or done.get("reason", "")
    record["durations_s"] = {**done.get("durations_s", {}), "total": round(wall_s, 3)}
    return record


def _stages(owner: Owner | Validation) -> dict[str, Any]:
    """Each stage: its verdict, how long its tests took, and a row a test."""
    stages = {}
    for stage, verdict in owner.verdicts().items():
        tests = owner.tally.of(stage)
        stages[stage] = {
            "verdict": str(verdict),
            "why": owner.tally.why_unproven(stage) if verdict is Verdict.NO_EVIDENCE else "",
            "duration_s": round(sum(test.duration_s for test in tests), 3),
            "tests": [
                {
                    "name": test.nodeid.rpartition("::")[2],
                    "outcome": test.outcome,
                    "duration_s": round(test.duration_s, 3),
                    "sentence": test.sentence,
                    "measured": {key: value for key, value in test.properties if key not in ("load", "compare")},
                }
                for test in tests
            ],
        }
    return stages


def _noted(owner: Owner | Validation, key: str) -> Any:
    """What a test noted under a key; the last one counts."""
    found = [value for test in owner.tally.tests.values() for name, value in test.properties if name == key]
    return found[-1] if found else None
