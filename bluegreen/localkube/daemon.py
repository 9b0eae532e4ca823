"""The cluster's one process: it assembles all parts, says when the API answers, and ends with nothing left behind.

Started by ``process`` as ``python -m bluegreen.localkube.daemon``. It ends on SIGTERM and SIGINT, and, for a test
cluster, with the process it belongs to.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from bluegreen.errors import HarnessError
from bluegreen.localkube.collector import Collector
from bluegreen.localkube.state import StateDir, hold_lock

_LOG = logging.getLogger("bluegreen.localkube.daemon")  # its __name__ is __main__


def main(arguments: list[str]) -> int:
    """Detach, hold the daemon's lock, run until told to end. 1 when another daemon holds the lock, or on failure."""
    options = _parser().parse_args(arguments)
    if os.fork():
        os._exit(0)  # the caller waits for this short-lived parent only, and no zombie is left to it
    os.umask(0o077)  # whatever this process writes is its user's alone; containers get a mask of their own
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    state = StateDir(options.state, options.name)
    if hold_lock(state.daemon_lock) is None:
        _LOG.error("another process runs this cluster")
        return 1
    try:
        owner_gone = asyncio.run(_run(state, options))
    except HarnessError as error:
        _LOG.error("%s", error)
        return 1
    if owner_gone:
        _remove(state)
    return 0


def _remove(state: StateDir) -> None:
    """Remove the state of a test cluster whose owner cannot do it any more."""
    shutil.rmtree(state.path, ignore_errors=True)
    for parent in (state.path.parent, state.path.parent.parent):
        with contextlib.suppress(OSError):  # other clusters live there
            parent.rmdir()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bluegreen.localkube.daemon", description=__doc__.splitlines()[0])
    parser.add_argument("--state", type=Path, required=True, help="the cluster's state directory")
    parser.add_argument("--name", required=True, help="the cluster's name")
    parser.add_argument("--ready-fd", type=int, default=-1, help="descriptor to write to once the API answers")
    parser.add_argument("--exit-with-pid", type=int, default=0, help="end, and remove all state, with this process")
    parser.add_argument("--audit", action="store_true", help="write a line for each request to the audit log")
    parser.add_argument("--log-level", default="INFO", help="of the log on standard error")
    return parser


async def _run(state: StateDir, options: argparse.Namespace) -> bool:
    """Run the cluster until told to end; gives whether that was because its owner's process is gone."""
    from bluegreen.localkube.assembly import assemble  # after the fork: this loads the server

    ended, owner_gone = asyncio.Event(), asyncio.Event()
    _end_on_signals(ended)
    async with contextlib.AsyncExitStack() as stack:
        if options.exit_with_pid:
            stack.enter_context(_end_of_process(options.exit_with_pid, ended, owner_gone))
        collector = Collector()
        stack.push_async_callback(collector.stop)
        facts = await stack.enter_async_context(assemble(state, audit=options.audit))
        _LOG.info("the API answers at %s", state.update(pid=os.getpid(), **facts).server)
        _say_ready(options.ready_fd)
        await collector.start()
        await ended.wait()
        _LOG.info("ending")
    return owner_gone.is_set()


def _end_on_signals(ended: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # outlives the terminal that started it


@contextlib.contextmanager
def _end_of_process(pid: int, *events: asyncio.Event) -> Iterator[None]:
    """Set ``events`` when process ``pid`` ends, whatever ends it."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        for event in events:
            event.set()
        yield
        return
    loop.add_reader(descriptor, _set_all, loop, descriptor, events)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _set_all(loop: asyncio.AbstractEventLoop, descriptor: int, events: Iterable[asyncio.Event]) -> None:
    loop.remove_reader(descriptor)  # it stays readable from now on
    for event in events:
        event.set()


def _say_ready(descriptor: int) -> None:
    if descriptor < 0:
        return
    with contextlib.suppress(BrokenPipeError):  # whoever started it is gone: it runs on all the same
        os.write(descriptor, b"ready")
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
