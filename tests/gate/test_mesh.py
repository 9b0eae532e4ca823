"""Sidecars are missed where a mesh was asked for, and only there."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen.gate import CheckError, require
from bluegreen.gate.mesh import ISTIO, LINKERD, sidecars, wanted

Obj = dict[str, Any]


def namespace(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> Obj:
    """A namespace."""
    return {"metadata": {"name": "team", "labels": labels, "annotations": annotations}}


def pod(*, sidecar: str = "", native: bool = False, ready: bool = True, **metadata: dict[str, str]) -> Obj:
    """A pod, with a sidecar where one is named."""
    extra = [{"name": sidecar, "restartPolicy": "Always"} if native else {"name": sidecar}] if sidecar else []
    spec: Obj = {"containers": [{"name": "app"}, *([] if native else extra)], "initContainers": extra if native else []}
    statuses = [{"name": sidecar, "ready": ready}] if sidecar else []
    where = "initContainerStatuses" if native else "containerStatuses"
    return {"metadata": {"name": "a", **metadata}, "spec": spec, "status": {where: statuses}}


ASKS = [
    (namespace(), pod(), []),
    (namespace({"istio-injection": "enabled"}), pod(), [ISTIO]),
    (namespace({"istio.io/rev": "stable"}), pod(), [ISTIO]),
    (namespace({"istio.io/dataplane-mode": "ambient"}), pod(), []),
    (namespace({"istio-injection": "enabled"}), pod(labels={"sidecar.istio.io/inject": "false"}), []),
    (namespace({"istio-injection": "enabled"}), pod(annotations={"sidecar.istio.io/inject": "false"}), []),
    (namespace(), pod(labels={"sidecar.istio.io/inject": "true"}), [ISTIO]),
    (namespace({"istio-injection": "disabled"}), pod(labels={"sidecar.istio.io/inject": "true"}), []),
    (namespace(None, {"linkerd.io/inject": "enabled"}), pod(), [LINKERD]),
    (namespace(None, {"linkerd.io/inject": "enabled"}), pod(annotations={"linkerd.io/inject": "disabled"}), []),
    (namespace(), pod(annotations={"linkerd.io/inject": "ingress"}), [LINKERD]),
]


@pytest.mark.parametrize(("space", "found", "names"), ASKS)
def test_who_asks_for_a_sidecar(space: Obj, found: Obj, names: list[str]) -> None:
    assert wanted(space, found) == names


@pytest.mark.parametrize("native", [False, True], ids=["a container", "a native sidecar"])
def test_a_sidecar_must_be_there_and_ready(native: bool) -> None:
    space = namespace({"istio-injection": "enabled"})
    require(sidecars(space, [pod(sidecar=ISTIO, native=native)]))
    with pytest.raises(CheckError, match=r"sidecar istio-proxy.*not ready"):
        require(sidecars(space, [pod(sidecar=ISTIO, native=native, ready=False)]))
    with pytest.raises(CheckError, match=r"sidecar istio-proxy.*not injected"):
        require(sidecars(space, [pod(sidecar=LINKERD, native=native)]))


def test_an_init_container_that_ends_is_no_sidecar() -> None:
    found = pod()
    found["spec"]["initContainers"] = [{"name": ISTIO}]
    [check] = sidecars(namespace({"istio-injection": "enabled"}), [found])
    assert "not injected" in str(check)


def test_without_a_mesh_nothing_is_asked() -> None:
    assert sidecars(namespace(), [pod()]) == []
