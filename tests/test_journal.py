"""The journal says where a release is, and the table says what mends one that ended there."""

from __future__ import annotations

import dataclasses
import json

import pytest

from bluegreen.colour import Colour
from bluegreen.errors import HarnessError
from bluegreen.journal import ALLOWED, HISTORY_LENGTH, MENDS, Mend, Record, Step, appended, summary


def record(**changes: object) -> Record:
    """A release that has just been opened."""
    opened = Record(
        id="20260101-000000-abcdef",
        step=Step.OPENED,
        image="team/app:v2",
        version="v2",
        candidate=Colour.GREEN,
        live=Colour.BLUE,
        live_image="team/app:v1",
        live_version="v1",
        replicas=3,
        started_at="2026-01-01T00:00:00Z",
        started_by={"user": "somebody", "host": "here"},
        before={"labels": {}, "annotations": {}, "spec": {"replicas": 0}},
    )
    return dataclasses.replace(opened, **changes)  # type: ignore[arg-type]


def path_to(step: Step) -> list[Step]:
    """The shortest way from the opening to a step, by the table of what may follow."""
    ways: list[list[Step]] = [[Step.OPENED]]
    for way in ways:
        if way[-1] is step:
            return way[1:]
        ways += [[*way, following] for following in sorted(ALLOWED[way[-1]]) if following not in way]
    raise AssertionError(f"{step} cannot be reached")


def test_every_step_has_what_mends_it_and_what_may_follow() -> None:
    assert set(MENDS) == set(ALLOWED) == set(Step)


@pytest.mark.parametrize(
    ("step", "mend"),
    [
        (Step.OPENED, Mend.REVERT),
        (Step.STANDING_UP, Mend.REVERT),
        (Step.JUDGING, Mend.REVERT),
        (Step.SWITCHING, Mend.ROLL_BACK),
        (Step.WATCHING, Mend.ROLL_BACK),
        (Step.RETIRING, Mend.FINISH),
        (Step.REVERTING, Mend.REVERT),
        (Step.ROLLING_BACK, Mend.ROLL_BACK),
        (Step.CLOSED, Mend.NOTHING),
    ],
)
def test_a_release_that_was_not_verified_never_goes_forward(step: Step, mend: Mend) -> None:
    assert MENDS[step] is mend


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.CLOSED])
def test_what_mends_a_step_may_be_entered_from_it(step: Step) -> None:
    mends = {Mend.REVERT: Step.REVERTING, Mend.ROLL_BACK: Step.ROLLING_BACK, Mend.FINISH: Step.RETIRING}
    entered = {**mends, Mend.LATER: Step.RETIRING}[MENDS[step]]
    assert entered in ALLOWED[step]


@pytest.mark.parametrize("step", list(Step))
def test_every_step_can_be_reached_and_left_for_the_end(step: Step) -> None:
    reached = record()
    for following in path_to(step):
        reached = reached.entering(following)
    assert reached.step is step
    assert set(reached.times) >= {following.value for following in path_to(step)}
    seen, ahead = {step}, [step]
    while ahead:
        new = ALLOWED[ahead.pop()] - seen
        seen |= new
        ahead += new
    assert Step.CLOSED in seen


def test_a_step_that_cannot_follow_is_refused() -> None:
    with pytest.raises(ValueError, match="from opened to watching"):
        record().entering(Step.WATCHING)


def test_a_verified_release_cannot_be_taken_back() -> None:
    assert ALLOWED[Step.RETIRING] == {Step.RETIRING, Step.CLOSED}


@pytest.mark.parametrize("live", [None, Colour.BLUE])
def test_a_record_survives_its_way_through_the_cluster(live: Colour | None) -> None:
    written = record(live=live).entering(Step.STANDING_UP, reason='it said "no"')
    assert Record.from_json(written.to_json()) == written
    assert written.first is (live is None)


@pytest.mark.parametrize("text", ["{}", "[]", "not JSON", '{"candidate": "red", "live": null, "step": "opened"}'])
def test_what_is_no_record_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(HarnessError) as refused:
        Record.from_json(text)
    assert "journal" in refused.value.sentence
    assert refused.value.remedy


def test_a_closed_record_holds_its_outcome_and_no_deployment_any_more() -> None:
    closed = record().entering(Step.REVERTING, "health: fail").closing("gate-failed")
    assert (closed.step, closed.outcome, closed.reason, closed.before) == (
        Step.CLOSED,
        "gate-failed",
        "health: fail",
        None,
    )
    assert closed.ended_at
    assert not closed.unfinished


def test_the_history_is_bounded_and_names_a_release_once() -> None:
    history: list[dict[str, object]] = []
    for number in range(HISTORY_LENGTH + 5):
        closed = record(id=f"release-{number}").entering(Step.REVERTING).closing("gate-failed")
        history = appended(appended(history, closed), closed)
    assert [entry["id"] for entry in history] == [f"release-{number}" for number in range(5, HISTORY_LENGTH + 5)]


def test_a_full_history_fits_a_config_map() -> None:
    closed = record().entering(Step.REVERTING, "x" * 2000).closing("gate-failed")
    assert len(json.dumps([summary(closed)] * HISTORY_LENGTH)) < 100_000


def test_what_an_older_version_wrote_of_further_services_is_read() -> None:
    written = json.loads(record().to_json())
    written["extra_services"] = "chat-service"
    del written["moved_besides"]
    assert Record.from_json(json.dumps(written)).moved_besides == "chat-service"
