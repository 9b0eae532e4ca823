"""Volumes of pods and templates."""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.localkube import quantities
from bluegreen.localkube.validation import names
from bluegreen.localkube.validation.downward import VOLUME_FIELDS, field_ref, resource_field
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_supported,
    required,
)
from bluegreen.localkube.validation.paths import descending, needed, no_backsteps

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_LONGEST_TOKEN_S, _SHORTEST_TOKEN_S = 1 << 32, 600


def volumes(given: list[Obj] | None, path: str) -> tuple[dict[str, Obj], Causes]:
    """The good volumes by name, and what is wrong with the others."""
    causes: Causes = []
    good: dict[str, Obj] = {}
    for place, volume in enumerate(given or ()):
        here = f"{path}[{place}]"
        name = volume.get("name", "")
        found = _source(volume, here)
        found += each_invalid(f"{here}.name", name, names.label(name)) if name else [required(f"{here}.name")]
        if name in good:
            found.append(duplicate(f"{here}.name", name))
        if not found:
            good[name] = volume
        causes += found
    return good, causes


def _source(volume: Obj, path: str) -> Causes:
    sources = [key for key in _ORDER if key in volume]
    if not sources:
        return [] if len(volume) > 1 else [required(path, "must specify a volume type")]
    first = sources[0]
    check = _CHECKS.get(first)
    causes = check(volume[first] or {}, f"{path}.{first}") if check else []
    # Kubernetes misspells this one path
    misspelt = {"downwardAPI": "downwarAPI"}
    return causes + [
        forbidden(f"{path}.{misspelt.get(key, key)}", "may not specify more than 1 volume type") for key in sources[1:]
    ]


def _empty_dir(source: Obj, path: str) -> Causes:
    if source.get("sizeLimit") and quantities.parse(source["sizeLimit"]) < 0:
        return [forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _host_path(source: Obj, path: str) -> Causes:
    if not source.get("path"):
        return [required(f"{path}.path")]
    causes = no_backsteps(source["path"], f"{path}.path")
    if source.get("type", "") not in _HOST_TYPES:
        causes.append(not_supported(f"{path}.type", source["type"], _HOST_TYPES))
    return causes


def _mode(source: Obj, key: str, path: str) -> Causes:
    mode = source.get(key)
    return [invalid(f"{path}.{key}", mode, _MODE)] if mode is not None and not 0 <= mode <= 0o777 else []


def _items(source: Obj, path: str) -> Causes:
    causes: Causes = []
    for place, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{place}]"
        if not item.get("key"):
            causes.append(required(f"{here}.key"))
        causes += needed(item.get("path"), f"{here}.path") + _mode(item, "mode", here)
    return causes


def _secret(source: Obj, path: str) -> Causes:
    causes = [] if source.get("secretName") else [required(f"{path}.secretName")]
    return causes + _mode(source, "defaultMode", path) + _items(source, path)


def _config_map(source: Obj, path: str) -> Causes:
    causes = [] if source.get("name") else [required(f"{path}.name")]
    return causes + _mode(source, "defaultMode", path) + _items(source, path)


def _downward(source: Obj, path: str) -> Causes:
    causes = _mode(source, "defaultMode", path)
    for place, item in enumerate(source.get("items") or ()):
        causes += _downward_item(item, f"{path}[{place}]" if path.endswith("items") else path)
    return causes


def _downward_item(item: Obj, path: str) -> Causes:
    causes = needed(item.get("path"), f"{path}.path")
    if "fieldRef" in item:
        causes += field_ref(item["fieldRef"], VOLUME_FIELDS, f"{path}.fieldRef")
        if "resourceFieldRef" in item:
            detail = "fieldRef and resourceFieldRef can not be specified simultaneously"
            causes.append(invalid(path, "resource", detail))
    elif "resourceFieldRef" in item:
        causes += resource_field(item["resourceFieldRef"], f"{path}.resourceFieldRef", in_volume=True)
    else:
        causes.append(required(f"{path}.fieldRef", "one of fieldRef and resourceFieldRef is required"))
    return causes + _mode(item, "mode", path)


def _claim(source: Obj, path: str) -> Causes:
    return [] if source.get("claimName") else [required(f"{path}.claimName")]


def _projected(source: Obj, path: str) -> Causes:
    causes = _mode(source, "defaultMode", path)
    seen: set[str] = set()
    for place, part in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{place}]"
        kinds = [key for key in ("secret", "configMap", "downwardAPI", "serviceAccountToken") if key in part]
        if not kinds and "clusterTrustBundle" not in part and "podCertificate" not in part:
            causes.append(
                required(here, "one of clusterTrustBundle, configMap, downwardAPI, secret, or serviceAccountToken")
            )
        for key in kinds[:1]:
            causes += _PARTS[key](part[key] or {}, f"{here}.{key}")
            for target in _targets(key, part[key] or {}):
                if target in seen:
                    causes.append(invalid(path, source.get("name", ""), f"conflicting duplicate paths: {target}"))
                seen.add(target)
        causes += [forbidden(f"{here}.{key}", "may not specify more than 1 volume type") for key in kinds[1:]]
    return causes


def _targets(key: str, part: Obj) -> list[str]:
    if key == "serviceAccountToken":
        return [part["path"]] if part.get("path") else []
    return [item["path"] for item in part.get("items") or () if item.get("path")]


def _named_part(part: Obj, path: str) -> Causes:
    return ([] if part.get("name") else [required(f"{path}.name")]) + _items(part, path)


def _token(part: Obj, path: str) -> Causes:
    seconds = part.get("expirationSeconds", 3600)
    causes: Causes = []
    if seconds < _SHORTEST_TOKEN_S:
        causes.append(invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds > _LONGEST_TOKEN_S:
        causes.append(
            invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
        )
    if not part.get("path"):
        causes.append(required(f"{path.partition('.sources[')[0]}.path"))  # where Kubernetes says that it is missing
    else:
        causes += descending(part["path"], f"{path}.path")
    return causes


def _git(source: Obj, path: str) -> Causes:
    causes = [] if source.get("repository") else [required(f"{path}.repository")]
    return causes + (descending(source["directory"], f"{path}.directory") if source.get("directory") else [])


def _nfs(source: Obj, path: str) -> Causes:
    causes = [] if source.get("server") else [required(f"{path}.server")]
    if not source.get("path"):
        causes.append(required(f"{path}.path"))
    if not source.get("path", "").startswith("/"):
        causes.append(invalid(f"{path}.path", source.get("path", ""), "must be an absolute path"))
    return causes


def _csi(source: Obj, path: str) -> Causes:
    return [] if source.get("driver") else [required(f"{path}.driver")]


def _ephemeral(source: Obj, path: str) -> Causes:
    return [] if source.get("volumeClaimTemplate") else [required(f"{path}.volumeClaimTemplate")]


def _image(source: Obj, path: str) -> Causes:
    return [] if source.get("reference") else [required(f"{path}.reference")]


_PARTS: dict[str, Callable[[Obj, str], Causes]] = {
    "secret": _named_part,
    "configMap": _named_part,
    "downwardAPI": _downward,
    "serviceAccountToken": _token,
}
# in the order in which Kubernetes looks: the first is the volume's type, further ones are refused
_ORDER = (
    *("emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi"),
    *("glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc"),
    *("flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk"),
    *("storageos", "projected", "scaleIO", "csi", "ephemeral", "image"),
)
_CHECKS: dict[str, Callable[[Obj, str], Causes]] = {
    "csi": _csi,
    "emptyDir": _empty_dir,
    "ephemeral": _ephemeral,
    "gitRepo": _git,
    "nfs": _nfs,
    "hostPath": _host_path,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "persistentVolumeClaim": _claim,
    "projected": _projected,
    "image": _image,
}
