"""What a CustomResourceDefinition says of its objects in one version: what built-in kinds have no need of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bluegreen.localkube.custom.structural import Schema

if TYPE_CHECKING:
    from bluegreen.localkube.custom.columns import Column
    from bluegreen.localkube.schema import Struct


@dataclass(frozen=True)
class ScalePaths:
    """Where an object keeps what its /scale shows: keys from the object's root. ``selector`` () : nowhere."""

    spec_replicas: tuple[str, ...]
    status_replicas: tuple[str, ...]
    selector: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CustomResource:
    """One version of a custom kind.

    ``schema``: its openAPIV3Schema. ``identity``: (group, version, kind). ``stored_as``: the apiVersion in which
    objects are stored; ``versions``: how many there are. ``deprecation``: what those who use it are told, or "".
    ``fixed``: the definition is being deleted, so nothing new is created.
    """

    identity: tuple[str, str, str]
    schema: Schema
    served: bool
    stored_as: str
    versions: int
    columns: tuple[Column, ...] = ()
    has_status: bool = False
    scale: ScalePaths | None = None
    deprecation: str = ""
    fixed: bool = False

    @cached_property
    def struct(self) -> Struct:
        """What its objects consist of, for patches and managers."""
        from bluegreen.localkube.custom.fields import struct_of  # loaded by clusters that have custom kinds only

        return struct_of(self.schema, self.identity, status_apart=self.has_status)
