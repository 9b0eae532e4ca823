"""System calls that Python does not have, and their errors."""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False  # typing itself takes longer to import than the rest
if TYPE_CHECKING:
    import signal
    from types import TracebackType
else:
    import _signal as signal  # without its enums, whose import takes longer than the rest as well

__all__ = ["SetupError", "call", "libc", "mount", "signal", "suppress", "words", "write"]

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


def write(path: str, text: str) -> None:
    """Write to a file of the kernel's."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def words(error: OSError) -> str:
    """An error number as Go writes it: lower case."""
    return os.strerror(error.errno or 0).lower()


class suppress:
    """``suppress``, whose module takes 3 ms to import."""

    def __init__(self, *errors: type[BaseException]) -> None:
        self.errors = errors

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> bool:
        return kind is not None and issubclass(kind, self.errors)
