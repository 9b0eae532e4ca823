"""The summary of a release in Markdown, for a pull request, a job's page or a chat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.report import words


def markdown(record: Mapping[str, Any]) -> str:
    """The whole summary."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: Mapping[str, Any]) -> Iterator[str]:
    announced = words.banner(record)
    yield f"# {announced.title}: {_cell(words.image(record) or 'release')}"
    yield f"\n{announced.sentence}"
    if record.get("reason"):
        yield "\n" + "\n".join(f"> {line}" for line in str(record["reason"]).splitlines())
    yield "\n| | |\n|---|---|"
    yield from (f"| {name} | {_cell(value)} |" for name, value in words.facts(record).items())
    yield from _stages(record.get("stages") or {})
    if close := list(words.warnings(record)):
        yield "\n## Close to a limit\n"
        yield from (f"- {_cell(stage)}: {_cell(said)}" for stage, said in close)
    yield from _rehearsal(record)
    yield from _shares(record)
    yield from _probe(record.get("probe") or {})
    yield from _load(record.get("load") or {})
    yield from _patches(record.get("patches") or [])


def _stages(stages: Mapping[str, Any]) -> Iterator[str]:
    if not stages:
        return
    yield "\n## Stages\n\n| Stage | Verdict | Tests passed | Time |\n|---|---|---|---|"
    for name, stage in stages.items():
        passed = words.passed_of(stage)
        took = words.seconds(stage.get("duration_s"))
        yield f"| {_cell(name)} | {stage.get('verdict')} | {passed} | {took} |"
    for name, stage in stages.items():
        for test, said in words.failures(stage):
            yield f"\n**{_cell(name)}**, `{test}`\n"
            yield "\n".join(f"> {line}" for line in said.splitlines())


def _rehearsal(record: Mapping[str, Any]) -> Iterator[str]:
    legs = words.rehearsed(record)
    if legs:
        yield "\n## Rehearsed switch\n\n| Way | Measured |\n|---|---|"
        yield from (f"| {_cell(way)} | {_cell(said)} |" for way, said in legs)


def _shares(record: Mapping[str, Any]) -> Iterator[str]:
    steps = words.shared(record)
    if steps:
        yield "\n## Switch in steps\n\n| Share | Measured |\n|---|---|"
        yield from (f"| {_cell(share)} | {_cell(said)} |" for share, said in steps)


def _probe(probe: Mapping[str, Any]) -> Iterator[str]:
    if not probe:
        return
    yield f"\n## What users would have felt\n\n{words.probe_sentence(probe)}"
    yield from (f"- {_cell(failure)}" for failure in probe.get("first_failures") or [])


def _load(load: Mapping[str, Any]) -> Iterator[str]:
    if not load:
        return
    yield "\n## Load test\n"
    yield (
        f"{load.get('requests', 0):,} requests, {load.get('success_rate', 0):.2%} answered well, "
        f"{load.get('rps', 0):.0f} requests/s; half within {words.milliseconds(load.get('p50_ms'))}, "
        f"95 of 100 within {words.milliseconds(load.get('p95_ms'))}, "
        f"99 of 100 within {words.milliseconds(load.get('p99_ms'))}."
    )


def _patches(patches: list[Any]) -> Iterator[str]:
    if not patches:
        return
    yield "\n## Patches sent\n"
    yield "```json\n" + "\n".join(json.dumps(patch, default=str) for patch in patches) + "\n```"


def _cell(value: Any) -> str:
    """Text that cannot break out of a table's cell."""
    return " ".join(str(value).split()).replace("|", "\\|")
