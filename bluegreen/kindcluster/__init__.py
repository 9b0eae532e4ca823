"""``CLUSTER=kind``: a Kubernetes in containers on this machine, made when it is not there, removed when asked.

The cluster is called ``bluegreen`` and has a kubeconfig of its own: the user's is neither read nor written, and its
current context stays what it is. What is decided stands in ``decisions``; here programs are run: kind itself, and the
docker or podman that it runs its node in.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bluegreen import clock, localkube
from bluegreen.errors import CannotStartError
from bluegreen.kindcluster import decisions, programs
from bluegreen.kindcluster.decisions import NAME, Bring, Ports
from bluegreen.kindcluster.programs import Programs

__all__ = ["DOWN", "NAME", "Cluster", "Ports", "bring_image", "brings", "kubeconfig", "start", "status", "stop"]

CONTEXT = f"kind-{NAME}"
DOWN = "bluegreen cluster down --kind"


@dataclass(frozen=True)
class Cluster:
    """The kind cluster, as it was found or made."""

    kubeconfig: Path
    context: str
    published: Ports  # which NodePorts this machine answers on 127.0.0.1, and where
    note: str  # what was made, in words; empty when it was there


def start(node_ports: Iterable[int], node_image: str = "") -> Cluster:
    """The cluster, made from ``node_image`` (kind's own choice when empty) if it is not there.

    One that is made answers at these NodePorts on 127.0.0.1, at the same numbers where they are free.

    Raises ``CannotStartError`` when kind, or what it runs nodes in, is absent or refuses.
    """
    found = programs.find()
    path, note = _home() / "kubeconfig", ""
    if NAME in programs.clusters(found):
        programs.run(found, decisions.export(path), programs.SHORT_S)
    else:
        began_s = clock.now_s()
        _create(found, decisions.configuration(_host_ports(node_ports)), path, node_image)
        note = f"The kind cluster {NAME} was made in {clock.now_s() - began_s:.0f} s. Remove it: {DOWN}"
    return Cluster(path, CONTEXT, _published(found), note)


def kubeconfig() -> Path:
    """The path of its kubeconfig. Raises ``CannotStartError`` when there is no such cluster."""
    found = programs.find()
    if NAME not in programs.clusters(found):
        raise CannotStartError(f"There is no kind cluster {NAME}.", "Make it: bluegreen cluster up --kind")
    programs.run(found, decisions.export(_home() / "kubeconfig"), programs.SHORT_S)
    return _home() / "kubeconfig"


def stop() -> bool:
    """Delete the cluster with everything in it; whether it was there."""
    found = programs.find()
    if NAME not in programs.clusters(found):
        return False
    programs.run(found, decisions.delete(_home() / "kubeconfig"), programs.CREATE_S)
    return True


def status() -> str:
    """In a sentence, whether the cluster is there and where it answers; makes nothing."""
    found = programs.find()
    if NAME not in programs.clusters(found):
        return f"There is no kind cluster {NAME}. Make it: bluegreen cluster up --kind"
    ports = ", ".join(f"{host}:{port} for NodePort {node}" for node, (host, port) in _published(found).items())
    return f"The kind cluster {NAME} is there, in {found.engine}. It answers at {ports or 'no port of this machine'}."


def brings(reference: str) -> bool:
    """Whether ``bring_image`` puts this image onto the node, so that no registry is asked for it."""
    found = programs.find()
    here = programs.succeeds(found, decisions.inspect(found.engine, reference))
    return decisions.bring(reference, here=here) is not Bring.PULL


def bring_image(reference: str) -> str:
    """Put an image onto the cluster's node where this machine has it or can build it; what was done, in words.

    The sample's is built from its Dockerfile. One that this machine does not have is left for the node to pull.
    """
    found = programs.find()
    here = programs.succeeds(found, decisions.inspect(found.engine, reference))
    bring = decisions.bring(reference, here=here)
    if bring is Bring.PULL:
        return f"{reference} is not on this machine: the node pulls it"
    with tempfile.TemporaryDirectory(prefix="bluegreen-image-") as folder:
        if bring is Bring.BUILD:
            context = _build_context(Path(folder) / "context")
            programs.run(found, decisions.build(found.engine, reference, context), programs.CREATE_S)
        for command in decisions.load(found.engine, reference, Path(folder) / "image.tar"):
            programs.run(found, command, programs.CREATE_S)
    return f"{reference} was {'built and ' if bring is Bring.BUILD else ''}loaded onto the kind cluster's node"


def _create(found: Programs, configuration: str, path: Path, node_image: str) -> None:
    """Make the cluster; one that did not come about whole is taken away again."""
    file = path.with_name("cluster.yaml")
    file.write_text(configuration)
    try:
        programs.run(found, decisions.create(file, path, node_image), programs.CREATE_S)
    except BaseException:  # Ctrl-C too: half a cluster would be taken for a whole one the next time
        programs.succeeds(found, decisions.delete(path))
        raise


def _host_ports(node_ports: Iterable[int]) -> dict[int, int]:
    """For each NodePort the port of this machine: the same number, or 0 (any) where that is in use."""
    return {port: port if programs.is_free(port) else 0 for port in node_ports}


def _published(found: Programs) -> Ports:
    return decisions.published(programs.output(found, [found.engine, "port", f"{NAME}-control-plane"]))


def _build_context(folder: Path) -> Path:
    """What the sample's Dockerfile copies, and nothing else: an installed package lies among many others."""
    package = Path(__file__).resolve().parents[1]
    sample = folder / "bluegreen" / "sample"
    if not (package / "sample" / "Dockerfile").is_file():
        raise CannotStartError("The sample's Dockerfile is missing from this installation.", "Install it again.")
    shutil.copytree(package / "sample", sample, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package / "__init__.py", sample.parent)
    return folder


def _home() -> Path:
    folder = localkube.home() / "kind"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
