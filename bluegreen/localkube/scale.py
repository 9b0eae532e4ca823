"""The ``/scale`` view of an object that has replicas. Pure."""

from __future__ import annotations

from bluegreen.localkube.kinds import Obj
from bluegreen.localkube.status import ApiError, Cause, bad_request, invalid

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def view(obj: Obj) -> Obj:
    """An autoscaling/v1 Scale of a Deployment or ReplicaSet; zeros are left out, as Go leaves them."""
    spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    scale: Obj = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in _META if key in meta},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {"replicas": status.get("replicas", 0)},
    }
    selector = selector_text(spec.get("selector") or {})
    if selector:
        scale["status"]["selector"] = selector
    return scale


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
