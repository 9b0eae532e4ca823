"""Locks that the kernel keeps, and files nobody reads half-written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bluegreen.localkube import state

HOLDER = """
import sys
from pathlib import Path
from bluegreen.localkube.state import hold_lock
print(hold_lock(Path(sys.argv[1])) is not None, flush=True)
sys.stdin.read()
"""
ROOT = Path(__file__).parents[2]


def holder(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_the_lock_names_its_holder_and_is_free_once_that_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert state.lock_holder(lock) is None
    with holder(lock) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert state.lock_holder(lock) == process.pid
        with holder(lock) as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "False\n"
            second.kill()
        assert state.lock_holder(lock) == process.pid
        process.kill()
        process.wait()
    assert state.lock_holder(lock) is None


def test_what_is_written_replaces_what_was_there_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    state.write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_record_survives_fields_it_does_not_know(tmp_path: Path) -> None:
    directory = state.StateDir(tmp_path)
    directory.record_file.write_text('{"port": 6443, "of the future": 1}')
    assert directory.read().port == 6443
    assert directory.update(pid=7).port == 6443
    assert directory.read().pid == 7


@pytest.mark.parametrize(
    ("given", "home"),
    [
        ({"BLUEGREEN_HOME": "/a"}, "/a"),
        ({"XDG_STATE_HOME": "/b"}, "/b/bluegreen"),
        ({"HOME": "/c"}, "/c/.local/state/bluegreen"),
        ({"BLUEGREEN_HOME": "/a", "XDG_STATE_HOME": "/b"}, "/a"),
    ],
)
def test_where_clusters_live(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], home: str) -> None:
    for name in ("BLUEGREEN_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert state.home() == Path(home)


def test_the_context_carries_the_name_of_all_but_the_default_cluster(tmp_path: Path) -> None:
    assert state.StateDir(tmp_path).context == "bluegreen-local"
    assert state.StateDir(tmp_path, "two").context == "bluegreen-local-two"


def test_starting_empty_keeps_credentials_and_images(tmp_path: Path) -> None:
    directory = state.StateDir(tmp_path)
    directory.prepare()
    for path in (directory.token, directory.images, directory.store / "log", directory.pods / "x"):
        path.write_text("here")
    directory.empty()
    assert directory.token.exists()
    assert directory.images.exists()
    assert list(directory.store.iterdir()) == list(directory.pods.iterdir()) == []
