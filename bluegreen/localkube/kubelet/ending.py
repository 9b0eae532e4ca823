"""How a container's program is brought to its end, and what it leaves behind to say about it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

from bluegreen.localkube.kubelet import hooks
from bluegreen.localkube.kubelet.answers import Answer
from bluegreen.localkube.kubelet.files import log_file, message_file
from bluegreen.localkube.kubelet.grace import Grace
from bluegreen.localkube.kubelet.launch import Container, Exit
from bluegreen.localkube.kubelet.logs import last_words

if TYPE_CHECKING:
    from bluegreen.localkube.kubelet.container import ContainerRun

Obj = dict[str, Any]
MESSAGE_LIMIT = 4096  # bytes of a termination message
MINIMUM_GRACE_S = 2.0  # what is left for SIGTERM after a preStop hook: the kubelet's number
PORT_TAKEN = ("address already in use", "eaddrinuse")
PORT_REMEDY = (
    "a port is taken: pods share this machine, so a program must listen on its pod's own address only, which it finds "
    "in the variables POD_IP and HOST"
)


async def stop(container: ContainerRun, grace: Grace) -> None:
    """End the running program: preStop hook, SIGTERM, the grace period, SIGKILL."""
    instance = container.instance
    assert instance is not None
    hook = (container.spec.get("lifecycle") or {}).get("preStop")
    if hook and grace.remaining_s > 0:
        await _pre_stop(container, hook, grace, instance.ended)
    instance.signal(signal.SIGTERM)
    if not await grace.wait(instance.ended, at_least_s=MINIMUM_GRACE_S):
        instance.signal(signal.SIGKILL)
    await asyncio.shield(instance.ended)


async def _pre_stop(container: ContainerRun, hook: Obj, grace: Grace, ended: asyncio.Future[Exit]) -> None:
    """Run the hook for as long as the grace period lasts and the program lives."""
    acting: asyncio.Future[Answer] = asyncio.ensure_future(
        hooks.act(hook, container.place(), container.name, container.pod.title)
    )
    both: list[asyncio.Future[Any]] = [acting, ended]
    either = asyncio.ensure_future(asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED))
    try:
        await grace.wait(either)
    finally:
        either.cancel()
        acting.cancel()
    if not acting.cancelled() and acting.done() and not acting.result().ok:
        container.event("Warning", "FailedPreStopHook", "PreStopHook failed")


def message(container: ContainerRun, code: int) -> str:
    """What the program left as its termination message, or what its log says instead."""
    if not isinstance(container.instance, Container):
        return ""
    with contextlib.suppress(OSError):
        left = message_file(container.pod.directory, container.name).read_bytes()[:MESSAGE_LIMIT]
        if left:
            return left.decode(errors="replace")
    log = log_file(container.pod.directory, container.name, container.container_id)
    words = last_words(log) if code else ""
    if any(sign in words.lower() for sign in PORT_TAKEN):
        container.event("Warning", "PortTaken", f"Container {container.name} ended because {PORT_REMEDY}")
        return f"{words}{PORT_REMEDY}\n"
    return words if container.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" else ""
