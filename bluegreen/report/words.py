"""The words of a report: what each outcome means, and how figures are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.access import WORDS
from bluegreen.grammar import shown_image
from bluegreen.verdict import BAD, UNPROVEN


@dataclass(frozen=True)
class Banner:
    """How an outcome is announced. ``tone``: good, neutral, bad or alarm."""

    tone: str
    title: str
    sentence: str


BANNERS: Mapping[str, Banner] = {
    "switched": Banner("good", "Switched", "{image} serves live traffic on {candidate}, and was verified there."),
    "gate-passed": Banner("good", "Gate passed", "{image} passed every stage. Nothing was switched, as asked."),
    "gate-failed": Banner("bad", "Refused by the gate", "{image} is not live. Live traffic never moved."),
    "no-evidence": Banner("bad", "No evidence", "Nothing failed, but not every stage proved something. Not switched."),
    "rolled-back": Banner("bad", "Rolled back", "{image} was live, failed there, and traffic went back to {before}."),
    "interrupted": Banner("neutral", "Interrupted", "The release was interrupted and everything was put back."),
    "harness-failed": Banner("bad", "Harness failed", "The harness itself failed and put everything back."),
    "lock-lost": Banner("bad", "Lock lost", "Another run may own the release now. This one changed nothing more."),
    "could-not-start": Banner("neutral", "Could not start", "Nothing was changed."),
    "needs-person": Banner("alarm", "Needs a person", "Neither going on nor going back is safe. Please look now."),
}
UNKNOWN = Banner("neutral", "Unknown outcome", "This record does not say how the release ended.")

VALIDATED: Mapping[str, Banner] = {
    "gate-passed": Banner("good", "Valid", "{image}, live on {candidate}, passed every stage. Nothing was changed."),
    "gate-failed": Banner("bad", "Not valid", "{image}, live on {candidate}, did not pass. Nothing was changed."),
    "no-evidence": Banner("bad", "No evidence", "Nothing failed, but not every stage proved something."),
    "interrupted": Banner("neutral", "Interrupted", "The validation was interrupted. Nothing was changed."),
}
"""The same where what is live was looked at and nothing was released."""

TONES: Mapping[str, str] = {"pass": "good", "fail": "bad", "error": "bad", "no-evidence": "bad", "not-run": "neutral"}
"""The tone of each verdict of a stage."""


def banner(record: Mapping[str, Any]) -> Banner:
    """The announcement of a record, its sentence filled in."""
    outcome = str(record.get("outcome"))
    found = BANNERS.get(outcome, UNKNOWN)
    if record.get("suite") == "validate":
        found = VALIDATED.get(outcome, found)
    filled = found.sentence.format(
        image=image(record) or "The image",
        candidate=record.get("candidate") or record.get("colour_after") or "the new colour",
        before=record.get("colour_before") or "nobody",
    )
    return Banner(found.tone, found.title, filled)


def image(record: Mapping[str, Any]) -> str:
    """The image as people read it; the whole reference stands among the facts."""
    return shown_image(str(record.get("image") or ""), str(record.get("version") or ""))


def traffic(record: Mapping[str, Any]) -> str:
    """Where live traffic was and is, in words."""
    before, after = record.get("colour_before") or "nobody", record.get("colour_after") or "nobody"
    return f"{before} → {after}" if before != after else f"stays with {after}"


def probe_sentence(probe: Mapping[str, Any]) -> str:
    """What users would have felt, in one sentence."""
    requests, failed = int(probe.get("requests") or 0), int(probe.get("failed") or 0)
    if not requests:
        return "The probe has no answer that counts: nothing is known about what users felt."
    felt = "no request failed" if not failed else f"{failed:,} failed"
    return (
        f"{requests:,} requests to the live service, {felt}; longest gap {milliseconds(probe.get('longest_gap_ms'))}."
    )


def shared(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each step of a switch in steps: the candidate's share, and in words what users felt and who answered them."""
    return [(f"{step['percent']} % to {record.get('candidate')}", _share(step)) for step in record.get("shares") or []]


def _share(step: Mapping[str, Any]) -> str:
    by = ", ".join(f"{number:,} by {version or 'no version'}" for version, number in sorted(step["by_version"].items()))
    felt = f"{step['failed']:,} of {step['requests']:,} requests failed"
    return f"{felt}, longest gap {milliseconds(step['longest_gap_ms'])}{f'; answered {by}' if by else ''}"


def rehearsed(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each move of a rehearsed switch: its way, and in words what was measured."""
    return [
        (
            str(leg["way"]),
            f"confirmed after {leg['confirmed_after_s'] * 1000:.0f} ms, {leg['failed']:,} of {leg['requests']:,} "
            f"requests failed, longest gap {milliseconds(leg['longest_gap_ms'])}",
        )
        for leg in record.get("rehearsal") or []
    ]


def _way_back(seconds_: Any) -> str | None:
    if not isinstance(seconds_, int | float):
        return None
    return f"live traffic was confirmed on the old colour {milliseconds(seconds_ * 1000)} after the finding"


def milliseconds(value: Any) -> str:
    """A number of milliseconds, in a unit that reads well; a dash for none."""
    if not isinstance(value, int | float):
        return "–"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def seconds(value: Any) -> str:
    """A number of seconds; minutes where they read better; a dash for none."""
    if not isinstance(value, int | float):
        return "–"
    return f"{value:.1f} s" if value < 120 else f"{int(value // 60)} min {value % 60:.0f} s"


def passed_of(stage: Mapping[str, Any]) -> str:
    """How many of a stage's tests passed; those that were skipped are counted apart: "7 of 7, 1 skipped"."""
    outcomes = [test.get("outcome") for test in stage.get("tests") or []]
    skipped = outcomes.count("skipped")
    said = f"{outcomes.count('passed')} of {len(outcomes) - skipped}"
    return f"{said}, {skipped} skipped" if skipped else said


def failures(stage: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The tests of a stage that went wrong or prove nothing, each with what it said."""
    if stage.get("why"):
        yield "no evidence", str(stage["why"])
    for test in stage.get("tests") or []:
        if test.get("outcome") in (*BAD, *UNPROVEN):
            yield str(test.get("name")), str(test.get("sentence") or test.get("outcome"))


def warnings(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What passed and was close to a limit: the stage, and a sentence."""
    for name, stage in (record.get("stages") or {}).items():
        for test in stage.get("tests") or []:
            for said in (test.get("measured") or {}).get("warnings") or []:
                yield str(name), str(said)


_WHO = {"by": "Started by", "user": "Started by", "ci_job": "CI job", "ci": "CI job", "job": "CI job"}


def facts(record: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a release, by their names for people; what is not known is left out."""
    started_by = record.get("started_by")
    who = started_by if isinstance(started_by, Mapping) else {"by": started_by}
    found = {
        "Image": record.get("image"),
        "Digest": record.get("digest"),
        "Version": record.get("version"),
        "Live traffic": traffic(record) if "colour_before" in record else None,
        "Cluster": record.get("cluster"),
        "Namespace": record.get("namespace"),
        "Service": record.get("service"),
        "Reached by": _reached_by(record.get("reached_by") or {}),
        "Replicas": record.get("replicas"),
        "Deployments": _deployments(record.get("deployments") or []),
        "Started": record.get("started_at"),
        **{_WHO.get(name, name.replace("_", " ").capitalize()): value for name, value in who.items() if name != "pid"},
        "Took": seconds((record.get("durations_s") or {}).get("total")),
        "Old colour": (record.get("drain") or {}).get("how"),
        "Way back": _way_back(record.get("way_back_s")),
        "Old colour kept until": record.get("kept_until"),
        "Return": record.get("returning"),
        "Release": record.get("release_id"),
        "Left by an earlier run": record.get("recovered"),
    }
    return {name: str(value) for name, value in found.items() if value not in (None, "", "–")}


def _deployments(found: Sequence[Mapping[str, Any]]) -> str:
    """The Deployments of a release with their pods, where there are several."""
    said = [f"{one['name']}: {one['replicas']}{' (in live alone)' if one.get('active_only') else ''}" for one in found]
    return ", ".join(said) if len(said) > 1 else ""


def _reached_by(ways: Mapping[str, str]) -> str:
    """By which way the live and the preview Service were asked."""
    live, preview = (WORDS.get(ways.get(name, ""), "") for name in ("live", "preview"))
    return live if live == preview else f"{live} (live), {preview} (preview)"
