"""A CustomResourceDefinition object as the kinds it stands for. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bluegreen.localkube.kinds import SCALE, STATUS, Kind, Obj

if TYPE_CHECKING:
    from bluegreen.localkube.custom.resource import ScalePaths

_VERSION = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?")
_STABILITY = {"alpha": 0, "beta": 1, None: 2}


def condition(definition: Obj, type_: str) -> bool:
    """Whether a condition of a definition is true."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == type_ and each.get("status") == "True" for each in conditions)


def kinds_of(definition: Obj) -> tuple[Kind, ...]:
    """The kinds of an established definition, one a version, the stored one first; () for one that is not yet."""
    if not condition(definition, "Established"):
        return ()
    versions = sorted(definition["spec"]["versions"], key=lambda version: not version["storage"])
    return tuple(_kind(definition, version) for version in versions)


def priority(version: str) -> tuple[int, int, int, str]:
    """A sort key that puts versions in the order in which Kubernetes prefers them: v2, v1, v1beta1, v1alpha1, other."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (1, 0, 0, version)
    return (0, -_STABILITY[found[2]] * 1_000_000 - int(found[1]), -int(found[3] or 0), "")


def _kind(definition: Obj, version: Obj) -> Kind:
    from bluegreen.localkube.custom.columns import columns_of  # loaded by clusters that have custom kinds only
    from bluegreen.localkube.custom.resource import CustomResource

    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    subresources = version.get("subresources") or {}
    stored = next(each["name"] for each in spec["versions"] if each["storage"])
    custom = CustomResource(
        identity=(spec["group"], version["name"], names["kind"]),
        schema=(version.get("schema") or {}).get("openAPIV3Schema") or {},
        served=bool(version["served"]),
        stored_as=f"{spec['group']}/{stored}",
        versions=len(spec["versions"]),
        columns=columns_of(version.get("additionalPrinterColumns")),
        has_status="status" in subresources,
        scale=_scale_paths(subresources.get("scale")),
        deprecation=deprecation(spec, version),
        fixed=condition(definition, "Terminating"),
    )
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular") or "",
        list_kind=names.get("listKind") or "",
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=(*((STATUS,) if custom.has_status else ()), *((SCALE,) if custom.scale else ())),
        generation=True,
        fields=tuple(each["jsonPath"].lstrip(".") for each in version.get("selectableFields") or ()),
        field_refusal="field label not supported: {field}",
        blind_update=False,
        key=definition["metadata"]["name"],
        custom=custom,
    )


def _scale_paths(given: Obj | None) -> ScalePaths | None:
    from bluegreen.localkube.custom.resource import ScalePaths

    if given is None:
        return None
    paths = (given["specReplicasPath"], given["statusReplicasPath"], given.get("labelSelectorPath") or "")
    spec, status, selector = (tuple(part for part in path.split(".") if part) for path in paths)
    return ScalePaths(spec, status, selector)


def deprecation(spec: Obj, version: Obj) -> str:
    """What users of a deprecated version are told; "" for every other version."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning") is not None:
        return str(version["deprecationWarning"])
    group, kind, name = spec["group"], spec["names"]["kind"], version["name"]
    current = [each["name"] for each in spec["versions"] if each["served"] and not each.get("deprecated")]
    newer = sorted((each for each in current if priority(each) < priority(name)), key=priority)
    instead = f"; use {group}/{newer[0]} {kind}" if newer else ""
    return f"{group}/{name} {kind} is deprecated{instead}"
