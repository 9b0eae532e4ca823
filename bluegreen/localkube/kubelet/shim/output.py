"""A container's output as a log file."""

from __future__ import annotations

import os
import time  # the package's clock cannot be imported here

from .system import suppress

LINE_LIMIT = 16 * 1024  # bytes of a log line before it is split, as container runtimes do


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
        with suppress(OSError):
            self.written += os.write(self.file, data)
        if self.written > self.limit:
            self.turn_over()

    def turn_over(self) -> None:
        """Keep what was written as NAME.1 and go on in an empty file."""
        with suppress(OSError):
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
