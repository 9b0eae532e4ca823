"""Security contexts of pods and containers."""

from __future__ import annotations

import re

from bluegreen.localkube.validation.fields import Causes, Obj, duplicate, invalid, not_supported, required
from bluegreen.localkube.validation.paths import descending

_ID = "must be between 0 and 2147483647, inclusive"
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_PROC_MOUNTS = ("Default", "Unmasked")
_GROUP_CHANGES = ("Always", "OnRootMismatch")
_SUPPLEMENTAL = ("Merge", "Strict")
_LABEL_CHANGES = ("MountOption", "Recursive")
_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"({_SEGMENT}[\./])*{_SEGMENT}"
_LONGEST_SYSCTL = 253


def _ids(context: Obj, keys: tuple[str, ...], path: str) -> Causes:
    return [
        invalid(f"{path}.{key}", context[key], _ID)
        for key in keys
        if context.get(key) is not None and not 0 <= context[key] < 2**31
    ]


def _seccomp(context: Obj, path: str) -> Causes:
    if "seccompProfile" not in context:
        return []
    return _profile(context["seccompProfile"], f"{path}.seccompProfile", "seccomp", "seccompProfile")


def _app_armor(context: Obj, path: str) -> Causes:
    if "appArmorProfile" not in context:
        return []
    return _profile(context["appArmorProfile"], f"{path}.appArmorProfile", "AppArmor", "appArmorProfile")


def _profile(profile: Obj, path: str, system: str, name: str) -> Causes:
    kind, local = profile.get("type", ""), profile.get("localhostProfile")
    causes: Causes = []
    if not kind:
        causes.append(required(f"{path}.type", f"type is required when {name} is set"))
    elif kind not in _PROFILES:
        causes.append(not_supported(f"{path}.type", kind, _PROFILES))
    if kind == "Localhost":
        if local is None:
            causes.append(required(f"{path}.localhostProfile", f"must be set when {system} type is Localhost"))
        elif system == "seccomp":
            causes += descending(local, f"{path}.localhostProfile")
        elif local != local.strip():
            causes.append(invalid(f"{path}.localhostProfile", local, "must not be padded with whitespace"))
        elif not local:
            causes.append(required(f"{path}.localhostProfile", f"must be set when {system} type is Localhost"))
    elif local is not None:
        shown = {"Type": kind, "LocalhostProfile": local} if system == "seccomp" else local
        detail = f"can only be set when {system} type is Localhost"
        causes.append(invalid(f"{path}.localhostProfile", shown, detail))
    return causes


def container(context: Obj, path: str, host_users: bool) -> Causes:
    """A container's security context."""
    causes = _ids(context, ("runAsUser", "runAsGroup"), path)
    mount = context.get("procMount")
    if mount is not None and mount not in _PROC_MOUNTS:
        causes.append(not_supported(f"{path}.procMount", mount, _PROC_MOUNTS))
    if host_users and mount == "Unmasked":
        causes.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    causes += _seccomp(context, path)
    if context.get("allowPrivilegeEscalation") is False:
        both = "cannot set `allowPrivilegeEscalation` to false and"
        if context.get("privileged"):
            causes.append(invalid(path, _go_context(context), f"{both} `privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            causes.append(invalid(path, _go_context(context), f"{both} `capabilities.Add` CAP_SYS_ADMIN"))
    return causes + _app_armor(context, path)


_GO_ORDER = (
    *("capabilities", "privileged", "seLinuxOptions", "windowsOptions", "runAsUser", "runAsGroup", "runAsNonRoot"),
    *("readOnlyRootFilesystem", "allowPrivilegeEscalation", "procMount", "seccompProfile", "appArmorProfile"),
)


def _go_context(context: Obj) -> Obj:
    """The context as Go prints its internal type: every field, by its Go name."""
    shown: Obj = {}
    for key in _GO_ORDER:
        name = "SELinuxOptions" if key == "seLinuxOptions" else key[0].upper() + key[1:]
        value = context.get(key)
        if key == "capabilities" and value is not None:
            value = {"Add": value.get("add"), "Drop": value.get("drop")}
        shown[name] = value
    return shown


def pod(context: Obj, spec: Obj, path: str) -> Causes:
    """A pod's security context."""
    causes = _ids(context, ("fsGroup", "runAsUser", "runAsGroup"), path)
    for place, group in enumerate(context.get("supplementalGroups") or ()):
        if not 0 <= group < 2**31:
            causes.append(invalid(f"{path}.supplementalGroups[{place}]", group, _ID))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.append(invalid(f"{path}.shareProcessNamespace", True, detail))
    seen: set[str] = set()
    for place, sysctl in enumerate(context.get("sysctls") or ()):
        at = f"{path}.sysctls[{place}].name"
        if not sysctl.get("name"):
            causes.append(required(at))
        elif len(sysctl["name"]) > _LONGEST_SYSCTL or not re.fullmatch(_SYSCTL, sysctl["name"]):
            detail = f"must have at most {_LONGEST_SYSCTL} characters and match regex ^{_SYSCTL}$"
            causes.append(invalid(at, sysctl["name"], detail))
        elif sysctl["name"] in seen:
            causes.append(duplicate(at, sysctl["name"]))
        seen.add(sysctl.get("name", ""))
    causes += _word(context, "fsGroupChangePolicy", _GROUP_CHANGES, path)
    causes += _seccomp(context, path) + _app_armor(context, path)
    causes += _word(context, "supplementalGroupsPolicy", _SUPPLEMENTAL, path)
    return causes + _word(context, "seLinuxChangePolicy", _LABEL_CHANGES, path)


def _word(context: Obj, key: str, known: tuple[str, ...], path: str) -> Causes:
    value = context.get(key)
    return [] if value is None or value in known else [not_supported(f"{path}.{key}", value, known)]
