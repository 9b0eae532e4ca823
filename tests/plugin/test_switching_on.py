"""The plugin is inert until a suite is named, and refuses bad input before it touches anything."""

from __future__ import annotations

import pytest

INI = """
[pytest]
addopts = -p no:locust -p no:anyio
bluegreen_release = suites/release
bluegreen_validate = suites/validate
"""


@pytest.fixture
def checkout(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A team's own repository: two suites and an ordinary test, and a cluster directory that must stay unused."""
    for name in ("DOCKER_IMAGE", "CLUSTER", "NAMESPACE", "APP_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BLUEGREEN_HOME", str(pytester.path / "home"))
    pytester.makeini(INI)
    for folder in ("suites/release", "suites/validate", "tests"):
        (pytester.path / folder).mkdir(parents=True)
        name = folder.replace("/", "_")
        (pytester.path / folder / f"test_{name}.py").write_text("def test_it():\n    pass\n")
    return pytester


def run(checkout: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return checkout.runpytest_subprocess(*arguments, timeout=60)


def untouched(checkout: pytest.Pytester) -> bool:
    return not (checkout.path / "home").exists() and not (checkout.path / "reports").exists()


def test_ordinary_tests_do_not_switch_it_on(checkout: pytest.Pytester) -> None:
    result = run(checkout, "tests")
    result.assert_outcomes(passed=1)
    assert untouched(checkout)


def test_without_configuration_a_suite_is_ordinary_too(checkout: pytest.Pytester) -> None:
    checkout.makeini("[pytest]\naddopts = -p no:locust -p no:anyio\n")
    run(checkout, "suites/release").assert_outcomes(passed=1)
    assert untouched(checkout)


@pytest.mark.parametrize(
    "arguments", [("suites/release", "tests"), ("suites",), (".",), ("suites/release", "suites/validate")]
)
def test_a_suite_mixed_with_other_tests_is_refused(checkout: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    result = run(checkout, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*a suite runs on its own*"])
    assert untouched(checkout)


def test_bad_settings_are_refused_all_at_once(checkout: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLICAS", "three")
    monkeypatch.setenv("LOAD_SUCCESS_RATE", "95%%")
    result = run(checkout, "suites/release", "--namespace=Not_A_Name")
    assert result.ret == 4
    text = result.stderr.str()
    for part in ("REPLICAS='three'", "LOAD_SUCCESS_RATE='95%%'", "NAMESPACE='Not_A_Name'", "nothing was changed"):
        assert part in text
    assert "Traceback" not in text
    assert untouched(checkout)


def test_a_named_cluster_needs_an_image(checkout: pytest.Pytester) -> None:
    result = run(checkout, "suites/release", "--cluster=production")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*DOCKER_IMAGE*not set*"])
    assert untouched(checkout)


def test_secrets_have_no_option(checkout: pytest.Pytester) -> None:
    text = run(checkout, "--help").stdout.str()
    assert "--docker-image" in text
    assert "--db-password" not in text


def test_collecting_only_deploys_nothing(checkout: pytest.Pytester) -> None:
    result = run(checkout, "suites/release", "--collect-only", "-q")
    assert result.ret == 5
    result.stdout.fnmatch_lines(["*test_suites_release.py::test_it*", "NO-EVIDENCE: --collect-only*"])
    assert untouched(checkout)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_failing_to_collect_deploys_nothing(checkout: pytest.Pytester, workers: tuple[str, ...]) -> None:
    (checkout.path / "suites/release/test_broken.py").write_text("import no_such_module_anywhere\n")
    result = run(checkout, "suites/release", *workers)
    assert result.ret == 5
    result.stdout.fnmatch_lines(["*no_such_module_anywhere*", "NO-EVIDENCE: *", "*could not be collected*"])
    assert not (checkout.path / "home").exists()
