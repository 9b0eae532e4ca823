"""A program run in a container on somebody's behalf (``kubectl exec``), with its streams."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import termios

from bluegreen.localkube.kubelet.launch import Container, Exec

CHUNK = 64 * 1024
PIECES = 16  # of output that wait for a slow reader before the program has to wait too; a choice


class ExecSession:
    """A started program: ``stdout`` and ``stderr`` give what it says, ``write`` feeds it, ``ended`` its exit code."""

    def __init__(self, container: Container, argv: list[str], env: dict[str, str], *, stdin: bool, tty: bool) -> None:
        self.tty = tty
        self.stdout: asyncio.Queue[bytes] = asyncio.Queue(PIECES)
        """What it says, in pieces; an empty piece ends it."""
        self.stderr: asyncio.Queue[bytes] = asyncio.Queue(PIECES)
        self._loop = asyncio.get_running_loop()
        self._readers: set[int] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._input = -1
        ours = self._terminal(container, argv, env) if tty else self._pipes(container, argv, env, stdin)
        self._exec: Exec = ours
        self.ended = ours.ended
        """Its exit code; StartError when it could not be started."""

    def _terminal(self, container: Container, argv: list[str], env: dict[str, str]) -> Exec:
        master, slave = pty.openpty()
        os.set_blocking(master, False)
        try:
            started = container.exec(argv, (slave, slave, slave), env={"TERM": "xterm", **env}, tty=True)
        finally:
            os.close(slave)
        self._input = master
        self._follow(master, self.stdout)
        self.stderr.put_nowait(b"")
        return started

    def _pipes(self, container: Container, argv: list[str], env: dict[str, str], stdin: bool) -> Exec:
        in_read, self._input = os.pipe()
        os.set_blocking(self._input, False)  # a program that does not read must not stop the cluster
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        try:
            started = container.exec(argv, (in_read, out_write, err_write), env=env)
        finally:
            for descriptor in (in_read, out_write, err_write):
                os.close(descriptor)
        if not stdin:
            self.close_input()
        self._follow(out_read, self.stdout)
        self._follow(err_read, self.stderr)
        return started

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
                await asyncio.sleep(0.01)
            except OSError:
                return

    def close_input(self) -> None:
        """End its input."""
        if self._input >= 0 and not self.tty:
            os.close(self._input)
            self._input = -1

    def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal how large it is."""
        if self.tty and self._input >= 0:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._input, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Let go of everything; a program that still runs is killed."""
        if not self.ended.done():
            self._exec.kill()
        for task in self._waiting:
            task.cancel()
        for descriptor in list(self._readers):
            self._forget(descriptor)
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
