"""Runs the sample: listen, serve, and on SIGTERM drain and exit with 0.

Exit codes: 0 stopped as asked; 1 could not listen, or a fault ended it; 2 a setting that cannot be used.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from bluegreen.sample.app import App
from bluegreen.sample.settings import SampleSettings, SettingsError, load


async def serve(settings: SampleSettings) -> int:
    """Serve until told to stop; the exit code."""
    app = App(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await app.http.listen(settings.host, settings.http_port)
        await app.metrics_http.listen(settings.host, settings.metrics_port)
    except OSError as error:
        print(f"cannot listen on {settings.host or 'every address'}: {error.strerror}", file=sys.stderr, flush=True)
        return 1
    ports = {"http": app.http.port, "metrics": app.metrics_http.port}
    print(json.dumps({"event": "listening", **ports, "version": app.version}), flush=True)
    app.fault.watch()
    await stop.wait()
    await stop_gracefully(app)
    return 0


async def stop_gracefully(app: App) -> None:
    """Drain: finish what is in flight, let idle connections go, then close; at the latest ``drain_s`` after it began
    to drain, be that now or when it was told to."""
    app.drain()
    started_s = asyncio.get_running_loop().time()
    try:
        await asyncio.sleep(app.settings.linger_s)
        async with asyncio.timeout_at(app.http.drain_begun_s + app.settings.drain_s):
            await app.http.until_no_connections()
    except TimeoutError:
        pass  # what is still open is counted in the line below and cut
    waited_s = round(asyncio.get_running_loop().time() - started_s, 3)
    print(json.dumps({"event": "stopped", "drained_s": waited_s, "cut": app.http.open_connections}), flush=True)
    app.http.close()
    app.metrics_http.close()


def main() -> int:
    """The command ``python -m bluegreen.sample``."""
    try:
        settings = load(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
