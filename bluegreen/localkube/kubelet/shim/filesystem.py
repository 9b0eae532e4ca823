"""What a container sees of files: namespaces of its own, volumes at their paths."""

from __future__ import annotations

import os

from .system import SetupError, call, libc, mount, suppress, write

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x4000000, 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_UNBINDABLE, MS_PRIVATE = 4096, 16384, 1 << 17, 1 << 18
MNT_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}  # asm/unistd.h
# What a container sees of /dev when something is added to it: what container runtimes provide, and what exists of it.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "fd", "stdin", "stdout", "stderr")
DEVICE_TREES = ("pts", "shm", "mqueue", "net", "fuse", "kvm")


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


def own_proc() -> None:
    """Show the container's own processes in /proc; where that is not permitted, the host's stay visible."""
    with suppress(SetupError):
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


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
        """Mount each (source, target, read-only); a source is a directory or a file. What is made on the way is open
        to every user that the container may run as, whatever the daemon's umask is."""
        before = os.umask(0o022)
        try:
            self.place_all(mounts)
        finally:
            os.umask(before)

    def place_all(self, mounts: list[tuple[str, str, bool]]) -> None:
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
        with suppress(OSError):
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
            mount(None, "/", None, MS_PRIVATE)  # it may be a volume itself now: a hostPath of /
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
    with suppress(OSError, SetupError):
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
            return
        if os.path.isdir(source):
            os.mkdir(target, 0o755)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o666))
        mount(source, target, None, MS_BIND | MS_REC)
