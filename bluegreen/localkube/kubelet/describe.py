"""From a container as it stands in a pod to what its supervisor runs: command, variables, user, mounts, limits.

Raises ConfigError or VolumeError for what is missing or contradicts itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from bluegreen.localkube import quantities
from bluegreen.localkube.images import Image
from bluegreen.localkube.kubelet import users
from bluegreen.localkube.kubelet.env import expand
from bluegreen.localkube.kubelet.files import SCHEME, log_file, message_file
from bluegreen.localkube.kubelet.launch import ContainerSpec, Mount

if TYPE_CHECKING:
    from bluegreen.localkube.kubelet.pod import PodRun

Obj = dict[str, Any]
MESSAGE_PATH = "/dev/termination-log"  # Kubernetes' default


def argv_of(container: Obj, image: Image, env: dict[str, str]) -> list[str]:
    """The command line: the container's command replaces the image's, its args follow."""
    command = container.get("command") or image.command
    if not command:
        return []
    return [expand(word, env) for word in (*command, *(container.get("args") or ()))]


def describe(pod: PodRun, container: Obj, image: Image, container_id: str) -> tuple[ContainerSpec | None, str]:
    """What to run, or None for an image that runs nothing; and a warning about the user it runs as."""
    terminal = {"TERM": "xterm"} if container.get("tty") else {}
    env = {**_own_variables(pod, image), **terminal, **pod.environment.of(container)}
    argv = argv_of(container, image, env)
    if not argv:
        return None, ""
    who = users.identity(pod.pod, container, argv, env["PATH"])
    mounts = _mounts(pod, container, env)
    spec = ContainerSpec(
        argv=argv,
        env=env,
        log=log_file(pod.directory, container["name"], container_id),
        scratch=pod.directory / "root",
        hostname=pod.hostname,
        cwd=container.get("workingDir") or "/",
        uid=who.uid,
        gid=who.gid,
        groups=who.groups,
        no_new_privileges=(container.get("securityContext") or {}).get("allowPrivilegeEscalation") is False,
        namespaces=pod.machine.namespaces,
        mounts=mounts,
        cgroups=_cgroups(pod, container, container_id),
        stdin=bool(container.get("stdin")),
        tty=bool(container.get("tty")),
    )
    spec.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    spec.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    return spec, who.warning


def _own_variables(pod: PodRun, image: Image) -> dict[str, str]:
    """What every container gets: its address, its name, a PATH, and what its image says."""
    own = {"PATH": pod.machine.path, "HOSTNAME": pod.hostname, "POD_IP": pod.address, "HOST": pod.address}
    return {**own, "HOME": os.environ.get("HOME") or "/", **image.env}


def _mounts(pod: PodRun, container: Obj, env: dict[str, str]) -> list[Mount]:
    """Volumes, and the files that every container has of its own."""
    found = pod.volumes.mounts(pod.pod, container, env)
    if pod.machine.namespaces == "none":
        return []
    message = message_file(pod.directory, container["name"])
    message.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    message.write_text("")
    message.chmod(0o666)
    found.append(Mount(str(message), container.get("terminationMessagePath") or MESSAGE_PATH, False))
    taken = {mount.target for mount in found}
    return found + [mount for mount in pod.system_mounts() if mount.target not in taken]


def limits_of(pod: Obj, container: Obj) -> dict[str, Any]:
    """A container's limits; where it has none of its own, the pod's as a whole bound it, as the kubelet has it."""
    whole = (pod["spec"].get("resources") or {}).get("limits") or {}
    return {**whole, **((container.get("resources") or {}).get("limits") or {})}


def _cgroups(pod: PodRun, container: Obj, container_id: str) -> list[str]:
    limits = limits_of(pod.pod, container)
    memory = quantities.parse(limits["memory"]) // quantities.NANO if "memory" in limits else None
    cpu = quantities.parse(limits["cpu"]) if "cpu" in limits else None
    return pod.machine.cgroups.create(container_id.removeprefix(SCHEME)[:32], memory, cpu)
