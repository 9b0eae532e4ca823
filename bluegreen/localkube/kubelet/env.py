"""A container's environment: what the pod says, resolved as Kubernetes resolves it. Pure, over a lookup of objects.

Raises ConfigError for what is missing; the container then waits with CreateContainerConfigError until it is there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.go_formats import quoted

Obj = dict[str, Any]
Lookup = Callable[[str, str], Obj | None]
"""(kind, name) of a ConfigMap or Secret in the pod's namespace -> the object, or None."""

VARIABLE_NAME = re.compile(r"[ -<>-~]+")  # printable ASCII but "=": the rule since Kubernetes 1.34
SEEN, SOURCE = "kubernetes.io/config.seen", "kubernetes.io/config.source"
"""Annotations that a pod's containers see, and the API does not: when the kubelet saw the pod, and where."""
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigError(Exception):
    """Something that the container's configuration names is missing; ``str()`` is Kubernetes' sentence."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by its value; a name nobody knows stays as it is, ``$$`` is a plain ``$``."""
    out, at = [], 0
    while (start := text.find("$", at)) >= 0 and start + 1 < len(text):
        out.append(text[at:start])
        following = text[start + 1]
        end = text.find(")", start) if following == "(" else -1
        if following == "$":
            out.append("$")
            at = start + 2
        elif end < 0:
            out.append("$" + following)
            at = start + 2
        else:
            name = text[start + 2 : end]
            out.append(variables.get(name, f"$({name})"))
            at = end + 1
    return "".join(out) + text[at:]


def data_of(source: Obj) -> dict[str, bytes]:
    """What a ConfigMap or a Secret holds, by key."""
    if source["kind"] == "Secret":
        return {key: base64.b64decode(value or "") for key, value in (source.get("data") or {}).items()}
    plain = {key: value.encode() for key, value in (source.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (source.get("binaryData") or {}).items()}
    return {**binary, **plain}


class Environment:
    """Resolves the environment of the containers of one pod. ``allocatable``: what limits are where none is set."""

    def __init__(self, pod: Obj, lookup: Lookup, services: Mapping[str, str], allocatable: Mapping[str, str]) -> None:
        self.pod, self._lookup, self._services, self._allocatable = pod, lookup, services, allocatable

    def of(self, container: Obj) -> dict[str, str]:
        """The variables that the pod gives this container. Raises ConfigError."""
        found: dict[str, str] = {}
        for source in container.get("envFrom") or ():
            found |= self._all_of(source)
        for entry in container.get("env") or ():
            value = self._value(entry, found, container)
            if value is not None:
                found[entry["name"]] = value
        return {**self._services, **found}

    def _value(self, entry: Obj, found: Mapping[str, str], container: Obj) -> str | None:
        if source := entry.get("valueFrom"):
            return self._value_from(source, container)
        return expand(entry.get("value") or "", {**self._services, **found})

    def _value_from(self, source: Obj, container: Obj) -> str | None:
        if "fieldRef" in source:
            return field(self.pod, source["fieldRef"]["fieldPath"])
        if "resourceFieldRef" in source:
            return self.resource(source["resourceFieldRef"], container)
        for reference, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if reference in source:
                return self._key(kind, source[reference])
        return None

    def _key(self, kind: str, reference: Obj) -> str | None:
        source = self._find(kind, reference)
        if source is None:
            return None
        data = data_of(source)
        if reference["key"] in data:
            return data[reference["key"]].decode(errors="surrogateescape")
        if reference.get("optional"):
            return None
        namespace = self.pod["metadata"]["namespace"]
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference.get('name', '')}")

    def find(self, kind: str, name: str) -> Obj | None:
        """A ConfigMap or Secret of the pod's namespace."""
        return self._lookup(kind, name)

    def _find(self, kind: str, reference: Obj) -> Obj | None:
        source = self._lookup(kind, reference.get("name", ""))
        if source is None and not reference.get("optional"):
            raise ConfigError(f'{kind.lower()} "{reference.get("name", "")}" not found')
        return source

    def _all_of(self, source: Obj) -> dict[str, str]:
        prefix = source.get("prefix") or ""
        for reference, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if reference in source:
                found = self._find(kind, source[reference])
                data = data_of(found) if found else {}
                named = {prefix + key: value.decode(errors="surrogateescape") for key, value in data.items()}
                return {name: value for name, value in named.items() if VARIABLE_NAME.fullmatch(name)}
        return {}

    def resource(self, reference: Obj, container: Obj | None) -> str:
        """A container's request or limit in units of a divisor, rounded up; a missing limit is the node's."""
        if name := reference.get("containerName"):
            spec = self.pod["spec"]
            everyone = [*spec.get("containers", ()), *(spec.get("initContainers") or ())]
            container = next((each for each in everyone if each["name"] == name), None)
        if container is None:
            raise ConfigError(f"container {reference.get('containerName')} not found")
        which, _, resource = reference["resource"].partition(".")
        resources = container.get("resources") or {}
        value = (resources.get(which) or {}).get(resource)
        if value is None:
            value = self._allocatable.get(resource, "0") if which == "limits" else "0"
        divisor = quantities.parse(reference.get("divisor") or "0") or quantities.NANO
        return str(-(-quantities.parse(value) // divisor))


def field(pod: Obj, path: str) -> str:
    """The value of a field reference of the downward API. Raises ConfigError for one that is not supported."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    if match := _SUBSCRIPT.fullmatch(path):
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = meta.get(path.partition(".")[2]) or {}
        return "".join(f"{key}={quoted(value)}\n" for key, value in sorted(entries.items())).rstrip("\n")
    values = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": ",".join(entry["ip"] for entry in status.get("hostIPs") or ()),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": ",".join(entry["ip"] for entry in status.get("podIPs") or ()),
    }
    if path not in values:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(values[path])


def service_variables(services: list[Obj]) -> dict[str, str]:
    """The variables by which a container finds the Services that were there before it."""
    found: dict[str, str] = {}
    for service in services:
        spec = service["spec"]
        address, ports = spec.get("clusterIP") or "None", spec.get("ports") or ()
        if address == "None" or not ports:
            continue
        name = service["metadata"]["name"].upper().replace("-", "_")
        found |= {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
        for port in ports:
            if port.get("name"):
                found[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
        found[f"{name}_PORT"] = _url(address, ports[0])
        for port in ports:
            prefix = f"{name}_PORT_{port['port']}_{port.get('protocol', 'TCP')}"
            found |= {
                prefix: _url(address, port),
                f"{prefix}_PROTO": port.get("protocol", "TCP").lower(),
                f"{prefix}_PORT": str(port["port"]),
                f"{prefix}_ADDR": address,
            }
    return found


def _url(address: str, port: Obj) -> str:
    return f"{port.get('protocol', 'TCP').lower()}://{address}:{port['port']}"
