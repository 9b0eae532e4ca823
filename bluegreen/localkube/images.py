"""The image registry: an image is a local command with its environment.

In comes an image reference as it stands in a pod, out goes what to run, or None for an image nobody has (which the
kubelet reports as ErrImagePull). Images registered by the user lie in a file of the cluster's state directory and are
read anew whenever that file changes; the bundled sample backend and ``pause`` are rules below. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import site
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bluegreen.errors import InputError, Mistake

# The grammar of a reference, from the Distribution project's reference specification.
_HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}))?",
    re.ASCII,
)
DEFAULT_HOST = "docker.io"
LOG = logging.getLogger(__name__)

SAMPLE = "docker.io/gremlinsai/backend"
SAMPLE_TAG = re.compile(r"(?P<version>v?\d+(?:\.\d+){0,2})(?:-bad-(?P<fault>[a-z0-9-]+))?")
SAMPLE_FAULTS = frozenset(
    {
        "never-ready",
        "crash-loop",
        "slow-start",
        "unhealthy",
        "http-500",
        "wrong-version",
        "no-metrics",
        "deaf",
        "flaky-10",
        "slow",
        "dies-under-load",
        "unready-after-switch",
        "http-500-after-switch",
        "http-500-20s-after-switch",
    }
)


class InvalidReferenceError(ValueError):
    """The text is no image reference; ``str()`` is Kubernetes' own sentence about it."""


@dataclass(frozen=True)
class Reference:
    """An image reference in full: ``docker.io/library/nginx`` and ``latest`` for ``nginx``."""

    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


@dataclass(frozen=True)
class Image:
    """What an image runs. An empty command starts no process: its container merely exists until it is stopped."""

    reference: Reference
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def name(self) -> str:
        """The full reference, as a container's status states it."""
        return str(self.reference)

    @property
    def image_id(self) -> str:
        """What a container's status states as imageID: the repository at its digest."""
        return f"{self.reference.repository}@{self.digest}"


def parse(text: str) -> Reference:
    """Read a reference as Docker and Kubernetes do. Raises InvalidReferenceError."""
    match = REFERENCE.fullmatch(text)
    if not match:
        raise InvalidReferenceError(
            f'Failed to apply default image tag "{text}": couldn\'t parse image name "{text}": invalid reference format'
        )
    host, path = match["host"] or "", match["path"]
    if host and host != "localhost" and host == host.lower() and not set(".:") & set(host):
        host, path = "", f"{host}/{path}"  # the first part is a host only where it looks like one
    host = host or DEFAULT_HOST
    if host == DEFAULT_HOST and "/" not in path:
        path = f"library/{path}"
    digest = match["digest"] or ""
    return Reference(f"{host}/{path}", match["tag"] or ("" if digest else "latest"), digest)


def digest_of(command: Sequence[str], env: Mapping[str, str]) -> str:
    """A digest that changes with what the image runs."""
    content = json.dumps([list(command), dict(sorted(env.items()))])
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


class Images:
    """The registry of one cluster, over the file of what its user registered."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._registered: dict[str, Image] = {}
        self._read_at: tuple[int, int] | None = None

    def resolve(self, text: str) -> Image | None:
        """The image of that reference, or None where there is none. Raises InvalidReferenceError."""
        reference = parse(text)
        if (named := self.registered().get(str(reference))) is not None:  # perhaps by the digest of its registry
            return named
        tagged = str(replace(reference, digest="", tag=reference.tag or "latest"))
        image = self.registered().get(tagged) or _sample(reference) or _pause(reference)
        if image is None or reference.digest not in ("", image.digest):
            return None
        return image

    def registered(self) -> dict[str, Image]:
        """What the user registered, by full reference."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._registered, self._read_at = {}, None
            return self._registered
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp != self._read_at:
            self._read_at = stamp
            try:
                self._registered = _read(self.path)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                LOG.warning("%s is not a list of images (%s): what was known before stays", self.path, error)
        return self._registered

    def add(self, text: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Image:
        """Register a local program under a reference, replacing what was there. Raises InputError."""
        try:
            reference = parse(text)
        except InvalidReferenceError as error:
            remedy = "Write NAME:TAG in lower case, for example team/service:v1."
            raise InputError([Mistake("image", text, "is no image reference.", remedy)]) from error
        if not all(isinstance(part, str) for part in command):
            raise InputError([Mistake("command", None, "is not a list of words.", "Give the program and its words.")])
        image = Image(reference, tuple(command), dict(env or {}), digest_of(command, env or {}))
        _write(self.path, {**self.registered(), str(reference): image})
        return image


def _read(path: Path) -> dict[str, Image]:
    entries: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return {
        text: Image(parse(text), tuple(entry["command"]), entry.get("env", {}), entry["digest"])
        for text, entry in entries.items()
    }


def _write(path: Path, images: Mapping[str, Image]) -> None:
    entries = {
        text: {"command": list(image.command), "env": dict(image.env), "digest": image.digest}
        for text, image in sorted(images.items())
    }
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(entries, file, indent=1)
    partial.replace(path)


def sample_fault(reference: Reference) -> str | None:
    """The fault of the bundled sample's image, "" for a good one; ``None`` for any other image."""
    match = SAMPLE_TAG.fullmatch(reference.tag)
    if reference.repository != SAMPLE or not match:
        return None
    return "" if match["fault"] is None else match["fault"] if match["fault"] in SAMPLE_FAULTS else None


def _sample(reference: Reference) -> Image | None:
    """The bundled sample backend: its tag is its version, a tag that ends ``-bad-FAULT`` has that fault."""
    fault = sample_fault(reference)
    if fault is None:
        return None
    env = {"SAMPLE_VERSION": reference.tag, "SAMPLE_FAULT": fault, **_import_path()}
    command = (sys.executable, "-m", "bluegreen.sample")
    return Image(reference, command, env, digest_of(command, env))


def _import_path() -> dict[str, str]:
    """PYTHONPATH for a package that is run from a checkout and was not installed."""
    root = str(Path(__file__).resolve().parents[2])
    return {} if root in site.getsitepackages() else {"PYTHONPATH": root}


def _pause(reference: Reference) -> Image | None:
    """Any image called ``pause`` exists and starts no process, as a sandbox image does nothing."""
    if reference.repository.rpartition("/")[2] != "pause":
        return None
    return Image(reference, (), {}, digest_of((), {}))
