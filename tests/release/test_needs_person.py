"""Where neither going on nor going back is safe, a person is called, and traffic stays where it is better off."""

from __future__ import annotations

from tests.pods import frozen

from .conftest import App
from .test_interruptions import V1, await_colour

BAD = "gremlinsai/backend:v1.1.0-bad-http-500-after-switch"


def test_a_way_back_to_a_colour_that_hangs_is_not_taken(app: App) -> None:
    first = app.release(V1)
    assert first.code == 0, first.output
    process = app.start(DOCKER_IMAGE=BAD, POST_SWITCH_WATCH="60", ROLLBACK_TIMEOUT="3")
    await_colour(app, "green")
    pods = [pod["metadata"]["name"] for pod in app.kube.list("Pod", labels="version=blue")]
    with frozen(pods):
        result = app.result(process)
        assert result.code == 7, result.output
        assert app.live_colour() == "green"
    assert result.record["outcome"] == "needs-person"
    assert "going back is not safe: of blue's 2 pods 0 answer" in result.record["reason"]
    assert "bluegreen recover" in result.output
    assert "Traceback" not in result.output
    assert app.replicas() == {"blue": 2, "green": 2}
    mended = app.command("recover")  # blue answers again
    assert mended.returncode == 0, mended.stderr
    assert app.live_colour() == "blue"
    assert app.replicas() == {"blue": 2}
