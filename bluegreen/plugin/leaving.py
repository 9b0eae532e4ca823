"""A test that ends this process by ``os._exit(0)`` leaves a release half done, and says that all went well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from bluegreen.verdict import Outcome, exit_code


@contextmanager
def never_as_a_success(tell: Callable[[str], None]) -> Iterator[None]:
    """Within the block ``os._exit(0)`` of this very process exits as a harness that failed.

    Nothing can be put in order any more then, which the next run or ``bluegreen recover`` does; but a pipeline must not
    read a release into it. Processes that were forked off end as they like.
    """
    leave, owner = os._exit, os.getpid()

    def left(status: int) -> NoReturn:
        if status == 0 and os.getpid() == owner:
            tell("a test ended this run by os._exit(0): `bluegreen recover` mends what is left")
            status = exit_code(Outcome.HARNESS_FAILED)
        leave(status)

    os._exit = left
    try:
        yield
    finally:
        os._exit = leave
