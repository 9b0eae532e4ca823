"""The standard streams of a program in a container, as somebody far away has them: pieces of output, and an input."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios

from bluegreen.errors import HarnessError

CHUNK = 64 * 1024
PIECES = 16  # of output that wait for a slow reader before the program has to wait too; a choice
RETRY_S = 0.01  # between attempts to feed a program that does not read; a choice


class NotStreamedError(HarnessError):
    """There is nothing to be connected to; the sentence is the kubelet's."""


class Streams:
    """``stdout`` and ``stderr`` give what is said, in pieces of which an empty one is the last; ``write`` feeds it."""

    def __init__(self, *, tty: bool) -> None:
        self.tty = tty
        self.stdout: asyncio.Queue[bytes] = asyncio.Queue(PIECES)
        self.stderr: asyncio.Queue[bytes] = asyncio.Queue(PIECES)
        self._loop = asyncio.get_running_loop()
        self._readers: set[int] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._input = -1

    def _follow(self, descriptor: int, queue: asyncio.Queue[bytes]) -> None:
        os.set_blocking(descriptor, False)
        self._readers.add(descriptor)
        self._loop.add_reader(descriptor, self._read, descriptor, queue)

    def _read(self, descriptor: int, queue: asyncio.Queue[bytes]) -> None:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose other side is closed
            data = b""
        if queue.full():
            self._loop.remove_reader(descriptor)
            self._waiting.add(self._loop.create_task(self._put(descriptor, queue, data)))
            return
        queue.put_nowait(data)
        if not data:
            self._forget(descriptor)

    async def _put(self, descriptor: int, queue: asyncio.Queue[bytes], data: bytes) -> None:
        """Read no more until the reader has taken something."""
        await queue.put(data)
        if not data:
            self._forget(descriptor)
        elif descriptor in self._readers:
            self._loop.add_reader(descriptor, self._read, descriptor, queue)

    def _forget(self, descriptor: int) -> None:
        if descriptor in self._readers:
            self._readers.discard(descriptor)
            self._loop.remove_reader(descriptor)
            if descriptor != self._input:
                os.close(descriptor)

    async def write(self, data: bytes) -> None:
        """Feed it; what it does not take any more is dropped."""
        while data and self._input >= 0:
            try:
                data = data[os.write(self._input, data) :]
            except BlockingIOError:
                await asyncio.sleep(RETRY_S)
            except OSError:
                return

    def close_input(self) -> None:
        """End its input; a terminal has no end."""
        if not self.tty:
            self._close_input()

    def _close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal how large it is."""
        if self.tty and self._input >= 0:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Let go of everything."""
        for task in self._waiting:
            task.cancel()
        for descriptor in list(self._readers):
            self._forget(descriptor)
        self._close_input()
