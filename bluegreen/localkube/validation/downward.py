"""Values taken from elsewhere: fields of the pod, resources of a container, keys of ConfigMaps and Secrets."""

from __future__ import annotations

import re

from bluegreen.localkube import quantities
from bluegreen.localkube.validation import names
from bluegreen.localkube.validation.fields import Causes, Obj, each_invalid, invalid, not_supported, required

_ENV_FIELDS = frozenset(
    (
        *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
        *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
    )
)
VOLUME_FIELDS = frozenset(
    ("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid")
)
_KNOWN_FIELDS = _ENV_FIELDS | VOLUME_FIELDS | {"spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host"}
_RESOURCES = tuple(
    f"{part}.{name}" for part in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_SIZES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS = {"cpu": ("1m", "1"), "memory": _SIZES, "ephemeral-storage": _SIZES}
_DIVISOR_NAMES = {"ephemeral-storage": "local ephemeral storage"}
_SUBSCRIPT = re.compile(r"(.+)\['([^']*)'\]")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")


def value_from(source: Obj, has_value: bool, path: str) -> Causes:
    """Where a variable's value comes from: exactly one place, and no value beside it."""
    causes: Causes = []
    found = [key for key in _SOURCES if key in source]
    if "fieldRef" in source:
        causes += field_ref(source["fieldRef"], _ENV_FIELDS, f"{path}.fieldRef")
    if "resourceFieldRef" in source:
        causes += resource_field(source["resourceFieldRef"], f"{path}.resourceFieldRef", in_volume=False)
    for key in ("configMapKeyRef", "secretKeyRef"):
        if key in source:
            causes += _key_ref(source[key], f"{path}.{key}")
    if not found:
        listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        causes.append(invalid(path, "", f"must specify one of: {listed}"))
    elif has_value:
        causes.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(found) > 1:
        causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    return causes


def _key_ref(ref: Obj, path: str) -> Causes:
    causes = each_invalid(f"{path}.name", ref.get("name", ""), names.subdomain(ref.get("name", "")))
    key = ref.get("key")
    return causes + (each_invalid(f"{path}.key", key, names.config_key(key)) if key else [required(f"{path}.key")])


def field_ref(ref: Obj, allowed: frozenset[str], path: str) -> Causes:
    """A field of the pod, possibly one label or annotation of it."""
    field = ref.get("fieldPath", "")
    if not ref.get("apiVersion"):
        return [required(f"{path}.apiVersion")]
    if not field:
        return [required(f"{path}.fieldPath")]
    subscripted = _SUBSCRIPT.fullmatch(field)
    name = subscripted.group(1) if subscripted else field
    if ref["apiVersion"] != "v1":
        detail = f"error converting fieldPath: unsupported pod version: {ref['apiVersion']}"
        return [invalid(f"{path}.fieldPath", field, detail)]
    if name not in _KNOWN_FIELDS or (subscripted and name not in ("metadata.labels", "metadata.annotations")):
        known = subscripted and name in _KNOWN_FIELDS
        why = "does not support subscript" if known else "not supported"
        detail = f"error converting fieldPath: field label {why}: {field}"
        return [invalid(f"{path}.fieldPath", field, detail)]
    if subscripted:
        key = subscripted.group(2)
        return each_invalid(path, key, names.qualified(key.lower() if name.endswith("annotations") else key))
    return [] if name in allowed else [not_supported(f"{path}.fieldPath", name, sorted(allowed))]


def resource_field(ref: Obj, path: str, *, in_volume: bool) -> Causes:
    """A resource of a container, divided as asked."""
    name = ref.get("resource", "")
    causes: Causes = []
    if in_volume and not ref.get("containerName"):
        causes.append(required(f"{path}.containerName"))
    elif not name:
        causes.append(required(f"{path}.resource"))
    elif name not in _RESOURCES and not name.startswith(("limits.hugepages-", "requests.hugepages-")):
        causes.append(not_supported(f"{path}.resource", name, _RESOURCES))
    return causes + _divisor(name, ref.get("divisor", "0"), path)


def _divisor(name: str, divisor: str, path: str) -> Causes:
    resource = name.partition(".")[2]
    allowed = _DIVISORS.get(resource)
    if quantities.parse(divisor) == 0 or allowed is None or divisor in allowed:
        return []
    listed = " and ".join(allowed) if resource == "cpu" else ", ".join(allowed)
    shown = _DIVISOR_NAMES.get(resource, resource)
    return [invalid(f"{path}.divisor", name, f"only divisor's values {listed} are supported with the {shown} resource")]
