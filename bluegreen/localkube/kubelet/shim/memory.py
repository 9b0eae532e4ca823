"""A container that has used all the memory it may: how its supervisor learns of it, and counts it.

The whole container ends then, not the one process that the kernel picks: so the kubelet asks for it
(singleProcessOOMKill is off) and the kernel does it in control groups of the second generation (memory.oom.group).
In those of the first the supervisor does it, who is told by an eventfd.
"""

from __future__ import annotations

import os

from .system import suppress, write


def notice(groups: list[str]) -> int | None:
    """A descriptor that can be read once memory has run out in one of the groups; None where the kernel ends all."""
    for path in groups:
        with suppress(OSError):
            control = os.open(f"{path}/memory.oom_control", os.O_RDONLY)
            try:
                told = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                write(f"{path}/cgroup.event_control", f"{told} {control}")
            finally:
                os.close(control)
            return told
    return None


def kills(path: str) -> int:
    """How many processes the kernel killed in this control group for want of memory."""
    for name in ("memory.oom_control", "memory.events"):
        with suppress(OSError), open(f"{path}/{name}") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    return 0
