"""What this system lets a container have: asked once, answered to the kubelet and to the door.

Nothing here changes the system; the trial of namespaces runs in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SHIM_DIRECTORY = str(Path(__file__).parent)


@dataclass(frozen=True)
class Capabilities:
    """``namespaces``: "root", "user" (an unprivileged user namespace) or "none"."""

    namespaces: str

    @property
    def volumes(self) -> bool:
        """Whether a container can have volumes at their paths."""
        return self.namespaces != "none"


@cache
def here() -> Capabilities:
    """What this system permits this user."""
    return Capabilities(_namespaces())


def shim_command(call: str) -> list[str]:
    """A command line that calls a function of the shim in an interpreter that starts fast and imports nothing else."""
    code = f"import sys; sys.path.append({SHIM_DIRECTORY!r}); from shim import supervisor; {call}"
    return [sys.executable, "-I", "-S", "-c", code]


def _namespaces() -> str:
    result = subprocess.run(shim_command("print(supervisor.permitted())"), capture_output=True, text=True, timeout=30)
    return result.stdout.strip() or "none"


def missing() -> list[str]:
    """What pods cannot have on this system, a sentence each; empty when nothing is missing."""
    if here().volumes:
        return []
    return [
        "Linux namespaces are not permitted (neither as root nor as an unprivileged user namespace): pods run, but "
        "a pod that mounts a volume fails, and pods see the host's resolv.conf and hosts files. "
        "Run as root, or allow unprivileged user namespaces (sysctl user.max_user_namespaces and, where it exists, "
        "kernel.apparmor_restrict_unprivileged_userns=0).",
    ]
