"""The fixtures that tests of a release use: handles on the candidate and on what is live. They change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bluegreen.plugin.state import FILE, StateFile

if TYPE_CHECKING:
    import httpx

    from bluegreen.access import Access
    from bluegreen.handle import Handle
    from bluegreen.kube import Kube
    from bluegreen.plugin.comparing import SameAnswers
    from bluegreen.plugin.measuring import Target
    from bluegreen.settings import Settings

RUN_DIR = pytest.StashKey[Path]()
SETTINGS = pytest.StashKey["Settings"]()


@pytest.fixture(scope="session")
def settings(pytestconfig: pytest.Config, release: Handle) -> Settings:
    """The settings of this run (``bluegreen.settings.Settings``, frozen), with the image and version under test."""
    return pytestconfig.stash[SETTINGS].releasing(release.image, release.version)


@pytest.fixture(scope="session")
def run_dir(pytestconfig: pytest.Config) -> Path:
    """The folder that this run's report lies in."""
    return pytestconfig.stash[RUN_DIR]


@pytest.fixture(scope="session")
def release(run_dir: Path) -> Handle:
    """The release as plain facts: candidate, image, version, replicas, addresses."""
    from bluegreen.handle import Handle

    return Handle.from_json(StateFile(run_dir / FILE).read().handle)


@pytest.fixture(scope="session")
def stop_requested(run_dir: Path) -> Callable[[], str]:
    """Ask whether the run was told to stop: the reason, or an empty string. For tests that take long."""
    state = StateFile(run_dir / FILE)
    return lambda: state.read().stop


@pytest.fixture(scope="session")
def harm_found(run_dir: Path) -> Callable[[], str]:
    """Ask what the release's owner found wrong with production since the switch; an empty string: nothing."""
    state = StateFile(run_dir / FILE)
    return lambda: state.read().harm


@pytest.fixture(scope="session")
def cluster(release: Handle) -> Kube:
    """The cluster of the release, through the harness's one door."""
    from bluegreen.kube import connect_handle

    return connect_handle(release.kubeconfig, release.context, release.namespace)


@pytest.fixture(autouse=True)
def _up_to_date(request: pytest.FixtureRequest) -> None:
    """A test that asks the cluster is answered with nothing older than what the release's owner has seen."""
    if "cluster" in request.fixturenames:
        state = StateFile(request.getfixturevalue("run_dir") / FILE).read()
        request.getfixturevalue("cluster").learn(state.known)


@pytest.fixture(scope="session")
def access(cluster: Kube, settings: Settings) -> Access:
    """How to reach Services and pods from where this run is."""
    from bluegreen.access import Access

    return Access(cluster, settings)


@pytest.fixture(scope="session")
def target(release: Handle, cluster: Kube, settings: Settings, access: Access) -> Target:
    """What the stages judge: the candidate's objects and addresses (in ``suites/validate``: those of what is live)."""
    from bluegreen.plugin.measuring import Target

    return Target(release, cluster, settings, access)


@pytest.fixture
def preview(release: Handle) -> Iterator[httpx.Client]:
    """An HTTP client of the preview Service, whoever answers; a connection a request, so that pods take turns."""
    from bluegreen.plugin.measuring import http_client

    with http_client(release.preview_urls["http"]) as client:
        yield client


@pytest.fixture
def users(release: Handle) -> Iterator[httpx.Client]:
    """An HTTP client of the live Service, whoever answers: what users get; a connection a request."""
    from bluegreen.plugin.measuring import http_client

    with http_client(release.live_urls["http"], host=release.live_host) as client:
        yield client


@pytest.fixture
def candidate(release: Handle, target: Target) -> Iterator[httpx.Client]:
    """An HTTP client of the candidate: every answer is proven to be its, or the test fails.

    By the version that each answer states; for an application that states none, by the pods that stood behind the
    preview Service before and after the test.
    """
    yield from _bound(target, release.preview_name, release.preview_urls["http"], release.candidate, release.version)


@pytest.fixture
def live(release: Handle, target: Target, run_dir: Path) -> Iterator[httpx.Client]:
    """An HTTP client of what is live now, proven as the candidate's is; after the switch that is the candidate.

    The test is skipped where nothing is live, as in the gate of a first release.
    """
    switched = StateFile(run_dir / FILE).read().phase == "production"
    colour = release.candidate if switched else release.live
    if colour is None:
        pytest.skip("nothing is live yet")
    version = release.version if colour == release.candidate else release.live_version
    yield from _bound(target, release.service_name, release.live_urls["http"], colour, version, release.live_host)


def _bound(target: Target, service: str, url: str, colour: str, version: str, host: str = "") -> Iterator[httpx.Client]:
    from bluegreen import gate
    from bluegreen.plugin.measuring import bound_client, http_client

    if target.release.version_header and version:
        with bound_client(url, target.release.version_header, version, host) as client:
            yield client
        return
    gate.require(target.only_behind(service, colour))
    with http_client(url, host=host) as client:
        yield client
    gate.require(target.only_behind(service, colour))


@pytest.fixture
def same_answers(candidate: httpx.Client, live: httpx.Client, settings: Settings) -> SameAnswers:
    """Ask candidate and live the same and tell how their answers differ: ``same_answers("GET /")`` gives a list.

    Fields of COMPARE_IGNORE, and those named in the call, may differ. Skips the test where nothing is live.
    """
    from bluegreen.plugin.comparing import SameAnswers

    return SameAnswers(candidate, live, settings.compare_ignore.split())


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Note a figure that the test measured: it stands beside the test in the report.

    Not ``record_property``: that warns under the present format of junit.xml, and warnings are errors.
    """
    properties = request.node.user_properties
    return lambda name, value: properties.append((name, value))
