"""production: after the switch, users are served by the new version and by nothing else, and it stays so."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from bluegreen import clock, gate
from bluegreen.clock import Deadline
from bluegreen.plugin.measuring import Target
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("production")

LOOK_EVERY_S = 0.1  # a choice: how long harm that the owner found may go unnoticed here


def test_only_the_new_colour_stands_behind_the_live_service(target: Target) -> None:
    gate.require(gate.endpoints(target.pods(), target.slices_of(target.release.service_name)))


def test_users_get_healthy_answers(live: httpx.Client, target: Target, settings: Settings) -> None:
    where = f"Service {target.release.service_name}"
    gate.require(gate.health(where, "health", live.get(settings.health_path)))


def test_users_get_the_new_version(live: httpx.Client, target: Target, settings: Settings) -> None:
    header, wanted = settings.version_header, target.release.version
    if not header:
        gate.require(gate.endpoints(target.pods(), target.slices_of(target.release.service_name)))
        return
    path = settings.api_paths.split()[0]
    said = {live.get(path).headers.get(header, "") for _ in range(2 * target.release.replicas)}
    assert said == {wanted}, f"{header} of the live service is {sorted(said)}, not {wanted!r}"


def test_it_stays_good_for_the_time_of_the_watch(harm_found: Callable[[], str], settings: Settings) -> None:
    watch = Deadline(settings.post_switch_watch)
    while not watch.expired:
        harm = harm_found()
        assert not harm, harm
        clock.sleep_s(min(LOOK_EVERY_S, watch.remaining_s))
