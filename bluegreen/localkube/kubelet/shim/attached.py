"""Those who listen to a container's output while it is written down: pipes of the daemon's."""

from __future__ import annotations

import os
import select

from .system import suppress

LAST_WORDS_MS = 1000  # how long what is left is offered to them when the container has ended; a choice


class Attached:
    """Pipes by stream, and what each has not taken yet."""

    def __init__(self, poll: select.poll) -> None:
        self.poll = poll
        self.waiting: dict[int, bytes] = {}  # by pipe
        self.streams: dict[int, str] = {}

    def add(self, stream: str, pipe: int) -> None:
        """One more that listens to a stream."""
        os.set_blocking(pipe, False)
        self.waiting[pipe], self.streams[pipe] = b"", stream

    def say(self, stream: str, data: bytes) -> None:
        """Pass on what the stream said."""
        for pipe in [pipe for pipe, name in self.streams.items() if name == stream]:
            self.waiting[pipe] += data
            self.flush(pipe)

    def busy(self, stream: str) -> bool:
        """Whether one of them has not taken all of it: the container has to wait then, as with any pipe."""
        return any(self.waiting[pipe] for pipe, name in self.streams.items() if name == stream)

    def flush(self, pipe: int) -> None:
        """Write what can be written; whoever has left is forgotten."""
        try:
            while data := self.waiting[pipe]:
                self.waiting[pipe] = data[os.write(pipe, data) :]
        except BlockingIOError:
            self.poll.register(pipe, select.POLLOUT)
            return
        except OSError:
            self.drop(pipe)
            return
        with suppress(KeyError):
            self.poll.unregister(pipe)

    def drop(self, pipe: int) -> None:
        with suppress(KeyError):
            self.poll.unregister(pipe)
        del self.waiting[pipe], self.streams[pipe]
        os.close(pipe)

    def finish(self) -> None:
        """The container has ended: all is said."""
        last = select.poll()
        for pipe in list(self.streams):
            while self.waiting.get(pipe):
                last.register(pipe, select.POLLOUT)
                if not last.poll(LAST_WORDS_MS):
                    break
                self.flush(pipe)
            if pipe in self.streams:
                self.drop(pipe)
