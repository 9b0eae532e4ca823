"""The standard input of a container's own program: nothing, a pipe, or a terminal that is its output as well."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Console:
    """Made before the container starts; ``passed`` are the descriptors that its supervisor gets."""

    def __init__(self, *, stdin: bool, tty: bool) -> None:
        self.tty = tty
        self.ours = -1
        self.passed: tuple[int, ...] = ()
        if tty:
            self.ours, theirs = pty.openpty()
            self.passed = (os.dup(self.ours), theirs)  # the supervisor reads what the terminal shows
        elif stdin:
            theirs, self.ours = os.pipe()
            self.passed = (theirs,)
        if self.ours >= 0:
            os.set_blocking(self.ours, False)  # a program that does not read must not stop the cluster

    @property
    def described(self) -> dict[str, Any]:
        """What the supervisor is told of it."""
        return {
            "tty": self.tty,
            "stdin": self.passed[-1] if self.passed else -1,
            "terminal": self.passed[0] if self.tty else -1,
        }

    @contextmanager
    def handing_over(self) -> Iterator[None]:
        """The supervisor is started inside; afterwards the descriptors are its own."""
        try:
            yield
        except BaseException:
            self.close()
            raise
        finally:
            for descriptor in self.passed:
                os.close(descriptor)

    def input(self) -> int:
        """A descriptor of the caller's own that feeds the program; -1 where it takes no input, or no more."""
        return os.dup(self.ours) if self.ours >= 0 else -1

    def close(self) -> None:
        """No more input."""
        if self.ours >= 0:
            os.close(self.ours)
            self.ours = -1
