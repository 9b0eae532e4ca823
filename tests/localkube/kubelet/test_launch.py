"""The supervisor: what it starts ends with it, whoever kills whom, with namespaces and without."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen import clock
from bluegreen.localkube.kubelet import capabilities
from bluegreen.localkube.kubelet.handlers import Said
from bluegreen.localkube.kubelet.handlers import run as run_inside
from bluegreen.localkube.kubelet.launch import Container, ContainerSpec, Exit, Mount, StartError
from tests.localkube.kubelet.node import run

HERE = capabilities.here().namespaces
KINDS = ["none", *({HERE} - {"none"})]
# children that left their parent, their group and their session
ESCAPING = "(setsid sh -c 'setsid sleep 9{0} & exec sleep 8{0}' &); exec sleep 7{0}"
DAEMON = """
import asyncio, os, sys
from pathlib import Path
from bluegreen.localkube.kubelet.launch import Container, ContainerSpec
async def main():
    path = Path(sys.argv[1])
    spec = ContainerSpec(argv=["sh", "-c", sys.argv[3]], env={"PATH": os.environ["PATH"]}, log=path / "log",
                         scratch=path, hostname="h", namespaces=sys.argv[2])
    container = Container(spec)
    await container.started
    print("started", flush=True)
    await container.ended
asyncio.run(main())
"""


def spec(path: Path, script: str, namespaces: str, *mounts: Mount) -> ContainerSpec:
    (path / "scratch").mkdir(exist_ok=True)
    return ContainerSpec(
        argv=["sh", "-c", script],
        env={"PATH": os.environ["PATH"]},
        log=path / "log",
        scratch=path / "scratch",
        hostname="web-1",
        namespaces=namespaces,
        mounts=list(mounts),
    )


def said(path: Path) -> list[str]:
    return [line.split(" ", 3)[3] for line in (path / "log").read_text().splitlines()]


def alive(mark: str) -> list[str]:
    """Command lines of processes that hold the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "sleep" in words[:1] and any(word.endswith(mark) for word in words):
                    found.append(" ".join(words))
    return found


def until(condition: object, seconds: float = 10.0) -> bool:
    deadline = clock.Deadline(seconds)
    while not condition() and not deadline.expired:  # type: ignore[operator]
        clock.sleep_s(0.01)
    return bool(condition())  # type: ignore[operator]


def mark_of(path: Path) -> str:
    """A number of seconds to sleep that no other test uses."""
    return f"{os.getpid() % 100000:05d}{abs(hash(str(path))) % 1000:03d}"


@pytest.mark.parametrize("namespaces", KINDS)
def test_the_end_of_the_program_is_the_end_of_all_it_started(tmp_path: Path, namespaces: str) -> None:
    mark = mark_of(tmp_path)

    async def test() -> None:
        script = f"(setsid sh -c 'setsid sleep 9{mark} & exec sleep 8{mark}' &); sleep 0.3; exit 3"
        container = Container(spec(tmp_path, script, namespaces))
        await container.started
        assert await container.ended == Exit(3)
        assert alive(mark) == []
        await container.gone

    run(test())


@pytest.mark.parametrize("namespaces", KINDS)
def test_sigkill_ends_everything(tmp_path: Path, namespaces: str) -> None:
    mark = mark_of(tmp_path)

    async def test() -> None:
        container = Container(spec(tmp_path, ESCAPING.format(mark), namespaces))
        await container.started
        assert await asyncio.to_thread(until, lambda: len(alive(mark)) == 3)
        container.signal(signal.SIGKILL)
        assert await container.ended == Exit(137)
        assert alive(mark) == []
        await container.gone

    run(test())


@pytest.mark.parametrize("namespaces", KINDS)
def test_a_daemon_killed_outright_leaves_nothing(tmp_path: Path, namespaces: str) -> None:
    mark = mark_of(tmp_path)
    command = [sys.executable, "-c", DAEMON, str(tmp_path), namespaces, ESCAPING.format(mark)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as daemon:
        try:
            assert daemon.stdout is not None
            assert daemon.stdout.readline() == b"started\n"
            assert until(lambda: len(alive(mark)) == 3)
        finally:
            daemon.kill()
    assert until(lambda: alive(mark) == [])


@pytest.mark.parametrize("namespaces", KINDS)
def test_a_killed_supervisor_takes_the_program_with_it(tmp_path: Path, namespaces: str) -> None:
    mark = mark_of(tmp_path)

    async def test() -> None:
        container = Container(spec(tmp_path, f"exec sleep 7{mark}", namespaces))
        await container.started
        os.kill(container.shim_pid, signal.SIGKILL)
        assert await container.ended == Exit(137)
        assert await asyncio.to_thread(until, lambda: alive(mark) == [])
        await container.gone

    run(test())


@pytest.mark.skipif(HERE == "none", reason="this system permits no namespaces")
def test_mounts_at_paths_that_the_host_does_not_have(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_text("content\n")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost from-the-pod\n")
    targets = ["/etc/no-such-directory/app", "/no-such-top/x", "/var/run/secrets/kubernetes.io/serviceaccount"]
    mounts = [Mount(str(volume), target, True) for target in targets]
    mounts.append(Mount(str(tmp_path / "hosts"), "/etc/hosts", False))
    mounts.append(Mount(str(volume), "/writable", False))

    async def test() -> None:
        read = "; ".join(f"cat {target}/file" for target in targets)
        script = (
            f"{read}; cat /etc/hosts; touch {targets[0]}/new || echo read-only; touch /writable/new; hostname; echo $$"
        )
        container = Container(spec(tmp_path, script, HERE, *mounts))
        await container.started
        assert (await container.ended).code == 0
        await container.gone

    run(test())
    lines = [line for line in said(tmp_path) if "Read-only" not in line]
    assert lines == ["content"] * 3 + ["127.0.0.1 localhost from-the-pod", "read-only", "web-1", "1"]
    assert (volume / "new").exists()
    assert not any(os.path.lexists(target) for target in ("/etc/no-such-directory", "/no-such-top", "/writable"))


@pytest.mark.skipif(HERE == "none", reason="this system permits no namespaces")
def test_a_program_inside_sees_the_same_tree(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "file").write_text("content")

    async def test() -> None:
        container = Container(spec(tmp_path, "exec sleep 60", HERE, Mount(str(volume), "/no-such-top", True)))
        await container.started
        env = {"PATH": os.environ["PATH"]}
        assert await run_inside(container, ["cat", "/no-such-top/file"], env, 10) == Said(0, "content", "")
        assert (await run_inside(container, ["sh", "-c", "exit 5"], env, 10)).code == 5
        with pytest.raises(TimeoutError):
            await run_inside(container, ["sleep", "60"], env, 0.2)
        with pytest.raises(StartError, match=r'exec: "no-such": executable file not found'):
            await run_inside(container, ["no-such"], env, 10)
        container.signal(signal.SIGKILL)
        await container.gone

    run(test())


def test_output_is_logged_line_by_line_with_time_and_stream(tmp_path: Path) -> None:
    async def test() -> None:
        long = "x" * 40000
        script = f"echo out; echo err >&2; printf '{long}\\n'; printf unfinished"
        container = Container(spec(tmp_path, script, HERE))
        await container.ended
        await container.gone

    run(test())
    fields = [line.split(" ", 3) for line in (tmp_path / "log").read_text().splitlines()]
    written = [field for field in fields if field[1] == "stdout"]
    assert [field[2:] for field in fields if field[1] == "stderr"] == [["F", "err"]]  # the streams come as they come
    assert written[0][2:] == ["F", "out"]
    assert [(field[2], len(field[3])) for field in written[1:4]] == [
        ("P", 16384),
        ("P", 16384),
        ("F", 40000 - 2 * 16384),
    ]
    assert written[4][2:] == ["P", "unfinished"]
    assert all(field[0].endswith("Z") and len(field[0]) == 30 for field in fields)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_working_directory_that_is_not_there_is_a_start_error(tmp_path: Path) -> None:
    async def test() -> None:
        container = Container(replace(spec(tmp_path, "true", HERE), cwd="/no/such"))
        with pytest.raises(StartError, match=r'chdir to cwd \("/no/such"\) set in config.json failed: no such file'):
            await container.started
        await container.gone

    run(test())
