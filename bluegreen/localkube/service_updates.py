"""What an update of a Service keeps of what the server allocated, and what a change of its type makes void. Pure.

The rules are those of Kubernetes' Service registry: patchAllocatedValues and dropTypeDependentFields.
"""

from __future__ import annotations

from bluegreen.localkube.kinds import Obj

WITH_CLUSTER_IP = ("ClusterIP", "NodePort", "LoadBalancer")
WITH_NODE_PORTS = ("NodePort", "LoadBalancer")
_ADDRESS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def keep_allocated(spec: Obj, old: Obj) -> None:
    """Change the new spec of a Service in the light of its old one."""
    has, had = spec.get("type", "ClusterIP"), old.get("type", "ClusterIP")
    if has in WITH_CLUSTER_IP and had in WITH_CLUSTER_IP:
        _keep_address(spec, old)
    elif had in WITH_CLUSTER_IP and spec.get("clusterIP") in (None, "", old.get("clusterIP")):
        _drop(spec, *_ADDRESS, "internalTrafficPolicy")
    if has in WITH_NODE_PORTS and had in WITH_NODE_PORTS:
        _keep_node_ports(spec, old)
    elif had in WITH_NODE_PORTS:
        _drop_node_ports(spec, old)
        _drop(spec, "externalTrafficPolicy", "healthCheckNodePort")
    if had == "LoadBalancer" and has != had:
        _drop(spec, "allocateLoadBalancerNodePorts", "loadBalancerClass")


def _drop(spec: Obj, *fields: str) -> None:
    for field in fields:
        spec.pop(field, None)


def _keep_address(spec: Obj, old: Obj) -> None:
    if not spec.get("clusterIP") and old.get("clusterIP"):
        spec["clusterIP"] = old["clusterIP"]
    if spec.get("clusterIP") != old.get("clusterIP"):
        if spec.get("clusterIPs") == old.get("clusterIPs"):  # a client that knows only the one field
            spec["clusterIPs"] = [spec["clusterIP"]]
        return
    for field in _ADDRESS:
        if not spec.get(field) and old.get(field):
            spec[field] = old[field]


def _keep_node_ports(spec: Obj, old: Obj) -> None:
    """A port of the same name keeps its node port, unless another port took that."""
    before = {port.get("name", ""): port.get("nodePort") for port in old.get("ports") or ()}
    asked = {port.get("nodePort") for port in spec.get("ports") or ()}
    for port in spec.get("ports") or ():
        kept = before.get(port.get("name", ""))
        if kept and not port.get("nodePort") and kept not in asked:
            port["nodePort"] = kept


def _drop_node_ports(spec: Obj, old: Obj) -> None:
    """Node ports go with the type, unless they were changed in the same update."""
    ports, before = spec.get("ports") or (), old.get("ports") or ()
    if [port.get("nodePort") for port in ports] == [port.get("nodePort") for port in before]:
        for port in ports:
            port.pop("nodePort", None)
