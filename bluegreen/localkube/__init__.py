"""An embedded Kubernetes for development and tests: an API on loopback whose pods are local processes.

This is its door: start it, find it, stop it, name its kubeconfig, register images. The cluster itself runs in a
process of its own (``daemon``), spoken to over HTTPS by any Kubernetes client. ``NOT_EMULATED`` says what it leaves
out. Importing the door loads neither the server nor its libraries.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.errors import CannotStartError
from bluegreen.localkube import faults, process
from bluegreen.localkube.faults import FaultRefusedError
from bluegreen.localkube.images import Image, Images, Reference, sample_fault
from bluegreen.localkube.images import parse as parse_image
from bluegreen.localkube.not_emulated import NOT_EMULATED
from bluegreen.localkube.ports import UNPRIVILEGED_OFFSET
from bluegreen.localkube.process import Options
from bluegreen.localkube.state import DEFAULT_NAME, Record, StateDir, directory, fingerprint, home, names

__all__ = [
    "DEFAULT_NAME",
    "GATEWAY_CLASS",
    "NOT_EMULATED",
    "UNPRIVILEGED_OFFSET",
    "Cluster",
    "FaultRefusedError",
    "Image",
    "Options",
    "Reference",
    "add_image",
    "find",
    "gateway_api",
    "home",
    "is_embedded",
    "list_images",
    "missing",
    "names",
    "parse_image",
    "running",
    "sample_fault",
    "start",
    "stop",
]


GATEWAY_CLASS = "localkube"
"""The GatewayClass that is there once the Gateway API's definitions are."""

VERSION_MARK = "+localkube"
"""What the version that an embedded cluster states ends with."""


def is_embedded(git_version: str) -> bool:
    """Whether the version that a server states is an embedded cluster's, under whatever name it is connected to."""
    return git_version.endswith(VERSION_MARK)


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs: where its API listens and what a client needs."""

    state: StateDir
    record: Record
    started_now: bool = False  # whether this call started it, rather than found it

    @property
    def name(self) -> str:
        """The name it was started by."""
        return self.state.name

    @property
    def server(self) -> str:
        """The URL of the API."""
        return self.record.server

    @property
    def pid(self) -> int:
        """The daemon's process."""
        return self.record.pid

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig for any Kubernetes client; mode 0600."""
        return self.state.kubeconfig

    @property
    def context(self) -> str:
        """The context in that kubeconfig."""
        return self.state.context

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed the server's, PEM."""
        return self.state.certificates / "ca.crt"

    @property
    def token(self) -> str:
        """The administrator's bearer token: a secret."""
        return self.state.token.read_text().strip()

    @property
    def audit_log(self) -> Path:
        """Where the audit log is, if the cluster was started with one: lines of audit.k8s.io/v1 Events."""
        return self.state.audit_log

    @property
    def base(self) -> Path:
        """The directory of all clusters' state that this one's is in."""
        return self.state.path.parents[1]

    @property
    def outdated(self) -> bool:
        """Whether it was started by other code than is installed now."""
        return self.record.fingerprint != fingerprint()

    def stop(self) -> None:
        """End it with all its pods; its objects stay for the next start."""
        stop(self.name, base=self.base)

    def add_image(self, ref: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Image:
        """Register a local program as an image."""
        return Images(self.state.images).add(ref, command, env)

    # -- faults on demand: their kinds and fields stand in ``faults.KINDS`` ------------------------------------------
    def set_fault(self, kind: str, name: str = "", **fields: object) -> dict[str, Any]:
        """Put a fault to work, in place of one of the same name; gives it with everything left to its default.

        Raises InputError for what cannot be meant and FaultRefusedError for a pod that is not there.
        """
        given = {"kind": kind, **fields, **({"name": name} if name else {})}
        faults.read(given)
        answer: dict[str, Any] = self._ask_faults("POST", given)
        return answer

    def faults(self) -> list[dict[str, Any]]:
        """Every fault at work; those that strike requests with how many they saw and struck."""
        return list(self._ask_faults("GET")["faults"])

    def clear_faults(self, name: str = "") -> list[dict[str, Any]]:
        """End one fault, or all of them; gives what they were. Raises FaultRefusedError for one that is not there."""
        return list(self._ask_faults("DELETE", name=name)["faults"])

    def _ask_faults(self, method: str, body: dict[str, Any] | None = None, name: str = "") -> Any:
        from bluegreen.localkube import fault_client

        return fault_client.ask(self.server, self.authority, self.token, method, body, name)


def start(
    name: str = DEFAULT_NAME,
    *,
    base: Path | None = None,
    fresh: bool = False,
    restart: bool = False,
    options: Options | None = None,
) -> Cluster:
    """The cluster of this name, started where it does not run; returns when its API answers.

    ``fresh`` forgets every object first; ``restart`` ends a running one before, and keeps its objects. ``base`` is
    the directory of all clusters' state. Two callers at once get the same cluster. Raises CannotStartError.
    """
    state, options = directory(name, base), options or Options()
    options.check()
    with state.changing():
        record = process.running(state)
        if record is not None and not (fresh or restart):
            return Cluster(state, record)
        process.stop(state)
        if fresh:
            state.empty()
        return Cluster(state, process.spawn(state, options), started_now=True)


def find(name: str = DEFAULT_NAME, *, base: Path | None = None) -> Cluster | None:
    """The cluster of this name if it runs."""
    state = directory(name, base)
    record = process.running(state)
    return None if record is None else Cluster(state, record)


def stop(name: str = DEFAULT_NAME, *, base: Path | None = None) -> bool:
    """End the cluster of this name with all its pods; gives whether it ran. Its objects stay."""
    state = directory(name, base)
    if not state.path.exists():
        return False
    with state.changing():
        return process.stop(state)


def add_image(
    name: str, ref: str, command: Sequence[str], env: Mapping[str, str] | None = None, *, base: Path | None = None
) -> Image:
    """Register a local program as an image of the cluster of this name, running or not."""
    state = directory(name, base)
    state.prepare()
    return Images(state.images).add(ref, command, env)


def list_images(name: str = DEFAULT_NAME, *, base: Path | None = None) -> list[Image]:
    """Every image registered with the cluster of this name. The bundled sample is not listed: it is there by rule."""
    return list(Images(directory(name, base).images).registered().values())


def gateway_api() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions by which this cluster's router serves Gateways and HTTPRoutes, to be applied."""
    import yaml

    content = (Path(__file__).parent / "router" / "gateway_api.yaml").read_text()
    found: list[dict[str, Any]] = yaml.safe_load(content)["items"]
    return found


def missing() -> list[str]:
    """What pods cannot have on this machine, for this user; a sentence each, empty when nothing is missing."""
    from bluegreen.localkube.kubelet import capabilities

    return capabilities.missing()


@contextlib.contextmanager
def running(
    name: str = "test", *, allocatable_cpu: str = "", allocatable_memory: str = "", audit: bool = False
) -> Iterator[Cluster]:
    """A cluster for tests: empty, in a directory of its own, gone at the end, also when this process is killed."""
    base = Path(tempfile.mkdtemp(prefix="localkube-"))
    options = Options(allocatable_cpu, allocatable_memory, exit_with_pid=os.getpid(), audit=audit)
    try:
        yield start(name, base=base, options=options)
    finally:
        with contextlib.suppress(CannotStartError):
            stop(name, base=base)
        shutil.rmtree(base, ignore_errors=True)
