"""Which Deployments a release is of, from the plan and from what stands in both colours."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.deployments import colour_of
from bluegreen.roster import as_before, marked, selector_text
from bluegreen.workload import Workload

Obj = dict[str, Any]


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"app": "shop", "version": "blue"}}, "app=shop"),
        ({"matchLabels": {"a": "1", "b": "2"}}, "a=1,b=2"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}]}, "a in (x,y)"),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["x"]}]}, "a notin (x)"),
        (
            {
                "matchLabels": {"app": "shop"},
                "matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "DoesNotExist"}],
            },
            "app=shop,a,!b",
        ),
        ({}, ""),
    ],
)
def test_a_selector_is_written_as_the_api_takes_it_without_the_colour(selector: Obj, text: str) -> None:
    assert selector_text(selector) == text


@pytest.mark.parametrize(
    ("name", "labels", "colour"),
    [
        ("web-blue", {"version": "blue"}, "blue"),
        ("web-green", {"app": "web", "version": "green"}, "green"),
        ("web-blue", {"version": "green"}, None),
        ("web", {"version": "green"}, None),
        ("web-green", {}, None),
    ],
)
def test_a_colour_is_what_name_and_selector_agree_on(name: str, labels: Obj, colour: str | None) -> None:
    assert colour_of({"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}}}) == colour


def test_what_was_before_a_refused_candidate_is_what_is_put_back() -> None:
    now = (Workload("web", "app=web", before={"spec": "refused"}), Workload("api", "app=api", before=None))
    left = (Workload("web", "app=web", before=None), Workload("old", "app=old", before={"spec": "old"}))
    assert [workload.before for workload in as_before(now, left)] == [None, None]


def test_only_the_word_true_marks_a_deployment_as_active_only() -> None:
    key = "bluegreen/active-only"
    assert marked({"metadata": {"annotations": {key: "true"}}})
    for other in ({}, {"metadata": {}}, {"metadata": {"annotations": {key: "false"}}}):
        assert not marked(other)
