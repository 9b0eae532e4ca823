"""One running container, seen from the daemon: starts its supervisor (``shim``), signals it, learns of its end.

Must be used from the daemon's main thread: the supervisor dies with the thread that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import marshal
import os
import signal
import socket
import subprocess
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bluegreen.errors import HarnessError
from bluegreen.localkube.kubelet.capabilities import shim_command
from bluegreen.localkube.kubelet.console import Console

LOG_LIMIT = 10 * 1024 * 1024  # bytes: the kubelet's containerLogMaxSize


class StartError(HarnessError):
    """The container's program could not be started; the sentence is the runtime's."""


@dataclass(frozen=True)
class Mount:
    """A directory or file of the host at a path of the container."""

    source: str
    target: str
    readonly: bool


@dataclass(frozen=True)
class ContainerSpec:
    """All that the supervisor needs. ``uid`` None: the daemon's user. ``cgroups``: directories to join and remove.

    ``stdin``: the program has an input, which can be attached to; ``tty``: a terminal is its input and output.
    """

    argv: list[str]
    env: dict[str, str]
    log: Path
    scratch: Path
    hostname: str
    cwd: str = "/"
    uid: int | None = None
    gid: int | None = None
    groups: list[int] = field(default_factory=list)
    no_new_privileges: bool = False
    namespaces: str = "none"
    mounts: list[Mount] = field(default_factory=list)
    cgroups: list[str] = field(default_factory=list)
    stdin: bool = False
    tty: bool = False

    def encoded(self, console: Console) -> bytes:
        """The description as the shim reads it."""
        described: dict[str, Any] = asdict(self)
        described |= {
            **console.described,
            "log_dir": str(self.log.parent),
            "log_name": self.log.name,
            "log_limit": LOG_LIMIT,
            "scratch": str(self.scratch),
            "namespaces": self.namespaces != "none",
            "user_namespace": self.namespaces == "user",
            "mounts": [(mount.source, mount.target, mount.readonly) for mount in self.mounts],
        }
        del described["log"]
        return marshal.dumps(described)


@dataclass(frozen=True)
class Exit:
    """How a program ended: its exit code as Kubernetes counts (128 + signal), and whether memory ran out."""

    code: int
    out_of_memory: bool = False


def exit_code(status: int) -> int:
    """The exit code of a wait status, 128 + the signal's number for a signal."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class Exec:
    """A further program in a container; ``ended`` gives its exit code or raises StartError."""

    def __init__(self, container: Container, number: int) -> None:
        self._container, self._number = container, number
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        """End the program at once."""
        self._container.say("exec-signal", self._number, int(signal.SIGKILL))


class Container:
    """A container's supervisor and what it has said. ``ended``: the program has ended and its log is whole."""

    def __init__(self, spec: ContainerSpec) -> None:
        self.spec = spec
        self.pid = 0
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Exit] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()  # no process is left, not even the supervisor
        self._loop = loop
        self._execs: dict[int, Exec] = {}
        self._attaching: deque[asyncio.Future[None]] = deque()
        self._numbers = 0
        self._console = Console(stdin=spec.stdin, tty=spec.tty)
        self._control, self._process = _start_shim(spec, self._console)
        self.shim_pid = self._process.pid
        loop.add_reader(self._control.fileno(), self._readable)

    def signal(self, number: int) -> None:
        """Send a signal to the program; SIGKILL ends all that it started as well."""
        self.say("signal", int(number))

    def exec(self, argv: list[str], files: tuple[int, int, int], *, env: dict[str, str], tty: bool = False) -> Exec:
        """Run another program inside, with open files as its standard streams; the caller closes its copies."""
        self._numbers += 1
        started = self._execs[self._numbers] = Exec(self, self._numbers)
        program = {"argv": argv, "env": env, "cwd": self.spec.cwd, "tty": tty}
        message = marshal.dumps(("exec", self._numbers, program))
        try:
            socket.send_fds(self._control, [message], list(files))
        except OSError as error:
            self._execs.pop(self._numbers)
            started.ended.set_exception(StartError(f"the container is not running: {error}"))
        return started

    def attach(self, stdout: int, stderr: int) -> asyncio.Future[None]:
        """Copy what the program says into these pipes too, once the future is done; the caller closes its copies."""
        heard: asyncio.Future[None] = self._loop.create_future()
        self._attaching.append(heard)
        try:
            socket.send_fds(self._control, [marshal.dumps(("attach",))], [stdout, stderr])
        except OSError:  # it has ended: so have the pipes, then
            self._on_attached()
        return heard

    def input(self) -> int:
        """A descriptor of the caller's own that feeds the program; -1 where it takes no input, or no more."""
        return self._console.input()

    def end_input(self) -> None:
        """The program's input is at its end."""
        self._console.close()

    def say(self, *message: Any) -> None:
        """Send a command to the supervisor; one that has gone needs none."""
        with contextlib.suppress(OSError):
            self._control.send(marshal.dumps(message))

    def _readable(self) -> None:
        try:
            data = self._control.recv(64 * 1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone()
            return
        name, *arguments = marshal.loads(data)
        getattr(self, f"_on_{name.replace('-', '_')}")(*arguments)

    def _on_started(self, pid: int) -> None:
        self.pid = pid
        _settle(self.started, None)

    def _on_failed(self, message: str) -> None:
        _fail(self.started, StartError(message))

    def _on_ended(self, status: int, out_of_memory_kills: int) -> None:
        _settle(self.ended, Exit(exit_code(status), out_of_memory_kills > 0))

    def _on_attached(self) -> None:
        _settle(self._attaching.popleft(), None)

    def _on_exec_ended(self, number: int, code: int) -> None:
        if started := self._execs.pop(number, None):
            _settle(started.ended, code if code >= 0 else 128 - code)

    def _on_exec_failed(self, number: int, message: str) -> None:
        if started := self._execs.pop(number, None):
            _fail(started.ended, StartError(message))

    def _gone(self) -> None:
        """The supervisor has ended: normally after its last message, else it was killed and so was the container."""
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        self._console.close()
        _fail(self.started, StartError("the container's supervisor was killed"))
        _settle(self.ended, Exit(137))
        for started in self._execs.values():
            _settle(started.ended, 137)
        self._execs.clear()
        while self._attaching:
            self._on_attached()
        self._collect()

    def _collect(self) -> None:
        """Wait for the supervisor's process, which ends right after its socket."""
        if self._process.poll() is None:
            self._loop.call_later(0.01, self._collect)
        else:
            _settle(self.gone, None)


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever awaits it gets it; nobody need


def _start_shim(spec: ContainerSpec, console: Console) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    description = os.memfd_create("container", os.MFD_CLOEXEC)
    try:
        os.write(description, spec.encoded(console))
        os.lseek(description, 0, os.SEEK_SET)
        with console.handing_over():
            process = subprocess.Popen(
                [*shim_command("sys.exit(supervisor.main())"), str(theirs.fileno())],
                stdin=description,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *console.passed),
                start_new_session=True,
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
            )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(description)
    return ours, process
