"""Asking an image's registry what a reference means, by the OCI distribution API, as a node would that pulls it.

Comes in: a reference and the credentials of pull secrets. Goes out: what the registry ``Found`` (digest, platforms), or
a ``RegistryError`` that says which of the ways in which it can go wrong it was. Only reads; plain HTTP to this very
machine only. Nothing here knows of a cluster.
"""

from bluegreen.registry.client import (
    AccessRefusedError,
    Found,
    NotAnImageError,
    NotThereError,
    RegistryError,
    UnansweredError,
    resolve,
)
from bluegreen.registry.credentials import Credential, for_image, read_pull_secret
from bluegreen.registry.location import Location, locate

__all__ = [
    "AccessRefusedError",
    "Credential",
    "Found",
    "Location",
    "NotAnImageError",
    "NotThereError",
    "RegistryError",
    "UnansweredError",
    "for_image",
    "locate",
    "read_pull_secret",
    "resolve",
]
