"""What is told about an old colour's end: who could be observed, and who was still connected."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen import retire


@pytest.mark.parametrize(
    ("answer", "clients"),
    [
        ({"open_connections": 3, "in_flight": 1}, 3),
        ({"connections": 0, "in_flight": 2}, 2),
        ({"open_connections": 0, "in_flight": 0}, 0),
        ({"status": "draining"}, None),
        ({"in_flight": "many"}, None),
        (["no object"], None),
        (None, None),
    ],
)
def test_a_draining_pods_clients_are_the_most_it_counts(answer: Any, clients: int | None) -> None:
    assert retire.clients_of(answer) == clients


def test_clients_that_all_left_are_observed_to_have_left() -> None:
    told = retire.summary({"a": {}, "b": {}}, {"a": 0, "b": 0}, 1.25)
    assert (told["observed"], told["clients_left"], told["waited_s"]) == (True, 0, 1.25)
    assert "left after 1.2 s" in told["how"]


def test_clients_that_stayed_are_counted() -> None:
    told = retire.summary({"a": {}, "b": {}}, {"a": 2, "b": 5}, 30.0)
    assert (told["observed"], told["clients_left"]) == (True, 7)
    assert "7 clients" in told["how"]


def test_an_application_without_a_count_could_not_be_observed() -> None:
    told = retire.summary({"a": None, "b": None}, {}, 0.0)
    assert told["observed"] is False
    assert "nothing was observed" in told["how"]
