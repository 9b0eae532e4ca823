"""Being attached to a container's own program (``kubectl attach``, ``kubectl run -i``): its output from now on, and its
input where it has one. Leaving does not end the program."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from bluegreen.localkube.kubelet.launch import Container
from bluegreen.localkube.kubelet.streams import Streams


class Attachment(Streams):
    """Somebody at a container's streams, from when ``begun`` is done.

    ``once``: its input ends with the first who was attached to it (stdinOnce).
    """

    def __init__(self, container: Container, *, stdin: bool, once: bool) -> None:
        super().__init__(tty=container.spec.tty)
        self._container = container if stdin else None
        self._once = once
        if stdin or self.tty:  # a terminal's size is told through the same descriptor
            self._input = container.input()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        try:
            self.begun = container.attach(out_write, err_write)
        finally:
            os.close(out_write)
            os.close(err_write)
        self._follow(out_read, self.stdout)
        self._follow(err_read, self.stderr)

    async def write(self, data: bytes) -> None:
        """Feed the program, where its input was asked for."""
        if self._container:
            await super().write(data)

    def close_input(self) -> None:
        """The client's input has ended: so does the program's, unless it waits for others."""
        if self._container and self._once and not self.tty:
            self._close_input()
            self._container.end_input()

    def close(self) -> None:
        """Leave."""
        self.close_input()
        super().close()


class Silence(Streams):
    """Attached to a container that runs no program: nothing is said until it ends."""

    def __init__(self, ended: asyncio.Future[Any]) -> None:
        super().__init__(tty=False)
        self._ended = ended
        ended.add_done_callback(self._say_end)

    def _say_end(self, _: asyncio.Future[Any]) -> None:
        for queue in (self.stdout, self.stderr):
            queue.put_nowait(b"")

    def close(self) -> None:
        """Leave."""
        self._ended.remove_done_callback(self._say_end)
        super().close()
