"""The supervisor of one container: a small process that owns the container's processes and dies with the daemon.

It is started by ``launch.py`` with nothing but the standard library (``-I -S``: about 15 ms), so it imports nothing of
this package, not even its clock, and is one file: another would cost every container its search. In comes a
container's description (marshal, on standard input) and commands on a control socket; out go messages on that socket
and the container's output, line by line with its time, in a log file.

Where namespaces are permitted the container's program is process 1 of a PID namespace: the kernel ends whatever it
started when it ends, and ends it when this process ends. Elsewhere this process adopts orphans (a child subreaper) and
kills all its descendants until none is left. The end of the daemon is noticed by the control socket's end.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import marshal
import os
import select
import signal
import sys
import time  # the package's clock cannot be imported here
from _socket import AF_UNIX, SCM_RIGHTS, SO_PEERCRED, SOCK_SEQPACKET, SOL_SOCKET, socket
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 15, 36, 38
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x4000000, 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_UNBINDABLE, MS_PRIVATE = 4096, 16384, 1 << 17, 1 << 18
MNT_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}  # asm/unistd.h
# What a container sees of /dev when something is added to it: what container runtimes provide, and what exists of it.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "fd", "stdin", "stdout", "stderr")
DEVICE_TREES = ("pts", "shm", "mqueue", "net", "fuse", "kvm")
LINE_LIMIT = 16 * 1024  # bytes of a log line before it is split, as container runtimes do
CHUNK = 64 * 1024
MESSAGE_LIMIT = 64 * 1024

libc = ctypes.CDLL(None, use_errno=True)


class SetupError(Exception):
    """The container cannot be made; ``str()`` says which step failed and why."""


def call(what: str, result: int) -> None:
    """Raise SetupError for a failed system call."""
    if result != 0:
        code = ctypes.get_errno()
        raise SetupError(f"{what}: {os.strerror(code)}")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2), naming its target when it fails."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    call(f"mount {target}", libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]))


# ---------------------------------------------------------------------------------------------- namespaces and mounts


def enter_namespaces(user: bool, hostname: str) -> None:
    """Leave the host's mount, PID and host name namespaces; ``user``: by way of a user namespace, without root."""
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | (CLONE_NEWUSER if user else 0)
    call("unshare", libc.unshare(flags))
    if user:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
    name = hostname.encode()[:64]
    call("sethostname", libc.sethostname(name, len(name)))
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def write(path: str, text: str) -> None:
    """Write to a file of the kernel's."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


class Root:
    """The container's file tree: the host's, with volumes at their paths.

    A path that the host does not have is made in a tmpfs that takes the place of its nearest existing directory and
    shows that directory's entries (each a bind mount): the host's own files are never touched.
    """

    def __init__(self, scratch: str) -> None:
        self.scratch = scratch
        self.ours: set[int] = set()  # devices of tmpfs that were mounted here: directories may be made on them
        self.volumes: list[str] = []  # where volumes are mounted that may be written to

    def place(self, mounts: list[tuple[str, str, bool]]) -> None:
        """Mount each (source, target, read-only); a source is a directory or a file."""
        if any(not os.path.lexists("/" + target.split("/")[1]) for _, target, _ in mounts):
            self.replace_root()
        sources = [os.open(source, os.O_PATH) for source, _, _ in mounts]
        order = sorted(range(len(mounts)), key=lambda index: mounts[index][1].count("/"))
        for index in order:
            _, target, readonly = mounts[index]
            self.bind(sources[index], os.path.realpath(target), readonly)
        for descriptor in sources:
            os.close(descriptor)

    def bind(self, source: int, target: str, readonly: bool) -> None:
        """Mount an open directory or file at a path, making the path if need be."""
        directory = is_directory(source)
        self.ensure(target, directory)
        mount(f"/proc/self/fd/{source}", target, None, MS_BIND | MS_REC)
        if readonly:
            mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | kept_flags(target))
        elif directory:
            self.volumes.append(target + "/")

    def ensure(self, target: str, directory: bool) -> None:
        """Make ``target`` exist, as a directory or an empty file."""
        if os.path.exists(target):
            if os.path.isdir(target) != directory:
                raise SetupError(f"mount {target}: not a {'directory' if directory else 'file'}")
            return
        parent = os.path.dirname(target)
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        if os.stat(parent).st_dev not in self.ours and not f"{parent}/".startswith(tuple(self.volumes)):
            self.mimic(parent)
        os.makedirs(target if directory else os.path.dirname(target), exist_ok=True)
        if not directory:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o666))

    def mimic(self, path: str) -> None:
        """Put a tmpfs over ``path`` that shows what is there."""
        origin = os.open(path, os.O_PATH | os.O_DIRECTORY)
        names = os.listdir(path)
        self.tmpfs(path, os.stat(path))
        if path == "/dev":
            names = [name for name in (*DEVICES, *DEVICE_TREES) if name in names]
        for name in names:
            show(f"/proc/self/fd/{origin}/{name}", f"{path}/{name}")
        os.close(origin)

    def tmpfs(self, path: str, like: os.stat_result) -> None:
        """A tmpfs at ``path`` with the mode and owner of what it covers."""
        mount("tmpfs", path, "tmpfs", MS_NOSUID, f"mode={like.st_mode & 0o7777:o}")
        with contextlib.suppress(OSError):
            os.chown(path, like.st_uid, like.st_gid)
        self.ours.add(os.stat(path).st_dev)

    def replace_root(self) -> None:
        """Make / a tmpfs that shows the host's top-level entries, for paths such as /config."""
        new = self.scratch
        names = os.listdir("/")
        self.tmpfs(new, os.stat("/"))
        mount(None, new, None, MS_UNBINDABLE)
        for name in names:
            show(f"/{name}", f"{new}/{name}")
        os.chdir(new)
        number = PIVOT_ROOT.get(os.uname().machine)
        if number is None or libc.syscall(number, b".", b".") != 0:
            os.chroot(".")
        else:
            call("umount the old root", libc.umount2(b".", MNT_DETACH))
        os.chdir("/")


def is_directory(descriptor: int) -> bool:
    """Whether an open path is a directory."""
    return os.fstat(descriptor).st_mode & 0o170000 == 0o040000


def kept_flags(path: str) -> int:
    """The mount's flags that a remount must repeat."""
    flags = os.statvfs(path).f_flag
    known = {os.ST_NOSUID: MS_NOSUID, os.ST_NODEV: MS_NODEV, os.ST_NOEXEC: MS_NOEXEC}
    known |= {os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, os.ST_RELATIME: 1 << 21}
    return sum(value for bit, value in known.items() if flags & bit)


def show(source: str, target: str) -> None:
    """Make one existing entry appear at ``target``; what cannot be shown (a stale mount) is left out."""
    with contextlib.suppress(OSError, SetupError):
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
            return
        if os.path.isdir(source):
            os.mkdir(target, 0o755)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o666))
        mount(source, target, None, MS_BIND | MS_REC)


# ----------------------------------------------------------------------------------------------------------- programs


def find(program: str, path: str) -> str:
    """The file that execve would run. Raises SetupError in the words of the OCI runtime."""
    if "/" in program:
        try:
            os.stat(program)
        except OSError as error:
            raise SetupError(f'exec: "{program}": stat {program}: {words(error)}') from error
        if os.path.isdir(program) or not os.access(program, os.X_OK):
            raise SetupError(f'exec: "{program}": permission denied')
        return program
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{program}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise SetupError(f'exec: "{program}": executable file not found in $PATH')


def words(error: OSError) -> str:
    """An error number as Go writes it: lower case."""
    return os.strerror(error.errno or 0).lower()


def become(shim: Shim, program: dict[str, Any], stdio: list[int], report: int) -> None:
    """Turn this forked process into a program of the container; never returns. Errors go to ``report``."""
    try:
        for descriptor in shim.cgroups:
            os.write(descriptor, b"0")
        if not shim.main and shim.spec["namespaces"]:
            own_proc()
        prepare(shim.spec, program, stdio)
        if supervisor_is_gone(report):
            return
        path = find(program["argv"][0], program["env"].get("PATH", os.defpath))
        os.execve(path, program["argv"], program["env"])
    except SetupError as error:
        os.write(report, str(error).encode()[:4096])
    except OSError as error:
        os.write(report, f'exec: "{program["argv"][0]}": {words(error)}'.encode()[:4096])
    finally:
        os._exit(128)


def supervisor_is_gone(report: int) -> bool:
    """Whether nobody reads this pipe any more: a parent that died before PR_SET_PDEATHSIG sends no signal."""
    poll = select.poll()
    poll.register(report, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def prepare(spec: dict[str, Any], program: dict[str, Any], stdio: list[int]) -> None:
    """What a new process of the container needs before it runs its program."""
    os.setsid()
    if program.get("tty"):
        import fcntl
        import termios

        fcntl.ioctl(stdio[0], termios.TIOCSCTTY, 0)
    for target, descriptor in enumerate(stdio):
        os.dup2(descriptor, target)
    for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    become_user(spec)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    enter_directory(program.get("cwd") or "/")


def become_user(spec: dict[str, Any]) -> None:
    """Give up root for the user the pod asked for."""
    if spec.get("gid") is not None:
        os.setgroups(spec.get("groups", []))
        os.setgid(spec["gid"])
    if spec.get("uid") is not None:
        os.setuid(spec["uid"])
    if spec.get("no_new_privileges"):
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def enter_directory(path: str) -> None:
    """Make ``path`` the working directory."""
    try:
        os.chdir(path)
    except OSError as error:
        raise SetupError(f'chdir to cwd ("{path}") set in config.json failed: {words(error)}') from error


# ---------------------------------------------------------------------------------------------------------------- log


class Log:
    """The container's output as a file: ``TIME STREAM F|P TEXT`` a line, turned over when it is large."""

    def __init__(self, directory: str, name: str, limit: int) -> None:
        self.directory = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        self.name, self.limit, self.written = name, limit, 0
        self.pending = {"stdout": b"", "stderr": b""}
        self.open()

    def open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self.file = os.open(self.name, flags, 0o600, dir_fd=self.directory)

    def add(self, stream: str, data: bytes) -> None:
        """Take what a stream said; whole lines are written at once."""
        *lines, rest = (self.pending[stream] + data).split(b"\n")
        head = f"{now()} {stream} ".encode()
        out = [part for line in lines for part in entries(head, line, b"F")]
        while len(rest) > LINE_LIMIT:
            out.append(head + b"P " + rest[:LINE_LIMIT] + b"\n")
            rest = rest[LINE_LIMIT:]
        self.pending[stream] = rest
        if out:
            self.write(b"".join(out))

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.written += os.write(self.file, data)
        if self.written > self.limit:
            self.turn_over()

    def turn_over(self) -> None:
        """Keep what was written as NAME.1 and go on in an empty file."""
        with contextlib.suppress(OSError):
            os.rename(self.name, self.name + ".1", src_dir_fd=self.directory, dst_dir_fd=self.directory)
            os.close(self.file)
            self.open()
        self.written = 0

    def finish(self) -> None:
        """Write what ended without a newline."""
        for stream, rest in self.pending.items():
            if rest:
                self.write(f"{now()} {stream} P ".encode() + rest + b"\n")
            self.pending[stream] = b""


def entries(head: bytes, line: bytes, mark: bytes) -> list[bytes]:
    """One output line as log entries: partial ones while it is too long, then the last."""
    parts = []
    while len(line) > LINE_LIMIT:
        parts.append(head + b"P " + line[:LINE_LIMIT] + b"\n")
        line = line[LINE_LIMIT:]
    return [*parts, head + mark + b" " + line + b"\n"]


def now() -> str:
    """The wall clock in UTC with nanoseconds, as container runtimes write it."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"


# --------------------------------------------------------------------------------------------------------- supervisor


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
        self.wake, wake_end = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        self.poll = select.poll()

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
        """Standard input, output and error for the program; this side of the pipes is watched."""
        ends = [os.open("/dev/null", os.O_RDONLY)]
        for stream in ("stdout", "stderr"):
            read_end, write_end = os.pipe()
            os.set_blocking(read_end, False)
            self.streams[read_end] = stream
            self.poll.register(read_end, select.POLLIN)
            ends.append(write_end)
        return ends

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

    def serve(self, descriptor: int) -> None:
        if descriptor in self.streams:
            self.read_stream(descriptor)
        elif descriptor == self.wake:
            self.woken()
        else:
            self.command()

    def read_stream(self, descriptor: int) -> bool:
        """Take what a pipe holds; whether there may be more."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.poll.unregister(descriptor)
            del self.streams[descriptor]
            os.close(descriptor)
            return False
        self.log.add(self.streams[descriptor], data)
        return True

    def woken(self) -> None:
        """A signal: a child ended, or the daemon did."""
        numbers = os.read(self.wake, 1024)
        if signal.SIGTERM in numbers and os.getppid() != self.spec["parent"]:
            self.abandon()
        self.reap()

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

    def say(self, *message: Any) -> None:
        """Tell the daemon; it may be gone."""
        with contextlib.suppress(OSError):
            self.control.send(marshal.dumps(message))

    def abandon(self) -> None:
        """The daemon is gone: end everything, leave nothing behind."""
        self.end_everything()
        self.clean_up()
        for path in self.spec["cgroups"]:
            with contextlib.suppress(OSError):  # others are in it
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


def own_proc() -> None:
    """Show the container's own processes in /proc; where that is not permitted, the host's stay visible."""
    with contextlib.suppress(SetupError):
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def ints(raw: bytes) -> list[int]:
    """The file descriptors of an SCM_RIGHTS message."""
    size = ctypes.sizeof(ctypes.c_int)
    return [int.from_bytes(raw[at : at + size], sys.byteorder) for at in range(0, len(raw) - size + 1, size)]


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``, by a walk over /proc."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                    found.append(int(name))
    return found


def kill_descendants(ended: Callable[[int, int], None]) -> None:
    """Kill the children of this process, and those that become its children by that, until there are none."""
    while pids := children(os.getpid()):
        for pid in pids:
            send(pid, signal.SIGKILL)
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                ended(*os.waitpid(pid, 0))


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
    oom_kills = [counter(path) for path in spec["cgroups"]]
    shim.clean_up()
    shim.say("ended", shim.ended, sum(oom_kills))
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


def counter(path: str) -> int:
    """How many processes the kernel killed in this control group for want of memory."""
    for name in ("memory.oom_control", "memory.events"):
        with contextlib.suppress(OSError), open(f"{path}/{name}") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return 0
