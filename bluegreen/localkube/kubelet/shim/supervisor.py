"""The supervisor itself: starts the container's program, obeys the daemon, ends everything."""

from __future__ import annotations

import ctypes
import errno
import marshal
import os
import select
import sys
import time  # the package's clock cannot be imported here
from _socket import AF_UNIX, SCM_RIGHTS, SO_PEERCRED, SOCK_SEQPACKET, SOL_SOCKET, socket

from . import memory
from .attached import Attached
from .filesystem import Root, enter_namespaces
from .output import Log
from .programs import become
from .system import SetupError, libc, signal, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
CHUNK = 64 * 1024
MESSAGE_LIMIT = 64 * 1024


class Shim:
    """The supervisor's state and its loop."""

    def __init__(self, control: socket, spec: dict[str, Any]) -> None:
        self.control, self.spec = control, spec
        self.log = Log(spec["log_dir"], spec["log_name"], spec["log_limit"])
        self.main = 0  # process id of the container's program, as this process sees it
        self.execs: dict[int, int] = {}  # process id -> number of the exec
        self.streams: dict[int, str] = {}  # pipe -> stream name
        self.ended: int | None = None  # wait status of the program
        self.cgroups = [os.open(f"{path}/cgroup.procs", os.O_WRONLY) for path in spec["cgroups"]]
        self.exhausted = memory.notice(spec["cgroups"])
        self.out_of_memory = False  # whether the container was ended for that
        self.wake, wake_end = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        self.poll = select.poll()
        self.attached = Attached(self.poll)
        self.held: dict[str, int] = {}  # stream -> its pipe, not read until those attached have taken what it said

    def start(self) -> None:
        """Make the container and run its program. Raises SetupError."""
        spec = self.spec
        if spec["namespaces"]:
            enter_namespaces(spec["user_namespace"], spec["hostname"])
            Root(spec["scratch"]).place([(source, target, readonly) for source, target, readonly in spec["mounts"]])
        else:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        self.main = self.spawn(spec, self.output())

    def output(self) -> list[int]:
        """Standard input, output and error for the program; this side of the pipes, or of the terminal, is watched."""
        terminal, given = self.spec["terminal"], self.spec["stdin"]
        for descriptor in (terminal, given):
            if descriptor >= 0:
                os.set_inheritable(descriptor, False)
        if terminal >= 0:
            self.watch(terminal, "stdout")
            return [given, os.dup(given), os.dup(given)]
        ends = [given if given >= 0 else os.open("/dev/null", os.O_RDONLY)]
        for stream in ("stdout", "stderr"):
            read_end, write_end = os.pipe()
            self.watch(read_end, stream)
            ends.append(write_end)
        return ends

    def watch(self, descriptor: int, stream: str) -> None:
        os.set_blocking(descriptor, False)
        self.streams[descriptor] = stream
        self.poll.register(descriptor, select.POLLIN)

    def spawn(self, program: dict[str, Any], stdio: list[int]) -> int:
        """Fork and run a program in the container. Raises SetupError when it cannot be run."""
        report, report_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            become(self, program, stdio, report_end)
        os.close(report_end)
        for descriptor in stdio:
            os.close(descriptor)
        refusal = b"".join(iter(lambda: os.read(report, 4096), b""))
        os.close(report)
        if refusal:
            os.waitpid(pid, 0)
            raise SetupError(refusal.decode(errors="replace"))
        return pid

    def run(self) -> None:
        """Serve until the program has ended and all its output is written, or until the daemon is gone."""
        self.poll.register(self.control.fileno(), select.POLLIN)
        self.poll.register(self.wake, select.POLLIN)
        if self.exhausted is not None:
            self.poll.register(self.exhausted, select.POLLIN)
        while self.ended is None:
            for descriptor, _ in self.poll.poll():
                self.serve(descriptor)
        self.end_everything()
        while self.execs:
            self.keep_status(*os.waitpid(-1, 0))
        for descriptor in list(self.streams):
            while self.read_stream(descriptor):
                pass
        self.log.finish()
        self.attached.finish()

    def serve(self, descriptor: int) -> None:
        if descriptor in self.streams:
            if self.read_stream(descriptor):
                self.hold_back(descriptor)
        elif descriptor in self.attached.streams:
            self.go_on(descriptor)
        elif descriptor == self.wake:
            self.woken()
        elif descriptor == self.exhausted:
            self.ran_out_of_memory(descriptor)
        else:
            self.command()

    def read_stream(self, descriptor: int) -> bool:
        """Take what a pipe holds; whether there may be more."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # a terminal that nobody has open any more
            data = b""
        if not data:
            with suppress(KeyError):
                self.poll.unregister(descriptor)
            del self.streams[descriptor]
            os.close(descriptor)
            return False
        self.log.add(self.streams[descriptor], data)
        self.attached.say(self.streams[descriptor], data)
        return True

    def hold_back(self, descriptor: int) -> None:
        """Read no more of a stream while one of those attached has not taken what it said."""
        stream = self.streams[descriptor]
        if self.attached.busy(stream):
            self.poll.unregister(descriptor)
            self.held[stream] = descriptor

    def go_on(self, pipe: int) -> None:
        """Somebody attached can take more, or has left."""
        stream = self.attached.streams[pipe]
        self.attached.flush(pipe)
        if stream in self.held and not self.attached.busy(stream):
            self.poll.register(self.held.pop(stream), select.POLLIN)

    def woken(self) -> None:
        """A signal: a child ended, or the daemon did."""
        numbers = os.read(self.wake, 1024)
        if signal.SIGTERM in numbers and os.getppid() != self.spec["parent"]:
            self.abandon()
        self.reap()

    def ran_out_of_memory(self, descriptor: int) -> None:
        """The kernel kills one process of the container: the rest goes with it."""
        self.poll.unregister(descriptor)
        self.out_of_memory = True
        self.end_everything()

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.keep_status(pid, status)

    def command(self) -> None:
        """One message of the daemon's: (name, arguments...) with open files for an exec."""
        data, ancillary, _, _ = self.control.recvmsg(MESSAGE_LIMIT, 256)
        if not data:
            self.abandon()
            return
        files = [
            number
            for level, kind, raw in ancillary
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
            for number in ints(raw)
        ]
        name, *arguments = marshal.loads(data)
        commands: dict[str, Callable[..., None]] = {
            "signal": self.on_signal,
            "exec": self.on_exec,
            "exec-signal": self.on_exec_signal,
            "attach": self.on_attach,
        }
        commands[name](files, *arguments)

    def on_signal(self, _files: list[int], number: int) -> None:
        """Signal the program; SIGKILL ends everything that it started too."""
        if number == signal.SIGKILL:
            self.end_everything()
        else:
            send(self.main, number)

    def on_exec(self, files: list[int], number: int, program: dict[str, Any]) -> None:
        """Run another program in the container with the files given as its standard streams."""
        try:
            self.execs[self.spawn(program, files)] = number
        except SetupError as error:
            self.say("exec-failed", number, str(error))

    def on_exec_signal(self, _files: list[int], number: int, signum: int) -> None:
        for pid, known in self.execs.items():
            if known == number:
                send(pid, signum)

    def on_attach(self, files: list[int]) -> None:
        """Somebody listens to the output from now on, through the two pipes given."""
        for stream, pipe in zip(("stdout", "stderr"), files, strict=True):
            self.attached.add(stream, pipe)
        self.say("attached")

    def say(self, *message: Any) -> None:
        """Tell the daemon; it may be gone."""
        with suppress(OSError):
            self.control.send(marshal.dumps(message))

    def abandon(self) -> None:
        """The daemon is gone: end everything, leave nothing behind."""
        self.end_everything()
        self.clean_up()
        for path in self.spec["cgroups"]:
            with suppress(OSError):  # others are in it
                os.rmdir(os.path.dirname(path))
        os._exit(0)

    def end_everything(self) -> None:
        """Kill the program and all that it started, until none is left."""
        if self.ended is None:
            send(self.main, signal.SIGKILL)
        if not self.spec["namespaces"]:
            kill_descendants(self.keep_status)
        for pid in self.execs:
            send(pid, signal.SIGKILL)

    def keep_status(self, pid: int, status: int) -> None:
        if pid == self.main:
            self.ended = status
        elif pid in self.execs:
            self.say("exec-ended", self.execs.pop(pid), os.waitstatus_to_exitcode(status))

    def clean_up(self) -> None:
        """Take away the control groups, which stay empty behind."""
        for path in self.spec["cgroups"]:
            for _ in range(50):
                try:
                    os.rmdir(path)
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        break
                    time.sleep(0.01)
                else:
                    break


def send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``, by a walk over /proc."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                    found.append(int(name))
    return found


def kill_descendants(ended: Callable[[int, int], None]) -> None:
    """Kill the children of this process, and those that become its children by that, until there are none."""
    while pids := children(os.getpid()):
        for pid in pids:
            send(pid, signal.SIGKILL)
        for pid in pids:
            with suppress(ChildProcessError):
                ended(*os.waitpid(pid, 0))


def ints(raw: bytes) -> list[int]:
    """The file descriptors of an SCM_RIGHTS message."""
    size = ctypes.sizeof(ctypes.c_int)
    return [int.from_bytes(raw[at : at + size], sys.byteorder) for at in range(0, len(raw) - size + 1, size)]


def main() -> int:
    """Run one container; the exit code says nothing, the messages do."""
    libc.prctl(PR_SET_NAME, b"localkube-shim", 0, 0, 0)
    os.set_inheritable(int(sys.argv[1]), False)
    control = socket(AF_UNIX, SOCK_SEQPACKET, 0, int(sys.argv[1]))
    spec = marshal.loads(b"".join(iter(lambda: os.read(0, CHUNK), b"")))
    spec["parent"] = int.from_bytes(control.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[:4], sys.byteorder)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    shim = Shim(control, spec)
    try:
        shim.start()
    except (SetupError, OSError) as error:
        shim.say("failed", str(error))
        shim.clean_up()
        return 1
    if os.getppid() != spec["parent"]:
        shim.abandon()
    shim.say("started", shim.main)
    shim.run()
    oom_kills = sum(memory.kills(path) for path in spec["cgroups"])
    shim.clean_up()
    shim.say("ended", shim.ended, oom_kills or int(shim.out_of_memory))
    return 0


def permitted() -> str:
    """Which namespaces a container may have here: "root", "user" or "none"; tries it, in this process."""
    for user, answer in ((False, "root"), (True, "user")):
        try:
            enter_namespaces(user, "probe")
        except (SetupError, OSError):
            continue
        return answer
    return "none"
