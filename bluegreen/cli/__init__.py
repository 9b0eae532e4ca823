"""The command ``bluegreen``: the embedded cluster, and everything about releases that is not a test run.

Arguments come in, calls go to the library, sentences come out. Every error is a sentence on standard error and an
exit code, never a traceback; what a release's exit codes mean stands in ``verdict``.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from bluegreen.cli import arguments as grammar
from bluegreen.cli.exits import HARNESS_FAILED, INTERRUPTED, OK, of
from bluegreen.errors import HarnessError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    parsed = grammar.parser().parse_args(arguments)
    command: grammar.Command = parsed.command
    _interrupt_once()
    try:
        return command(parsed)
    except HarnessError as error:
        print(f"bluegreen: {error}", file=sys.stderr)
        return of(error)
    except KeyboardInterrupt:
        print("bluegreen: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        print(f"bluegreen: {error}", file=sys.stderr)
        return HARNESS_FAILED


def _interrupt_once() -> None:
    """SIGINT and SIGTERM end a command, which mends what it began; while it does so, further ones change nothing."""
    told: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt
        said = b"bluegreen: already ending; what was begun is being put in order.\n"
        os.write(2, said)  # no stream of Python's: what was interrupted may be writing to one just now

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
        atexit.register(signal.signal, number, signal.SIG_IGN)  # or Python's end makes its exit code the signal's
