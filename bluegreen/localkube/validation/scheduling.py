"""Where a pod may run: node selectors, affinity, tolerations, spreading."""

from __future__ import annotations

from bluegreen.localkube.validation import meta, names
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

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_OPERATOR = "not a valid selector operator"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NODE_POLICIES = ("Honor", "Ignore")
_WEIGHT = "must be in the range 1-100"


def tolerations(given: list[Obj] | None, path: str) -> Causes:
    """Tolerations of taints."""
    causes: Causes = []
    for place, toleration in enumerate(given or ()):
        causes += _toleration(toleration, f"{path}[{place}]")
    return causes


def _toleration(toleration: Obj, path: str) -> Causes:
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    value, effect = toleration.get("value", ""), toleration.get("effect", "")
    causes = each_invalid(f"{path}.key", key, names.qualified(key)) if key else []
    if not key and operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        causes.append(invalid(f"{path}.operator", operator, detail))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        causes.append(invalid(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if operator in ("", "Equal"):
        wrong = names.label_value(value)
        causes += [invalid(f"{path}.operator", value, ";".join(wrong))] if wrong else []
    elif operator == "Exists":
        if value:
            causes.append(invalid(f"{path}.operator", value, "value must be empty when `operator` is 'Exists'"))
    else:
        causes.append(not_supported(f"{path}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in _EFFECTS:
        causes.append(not_supported(f"{path}.effect", effect, _EFFECTS))
    return causes


def taints(given: list[Obj] | None, path: str) -> Causes:
    """A node's taints."""
    causes: Causes = []
    seen: set[tuple[str, str]] = set()
    for place, taint in enumerate(given or ()):
        here = f"{path}[{place}]"
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        causes += each_invalid(f"{here}.key", key, names.qualified(key))
        wrong = names.label_value(value)
        causes += [invalid(f"{here}.value", value, ";".join(wrong))] if wrong else []
        if not effect:
            causes.append(required(f"{here}.effect"))
        elif effect not in _EFFECTS:
            causes.append(not_supported(f"{here}.effect", effect, _EFFECTS))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": None}
            causes.append(duplicate(here, shown, "taints must be unique by key and effect pair"))
        seen.add((key, effect))
    return causes


def affinity(given: Obj | None, path: str) -> Causes:
    """Affinity to nodes and to other pods."""
    causes: Causes = []
    given = given or {}
    if "nodeAffinity" in given:
        causes += _node_affinity(given["nodeAffinity"], f"{path}.nodeAffinity")
    for key in ("podAffinity", "podAntiAffinity"):
        if key in given:
            causes += _pod_affinity(given[key], f"{path}.{key}")
    return causes


def _node_affinity(given: Obj, path: str) -> Causes:
    causes: Causes = []
    if _REQUIRED in given:
        terms, at = given[_REQUIRED].get("nodeSelectorTerms"), f"{path}.{_REQUIRED}.nodeSelectorTerms"
        if not terms:
            causes.append(required(at, "must have at least one node selector term"))
        for place, term in enumerate(terms or ()):
            causes += _node_term(term, f"{at}[{place}]", binding=True)
    for place, preferred in enumerate(given.get(_PREFERRED) or ()):
        here = f"{path}.{_PREFERRED}[{place}]"
        if not 0 < preferred.get("weight", 0) <= 100:
            causes.append(invalid(f"{here}.weight", preferred.get("weight", 0), _WEIGHT))
        causes += _node_term(preferred.get("preference") or {}, f"{here}.preference", binding=False)
    return causes


def _node_term(term: Obj, path: str, *, binding: bool) -> Causes:
    causes: Causes = []
    for place, requirement in enumerate(term.get("matchExpressions") or ()):
        here = f"{path}.matchExpressions[{place}]"
        causes += _node_requirement(requirement, here)
        for index, value in enumerate(requirement.get("values") or ()) if binding else ():
            causes += each_invalid(f"{here}.values[{index}]", value, names.label_value(value))
    for place, requirement in enumerate(term.get("matchFields") or ()):
        here = f"{path}.matchFields[{place}]"
        if requirement.get("operator") not in ("In", "NotIn"):
            causes.append(invalid(f"{here}.operator", requirement.get("operator", ""), _OPERATOR))
        elif len(requirement.get("values") or ()) != 1:
            detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            causes.append(required(f"{here}.values", detail))
        if requirement.get("key") != "metadata.name":
            causes.append(invalid(f"{here}.key", requirement.get("key", ""), "not a valid field selector key"))
            continue
        for index, value in enumerate(requirement.get("values") or ()):
            causes += each_invalid(f"{here}.values[{index}]", value, names.subdomain(value))
    return causes


def _node_requirement(requirement: Obj, path: str) -> Causes:
    operator, values = requirement.get("operator", ""), requirement.get("values") or []
    causes: Causes = []
    if operator in ("In", "NotIn"):
        if not values:
            causes.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            causes.append(forbidden(f"{path}.values", detail))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            causes.append(required(f"{path}.values", detail))
    else:
        causes.append(invalid(f"{path}.operator", operator, _OPERATOR))
    key = requirement.get("key", "")
    return causes + each_invalid(f"{path}.key", key, names.qualified(key))


def _pod_affinity(given: Obj, path: str) -> Causes:
    causes: Causes = []
    for place, term in enumerate(given.get(_REQUIRED) or ()):
        causes += _pod_term(term, f"{path}.{_REQUIRED}[{place}]")
    for place, weighted in enumerate(given.get(_PREFERRED) or ()):
        here = f"{path}.{_PREFERRED}[{place}]"
        if not 0 < weighted.get("weight", 0) <= 100:
            causes.append(invalid(f"{here}.weight", weighted.get("weight", 0), _WEIGHT))
        causes += _pod_term(weighted.get("podAffinityTerm") or {}, f"{here}.podAffinityTerm")
    return causes


def _pod_term(term: Obj, path: str) -> Causes:
    causes = meta.selector(term.get("labelSelector"), f"{path}.labelSelector")
    causes += meta.selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for name in term.get("namespaces") or ():
        causes += each_invalid(f"{path}.namespace", name, names.label(name))
    causes += _label_keys(term, path)
    topology = term.get("topologyKey", "")
    if not topology:
        causes.append(required(f"{path}.topologyKey", "can not be empty"))
    return causes + each_invalid(f"{path}.topologyKey", topology, names.qualified(topology))


def _label_keys(term: Obj, path: str) -> Causes:
    """Keys of labels that the pods of a term must, or must not, have in common."""
    matching: list[str] = term.get("matchLabelKeys") or []
    differing: list[str] = term.get("mismatchLabelKeys") or []
    causes: Causes = []
    for name, keys in (("matchLabelKeys", matching), ("mismatchLabelKeys", differing)):
        if keys and term.get("labelSelector") is None:
            causes.append(forbidden(f"{path}.{name}", "must not be specified when labelSelector is not set"))
            continue
        for place, key in enumerate(keys):
            causes += each_invalid(f"{path}.{name}[{place}]", key, names.qualified(key))
    for place, key in enumerate(matching):
        if key in differing:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            causes.append(invalid(f"{path}.matchLabelKeys[{place}]", key, detail))
    return causes


def gates(given: list[Obj], path: str) -> Causes:
    """What a pod waits for before it is scheduled."""
    causes: Causes = []
    for place, gate in enumerate(given):
        name = gate.get("name", "")
        causes += each_invalid(f"{path}[{place}]", name, names.qualified(name))
        if name in [other.get("name", "") for other in given[:place]]:
            causes.append(duplicate(f"{path}[{place}]", name))
    return causes


def spread(given: list[Obj] | None, path: str) -> Causes:
    """Topology spread constraints."""
    causes: Causes = []
    pairs = [(each.get("topologyKey"), each.get("whenUnsatisfiable")) for each in given or ()]
    for place, constraint in enumerate(given or ()):
        here = f"{path}[{place}]"
        if constraint.get("maxSkew", 0) <= 0:
            causes.append(invalid(f"{here}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero"))
        if not constraint.get("topologyKey"):
            causes.append(required(f"{here}.topologyKey", "can not be empty"))
        action = constraint.get("whenUnsatisfiable", "")
        if action not in ("DoNotSchedule", "ScheduleAnyway"):
            causes.append(not_supported(f"{here}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway")))
        if pairs[place] in pairs[place + 1 :]:
            shown = f"{{{pairs[place][0]}, {pairs[place][1]}}}"
            causes.append(duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", shown))
        causes += _spread_details(constraint, action, here)
        causes += meta.selector(constraint.get("labelSelector"), f"{here}.labelSelector")
    return causes


def _spread_details(constraint: Obj, action: str, path: str) -> Causes:
    causes: Causes = []
    domains = constraint.get("minDomains")
    if domains is not None and domains <= 0:
        causes.append(invalid(f"{path}.minDomains", domains, "must be greater than zero"))
    if domains is not None and action != "DoNotSchedule":
        detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        causes.append(invalid(f"{path}.minDomains", domains, detail))
    for key in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        policy = constraint.get(key)
        if policy is not None and policy not in _NODE_POLICIES:
            causes.append(not_supported(f"{path}.{key}", policy, _NODE_POLICIES))
    keys, selector = constraint.get("matchLabelKeys") or [], constraint.get("labelSelector")
    if keys and selector is None:
        causes.append(forbidden(f"{path}.matchLabelKeys", "must not be specified when labelSelector is not set"))
    selected = set((selector or {}).get("matchLabels") or ())
    selected |= {expression.get("key") for expression in (selector or {}).get("matchExpressions") or ()}
    for place, key in enumerate(keys):
        here = f"{path}.matchLabelKeys[{place}]"
        causes += each_invalid(here, key, names.qualified(key))
        if key in selected:
            causes.append(invalid(here, key, "exists in both matchLabelKeys and labelSelector"))
    return causes
