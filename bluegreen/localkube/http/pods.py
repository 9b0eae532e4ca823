"""What the server needs of the kubelet: the logs and the programs of a pod's containers."""

from __future__ import annotations

from typing import Protocol


class PodDoor(Protocol):
    """The kubelet, as far as requests about pods go."""
