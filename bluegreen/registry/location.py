"""Which registry an image reference names, and what it is called there. Pure.

The rules are those of github.com/distribution/reference: a first part with a dot, a colon or the name ``localhost`` is
a registry's; anything else is on Docker Hub, where a name of one part lies in ``library``.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from bluegreen.grammar import Image

DOCKER_HUB = "docker.io"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_API = "registry-1.docker.io"
"""Docker Hub's images are named by ``docker.io``, and its API is elsewhere."""


@dataclass(frozen=True)
class Location:
    """Where an image is to be had."""

    registry: str
    """Host and perhaps port, as credentials name it."""
    repository: str
    reference: str
    """A tag or a digest; the digest where there are both, as nodes take it."""

    @property
    def url(self) -> str:
        """The base URL of the registry's API: HTTPS, but for a registry on this very machine."""
        host = _HUB_API if self.registry == DOCKER_HUB else self.registry
        return f"{'http' if is_loopback(self.registry) else 'https'}://{host}"

    @property
    def path(self) -> str:
        """What the patterns of credentials are held against: registry and repository."""
        return f"{self.registry}/{self.repository}"

    def pinned(self, digest: str) -> str:
        """The reference of this very content. Without a tag: CRI-O did not take both for long."""
        return f"{self.registry}/{self.repository}@{digest}"


def locate(image: Image) -> Location:
    """Where an image lies that a reference names."""
    first, slash, rest = image.repository.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = DOCKER_HUB, image.repository
    if first in _HUB_NAMES:
        first, rest = DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
    return Location(first, rest, image.digest or image.tag or "latest")


def is_loopback(registry: str) -> bool:
    """Whether a host, perhaps with a port, is this machine."""
    host = registry.rpartition(":")[0] if registry.rpartition(":")[2].isdecimal() else registry
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
