"""Stage network: a service mesh's sidecar is in every pod, and ready, where the namespace or the pods ask for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bluegreen.gate.check import Check

Obj = Mapping[str, Any]

ISTIO, LINKERD = "istio-proxy", "linkerd-proxy"
"""The names of the containers that the two meshes inject."""


def wanted(namespace: Obj, pod: Obj) -> list[str]:
    """The sidecars that a pod should have been given. Pure.

    Istio: https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/ (the pod's word counts, unless the
    namespace is disabled); Linkerd: https://linkerd.io/2/features/proxy-injection/ (the pod's word counts).
    """
    return [name for name, asked in ((ISTIO, _istio(namespace, pod)), (LINKERD, _linkerd(namespace, pod))) if asked]


def sidecars(namespace: Obj, pods: Sequence[Obj]) -> list[Check]:
    """Every pod holds each sidecar that is asked for, and it is ready; none where no pod asks for any. Pure."""
    return [
        Check.equal(f"Pod {pod['metadata']['name']}: sidecar {name}", _state(pod, name), "ready")
        for pod in pods
        for name in wanted(namespace, pod)
    ]


def _istio(namespace: Obj, pod: Obj) -> bool:
    labels, own = _words(namespace, "labels"), {**_words(pod, "annotations"), **_words(pod, "labels")}
    if labels.get("istio-injection") == "disabled" or own.get("sidecar.istio.io/inject") == "false":
        return False
    asked = labels.get("istio-injection") == "enabled" or bool(labels.get("istio.io/rev"))
    return asked or own.get("sidecar.istio.io/inject") == "true" or bool(_words(pod, "labels").get("istio.io/rev"))


def _linkerd(namespace: Obj, pod: Obj) -> bool:
    key = "linkerd.io/inject"
    word = _words(pod, "annotations").get(key) or _words(namespace, "annotations").get(key)
    return word in ("enabled", "ingress")


def _state(pod: Obj, name: str) -> str:
    """How a sidecar is: a container, or an init container that is restarted always (Kubernetes' own sidecars)."""
    spec, status = pod["spec"], pod.get("status") or {}
    native = [c for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    if name not in {container["name"] for container in [*(spec.get("containers") or []), *native]}:
        return "not injected"
    statuses = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    ready = any(entry["name"] == name and entry.get("ready") for entry in statuses)
    return "ready" if ready else "not ready"


def _words(obj: Obj, where: str) -> dict[str, str]:
    return dict((obj.get("metadata") or {}).get(where) or {})
