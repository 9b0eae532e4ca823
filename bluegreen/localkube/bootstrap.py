"""What every cluster holds from its first moment: namespaces, roles and priority classes of the system's, and the
Service ``kubernetes``.

Run at each start: what is there stays as it is, except the address of the API behind ``kubernetes``.
"""

from __future__ import annotations

from bluegreen.localkube import priorities, roles
from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.registry import Registry

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_SERVER = {"component": "apiserver", "provider": "kubernetes"}
_MANAGER = "kube-apiserver"
_HTTPS = {"name": "https", "protocol": "TCP"}


def bootstrap(registry: Registry, *, address: str, api_host: str, api_port: int) -> None:
    """Make what is missing; ``address`` is the Service's, behind which the API listens at ``api_host:api_port``."""
    for name in NAMESPACES:
        _ensure(registry, "Namespace", "", {"metadata": {"name": name}})
    roles.bootstrap(registry)
    for name, (value, description) in priorities.SYSTEM.items():
        _ensure(registry, "PriorityClass", "", {"metadata": {"name": name}, "value": value, "description": description})
    _ensure(registry, "Service", "default", _service(address))
    _point_at(registry, api_host, api_port)


def _service(address: str) -> Obj:
    spec = {
        "clusterIP": address,
        "clusterIPs": [address],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ports": [_HTTPS | {"port": 443, "targetPort": 6443}],
    }
    return {"metadata": {"name": "kubernetes", "namespace": "default", "labels": _SERVER}, "spec": spec}


def _point_at(registry: Registry, host: str, port: int) -> None:
    """The Service has no selector: the API server itself says where it listens."""
    labels = {"kubernetes.io/service-name": "kubernetes"}
    slice_ = {
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "addressType": "IPv4",
        "ports": [_HTTPS | {"port": port}],
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
    }
    endpoints = {
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "subsets": [{"addresses": [{"ip": host}], "ports": [_HTTPS | {"port": port}]}],
    }
    for kind, wanted in (("EndpointSlice", slice_), ("Endpoints", endpoints)):
        _ensure(registry, kind, "default", wanted)
        _update(registry, kind, {key: wanted[key] for key in ("endpoints", "ports", "subsets") if key in wanted})


def _update(registry: Registry, kind: str, content: Obj) -> None:
    def change(obj: Obj) -> None:
        obj.update(content)

    registry.modify(KINDS[kind], "default", "kubernetes", change, manager=_MANAGER, subresource="")


def _ensure(registry: Registry, kind: str, namespace: str, obj: Obj) -> None:
    if registry.store.get(KINDS[kind], namespace, obj["metadata"]["name"]) is None:
        registry.create(KINDS[kind], namespace, obj, manager=_MANAGER)
