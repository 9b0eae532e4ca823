"""Tests that pass and prove nothing: each is a stage of one suite, and each is told for what it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluegreen.localkube import Cluster
from tests.no_evidence import suite
from tests.release.conftest import App, Result

SWALLOWS = """
import pytest


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    try:
        return (yield)
    except AssertionError:
        return True
"""

REWRITES = """
import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if "flaky" in item.name:
        report.outcome = "passed"
        report.longrepr = None
    return report
"""

NEVER_CALLS = "def pytest_pyfunc_call(pyfuncitem):\n    return True\n"

INVENTS = """
from _pytest.reports import TestReport


def pytest_runtest_protocol(item):
    if "invented" not in item.nodeid:
        return None
    for when in ("setup", "call", "teardown"):
        item.ihook.pytest_runtest_logreport(
            report=TestReport(item.nodeid, item.location, {}, "passed", None, when)
        )
    return True
"""

RERUNS = """
from _pytest.runner import runtestprotocol


def pytest_runtest_protocol(item, nextitem):
    if "second_time" not in item.nodeid:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""

SECOND_TIME = """
tries = []


def test_it(candidate, settings):
    tries.append(1)
    assert candidate.get(settings.health_path).status_code == 200
    assert len(tries) > 1
"""

TRICKS = {
    "empty_loop": (
        "def test_it(candidate, settings):\n    answer = candidate.get(settings.health_path)\n"
        "    for nothing in []:\n        assert answer.status_code == nothing\n",
        "none of its assertions was reached (line 4)",
    ),
    "early_return": (
        "def test_it(target):\n    if target:\n        return\n    assert target.pods()\n",
        "none of its assertions was reached",
    ),
    "empty": ("def test_it(candidate):\n    pass\n", "it asserted nothing and asked nobody"),
    "returns": (
        "def test_it(candidate, settings):\n    return candidate.get(settings.health_path).status_code == 500\n",
        "it returned a value, which nobody looks at",
    ),
    "unittest": (
        "import unittest\n\n\nclass TestIt(unittest.TestCase):\n    def test_it(self):\n"
        "        for _ in []:\n            self.assertTrue(False)\n",
        "none of its assertions was reached",
    ),
    "xfail": (
        "import pytest\n\n\n@pytest.mark.xfail(reason='known')\ndef test_it(target):\n    assert not target.pods()\n",
        "it fails, as its xfail mark expects: known",
    ),
    "xpass": (
        "import pytest\n\n\n@pytest.mark.xfail\ndef test_it(target):\n    assert target.pods()\n",
        "its xfail mark expects it not to",
    ),
    "skips": (
        "import pytest\n\n\n@pytest.mark.skip(reason='later')\n@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_it(n):\n    assert n\n",
        "all 2 tests were skipped: later",
    ),
    "skipped_file": (
        "import pytest\n\npytest.skip('no driver here', allow_module_level=True)\n\n\ndef test_it():\n    assert 1\n",
        "its one test was skipped: no driver here",
    ),
    "no_parameters": (
        "import pytest\n\n\n@pytest.mark.parametrize('n', [])\ndef test_it(n):\n    assert n\n",
        "its one test was skipped: got empty parameter set",
    ),
    "no_tests": ("def check_it(target):\n    assert target.pods()\n", "no test of this file was collected"),
    "swallowed": ("def test_it(target):\n    assert not target.pods()\n", "reported as passed, and it raised"),
    "rewritten": ("def test_flaky(target):\n    assert not target.pods()\n", "reported as passed, and it raised"),
    "never_called": ("def test_it(target):\n    assert not target.pods()\n", "its function was never called"),
    "invented": ("def test_it(target):\n    assert not target.pods()\n", "nobody saw it run"),
    "second_time": (SECOND_TIME, "it passed only when it was tried again; at first: AssertionError"),
}
"""A stage's name to its test, and what the report says of it."""

CONFTESTS = {
    "swallowed": SWALLOWS,
    "rewritten": REWRITES,
    "never_called": NEVER_CALLS,
    "invented": INVENTS,
    "second_time": RERUNS,
}

HONEST = """
import unittest

import pytest


def test_whoever_was_asked_checked_it(candidate, settings):
    candidate.get(settings.health_path)


def test_a_helper_asserts(target):
    must_have(target)


def must_have(target):
    for pod in target.pods():
        assert pod["status"]["phase"] == "Running"


def test_an_if_that_fails_the_test(candidate, settings):
    if candidate.get(settings.health_path).status_code != 200:
        pytest.fail("it is not well")


@pytest.fixture
def pods(target):
    found = target.pods()
    assert found
    return found


def test_its_fixture_asserts(pods):
    pass


def test_one_of_two_branches(target):
    if target.release.replicas == 1:
        assert len(target.pods()) == 1
    else:
        assert len(target.pods()) > 1


def test_something_raises():
    with pytest.raises(ValueError):
        int("x")


def test_parts(subtests, target):
    for pod in target.pods():
        with subtests.test(pod=pod["metadata"]["name"]):
            assert pod["status"]["phase"] == "Running"


class TestOfUnittest(unittest.TestCase):
    def test_it(self):
        self.assertEqual(1 + 1, 2)


def test_in_threads(target):
    from concurrent.futures import ThreadPoolExecutor

    def running(pod):
        assert pod["status"]["phase"] == "Running"
        return pod

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(running, target.pods()))
"""


@pytest.fixture(scope="module", params=["alone", "two workers"])
def released(
    request: pytest.FixtureRequest, release_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Result]:
    """One release with every trick, each a stage of its own in a folder of its own."""
    app = App(release_cluster, tmp_path_factory.mktemp("tricks"))
    files = {"test_honest.py": HONEST}
    for name, (text, _) in TRICKS.items():
        files[f"{name}/test_{name}.py"] = text
        if name in CONFTESTS:
            files[f"{name}/conftest.py"] = CONFTESTS[name]
    folder = suite.write(app.folder, files)
    workers = ("-n", "2") if request.param == "two workers" else ()
    quiet = ("-W", "default::pytest.PytestReturnNotNoneWarning")
    yield app.result(app.start(*workers, *quiet, suite=str(folder)))
    app.kube.delete("Namespace", app.namespace)


def test_nothing_is_switched(released: Result) -> None:
    assert released.code == 5, released.output
    assert released.record["outcome"] == "no-evidence"
    assert released.record["colour_after"] is None


@pytest.mark.parametrize("stage", TRICKS)
def test_each_is_no_evidence(released: Result, stage: str) -> None:
    assert released.verdict(stage) == "no-evidence", released.output
    said = " ".join((released.reports / "summary.md").read_text().split())
    assert TRICKS[stage][1] in said
    html = (released.reports / "report.html").read_text()
    assert TRICKS[stage][1].split(":")[0] in html


def test_honest_tests_in_other_styles_pass(released: Result) -> None:
    tests = released.record["stages"]["honest"]["tests"]
    assert {test["name"]: test["outcome"] for test in tests if test["outcome"] != "passed"} == {}
    assert len(tests) == 9
    assert {released.verdict(stage) for stage in ("honest", "health", "api")} == {"pass"}
