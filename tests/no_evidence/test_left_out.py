"""A suite of which something is left out, however that was done, switches nothing; the honest one, whole, does."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.no_evidence import suite
from tests.release.conftest import CHECKOUT, App, Result

FILTER = "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if 'api' not in i.nodeid]\n"
UNIMPORTABLE = {"test_orders.py": "import no_such_module_anywhere\n"}


def released(app: App, *arguments: str, files: Mapping[str, str] | None = None, at: str = "", **env: str) -> Result:
    """Release with the honest suite, changed by what a case says."""
    folder = suite.write(app.folder, files)
    return app.result(app.start(*arguments, suite=str(folder / at if at else folder), **env))


def assert_no_evidence(app: App, result: Result, says: str) -> None:
    """It was no evidence, says so on the terminal and in the report, and nobody's traffic moved."""
    assert result.code == 5, result.output
    assert "NO-EVIDENCE: " in result.output
    assert result.record["outcome"] == "no-evidence"
    for said in (" ".join(result.output.split()), " ".join((result.reports / "summary.md").read_text().split())):
        assert says in said, result.output
    assert app.live_colour() in ("none", "")
    assert app.replicas().get("blue", 0) == 0


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_the_honest_suite_is_not_held_up(app: App, workers: tuple[str, ...]) -> None:
    result = released(app, *workers)
    assert result.code == 0, result.output
    assert app.live_colour() == "blue"
    assert "unproven" not in result.output


CASES = [
    pytest.param(("-k", "not pods"), None, {}, "left out by -k 'not pods'", id="-k"),
    pytest.param(("-n", "2", "--deselect", "suites/release/test_api.py"), None, {}, "left out by --deselect", id="-n"),
    pytest.param((), None, {"PYTEST_ADDOPTS": "-m nothing"}, "left out by -m 'nothing'", id="PYTEST_ADDOPTS"),
    pytest.param(("-o", "python_files=test_[!a]*.py"), None, {}, "pytest's configuration leaves it out", id="-o"),
    pytest.param(
        ("--ignore=suites/release/test_orders.py",),
        {"test_orders.py": suite.HONEST},
        {},
        "no test of this file was collected: left out by --ignore",
        id="--ignore",
    ),
    pytest.param(
        (), {"conftest.py": FILTER}, {}, "left out by a plugin or a conftest.py", id="a conftest that filters"
    ),
]


@pytest.mark.parametrize(("arguments", "files", "env", "says"), CASES)
def test_tests_that_were_left_out(
    app: App, arguments: tuple[str, ...], files: Mapping[str, str] | None, env: Mapping[str, str], says: str
) -> None:
    assert_no_evidence(app, released(app, *arguments, files=files, **env), says)


def test_a_part_of_a_file_is_named(app: App) -> None:
    others = [f"suites/release/test_{stage}.py" for stage in ("health", "monitoring", "network", "load", "production")]
    named = "test_api.py::test_it_has_the_pods_it_needs"
    result = released(app, *others, "suites/release/test_resources.py", at=named)
    assert result.verdict("health") == "pass"
    assert result.verdict("api") == "no-evidence"
    assert_no_evidence(app, result, "only a part of this file was named")


NOTHING_BEGUN = [
    pytest.param(("-k", "no_such_test"), None, "the run has no test", id="zero tests"),
    pytest.param(("-n", "2", "-k", "no_such_test"), None, "the run has no test", id="zero tests of two workers"),
    pytest.param((), UNIMPORTABLE, "the suite could not be collected", id="a file that cannot be imported"),
    pytest.param(("-n", "2"), UNIMPORTABLE, "the suite could not be collected", id="under two workers"),
    pytest.param(
        ("--continue-on-collection-errors",), UNIMPORTABLE, "the suite could not be collected", id="going on regardless"
    ),
]


@pytest.mark.parametrize(("arguments", "files", "says"), NOTHING_BEGUN)
def test_nothing_is_stood_up_for_a_run_that_can_prove_nothing(
    app: App, arguments: tuple[str, ...], files: Mapping[str, str] | None, says: str
) -> None:
    result = released(app, *arguments, files=files)
    assert_no_evidence(app, result, says)
    assert not app.kube.list("Deployment")


@pytest.mark.parametrize(
    ("arguments", "env", "code", "says"),
    [
        (("--noconftest",), {}, 4, "conftest.py is not loaded"),
        (("--collect-only",), {}, 5, "NO-EVIDENCE: --collect-only"),
        ((), {"PYTEST_ADDOPTS": "--co -q"}, 5, "NO-EVIDENCE: --collect-only"),
        (("-p", "no:bluegreen-measuring"), {}, 4, "takes a part of the gate away"),
        ((), {"PYTHONOPTIMIZE": "1"}, 4, "leaves every assert out"),
    ],
)
def test_a_gate_without_its_parts_judges_nothing(
    app: App, arguments: tuple[str, ...], env: Mapping[str, str], code: int, says: str
) -> None:
    result = released(app, *arguments, files={"conftest.py": "# hooks of the team's\n"}, **env)
    assert result.code == code, result.output
    assert says in result.output
    assert not app.kube.list("Deployment")


def test_only_what_failed_last_time(app: App) -> None:
    folder, cache = suite.write(app.folder), app.folder / "cache" / "v" / "cache"
    cache.mkdir(parents=True)
    (cache / "lastfailed").write_text('{"suites/release/test_api.py::test_it_has_the_pods_it_needs": true}')
    remembered = ("-o", f"cache_dir={app.folder / 'cache'}", "-p", "cacheprovider", "--last-failed")
    assert_no_evidence(app, app.result(app.start(*remembered, suite=str(folder))), "left out by --last-failed")


ENDS = "import pytest\n\n\ndef test_it(target):\n    pytest.exit('enough', returncode=0)\n"


def test_a_test_that_ends_the_run_well(app: App) -> None:
    result = released(app, files={"test_orders.py": ENDS})
    assert_no_evidence(app, result, "the gate was not passed")
    assert result.verdict("orders") == "not-run"


def test_a_test_that_ends_the_process_is_no_success(app: App) -> None:
    result = released(app, files={"test_orders.py": "import os\n\n\ndef test_it():\n    os._exit(0)\n"})
    assert result.code == 3, result.output
    assert "a test ended this run by os._exit(0)" in result.output
    app.command("recover")
    assert app.live_colour() in ("none", "")
    assert app.replicas().get("blue", 0) == 0


def test_a_load_test_that_hardly_asked(app: App) -> None:
    own = {"test_load.py": (CHECKOUT / "suites/release/test_load.py").read_text()}
    few = {"LOAD_RATE": "2", "LOAD_TEST_DURATION": "2", "LOAD_WARMUP": "0"}
    result = released(app, files=own, **few)
    assert_no_evidence(app, result, "too few to prove anything: 100 are wanted")
    assert result.record["stages"]["load"]["tests"][0]["measured"]["measurements"] == 3
