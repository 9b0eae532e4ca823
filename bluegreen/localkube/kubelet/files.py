"""Where the files of a pod lie, below the directory of its uid."""

from __future__ import annotations

import contextlib
from pathlib import Path

SCHEME = "process://"  # of containerIDs: the runtime is the operating system's own


def log_file(directory: Path, container: str, container_id: str) -> Path:
    """The output of one instance of a container."""
    return directory / "logs" / container / f"{container_id.removeprefix(SCHEME)}.log"


def message_file(directory: Path, container: str) -> Path:
    """What a container's program writes its termination message to."""
    return directory / "containers" / container / "termination-log"


def keep_latest_log(log: Path) -> None:
    """Drop the logs of all instances but the one whose log this is."""
    with contextlib.suppress(OSError):
        for file in log.parent.iterdir():
            if not file.name.startswith(log.name):
                file.unlink()
