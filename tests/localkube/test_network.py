"""Addresses: networks of several clusters, pods, Services, node ports, and Kubernetes' refusals."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.network import NODE_PORTS, Network, claim_network
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Store

Obj = dict[str, Any]
SERVICE = KINDS["Service"]


class Place:
    """A registry whose Services get addresses of network 77."""

    def __init__(self, store: Store | None = None, number: int = 77) -> None:
        self.registry = Registry(store or Store())
        if self.registry.store.get(KINDS["Namespace"], "", "n") is None:
            self.registry.create(KINDS["Namespace"], "", {"metadata": {"name": "n"}})
        self.network = Network(number)
        self.network.follow(self.registry)

    def create(self, name: str, ports: list[Obj] | None = None, **spec: Any) -> Obj:
        spec = {"ports": ports or [{"port": 80}], **spec}
        return self.registry.create(SERVICE, "n", {"metadata": {"name": name}, "spec": spec})

    def update(self, name: str, **changes: Any) -> Obj:
        live = self.registry.get(SERVICE, "n", name)
        spec = {key: value for key, value in {**live["spec"], **changes}.items() if value is not None}
        return self.registry.update(SERVICE, "n", name, {"metadata": live["metadata"], "spec": spec}, manager="test")

    def refusal(self, name: str, **spec: Any) -> str:
        with pytest.raises(ApiError) as caught:
            self.create(name, **spec)
        assert (caught.value.code, caught.value.reason) == (422, "Invalid")
        return caught.value.message


@pytest.fixture
def place() -> Place:
    return Place()


def test_every_service_gets_an_address_of_its_own(place: Place) -> None:
    found = [place.create(f"s{index}")["spec"] for index in range(3)]
    assert len({spec["clusterIP"] for spec in found}) == 3
    assert all(spec["clusterIPs"] == [spec["clusterIP"]] for spec in found)
    assert all(spec["clusterIP"].startswith("127.77.16.") for spec in found)
    assert (found[0]["ipFamilies"], found[0]["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_headless_and_external_services_get_none(place: Place) -> None:
    bare = place.create("bare", clusterIP="None")["spec"]
    assert (bare["clusterIPs"], bare["ipFamilies"], bare["ipFamilyPolicy"]) == (
        ["None"],
        ["IPv4", "IPv6"],
        "RequireDualStack",
    )
    chosen = place.create("chosen", clusterIP="None", selector={"a": "b"})["spec"]
    assert (chosen["ipFamilies"], chosen["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    external = place.create("external", type="ExternalName", externalName="example.org")["spec"]
    assert "clusterIP" not in external


def test_an_address_may_be_asked_for_once(place: Place) -> None:
    assert place.create("a", clusterIP="127.77.20.20")["spec"]["clusterIP"] == "127.77.20.20"
    assert place.refusal("b", clusterIP="127.77.20.20") == (
        'Service "b" is invalid: spec.clusterIPs: Invalid value: ["127.77.20.20"]: failed to allocate IP 127.77.20.20: '
        "provided IP is already allocated"
    )
    assert place.refusal("c", clusterIP="10.0.0.1") == (
        'Service "c" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.1"]: failed to allocate IP 10.0.0.1: '
        "the provided network does not match the current range"
    )
    assert "already allocated" in place.refusal("d", clusterIP=place.network.kubernetes_address)


def test_an_address_is_free_again_once_its_service_is_gone(place: Place) -> None:
    place.create("a", clusterIP="127.77.20.20")
    place.registry.delete(SERVICE, "n", "a")
    place.create("b", clusterIP="127.77.20.20")


def test_a_dry_run_takes_nothing(place: Place) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"clusterIP": "127.77.20.20", "ports": [{"port": 80}]}}
    place.registry.create(SERVICE, "n", body, dry_run=True)
    place.create("b", clusterIP="127.77.20.20")


def test_node_ports_are_given_kept_and_refused(place: Place) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30080}]
    found = place.create("a", type="NodePort", ports=ports)["spec"]["ports"]
    assert found[1]["nodePort"] == 30080
    assert found[0]["nodePort"] in NODE_PORTS
    wanted = [{"port": 80, "nodePort": 30080}]
    why = "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    assert place.refusal("b", type="NodePort", ports=wanted) == f'Service "b" is invalid: {why}'
    low = "Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767"
    assert low in place.refusal("c", type="NodePort", ports=[{"port": 80, "nodePort": 80}])


def test_load_balancers_get_node_ports_unless_they_want_none(place: Place) -> None:
    assert place.create("a", type="LoadBalancer")["spec"]["ports"][0]["nodePort"] in NODE_PORTS
    without = place.create("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in without["spec"]["ports"][0]


def test_an_update_keeps_what_was_allocated(place: Place) -> None:
    before = place.create("a", type="NodePort")["spec"]
    after = place.update("a", clusterIP=None, clusterIPs=None, ports=[{"port": 80}, {"name": "x", "port": 81}][:1])[
        "spec"
    ]
    assert after["clusterIP"] == before["clusterIP"]
    assert after["ports"][0]["nodePort"] == before["ports"][0]["nodePort"]


def test_a_change_of_type_gives_and_takes(place: Place) -> None:
    address = place.create("a")["spec"]["clusterIP"]
    as_node_port = place.update("a", type="NodePort")["spec"]
    assert (as_node_port["clusterIP"], as_node_port["ports"][0]["nodePort"] in NODE_PORTS) == (address, True)
    back = place.update("a", type="ClusterIP")["spec"]
    assert "nodePort" not in back["ports"][0]
    assert "externalTrafficPolicy" not in back
    external = place.update("a", type="ExternalName", externalName="example.org")["spec"]
    assert "clusterIP" not in external


def test_an_address_may_not_change(place: Place) -> None:
    place.create("a", clusterIP="127.77.20.20")
    with pytest.raises(ApiError, match="may not change once set"):
        place.update("a", clusterIP="127.77.20.21", clusterIPs=["127.77.20.21"])


def test_pod_addresses_rest_before_they_are_used_again() -> None:
    network = Network(77)
    first = network.take_pod_address()
    network.free_pod_address(first)
    later = [network.take_pod_address() for _ in range(1000)]
    assert first not in later
    assert len(set(later)) == 1000
    assert not any(address.endswith((".0", ".255")) for address in later)


def test_load_balancer_addresses_are_honoured_where_they_are_free(place: Place) -> None:
    asked = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"loadBalancerIP": "127.77.32.9"}}
    assert place.network.load_balancer_address(asked) == "127.77.32.9"
    elsewhere = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"loadBalancerIP": "10.0.0.1"}}
    assert place.network.load_balancer_address(elsewhere).startswith("127.77.32.")


def test_addresses_survive_a_restart_and_move_with_the_network() -> None:
    store = Store()
    address = Place(store).create("a", clusterIP="127.77.20.20")["spec"]["clusterIP"]
    again = Place(store)
    assert again.registry.get(SERVICE, "n", "a")["spec"]["clusterIP"] == address
    assert "already allocated" in again.refusal("b", clusterIP=address)
    moved = Place(store, number=78)
    assert moved.registry.get(SERVICE, "n", "a")["spec"]["clusterIPs"] == ["127.78.20.20"]


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[Network]:
    network = claim_network(tmp_path / "network", "one")
    yield network
    network.release()


def test_a_claimed_network_is_nobody_elses(claimed: Network, tmp_path: Path) -> None:
    other = claim_network(tmp_path / "other", "one")
    try:
        assert other.number != claimed.number
    finally:
        other.release()


def test_a_cluster_finds_its_network_again(claimed: Network, tmp_path: Path) -> None:
    claimed.release()
    again = claim_network(tmp_path / "network", "another seed")
    assert again.number == claimed.number
    again.release()


def test_a_network_in_which_somebody_listens_is_left_alone(claimed: Network) -> None:
    claimed.release()
    with socket.create_server((claimed.node_address, 0)):
        assert not claimed.claim()
    assert claimed.claim()
