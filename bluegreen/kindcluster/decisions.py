"""What to ask of kind, docker and podman: command lines and a configuration. Nothing here runs anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from bluegreen import localkube

NAME = "bluegreen"

API_PORT = 6443
"""Where the API server listens in kind's node; kind publishes it besides."""

DOCKER, PODMAN = "docker", "podman"
ENGINES = (DOCKER, PODMAN)

READY = "120s"
"""A choice: how long kind waits for the node to be Ready; a machine that pulls its image at the same time is slow."""

Ports = Mapping[int, tuple[str, int]]
"""NodePort -> host and port of this machine where it answers."""

Command = list[str]


class Bring(StrEnum):
    """How an image gets onto the node."""

    BUILD = "build"  # the sample's, from its Dockerfile; then as LOAD
    LOAD = "load"  # this machine has it: no registry needs to
    PULL = "pull"  # the node asks the image's registry


def missing(has_kind: bool, engine: str, refusals: Mapping[str, str]) -> tuple[str, str] | None:
    """The sentence and the remedy when ``CLUSTER=kind`` cannot work here; ``None`` when it can.

    ``engine`` is the program that answers, "" for none; ``refusals`` is what those said that are there and do not.
    """
    otherwise = "or use CLUSTER=local, which needs neither."
    if not has_kind:
        return (
            "CLUSTER=kind: there is no program kind on PATH.",
            f"Install it (https://kind.sigs.k8s.io) and docker or podman, {otherwise}",
        )
    if engine:
        return None
    if refusals:
        said = "; ".join(f"{name}: {why}" for name, why in refusals.items())
        return f"CLUSTER=kind: no container engine answers ({said}).", f"Start it, {otherwise}"
    return "CLUSTER=kind: there is neither docker nor podman on PATH.", f"Install one of them, {otherwise}"


def candidates(chosen: str) -> Sequence[str]:
    """The engines to try, in kind's own order; the one of KIND_EXPERIMENTAL_PROVIDER alone where that is set."""
    return (chosen,) if chosen in ENGINES else ENGINES


def configuration(ports: Mapping[int, int]) -> str:
    """kind's configuration (JSON, which is YAML): one node, its NodePorts on 127.0.0.1 at these ports; 0: any."""
    mappings = [
        {"containerPort": node_port, "hostPort": host_port, "listenAddress": "127.0.0.1", "protocol": "TCP"}
        for node_port, host_port in ports.items()
    ]
    cluster = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": "127.0.0.1"},
        "nodes": [{"role": "control-plane", "extraPortMappings": mappings}],
    }
    return json.dumps(cluster, indent=2)


def create(file: Path, kubeconfig: Path, node_image: str) -> Command:
    """Make the cluster."""
    chosen = ["--image", node_image] if node_image else []
    return [
        *("kind", "create", "cluster", "--name", NAME, "--config", str(file), "--kubeconfig", str(kubeconfig)),
        *("--wait", READY, *chosen),
    ]


def export(kubeconfig: Path) -> Command:
    """Write the kubeconfig of a cluster that is there."""
    return ["kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", str(kubeconfig)]


def delete(kubeconfig: Path) -> Command:
    """Delete the cluster."""
    return ["kind", "delete", "cluster", "--name", NAME, "--kubeconfig", str(kubeconfig)]


def published(text: str) -> dict[int, tuple[str, int]]:
    """What ``docker port`` (or podman's) says: ``30080/tcp -> 127.0.0.1:30080``, a line a port. Loopback only."""
    found = re.findall(r"^(\d+)/tcp -> (127\.0\.0\.1):(\d+)\s*$", text, re.MULTILINE)
    return {int(node): (host, int(port)) for node, host, port in found if int(node) != API_PORT}


def inspect(engine: str, reference: str) -> Command:
    """Ask whether this machine has an image."""
    return [engine, "image", "inspect", reference]


def bring(reference: str, *, here: bool) -> Bring:
    """How an image gets onto the node. One named by digest is its registry's: a local build has another."""
    if sample(reference):
        return Bring.BUILD
    return Bring.LOAD if here and "@" not in reference else Bring.PULL


def sample(reference: str) -> tuple[str, str] | None:
    """Version and fault of the bundled sample's image; ``None`` for any other image."""
    parsed = localkube.parse_image(reference)
    fault = localkube.sample_fault(parsed)
    return None if fault is None or parsed.digest else (parsed.tag, fault)


def build(engine: str, reference: str, context: Path) -> Command:
    """Build the sample's image. Its whole name is given: podman would put ``localhost/`` before a short one."""
    version, fault = sample(reference) or ("", "")
    return [
        *(engine, "build", "--file", str(context / "bluegreen" / "sample" / "Dockerfile")),
        *("--build-arg", f"VERSION={version}", "--build-arg", f"FAULT={fault}"),
        *("--tag", str(localkube.parse_image(reference)), str(context)),
    ]


def load(engine: str, reference: str, archive: Path) -> list[Command]:
    """Put an image of this machine onto the node; kind itself knows docker's images only."""
    name = str(localkube.parse_image(reference))
    if engine == DOCKER:
        return [["kind", "load", "docker-image", name, "--name", NAME]]
    return [
        [engine, "save", "--format", "docker-archive", "--output", str(archive), name],
        ["kind", "load", "image-archive", str(archive), "--name", NAME],
    ]
