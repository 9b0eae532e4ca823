"""production: after the switch, users are served by the new version and by nothing else, and it stays so."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from bluegreen import clock, gate
from bluegreen.clock import Deadline
from bluegreen.plugin.measuring import Target, ask
from bluegreen.settings import Settings

pytestmark = pytest.mark.stage("production")

LOOK_EVERY_S = 0.1  # a choice: how long harm that the owner found may go unnoticed here


def test_only_the_new_colour_stands_behind_the_live_service(target: Target) -> None:
    gate.require(
        [
            *gate.live_selector(target.live_service(), target.labels),
            *target.only_ours_behind(target.release.service_name),
        ]
    )


def test_users_get_healthy_answers(users: httpx.Client, target: Target, settings: Settings) -> None:
    where = f"Service {target.release.service_name} {settings.health_path}"
    gate.require(gate.healthy(ask(users, settings.health_path, where)))


def test_users_get_the_new_version(users: httpx.Client, target: Target, settings: Settings) -> None:
    path = settings.api_paths.split()[0]
    where = f"Service {target.release.service_name} GET {path}"
    answers = [ask(users, path, where) for _ in range(2 * target.release.replicas)]
    said = [check for a in answers for check in gate.version(a, settings.version_header, target.release.version)]
    gate.require([*said, *target.only_ours_behind(target.release.service_name)])


def test_it_stays_good_for_the_time_of_the_watch(harm_found: Callable[[], str], settings: Settings) -> None:
    watch = Deadline(settings.post_switch_watch)
    while not watch.expired:
        harm = harm_found()
        assert not harm, harm
        clock.sleep_s(min(LOOK_EVERY_S, watch.remaining_s))
