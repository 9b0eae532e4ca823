"""Colours, and reading the live one off a Service."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.colour import Colour, live_colour
from bluegreen.errors import CannotStartError


def service(**selector: str) -> dict[str, Any]:
    return {"metadata": {"name": "live"}, "spec": {"selector": selector}}


def test_each_colour_is_the_others_other() -> None:
    assert Colour.BLUE.other is Colour.GREEN
    assert Colour.GREEN.other is Colour.BLUE


@pytest.mark.parametrize("colour", list(Colour))
def test_the_selector_names_the_live_colour(colour: Colour) -> None:
    assert live_colour(service(app="a", version=colour.value)) is colour


def test_a_service_that_was_never_released_selects_nobody() -> None:
    assert live_colour(service(app="a", version="none")) is None


@pytest.mark.parametrize("selector", [{}, {"app": "a"}, {"app": "a", "version": "v1.2.3"}, {"version": ""}])
def test_a_selector_without_a_colour_is_refused(selector: dict[str, str]) -> None:
    with pytest.raises(CannotStartError, match="not blue, green or none"):
        live_colour(service(**selector))


def test_a_service_without_any_selector_is_refused() -> None:
    with pytest.raises(CannotStartError, match="selects nothing"):
        live_colour({"metadata": {"name": "live"}, "spec": {}})
