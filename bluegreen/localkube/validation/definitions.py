"""CustomResourceDefinitions: names, versions, columns, subresources. Their schemas: ``schemas``."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube.custom.definitions import condition
from bluegreen.localkube.validation import names, schemas
from bluegreen.localkube.validation.fields import (
    Causes,
    Obj,
    duplicate,
    forbidden,
    immutable,
    invalid,
    not_supported,
    required,
)

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MIXED = "may have mixed case, but should otherwise match: "
APPROVED = "api-approved.kubernetes.io"
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"
_SELECTABLE = ("string", "boolean", "integer")


def definition(obj: Obj) -> Causes:
    """A new CustomResourceDefinition."""
    spec = obj["spec"]
    found: Causes = []
    wanted = f"{spec['names'].get('plural', '')}.{spec.get('group', '')}"
    if obj["metadata"].get("name") != wanted:
        found.append(
            invalid("metadata.name", obj["metadata"].get("name", ""), 'must be spec.names.plural+"."+spec.group')
        )
    return found + _spec(spec) + _stored_versions(obj) + _approval(obj, None)


def definition_update(obj: Obj, old: Obj) -> Causes:
    """A changed CustomResourceDefinition: what is stored and where it is found may not change."""
    spec, before = obj["spec"], old["spec"]
    found = _spec(spec)
    if condition(old, "Established"):
        found += immutable("spec.scope", spec.get("scope"), before.get("scope"))
        found += immutable("spec.names.kind", spec["names"].get("kind"), before["names"].get("kind"))
    found += immutable("spec.group", spec.get("group"), before.get("group"))
    found += immutable("spec.names.plural", spec["names"].get("plural"), before["names"].get("plural"))
    return found + _stored_versions(obj) + _approval(obj, old)


def _spec(spec: Obj) -> Causes:
    found = _group(spec.get("group") or "")
    scope = spec.get("scope") or ""
    if not scope:
        found.append(required("spec.scope"))
    elif scope not in ("Cluster", "Namespaced"):
        found.append(not_supported("spec.scope", scope, ("Cluster", "Namespaced")))
    versions = spec.get("versions") or []
    found += [
        required(f"spec.versions[{place}].schema.openAPIV3Schema")
        for place, version in enumerate(versions)
        if not (version.get("schema") or {}).get("openAPIV3Schema")
    ]
    found += _versions(versions) + _names(spec["names"]) + _shared(versions)
    return found + _conversion(spec.get("conversion") or {}) + _preserving(spec)


def _group(group: str) -> Causes:
    if not group:
        return [required("spec.group")]
    if wrong := names.subdomain(group):
        return [invalid("spec.group", group, ",".join(wrong))]
    return [] if "." in group else [invalid("spec.group", group, "should be a domain with at least one dot")]


# -- versions --------------------------------------------------------------------------------------------------------
def _same(versions: list[Obj], key: str) -> bool:
    """Whether all versions say the same there: Kubernetes then looks at it once, as if it stood in the spec."""
    said = [version.get(key) for version in versions]
    return bool(said) and all(each and each == said[0] for each in said)


def _shared(versions: list[Obj]) -> Causes:
    """What all versions have in common."""
    found: Causes = []
    if _same(versions, "schema"):
        has_status = any("status" in (version.get("subresources") or {}) for version in versions)
        found += _schema(versions[0], "spec.validation", status=has_status)
    if _same(versions, "subresources"):
        found += _subresources(versions[0]["subresources"], "spec.subresources")
    if _same(versions, "additionalPrinterColumns"):
        found += _columns(versions[0]["additionalPrinterColumns"], "spec.additionalPrinterColumns")
    if _same(versions, "selectableFields"):
        found += _selectable(versions[0], "spec.selectableFields")
    return found


def _versions(versions: list[Obj]) -> Causes:
    found: Causes = []
    for place, version in enumerate(versions):
        path, name = f"spec.versions[{place}]", version.get("name") or ""
        if wrong := names.label_1035(name):
            found.append(invalid(f"{path}.name", name, ",".join(wrong)))
        found += _deprecation(version, path)
        if not _same(versions, "schema"):
            has_status = "status" in (version.get("subresources") or {})
            found += _schema(version, f"{path}.schema", status=has_status)
        if not _same(versions, "subresources"):
            found += _subresources(version.get("subresources") or {}, f"{path}.subresources")
        if not _same(versions, "additionalPrinterColumns"):
            found += _columns(version.get("additionalPrinterColumns") or [], f"{path}.additionalPrinterColumns")
        if not _same(versions, "selectableFields"):
            found += _selectable(version, f"{path}.selectableFields")
    given = [version.get("name") for version in versions]
    if len(set(given)) < len(given):
        found.append(invalid("spec.versions", versions, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        found.append(invalid("spec.versions", versions or None, why))
    return found


def _deprecation(version: Obj, path: str) -> Causes:
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    why = []
    if not version.get("deprecated"):
        why = ["can only be set for deprecated versions"]
    elif not warning:
        why = ["must not be an empty string"]
    elif len(warning.encode()) > 256:
        why = ["must be <= 256 characters long"]
    elif not warning.isprintable():
        place = next(i for i, char in enumerate(warning) if not char.isprintable())
        why = [f"must only contain printable UTF-8 characters; non-printable character found at index {place}"]
    return [invalid(f"{path}.deprecationWarning", warning, each) for each in why]


def _schema(version: Obj, path: str, *, status: bool) -> Causes:
    given = (version.get("schema") or {}).get("openAPIV3Schema")
    return schemas.schema(given, f"{path}.openAPIV3Schema", status=status) if given else []


def _subresources(given: Obj, path: str) -> Causes:
    scale = given.get("scale")
    if scale is None:
        return []
    found: Causes = []
    for key, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        here, value = f"{path}.scale.{key}", scale.get(key) or ""
        wrong = _simple_path(value, here) if value else [required(here)]
        if not wrong and not value.startswith(root):
            wrong = [invalid(here, value, f"should be a json path under {root.rstrip('.')}")]
        found += wrong
    selector, here = scale.get("labelSelectorPath") or "", f"{path}.scale.labelSelectorPath"
    wrong = _simple_path(selector, here) if selector else []
    if selector and not wrong and not selector.startswith((".spec.", ".status.")):
        wrong = [invalid(here, selector, "should be a json path under either .spec or .status")]
    return found + wrong


def _columns(columns: list[Obj], path: str) -> Causes:
    found: Causes = []
    for place, column in enumerate(columns):
        here = f"{path}[{place}]"
        if not column.get("name"):
            found.append(required(f"{here}.name"))
        known = f"must be one of {','.join(_COLUMN_TYPES)}"
        type_, format_ = column.get("type") or "", column.get("format") or ""
        if not type_:
            found.append(required(f"{here}.type", known))
        elif type_ not in _COLUMN_TYPES:
            found.append(invalid(f"{here}.type", type_, known))
        if format_ and format_ not in _COLUMN_FORMATS:
            found.append(invalid(f"{here}.format", format_, f"must be one of {','.join(_COLUMN_FORMATS)}"))
        path_ = column.get("jsonPath") or ""
        found += _simple_path(path_, f"{here}.JSONPath") if path_ else [required(f"{here}.JSONPath")]
    return found


def _simple_path(path: str, field: str) -> Causes:
    return [] if path.startswith(".") else [invalid(field, path, "must be a simple json path starting with .")]


def _selectable(version: Obj, path: str) -> Causes:
    found: Causes = []
    seen: set[str] = set()
    declared: Any = (version.get("schema") or {}).get("openAPIV3Schema")
    for place, each in enumerate(version.get("selectableFields") or ()):
        here, given = f"{path}[{place}].jsonPath", each.get("jsonPath") or ""
        if not given:
            found.append(required(here))
            continue
        below = declared
        for key in given.lstrip(".").split("."):
            below = ((below or {}).get("properties") or {}).get(key)
        if not given.startswith(".") or below is None:
            found.append(invalid(here, given, f"is an invalid path: does not refer to a valid field: {given}"))
            continue
        if given.startswith(".metadata"):
            found.append(invalid(here, given, "must not point to fields in metadata"))
        if below.get("type") not in _SELECTABLE:
            why = (
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats"
            )
            found.append(invalid(here, given, f"{why} are allowed."))
        if given in seen:
            found.append(duplicate(here, given))
        seen.add(given)
    return found


# -- names and the rest ----------------------------------------------------------------------------------------------
def _names(given: Obj) -> Causes:
    found: Causes = []
    for key in ("plural", "singular", "kind", "listKind"):
        if not given.get(key):
            found.append(required(f"spec.names.{key}"))
    for key in ("plural", "singular"):
        if given.get(key) and (wrong := names.label_1035(given[key])):
            found.append(invalid(f"spec.names.{key}", given[key], ",".join(wrong)))
    for key in ("kind", "listKind"):
        if given.get(key) and (wrong := names.label_1035(given[key].lower())):
            found.append(invalid(f"spec.names.{key}", given[key], _MIXED + ",".join(wrong)))
    for key in ("shortNames", "categories"):
        for place, word in enumerate(given.get(key) or ()):
            if wrong := names.label_1035(word):
                found.append(invalid(f"spec.names.{key}[{place}]", word, ",".join(wrong)))
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        found.append(invalid("spec.names.listKind", given["listKind"], "kind and listKind may not be the same"))
    return found


def _conversion(given: Obj) -> Causes:
    strategy, path = given.get("strategy") or "", "spec.conversion"
    if not strategy:
        return [required(f"{path}.strategy")]
    if strategy not in ("None", "Webhook"):
        return [not_supported(f"{path}.strategy", strategy, ("None", "Webhook"))]
    if strategy == "Webhook":  # a choice of this cluster: it asks no webhook
        return [forbidden(f"{path}.strategy", "this cluster converts by apiVersion alone; use strategy None")]
    if given.get("webhook") is not None:
        why = "should not be set when strategy is not set to Webhook"
        return [forbidden(f"{path}.webhookClientConfig", why)]
    return []


def _preserving(spec: Obj) -> Causes:
    if not spec.get("preserveUnknownFields"):
        return []
    why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    return [invalid("spec.preserveUnknownFields", True, why)]


def _stored_versions(obj: Obj) -> Causes:
    path, stored = "status.storedVersions", (obj.get("status") or {}).get("storedVersions") or []
    if not stored:
        return [invalid(path, None, "must have at least one stored version")]
    versions = [version.get("name") for version in obj["spec"].get("versions") or ()]
    return [
        invalid(
            f"{path}[{place}]", name,
            f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions"
            f" until a storage migration ensures no data remains persisted in {name} and removes {name} from"
            " status.storedVersions",
        )
        for place, name in enumerate(stored)
        if name not in versions
    ]  # fmt: skip


def _approval(obj: Obj, old: Obj | None) -> Causes:
    """Kubernetes' own groups want to know who approved of a definition."""
    group = obj["spec"].get("group") or ""
    if not (f".{group}").endswith((".k8s.io", ".kubernetes.io")):
        return []
    approved, wants = _approved(obj), f'protected groups must have approval annotation "{APPROVED}"'
    if old is not None and bool(_approved(old)) == bool(approved):
        return []
    path = f"metadata.annotations[{APPROVED}]"
    if not approved:
        return [required(path, f"{wants}, {_SEE}")]
    if approved.startswith(("unapproved", "http://", "https://")):
        return []
    return [invalid(path, approved, f'{wants} with either a URL or a reason starting with "unapproved", {_SEE}')]


def _approved(obj: Obj) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(APPROVED) or "")
