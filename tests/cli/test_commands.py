"""The command line: what it prints, the exit codes, and that no mistake ends in a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bluegreen import cli, localkube
from bluegreen.cli import arguments
from bluegreen.errors import CannotStartError, HarnessError, InputError, Mistake, NeedsPersonError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of clusters, empty; what still runs there at the end of a test is ended."""
    monkeypatch.setenv("BLUEGREEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "home"
    for name in localkube.names():
        localkube.stop(name)


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; gives its exit code and what it printed to standard output and error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_a_cluster_goes_up_is_found_and_goes_down(run: Run) -> None:
    code, out, _ = run("cluster", "up")
    assert code == 0
    assert "is up after" in out
    assert "bluegreen cluster down" in out
    assert "runs already" in run("cluster", "up")[1]
    kubeconfig = run("cluster", "kubeconfig")[1].strip()
    assert Path(kubeconfig).is_file()
    shown = run("cluster", "status")[1]
    assert kubeconfig in shown
    assert "this code" in shown
    assert "NetworkPolicy" in shown
    for _ in range(2):
        code, out, _ = run("cluster", "gateway-api")
        assert code == 0
        assert "serves GatewayClass, Gateway, HTTPRoute" in out
    assert "is down" in run("cluster", "down")[1]
    assert run("cluster", "down")[0] == 0
    assert run("cluster", "gateway-api")[0] != 0
    assert "does not run" in run("cluster", "status")[1]


def test_a_cluster_of_other_code_is_named_and_restarted_on_request(run: Run) -> None:
    run("cluster", "up")
    cluster = localkube.find()
    assert cluster is not None
    cluster.state.update(fingerprint="of other code")
    assert "cluster up --restart" in run("cluster", "up")[1]
    assert "other code" in run("cluster", "status")[1]
    assert "is up after" in run("cluster", "up", "--restart")[1]
    again = localkube.find()
    assert again is not None
    assert again.pid != cluster.pid
    assert not again.outdated


def test_an_allocatable_that_a_running_cluster_does_not_have_is_named(run: Run) -> None:
    run("cluster", "up", "--allocatable-cpu", "2")
    assert "--restart" not in run("cluster", "up", "--allocatable-cpu", "2")[1]
    assert "--restart --allocatable-cpu 4" in run("cluster", "up", "--allocatable-cpu", "4")[1]


def test_kubeconfig_of_a_cluster_that_does_not_run_says_how_to_start_it(run: Run) -> None:
    code, out, err = run("cluster", "kubeconfig", "--name", "other")
    assert code == 4
    assert out == ""
    assert "bluegreen cluster up --name other" in err


def test_images_are_registered_and_listed(run: Run) -> None:
    code, out, _ = run("cluster", "image", "add", "team/service:v1", "--env", "A=b", "--", "sleep", "--x", "1")
    assert code == 0
    assert "team/service:v1" in out
    listed = run("cluster", "image", "list")[1]
    assert "docker.io/team/service:v1  sleep --x 1" in listed
    assert "gremlinsai/backend" in listed


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["cluster", "up", "--name", "Not A Name"], "--name='Not A Name'"),
        (["cluster", "up", "--allocatable-cpu", "lots"], "--allocatable-cpu='lots'"),
        (["cluster", "image", "add", "UPPER:v1", "--", "true"], "UPPER:v1"),
        (["cluster", "image", "add", "a:v1", "--env", "A", "--", "true"], "--env='A'"),
        (["status", "--replicas", "many"], "REPLICAS='many'"),
        (["status", "--cluster", "nowhere", "--kubeconfig", "/nowhere"], "CLUSTER='nowhere'"),
        (["reset", "--yes", "other"], "--yes='other'"),
        (["reset"], "--yes"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_4(run: Run, arguments: list[str], named: str) -> None:
    code, out, err = run(*arguments)
    assert code == 4
    assert out == ""
    assert err.startswith("bluegreen: ")
    assert named in err
    assert "Traceback" not in err


def test_a_secret_has_no_option(run: Run) -> None:
    with pytest.raises(SystemExit):
        run("setup", "--db-password", "x")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError([Mistake("A", "b", "is wrong.", "Write c.")]), 4),
        (CannotStartError("It is locked.", "Wait."), 4),
        (NeedsPersonError("Both serve.", "Look."), 7),
        (HarnessError("It broke.", "Try again."), 3),
    ],
)
def test_every_error_has_its_exit_code_and_its_remedy(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: HarnessError, code: int
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setitem(arguments.RELEASE_COMMANDS, "status", (fail, "fails"))
    assert run("status") == (code, "", f"bluegreen: {error}\n")


def test_reset_goes_on_only_with_the_name_typed_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "something else")
    code, _, err = run("reset", "--namespace", "team")
    assert code == 4
    assert "Nothing was deleted" in err
    assert localkube.names() == []
