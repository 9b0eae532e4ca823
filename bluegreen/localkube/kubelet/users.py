"""As which user a container runs: what its security context asks for, as far as this system allows. Pure decisions
over file modes; changes nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bluegreen.localkube.kubelet.env import ConfigError

Obj = dict[str, Any]
NOBODY = 65534  # for an image that is said to run as somebody, and does not say as whom


@dataclass(frozen=True)
class Identity:
    """``uid`` None: the daemon's own user. ``warning``: why it is not the one asked for."""

    uid: int | None = None
    gid: int | None = None
    groups: list[int] = field(default_factory=list)
    warning: str = ""


def identity(pod: Obj, container: Obj, argv: list[str], path: str) -> Identity:
    """The user for a container that runs ``argv``. Raises ConfigError when the pod contradicts itself."""
    asked = {**(pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    uid, non_root = asked.get("runAsUser"), asked.get("runAsNonRoot")
    if uid == 0 and non_root:
        where = f'pod: "{pod["metadata"]["name"]}_{pod["metadata"]["namespace"]}({pod["metadata"]["uid"]})"'
        raise ConfigError(f"container's runAsUser breaks non-root policy ({where}, container: {container['name']})")
    if uid is None and non_root:
        uid = NOBODY
    if os.geteuid() != 0 or uid in (None, 0):
        return Identity()
    unreadable = next((file for file in needed_files(argv, path) if not readable(file, uid)), None)
    if unreadable:
        why = f"user {uid} may not read {unreadable}: the container runs as the cluster's own user"
        return Identity(warning=why)
    gid = asked.get("runAsGroup")
    extra = [*(asked.get("supplementalGroups") or ()), *([asked["fsGroup"]] if "fsGroup" in asked else ())]
    return Identity(uid, uid if gid is None and uid == NOBODY else gid or 0, extra)


def needed_files(argv: list[str], path: str) -> list[str]:
    """Files that a program cannot do without, as far as its command line tells."""
    program = shutil.which(argv[0], path=path) or argv[0]
    files = [program, *(word for word in argv[1:] if word.startswith("/") and os.path.exists(word))]
    if os.path.realpath(program) == os.path.realpath(sys.executable):
        files += [os.__file__, str(Path(__file__).parents[2])]
    return files


@cache
def readable(file: str, uid: int) -> bool:
    """Whether that user may read a file, or enter a directory, by the modes of everything on the way to it."""
    places = {file, os.path.realpath(file)}
    parents = {str(parent) for place in places for parent in Path(place).parents}
    return all(_permits(place, uid, 0o4) for place in places) and all(_permits(place, uid, 0o1) for place in parents)


def _permits(path: str, uid: int, bit: int) -> bool:
    try:
        stat = os.stat(path)
    except OSError:
        return True  # what is not there stops nobody; the runtime will say so
    return bool(stat.st_mode & (bit << 6 if stat.st_uid == uid else bit))
