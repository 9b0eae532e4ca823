"""Where a cluster keeps its state, who runs it, and by which code: directories 0700, files 0600, two locks.

``daemon.lock`` is held by the daemon for as long as it lives, so whether a cluster runs is asked of the kernel
and never of a file that a killed process left behind. ``change.lock`` is held by whoever starts or stops it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from bluegreen.errors import CannotStartError, InputError, Mistake

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")  # a DNS label, short enough for file and context names
DEFAULT_NAME = "default"
# struct flock of <fcntl.h> on 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid, padded to 8 bytes
_FLOCK = "hhqqi0q"


@dataclass(frozen=True)
class Record:
    """What is remembered of a cluster between two starts, and about the daemon that runs or ran last."""

    pid: int = 0  # of the daemon once its API answered; says nothing unless that process holds the daemon's lock
    port: int = 0  # of the API on 127.0.0.1; 0: none chosen yet
    address: str = ""  # of the Service ``kubernetes``, which the server's certificate names
    allocatable_cpu: str = ""  # a quantity; "" for the generous default
    allocatable_memory: str = ""
    fingerprint: str = ""  # of the code that the daemon runs
    started: str = ""  # RFC 3339

    @property
    def server(self) -> str:
        """The URL of the API."""
        return f"https://127.0.0.1:{self.port}"


class StateDir:
    """The files of one cluster."""

    def __init__(self, path: Path, name: str = DEFAULT_NAME) -> None:
        self.path, self.name = path, name
        self.record_file = path / "cluster.json"
        self.kubeconfig = path / "kubeconfig"
        self.images = path / "images.json"
        self.log = path / "daemon.log"
        self.audit_log = path / "audit.log"
        self.token = path / "admin.token"
        self.certificates = path / "certificates"
        self.store = path / "store"
        self.pods = path / "pods"
        self.daemon_lock = path / "daemon.lock"
        self.change_lock = path / "change.lock"

    @property
    def context(self) -> str:
        """The context's name in the kubeconfig."""
        return "bluegreen-local" if self.name == DEFAULT_NAME else f"bluegreen-local-{self.name}"

    def prepare(self) -> None:
        """Make the directories, or close those that stand open to others. Raises CannotStartError."""
        try:
            for path in (self.path, self.certificates, self.store, self.pods):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.chmod(0o700)
        except OSError as error:
            raise CannotStartError(
                f"The embedded cluster cannot keep its state in {self.path}: {error.strerror} ({error.filename}).",
                "Name a directory of your own with BLUEGREEN_HOME.",
            ) from error

    def empty(self) -> None:
        """Forget every object and pod; credentials, port and registered images stay."""
        for path in (self.store, self.pods):
            shutil.rmtree(path, ignore_errors=True)
        self.prepare()

    def read(self) -> Record:
        """What is remembered; an empty record for a new cluster."""
        try:
            return _record(json.loads(self.record_file.read_text()))
        except FileNotFoundError:
            return Record()
        except (ValueError, TypeError) as error:
            raise CannotStartError(
                f"The embedded cluster's record {self.record_file} cannot be read: {error}.",
                "Delete that file; the cluster's objects are not in it.",
            ) from error

    def write(self, record: Record) -> None:
        """Remember ``record``, whole or not at all."""
        write_private(self.record_file, json.dumps(asdict(record), indent=1) + "\n")

    def update(self, **changes: Any) -> Record:
        """Remember the record with some fields changed; gives it."""
        record = replace(self.read(), **changes)
        self.write(record)
        return record

    def pid(self) -> int | None:
        """The daemon's process id, or None where no daemon lives."""
        return lock_holder(self.daemon_lock)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock of whoever starts or stops the cluster: the second waits for the first."""
        self.prepare()
        descriptor = os.open(self.change_lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _record(data: Any) -> Record:
    if not isinstance(data, dict):
        raise TypeError("it holds no JSON object")
    known = {field.name for field in fields(Record)}
    return Record(**{key: value for key, value in data.items() if key in known})


def home() -> Path:
    """Where all clusters live: BLUEGREEN_HOME, else the XDG state directory, else ``~/.local/state``."""
    chosen = os.environ.get("BLUEGREEN_HOME")
    if chosen:
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError:
            why = "there is no home directory of that user."
            raise InputError([Mistake("BLUEGREEN_HOME", chosen, why, "Write the whole path.")]) from None
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "bluegreen"


def directory(name: str, base: Path | None = None) -> StateDir:
    """The state of the cluster of this name. Raises InputError for a name that is none."""
    if not NAME.fullmatch(name):
        why = "is no name for an embedded cluster."
        raise InputError([Mistake("--name", name, why, "Use up to 32 of a-z, 0-9 and inner hyphens.")])
    return StateDir((base or home()) / "clusters" / name, name)


def names(base: Path | None = None) -> list[str]:
    """The names of all clusters that have state here, running or not."""
    clusters = (base or home()) / "clusters"
    return sorted(path.name for path in clusters.glob("*") if NAME.fullmatch(path.name)) if clusters.is_dir() else []


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all: readers see the old text or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.replace(path)


def hold_lock(path: Path) -> int | None:
    """Lock ``path`` until this process ends; None when another process holds it.

    A POSIX record lock: unlike flock's it is not shared with children, so no orphan can hold it. It is lost when
    this process closes any descriptor of the file, so nothing else here may open it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def lock_holder(path: Path) -> int | None:
    """The process that holds the lock of ``hold_lock``; asks without taking it."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    finally:
        os.close(descriptor)
    kind, _, _, _, pid = struct.unpack(_FLOCK, answer)
    return None if kind == fcntl.F_UNLCK else int(pid)


@cache
def fingerprint() -> str:
    """Sixteen hex digits that change with the embedded cluster's code, its tables and the interpreter."""
    root = Path(__file__).parent
    digest = hashlib.sha256(f"{sys.executable} {sys.version}".encode())
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"\0{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
