"""The bundled sample as a process of a test: free ports on loopback, gone when the test is over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Backend:
    """A running sample."""

    process: subprocess.Popen[str]
    url: str
    metrics_url: str

    @property
    def port(self) -> int:
        """The http port."""
        return int(self.url.rpartition(":")[2])

    def stop(self) -> int:
        """Tell it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def backend(fault: str = "", version: str = "v1", http_port: int = 0, **env: str) -> Iterator[Backend]:
    """Run the sample with this fault and version; further settings by their environment names."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        **{"POD_IP": "127.0.0.1", "SAMPLE_VERSION": version, "SAMPLE_FAULT": fault, "SAMPLE_LINGER_SECONDS": "0"},
        **{"SAMPLE_HTTP_PORT": str(http_port), "SAMPLE_METRICS_PORT": "0"},
        **env,
    }
    command = [sys.executable, "-m", "bluegreen.sample"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        yield Backend(process, f"http://127.0.0.1:{said['http']}", f"http://127.0.0.1:{said['metrics']}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
