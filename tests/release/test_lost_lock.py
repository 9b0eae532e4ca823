"""A release that lost its lock changes nothing any more, and says who has it."""

from __future__ import annotations

import json

from bluegreen import clock

from .conftest import App
from .test_interruptions import V1, V2, await_pods

LEASE = "gremlinsai-backend-release"
OTHER = "ann@elsewhere (pid 7, release later)"


def test_a_release_that_lost_its_lock_during_the_gate_changes_nothing_and_says_who_has_it(app: App) -> None:
    assert app.release(V1).code == 0
    process = app.start(DOCKER_IMAGE=V2, LEASE_DURATION="2")
    await_pods(app, "green")
    now = clock.micro_timestamp()
    taken = {"holderIdentity": OTHER, "acquireTime": now, "renewTime": now, "leaseDurationSeconds": 1}
    app.kube.merge_patch("Lease", LEASE, {"spec": taken}, manager="somebody-else")
    result = app.result(process)
    assert result.code == 3, result.output
    assert result.record["outcome"] == "lock-lost"
    assert OTHER in result.record["reason"]
    assert now in result.record["reason"]
    assert "Traceback" not in result.output
    # the candidate still stands, for whoever owns the release now to decide about
    assert app.replicas() == {"blue": 2, "green": 2}
    assert app.live_colour() == "blue"
    left = app.kube.get("ConfigMap", f"{LEASE}-journal")
    assert left is not None
    assert json.loads(left["data"]["release"])["step"] in ("standing-up", "judging")
    mended = app.command("recover")
    assert mended.returncode == 0, mended.stderr
    assert app.replicas() == {"blue": 2}
