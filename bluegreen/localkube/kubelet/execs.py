"""A program run in a container on somebody's behalf (``kubectl exec``), with its streams."""

from __future__ import annotations

import os
import pty

from bluegreen.localkube.kubelet.launch import Container, Exec
from bluegreen.localkube.kubelet.streams import Streams


class ExecSession(Streams):
    """A started program. ``ended``: its exit code; StartError when it could not be started."""

    def __init__(self, container: Container, argv: list[str], env: dict[str, str], *, stdin: bool, tty: bool) -> None:
        super().__init__(tty=tty)
        ours = self._terminal(container, argv, env) if tty else self._pipes(container, argv, env, stdin)
        self._exec: Exec = ours
        self.ended = ours.ended

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

    def close(self) -> None:
        """Let go of everything; a program that still runs is killed."""
        if not self.ended.done():
            self._exec.kill()
        super().close()
