"""Starting and ending the daemon's process: detached from the terminal, one at a time, never left half-started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bluegreen import clock
from bluegreen.errors import CannotStartError, InputError, Mistake, TimeoutExpiredError
from bluegreen.localkube import quantities
from bluegreen.localkube.state import Record, StateDir, fingerprint

START_S = 30.0  # a choice: thirty times what it takes, before a start is called stuck
STOP_S = 20.0  # a choice: pods are given a short grace; what is left after this is killed
LOG_BYTES = 4_000_000  # a choice: a longer log is set aside when the daemon starts
# what of the caller's environment the daemon may know: it outlives the caller, whose variables may hold secrets
KEPT = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Options:
    """How a cluster is to run. Quantities as Kubernetes writes them; "" keeps what it had, or the default."""

    allocatable_cpu: str = ""
    allocatable_memory: str = ""
    exit_with_pid: int = 0  # ends, and removes its state, with this process; 0: runs on
    audit: bool = False  # writes a line for each request to the audit log, until it ends

    @property
    def quantities(self) -> dict[str, str]:
        """The quantities by name."""
        return {"allocatable_cpu": self.allocatable_cpu, "allocatable_memory": self.allocatable_memory}

    def check(self) -> None:
        """Raise InputError for what is no quantity."""
        mistakes = [_quantity_mistake(name, given) for name, given in self.quantities.items() if given]
        if any(mistakes):
            raise InputError([mistake for mistake in mistakes if mistake])


def _quantity_mistake(name: str, given: str) -> Mistake | None:
    option = f"--{name.replace('_', '-')}"
    try:
        nano = quantities.parse(given)
    except quantities.QuantityError:
        return Mistake(option, given, "is no quantity.", "Write it as Kubernetes does, for example 4, 500m or 8Gi.")
    return None if nano > 0 else Mistake(option, given, "is not above zero.", "Write what the node shall offer.")


def running(state: StateDir) -> Record | None:
    """The record of the daemon that runs; waits for one that is just starting. None where there is none."""
    deadline = clock.Deadline(START_S)
    while (pid := state.pid()) is not None:
        record = state.read()
        if record.pid == pid:
            return record
        if deadline.expired:
            raise TimeoutExpiredError("the embedded cluster to answer", START_S, f"process {pid}", _see(state))
        clock.sleep_s(0.02)
    return None


def spawn(state: StateDir, options: Options) -> Record:
    """Start the daemon and return when its API answers. Raises CannotStartError with what it said last."""
    given = {name: quantity for name, quantity in options.quantities.items() if quantity}
    state.update(fingerprint=fingerprint(), **given)
    reading, writing = os.pipe()
    try:
        with _log(state) as log:
            _launch(state, options, writing, log)
        os.close(writing)
        writing = -1
        _await_ready(state, reading)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    return state.read()


def _launch(state: StateDir, options: Options, writing: int, log: BinaryIO) -> None:
    """Run the daemon, which detaches itself by a fork of its own: the process waited for here is short-lived."""
    command = [sys.executable, "-P", "-m", "bluegreen.localkube.daemon", "--state", str(state.path)]
    command += ["--name", state.name, "--ready-fd", str(writing)]
    if options.exit_with_pid:
        command += ["--exit-with-pid", str(options.exit_with_pid)]
    if options.audit:
        command += ["--audit"]
    subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=_environment(),
        cwd=state.path,
        pass_fds=[writing],
        start_new_session=True,
        check=False,
    )


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    package = str(Path(__file__).parents[2])  # the daemon is to run this very code
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    return kept | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _log(state: StateDir) -> BinaryIO:
    if state.log.exists() and state.log.stat().st_size > LOG_BYTES:
        state.log.replace(state.log.with_suffix(".log.1"))
    descriptor = os.open(state.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def _await_ready(state: StateDir, reading: int) -> None:
    readable, _, _ = select.select([reading], [], [], START_S)
    if readable and os.read(reading, 16):
        return
    pid = state.pid()
    if pid is not None:
        _end(pid, state, signal.SIGKILL, STOP_S)
    said = _last_words(state)
    what = f"did not answer within {START_S:.0f} s" if not readable else "ended while it started"
    raise CannotStartError(f"The embedded cluster {state.name!r} {what}. It said last: {said}", _see(state))


def _last_words(state: StateDir) -> str:
    lines = [line.strip() for line in state.log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


def _see(state: StateDir) -> str:
    return f"Its log is {state.log}."


def stop(state: StateDir) -> bool:
    """End the daemon and wait until it is gone; gives whether one ran."""
    pid = state.pid()
    if pid is None:
        return False
    if not (_end(pid, state, signal.SIGTERM, STOP_S) or _end(pid, state, signal.SIGKILL, STOP_S)):
        raise TimeoutExpiredError(f"process {pid} of the embedded cluster to end", 2 * STOP_S, "", _see(state))
    return True


def _end(pid: int, state: StateDir, with_signal: signal.Signals, wait_s: float) -> bool:
    """Signal the daemon, and no process that got its number since; gives whether it ended in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if state.pid() != pid:
            return True
        signal.pidfd_send_signal(descriptor, with_signal)
        return bool(select.select([descriptor], [], [], wait_s)[0])
    finally:
        os.close(descriptor)
