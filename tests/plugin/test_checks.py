"""checks.yaml: what an entry may be, and how a command is run and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bluegreen.clock import Deadline
from bluegreen.plugin.checks import CheckFailedError, mistake, run_command

GOOD: list[dict[str, Any]] = [
    {"name": "a", "command": "true"},
    {"name": "a", "command": ["true", "-x"], "stage": "api", "timeout_s": 1.5},
    {"name": "a", "job": "job.yaml"},
    {"name": "a", "pod": "pod.yaml"},
    {"name": "a", "prometheus": "up", "min": 1, "max": 2.5, "times_live": 1.2},
]

BAD: list[tuple[object, str]] = [
    ("true", "it needs a name"),
    ({"command": "true"}, "it needs a name"),
    ({"name": " ", "command": "true"}, "it needs a name"),
    ({"name": "a"}, "exactly one of command, job, pod, prometheus"),
    ({"name": "a", "command": "true", "job": "job.yaml"}, "exactly one of command, job, pod, prometheus"),
    ({"name": "a", "comand": "true"}, "unknown key comand"),
    ({"name": "a", "command": "true", "timeout_s": 0}, "timeout_s=0"),
    ({"name": "a", "command": "true", "timeout_s": True}, "timeout_s=True"),
    ({"name": "a", "command": "true", "timeout_s": "1m"}, "timeout_s='1m'"),
    ({"name": "a", "command": ["echo", 1]}, "command: write a text or a list of texts"),
    ({"name": "a", "job": ["job.yaml"]}, "job: write a text"),
    ({"name": "a", "command": "true", "stage": 3}, "stage: write a text"),
    ({"name": "a", "prometheus": "up"}, "a query needs thresholds"),
    ({"name": "a", "command": "true", "max": 1}, "nothing else has them"),
    ({"name": "a", "prometheus": "up", "max": "1"}, "max='1': write a number"),
    ({"name": "a", "prometheus": "up", "max": True}, "max=True: write a number"),
]


@pytest.mark.parametrize("entry", GOOD)
def test_entries_that_are_right(entry: dict[str, Any]) -> None:
    assert mistake(entry) == ""


@pytest.mark.parametrize(("entry", "said"), BAD)
def test_entries_that_are_wrong(entry: object, said: str) -> None:
    assert said in mistake(entry)


def test_a_command_runs_in_its_folder_with_what_it_is_told(tmp_path: Path) -> None:
    run_command('echo "$CANDIDATE_URL" > seen.txt', tmp_path, {"CANDIDATE_URL": "http://x"}, Deadline(20))
    assert (tmp_path / "seen.txt").read_text() == "http://x\n"


@pytest.mark.parametrize(
    ("command", "deadline_s", "said"),
    [
        ("echo first; echo last; exit 7", 20.0, "sh exited with 7. It printed:\nfirst\nlast"),
        (["no-such-command-here"], 20.0, "no-such-command-here cannot be started"),
        ("sleep 60 & sleep 60", 0.2, "sh did not end within 0.2 seconds"),
    ],
)
def test_a_command_that_does_not_pass(tmp_path: Path, command: Any, deadline_s: float, said: str) -> None:
    with pytest.raises(CheckFailedError) as failed:
        run_command(command, tmp_path, {}, Deadline(deadline_s))
    assert said in str(failed.value)


def test_a_file_that_is_wrong_stops_the_collection(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nbluegreen_release = suites/release\n")
    suite = pytester.path / "suites" / "release"
    suite.mkdir(parents=True)
    (suite / "checks.yaml").write_text("- {name: a}\n")
    result = pytester.runpytest_inprocess("suites/release", "--collect-only", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*checks.yaml, check 1: it needs exactly one of command, job, pod, prometheus.*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    (suite / "checks.yaml").write_text("- {name: smoke test, command: 'true'}\n")
    result = pytester.runpytest_inprocess("suites/release", "--collect-only", "-q", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*checks.yaml::smoke test*"])
