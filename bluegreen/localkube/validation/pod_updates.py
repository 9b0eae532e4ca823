"""What of a pod may change, and how Kubernetes words what may not."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.validation import scheduling
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    between,
    forbidden,
    invalid,
    required,
)
from bluegreen.localkube.validation.pods import MAX_SECONDS, metadata_and_spec

_MUTABLE = ",".join(
    (
        "`spec.containers[*].image`",
        "`spec.initContainers[*].image`",
        "`spec.activeDeadlineSeconds`",
        "`spec.tolerations` (only additions to existing tolerations)",
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    )
)


def update(pod: Obj, old: Obj) -> Causes:
    """A changed pod: images, deadline, more tolerations, fewer gates; nothing else of the spec."""
    causes = metadata_and_spec(pod)
    new_spec, old_spec = pod["spec"], old["spec"]
    for name in ("containers", "initContainers"):
        found, stop = _same_containers(new_spec.get(name) or [], old_spec.get(name) or [], f"spec.{name}")
        causes += found
        if stop:
            return causes
    found, stop = _deadline(new_spec.get("activeDeadlineSeconds"), old_spec.get("activeDeadlineSeconds"))
    causes += found
    if stop:
        return causes
    causes += _only_more_tolerations(new_spec.get("tolerations") or [], old_spec.get("tolerations") or [])
    causes += _only_fewer_gates(new_spec.get("schedulingGates") or [], old_spec.get("schedulingGates") or [])
    if old_spec.get("schedulingGates"):
        causes += _gated(new_spec, old_spec)
    munged = _with_mutable_fields_of(new_spec, old_spec)
    if munged != old_spec:
        detail = f"pod updates may not change fields other than {_MUTABLE}\n{_difference(old_spec, munged)}"
        causes.append(forbidden("spec", detail))
    return causes


def ephemeral_containers(pod: Obj, old: Obj) -> Causes:
    """A pod to which containers for debugging are added: those that are there stay as they are."""
    path = "spec.ephemeralContainers"
    causes = metadata_and_spec(pod)
    now = {container["name"]: container for container in pod["spec"].get("ephemeralContainers") or ()}
    for before in old["spec"].get("ephemeralContainers") or ():
        name = before["name"]
        if name not in now:
            causes.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif now[name] != before:
            changed = _difference(before, now[name], name)
            causes.append(forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n{changed}'))
    return causes


def _same_containers(new: list[Obj], old: list[Obj], path: str) -> tuple[Causes, bool]:
    if len(new) != len(old):
        return [forbidden(path, "pod updates may not add or remove containers")], True
    causes: Causes = []
    for place, container in enumerate(new):
        image = container.get("image", "")
        if not image:
            causes.append(required(f"{path}[{place}].image"))
        if image.strip() != image:
            detail = "must not have leading or trailing whitespace"
            causes.append(invalid(f"{path}[{place}].image", image, detail))
    return causes, False


def _deadline(new: int | None, old: int | None) -> tuple[Causes, bool]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        detail = "must not update from a positive integer to nil value"
        return ([] if old is None else [invalid(path, None, detail)]), False
    if not 0 <= new <= MAX_SECONDS:
        return [invalid(path, new, between(0, MAX_SECONDS))], True
    if old is not None and old < new:
        return [invalid(path, new, "must be less than or equal to previous value")], True
    return [], False


def _only_more_tolerations(new: list[Obj], old: list[Obj]) -> Causes:
    path = "spec.tolerations"

    def timeless(toleration: Obj) -> Obj:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    kept = [timeless(toleration) for toleration in new]
    if any(timeless(toleration) not in kept for toleration in old):
        return [forbidden(path, "existing toleration can not be modified except its tolerationSeconds")]
    return scheduling.tolerations(new, path)


def _only_fewer_gates(new: list[Obj], old: list[Obj]) -> Causes:
    before = [gate["name"] for gate in old]
    return [
        forbidden(
            f"spec.schedulingGates[{place}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate['name']}'",
        )
        for place, gate in enumerate(new)
        if gate["name"] not in before
    ]


def _with_mutable_fields_of(new: Obj, old: Obj) -> Obj:
    """The new spec with everything that may change put back: what is still different was not allowed."""
    munged = dict(new)
    for name in ("containers", "initContainers"):
        if new.get(name):
            pairs = zip(new[name], old[name], strict=True)
            munged[name] = [{**container, "image": before.get("image")} for container, before in pairs]
    for key in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        munged.pop(key, None)
        if key in old:
            munged[key] = old[key]
    if old.get("terminationGracePeriodSeconds", 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    if old.get("schedulingGates"):
        munged.pop("nodeSelector", None)
        if "nodeSelector" in old:
            munged["nodeSelector"] = old["nodeSelector"]
        _keep_node_affinity(munged, old)
    return munged


def _keep_node_affinity(munged: Obj, old: Obj) -> None:
    before = (old.get("affinity") or {}).get("nodeAffinity")
    affinity = {key: value for key, value in (munged.get("affinity") or {}).items() if key != "nodeAffinity"}
    if before is not None:
        affinity["nodeAffinity"] = before
    if affinity or "affinity" in old:
        munged["affinity"] = affinity
    else:
        munged.pop("affinity", None)


def _gated(new: Obj, old: Obj) -> Causes:
    """A pod that waits to be scheduled may be told more of where it goes, and nothing may be taken back."""
    selector, before = new.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(selector.get(key) != value for key, value in before.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        return [invalid("spec.nodeSelector", new.get("nodeSelector"), detail), *_gated_affinity(new, old)]
    return _gated_affinity(new, old)


def _gated_affinity(new: Obj, old: Obj) -> Causes:
    path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    terms, before = _node_terms(new), _node_terms(old)
    if before and len(before) != len(terms):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [invalid(path, [_go_term(term) for term in terms] or None, detail)]
    detail = "only additions are allowed (no mutations or deletions)"
    return [
        invalid(f"{path}[{place}]", _go_term(terms[place]), detail)
        for place, term in enumerate(before)
        if not _only_adds(terms[place], term)
    ]


def _node_terms(spec: Obj) -> list[Obj]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    wanted = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms: list[Obj] = wanted.get("nodeSelectorTerms") or []
    return terms


def _only_adds(new: Obj, old: Obj) -> bool:
    keys = ("matchExpressions", "matchFields")
    if not any(old.get(key) for key in keys):
        return not any(new.get(key) for key in keys)
    return all((new.get(key) or [])[: len(old.get(key) or ())] == (old.get(key) or []) for key in keys)


def _go_term(term: Obj) -> Obj:
    """A node selector term as Go prints its internal type."""

    def requirements(key: str) -> list[Obj] | None:
        given = term.get(key)
        return given and [
            {"Key": each.get("key", ""), "Operator": each.get("operator", ""), "Values": each.get("values")}
            for each in given
        ]

    return {"MatchExpressions": requirements("matchExpressions"), "MatchFields": requirements("matchFields")}


def _difference(old: Any, new: Any, path: str = "spec") -> str:
    """What differs, a line each: Kubernetes prints a diff of its Go types here, which no client reads."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        return "".join(_difference(old.get(key), new.get(key), f"{path}.{key}") for key in keys)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return "".join(_difference(a, b, f"{path}[{place}]") for place, (a, b) in pairs if a != b)
    return f"- {path}: {old}\n+ {path}: {new}\n"
