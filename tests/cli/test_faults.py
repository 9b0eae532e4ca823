"""The command ``bluegreen cluster fault``: what it understands, prints and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen import cli, localkube
from bluegreen.cli import faults
from bluegreen.localkube.faults import KINDS


def test_a_value_alone_is_the_first_field() -> None:
    assert faults.fields_of("requests", ["0.2", "client=a=b"]) == {"share": "0.2", "client": "a=b"}
    assert faults.fields_of("freeze", ["shop/one"]) == {"pod": "shop/one"}
    assert faults.fields_of("unknown", ["x"]) == {"value": "x"}


def test_help_lists_every_fault_and_field() -> None:
    text = faults.described()
    for name, kind in KINDS.items():
        assert f"  {name} " in text
        assert all(f"{each.name}=" in text for each in kind.all_fields)


def test_the_documentation_holds_what_help_says() -> None:
    assert faults.described() in (Path(__file__).parents[2] / "docs" / "faults.md").read_text()


def test_faults_are_set_listed_and_cleared(
    cluster: localkube.Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BLUEGREEN_HOME", str(cluster.base))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["cluster", "fault", *arguments, "--name", cluster.name])
        out, err = capsys.readouterr()
        return code, out, err

    assert run("list") == (0, "No fault is set.\n", "")
    code, out, _ = run("set", "requests", "0.2", "client=nobody", "answers=429,cut-after", "seed=7", "name=flaky")
    assert code == 0
    assert "flaky (requests)  share=0.2  answers=429,cut-after  retry_after_s=1  client=nobody  seed=7" in out
    assert f"bluegreen cluster fault clear flaky --name {cluster.name}" in out
    assert run("set", "latency", "0.1", "client=nobody")[0] == 0
    assert [line.split()[0] for line in run("list")[1].splitlines()] == ["flaky", "latency"]
    assert cli.main(["cluster", "status", "--name", cluster.name]) == 0
    assert "fault:       flaky (requests)  share=0.2" in capsys.readouterr().out
    code, _, err = run("set", "requests", "2")
    assert (code, "share='2'" in err) == (4, True)
    assert run("set", "fire")[0] == 4
    assert run("set", "kill", "default/nobody")[0] == 3
    assert "Ended: flaky" in run("clear", "flaky")[1]
    assert run("clear", "flaky")[0] == 3
    assert "Ended: latency" in run("clear")[1]
    assert run("clear")[1] == "No fault was set.\n"


def test_a_cluster_that_does_not_run_is_named(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BLUEGREEN_HOME", str(tmp_path))
    assert cli.main(["cluster", "fault", "list", "--name", "other"]) == 4
    assert "bluegreen cluster up --name other" in capsys.readouterr().err
