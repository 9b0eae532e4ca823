"""Finding a container's image, with the waiting reasons, events and back-off of a kubelet that pulls images."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bluegreen import clock
from bluegreen.localkube.images import Image, Images, InvalidReferenceError, parse
from bluegreen.localkube.kubelet.backoff import BackOff

NEVER, ALWAYS = "Never", "Always"  # imagePullPolicy
RETRY_S = 10.0  # the kubelet's pause between syncs of a pod that failed one
SHOWN_S = 1.0  # how long ErrImagePull is shown before ImagePullBackOff is; a choice


@dataclass
class Puller:
    """Gets one container's image. ``wait`` shows (reason, message), ``event`` records (type, reason, message)."""

    images: Images
    name: str
    policy: str
    wait: Callable[[str, str], None]
    event: Callable[[str, str, str], None]
    delay_s: Callable[[], float]
    _back_off: BackOff = field(default_factory=BackOff)

    async def image(self) -> Image:
        """The image, once there is one: for ever, where it never comes."""
        while True:
            found = await self._attempt()
            if found is not None:
                return found

    async def _attempt(self) -> Image | None:
        try:
            image = self.images.resolve(self.name)
        except InvalidReferenceError as error:
            await self._refuse("InvalidImageName", "InspectFailed", str(error))
            return None
        if self.policy == NEVER and image is None:
            message = f'Container image "{self.name}" is not present with pull policy of Never'
            await self._refuse("ErrImageNeverPull", "ErrImageNeverPull", message)
            return None
        return await self._pull(image)

    async def _refuse(self, reason: str, event: str, message: str) -> None:
        """Show a refusal that only a change outside can end, and let some time pass."""
        self.wait(reason, message)
        self.event("Warning", event, message)
        self.event("Warning", "Failed", f"Error: {reason}")
        await asyncio.sleep(RETRY_S)

    async def _pull(self, image: Image | None) -> Image | None:
        """Say what a pull would say; None after a failed one and its back-off."""
        delay_s = self.delay_s()
        if image and self.policy != ALWAYS and not delay_s:
            self.event("Normal", "Pulled", f'Container image "{self.name}" already present on machine')
            return image
        began_s = clock.now_s()
        self.event("Normal", "Pulling", f'Pulling image "{self.name}"')
        if delay_s:
            await asyncio.sleep(delay_s)
        if image is None:
            await self._fail()
            return None
        took = f"{(clock.now_s() - began_s) * 1000:.0f}ms"
        pulled = f'Successfully pulled image "{self.name}" in {took} ({took} including waiting). Image size: 0 bytes.'
        self.event("Normal", "Pulled", pulled)
        return image

    async def _fail(self) -> None:
        full = parse(self.name)
        failed = f'rpc error: code = NotFound desc = failed to pull and unpack image "{full}"'
        message = f"{failed}: failed to resolve image: {full}: not found"
        self.event("Warning", "Failed", f'Failed to pull image "{self.name}": {message}')
        self.event("Warning", "Failed", "Error: ErrImagePull")
        self.wait("ErrImagePull", message)
        failed_s = clock.now_s()
        self._back_off.advance(failed_s)
        await asyncio.sleep(SHOWN_S)
        self.wait("ImagePullBackOff", f'Back-off pulling image "{self.name}": ErrImagePull: {message}')
        self.event("Normal", "BackOff", f'Back-off pulling image "{self.name}"')
        self.event("Warning", "Failed", "Error: ImagePullBackOff")
        await asyncio.sleep(self._back_off.remaining_s(failed_s, clock.now_s()))
