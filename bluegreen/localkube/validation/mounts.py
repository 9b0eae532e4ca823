"""Where containers see volumes: mounts and block devices."""

from __future__ import annotations

from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    forbidden,
    invalid,
    not_found,
    not_supported,
    required,
)
from bluegreen.localkube.validation.paths import descending

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def mounts(container: Obj, volumes: dict[str, Obj], path: str) -> Causes:
    """A container's volumeMounts, against the pod's volumes."""
    causes: Causes = []
    seen: set[str] = set()
    devices = {device.get("name"): device.get("devicePath") for device in container.get("volumeDevices") or ()}
    for place, mount in enumerate(container["volumeMounts"]):
        here = f"{path}[{place}]"
        name, target = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.append(required(f"{here}.name"))
        if name not in volumes:
            causes.append(not_found(f"{here}.name", name))
        if not target:
            causes.append(required(f"{here}.mountPath"))
        if target in seen:
            causes.append(invalid(f"{here}.mountPath", target, "must be unique"))
        seen.add(target)
        if name in devices:
            causes.append(invalid(f"{here}.name", name, "must not already exist in volumeDevices"))
        if target in devices.values():
            causes.append(invalid(f"{here}.mountPath", target, "must not already exist as a path in volumeDevices"))
        causes += _sub_paths(mount, here, path)
        causes += _propagation(mount, container, path)
    return causes


def _propagation(mount: Obj, container: Obj, path: str) -> Causes:
    """Whether mounts are seen on both sides; and whether all of one is read-only."""
    causes: Causes = []
    propagation, read_only = mount.get("mountPropagation"), mount.get("recursiveReadOnly")
    if propagation is not None and propagation not in _PROPAGATIONS:
        causes.append(not_supported(f"{path}.mountPropagation", propagation, _PROPAGATIONS))
    if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        detail = "Bidirectional mount propagation is available only to privileged containers"
        causes.append(forbidden(f"{path}.mountPropagation", detail))
    at = f"{path}.recursiveReadOnly"
    if read_only is not None and read_only not in _RECURSIVE:
        causes.append(not_supported(at, read_only, _RECURSIVE))
    if read_only in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            causes.append(forbidden(at, "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            causes.append(forbidden(at, "may only be specified when mountPropagation is None or not specified"))
    return causes


def _sub_paths(mount: Obj, here: str, path: str) -> Causes:
    causes: Causes = []
    if mount.get("subPath"):
        causes += descending(mount["subPath"], f"{path}.subPath")
    if mount.get("subPathExpr"):
        if mount.get("subPath"):
            detail = "subPathExpr and subPath are mutually exclusive"
            causes.append(invalid(f"{here}.subPathExpr", mount["subPathExpr"], detail))
        causes += descending(mount["subPathExpr"], f"{path}.subPathExpr")
    return causes


def devices(container: Obj, volumes: dict[str, Obj], path: str) -> Causes:
    """A container's volumeDevices, against the pod's volumes."""
    causes: Causes = []
    devices = container["volumeDevices"]
    mounts = {mount.get("name"): mount.get("mountPath") for mount in container.get("volumeMounts") or ()}
    for place, device in enumerate(devices):
        here, name, target = f"{path}[{place}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            causes.append(required(f"{here}.name"))
        if name and name in [other.get("name") for other in devices[:place]]:
            causes.append(invalid(f"{here}.name", name, "must be unique"))
        volume = volumes.get(name)
        if volume is None:
            causes.append(not_found(f"{here}.name", name))
        elif not {"persistentVolumeClaim", "ephemeral"} & volume.keys():
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            causes.append(invalid(f"{here}.name", name, detail))
        if not target:
            causes.append(required(f"{here}.devicePath"))
        if target in [other.get("devicePath", "") for other in devices[:place]]:
            causes.append(invalid(f"{here}.devicePath", target, "must be unique"))
        if ".." in target.split("/"):
            causes.append(invalid(f"{here}.devicePath", target, "can not contain backsteps ('..')"))
        if name in mounts:
            causes.append(invalid(f"{here}.name", name, "must not already exist in volumeMounts"))
        if target in mounts.values():
            causes.append(invalid(f"{here}.devicePath", target, "must not already exist as a path in volumeMounts"))
    return causes
