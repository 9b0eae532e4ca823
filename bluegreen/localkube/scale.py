"""The ``/scale`` view of an object that has replicas. Pure."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.kinds import Kind, Obj
from bluegreen.localkube.status import ApiError, Cause, bad_request, invalid

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def view(kind: Kind, obj: Obj) -> Obj:
    """An autoscaling/v1 Scale of an object that has replicas; zeros are left out, as Go leaves them."""
    spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    if kind.custom and (paths := kind.custom.scale):
        replicas = _at(obj, paths.spec_replicas)
        spec, status = {"replicas": replicas}, {"replicas": _at(obj, paths.status_replicas) or 0}
        if replicas is None:
            why = f'the spec replicas field ".{".".join(paths.spec_replicas)}" does not exist'
            raise ApiError(500, "InternalError", f"Internal error occurred: {why}", {"causes": [{"message": why}]})
    scale: Obj = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in _META if key in meta},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {"replicas": status.get("replicas", 0)},
    }
    selector = _selector(kind, obj, spec)
    if selector:
        scale["status"]["selector"] = selector
    return scale


def _selector(kind: Kind, obj: Obj, spec: Obj) -> str:
    if kind.custom and kind.custom.scale:
        return str(_at(obj, kind.custom.scale.selector) or "") if kind.custom.scale.selector else ""
    return selector_text(spec.get("selector") or {})


def _at(obj: Obj, path: tuple[str, ...]) -> Any:
    """What stands at a path of keys; None where nothing does."""
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def put_replicas(kind: Kind, obj: Obj, replicas: int) -> None:
    """Write the replicas where the kind keeps them, in place."""
    path = kind.custom.scale.spec_replicas if kind.custom and kind.custom.scale else ("spec", "replicas")
    for key in path[:-1]:
        obj = obj.setdefault(key, {})
    obj[path[-1]] = replicas


def asked_replicas(scale: Obj, name: str) -> int:
    """The replicas a Scale asks for; 400 for another kind of object, 422 for a number below zero."""
    if scale.get("kind", "Scale") != "Scale":
        raise bad_request(f"expected Scale, got {scale.get('kind')}")
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas is None:
        return 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        shown = {str: "string", bool: "bool", float: "number", list: "array", dict: "object"}[type(replicas)]
        why = f"json: cannot unmarshal {shown} into Go struct field ScaleSpec.spec.replicas of type int32"
        raise bad_request(f'Scale in version "v1" cannot be handled as a Scale: {why}')
    if replicas < 0:
        cause = Cause(
            "spec.replicas", "FieldValueInvalid", f"Invalid value: {replicas}: must be greater than or equal to 0"
        )
        raise invalid("Scale", "autoscaling", name, [cause])
    return replicas


def of_scale(refusal: ApiError, api_version: str) -> ApiError:
    """A refused apply as it is told to those who see the Scale only, whose fields have its version."""
    details = dict(refusal.details or {})
    using, seen = f"using {api_version}", "using autoscaling/v1"
    causes = [{**cause, "message": cause["message"].replace(using, seen)} for cause in details.get("causes") or ()]
    if causes:
        details["causes"] = causes
    return ApiError(refusal.code, refusal.reason, refusal.message.replace(using, seen), details)


def selector_text(selector: Obj) -> str:
    """A LabelSelector as the text of a label selector, keys in order."""
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    terms += [
        (term["key"], _expression_text(term["key"], term["operator"], term.get("values") or []))
        for term in selector.get("matchExpressions") or ()
    ]
    return ",".join(text for _, text in sorted(terms))


def _expression_text(key: str, operator: str, values: list[str]) -> str:
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {operator.lower()} ({','.join(sorted(values))})"
