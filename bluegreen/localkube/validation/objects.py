"""ConfigMaps, Secrets, Namespaces, Nodes, Events and Leases."""

from __future__ import annotations

import base64
import json

from bluegreen.localkube.json_errors import syntax_error
from bluegreen.localkube.validation import names, resources, scheduling
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    each_invalid,
    forbidden,
    immutable,
    invalid,
    not_supported,
    required,
    too_long,
)
from bluegreen.localkube.validation.meta import STANDARD_FINALIZERS

_MOST_BYTES = 1024 * 1024  # of a ConfigMap's or Secret's values
_FROZEN = "field is immutable when `immutable` is set"
_REDACTED = "<secret contents redacted>"


# -- configmaps ----------------------------------------------------------------------------------------------------
def config_map(obj: Obj) -> Causes:
    """A ConfigMap: keys that can be files, and not too much of them."""
    texts: dict[str, str] = obj.get("data") or {}
    binaries: dict[str, str] = obj.get("binaryData") or {}
    causes: Causes = []
    for key in sorted(texts):
        causes += each_invalid(f"data[{key}]", key, names.config_key(key))
        if key in binaries:
            causes.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
    for key in sorted(binaries):
        causes += each_invalid(f"binaryData[{key}]", key, names.config_key(key))
    size = sum(len(text.encode()) for text in texts.values()) + sum(map(_decoded_size, binaries.values()))
    return [*causes, too_long("[]", _MOST_BYTES)] if size > _MOST_BYTES else causes


def _decoded_size(text: str | None) -> int:
    return len(text) * 3 // 4 - text.count("=") if text else 0


def config_map_update(obj: Obj, old: Obj) -> Causes:
    """A changed ConfigMap, frozen or not."""
    return _frozen(obj, old, ("data", "binaryData")) + config_map(obj)


def _frozen(obj: Obj, old: Obj, keys: tuple[str, ...]) -> Causes:
    if not old.get("immutable"):
        return []
    causes = [] if obj.get("immutable") else [forbidden("immutable", _FROZEN)]
    return causes + [forbidden(key, _FROZEN) for key in keys if (obj.get(key) or {}) != (old.get(key) or {})]


# -- secrets -------------------------------------------------------------------------------------------------------
_NEEDED_KEYS = {"kubernetes.io/tls": ("tls.crt", "tls.key"), "kubernetes.io/ssh-auth": ("ssh-privatekey",)}
_JSON_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
_TOKEN_OWNER = "kubernetes.io/service-account.name"


def secret(obj: Obj) -> Causes:
    """A Secret: as a ConfigMap, and with what its type needs."""
    data: dict[str, str] = obj.get("data") or {}
    causes: Causes = []
    for key in sorted(data):
        causes += each_invalid(f"data[{key}]", key, names.config_key(key))
    if sum(_decoded_size(value or "") for value in data.values()) > _MOST_BYTES:
        causes.append(too_long("data", _MOST_BYTES))
    return causes + _by_type(obj.get("type", ""), data, obj["metadata"].get("annotations") or {})


def _by_type(kind: str, data: dict[str, str], annotations: dict[str, str]) -> Causes:
    if kind == "kubernetes.io/service-account-token" and not annotations.get(_TOKEN_OWNER):
        return [required(f"metadata.annotations[{_TOKEN_OWNER}]")]
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        return [required("data[username]"), required("data[password]")]
    if kind in _JSON_KEYS:
        return _json_value(_JSON_KEYS[kind], data)
    needed = _NEEDED_KEYS.get(kind, ())
    blank = kind == "kubernetes.io/ssh-auth"  # an empty key is as bad as none, there only
    return [required(f"data[{key}]") for key in needed if key not in data or (blank and not data[key])]


def _json_value(key: str, data: dict[str, str]) -> Causes:
    if key not in data:
        return [required(f"data[{key}]")]
    text = base64.b64decode(data[key] or "")
    try:
        found = json.loads(text)
    except ValueError:
        return [invalid(f"data[{key}]", _REDACTED, syntax_error(text))]
    if found is not None and not isinstance(found, dict):
        kind = {list: "array", str: "string", bool: "bool"}.get(type(found), "number")
        detail = f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        return [invalid(f"data[{key}]", _REDACTED, detail)]
    return []


def secret_update(obj: Obj, old: Obj) -> Causes:
    """A changed Secret keeps its type."""
    return immutable("type", obj.get("type"), old.get("type")) + _frozen(obj, old, ("data",)) + secret(obj)


# -- namespaces and nodes ------------------------------------------------------------------------------------------
def namespace(obj: Obj) -> Causes:
    """A new Namespace."""
    return namespace_finalizers(obj, "spec.finalizers")


def namespace_finalizers(obj: Obj, path: str) -> Causes:
    """What may hold a Namespace; ``path`` may have a place for the finalizer's number."""
    causes: Causes = []
    for place, finalizer in enumerate(obj["spec"].get("finalizers") or ()):
        here = path.format(place)
        causes += each_invalid(here, finalizer, names.qualified(finalizer))
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            causes.append(
                invalid(here, finalizer, "name is neither a standard finalizer name nor is it fully qualified")
            )
    return causes


def node(obj: Obj) -> Causes:
    """A Node."""
    causes = scheduling.taints(obj["spec"].get("taints"), "metadata.taints") + _amounts(obj)
    for place, network in enumerate(obj["spec"].get("podCIDRs") or ()):
        causes += each_invalid(f"spec.podCIDRs[{place}]", network, names.cidr(network))
    return causes


def _amounts(obj: Obj) -> Causes:
    causes: Causes = []
    for key in ("capacity", "allocatable"):
        amounts: dict[str, str] = obj["status"].get(key) or {}
        for name in sorted(amounts):
            causes += resources.quantity(name, amounts[name], f"status.{key}.{name}")
    return causes


def node_update(obj: Obj, old: Obj) -> Causes:
    """A changed Node keeps its provider and pod networks."""
    causes = _amounts(obj)
    new_spec, old_spec = obj["spec"], old["spec"]
    seen: list[Obj] = []
    for place, address in enumerate(obj["status"].get("addresses") or ()):
        if address in seen:
            shown = {"Type": address.get("type", ""), "Address": address.get("address", "")}
            causes.append(duplicate(f"status.addresses[{place}]", shown))
        seen.append(address)
    if old_spec.get("podCIDRs") and new_spec.get("podCIDRs") != old_spec["podCIDRs"]:
        detail = 'node updates may not change podCIDR except from "" to valid'
        causes.append(forbidden("spec.podCIDRs", detail))
    if old_spec.get("providerID") and new_spec.get("providerID") != old_spec["providerID"]:
        detail = 'node updates may not change providerID except from "" to valid'
        causes.append(forbidden("spec.providerID", detail))
    return causes + scheduling.taints(new_spec.get("taints"), "metadata.taints")


# -- events and leases ---------------------------------------------------------------------------------------------
def event(obj: Obj) -> Causes:
    """An Event stands in the namespace of what it is about."""
    about, here = obj["involvedObject"].get("namespace", ""), obj["metadata"].get("namespace", "")
    if obj.get("eventTime"):
        return _new_event(obj, about, here)
    causes: Causes = []
    if (not about and here not in ("", "default")) or (about and about != here):
        causes.append(invalid("involvedObject.namespace", about, "does not match event.namespace"))
    return causes


_LONGEST_EVENT_WORD, _LONGEST_EVENT_NOTE = 128, 1024


def _new_event(obj: Obj, about: str, here: str) -> Causes:
    """An Event with an eventTime, which says who reports what (legacyValidateEvent)."""
    causes: Causes = []
    if not about and here not in ("default", "kube-system"):
        causes.append(invalid("involvedObject.namespace", about, "does not match event.namespace"))
    reporter = obj.get("reportingComponent") or ""
    causes += [] if reporter else [required("reportingComponent")]
    causes += each_invalid("reportingComponent", reporter, names.qualified(reporter))
    for key in ("reportingInstance", "action", "reason"):
        word = obj.get(key) or ""
        if not word:
            causes.append(required(key))
        elif len(word) > _LONGEST_EVENT_WORD:
            causes.append(invalid(key, "", f"can have at most {_LONGEST_EVENT_WORD} characters"))
    if len(obj.get("message") or "") > _LONGEST_EVENT_NOTE:
        causes.append(invalid("message", "", f"can have at most {_LONGEST_EVENT_NOTE} characters"))
    return causes


def lease(obj: Obj) -> Causes:
    """A Lease: positive times."""
    spec = obj["spec"]
    causes: Causes = []
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        causes.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    if transitions is not None and transitions < 0:
        causes.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
    strategy, path = spec.get("strategy"), "spec.strategy.strategy"  # Kubernetes names the field twice
    if strategy is not None and "/" in strategy:
        causes += each_invalid(path, strategy, names.qualified(strategy))
    elif strategy is not None and strategy != "OldestEmulationVersion":
        causes.append(not_supported(path, strategy, ("OldestEmulationVersion",)))
    if spec.get("preferredHolder") and not strategy:
        detail = "may only be specified if `strategy` is defined"
        causes.append(forbidden("spec.preferredHolder", detail))
    return causes
