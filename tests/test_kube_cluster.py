"""The door to a cluster against the embedded one: what the server means by its answers reaches the caller as such."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bluegreen import confirm, localkube
from bluegreen.clock import Deadline
from bluegreen.kube import (
    WRITE_ID,
    AlreadyExists,
    Conflict,
    Invalid,
    Kube,
    NotFound,
    Unauthorized,
    Unreachable,
    connect_handle,
)
from bluegreen.kube.execution import execute
from bluegreen.localkube import Cluster
from bluegreen.portforward import Forward, Forwards

NUMBERS = itertools.count()


@pytest.fixture
def kube(cluster: Cluster) -> Iterator[Kube]:
    namespace = f"kube-test-{os.getpid()}-{next(NUMBERS)}"
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, namespace)
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    yield kube
    kube.delete("Namespace", namespace)
    kube.close()


def config_map(name: str = "a", labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


def test_objects_come_back_as_they_are(kube: Kube) -> None:
    created = kube.create(config_map(x="1"))
    assert created["metadata"]["annotations"][WRITE_ID]
    assert kube.get("ConfigMap", "a") == created
    assert kube.get("ConfigMap", "a", "kube-system") is None
    with pytest.raises(AlreadyExists):
        kube.create(config_map())


def test_lists_take_selectors(kube: Kube) -> None:
    for name, colour in (("a", "blue"), ("b", "green"), ("c", "green")):
        kube.create(config_map(name, {"version": colour}))
    assert [o["metadata"]["name"] for o in kube.list("ConfigMap", labels="version=green")] == ["b", "c"]
    assert [o["metadata"]["name"] for o in kube.list("ConfigMap", fields="metadata.name=a")] == ["a"]
    assert {o["kind"] for o in kube.list("ConfigMap", labels="version")} == {"ConfigMap"}
    assert {o["metadata"]["namespace"] for o in kube.list("ConfigMap", namespace="")} >= {kube.namespace}


def test_long_lists_come_whole(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen.kube import reading

    monkeypatch.setattr(reading, "PAGE", 3)
    for number in range(10):
        kube.create(config_map(f"m{number}", {"mine": "yes"}))
    assert len(kube.list("ConfigMap", labels="mine")) == 10


def test_a_patch_with_a_precondition_is_refused_when_it_does_not_hold(kube: Kube) -> None:
    read = kube.create(config_map(colour="blue"))
    test = {"op": "test", "path": "/data/colour", "value": "blue"}
    switch = [test, {"op": "replace", "path": "/data/colour", "value": "green"}]
    assert kube.json_patch("ConfigMap", "a", switch)["data"] == {"colour": "green"}
    with pytest.raises(Invalid):
        kube.json_patch("ConfigMap", "a", switch)
    with pytest.raises(Conflict):
        kube.replace({**read, "data": {"colour": "red"}})
    with pytest.raises(NotFound):
        kube.json_patch("ConfigMap", "b", switch)


def test_apply_tells_whose_field_it_is(kube: Kube) -> None:
    kube.apply(config_map(x="1"), manager="helm")
    with pytest.raises(Conflict) as caught:
        kube.apply(config_map(x="2"), manager="me")
    assert 'conflict with "helm"' in caught.value.causes[0]["message"]
    assert kube.apply(config_map(x="2"), manager="me", force=True)["data"] == {"x": "2"}


def test_a_dry_run_keeps_nothing(kube: Kube) -> None:
    kube.apply(config_map(), dry_run=True)
    kube.create(config_map(), dry_run=True)
    assert kube.get("ConfigMap", "a") is None


def test_an_unknown_field_is_refused(kube: Kube) -> None:
    with pytest.raises(Invalid, match="field not declared in schema"):
        kube.apply({**config_map(), "dada": {}})
    with pytest.raises(Invalid, match="unknown field"):
        kube.create({**config_map(), "dada": {}})


def test_a_subresource_is_patched(kube: Kube) -> None:
    spec = {"ports": [{"port": 80}]}
    kube.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec})
    condition = {"type": "Seen", "status": "True", "reason": "Test", "message": ""}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    patched = kube.merge_patch("Service", "s", {"status": {"conditions": [condition]}}, subresource="status")
    assert patched["status"]["conditions"][0]["type"] == "Seen"


def test_only_that_very_object_is_deleted(kube: Kube) -> None:
    created = kube.create(config_map())
    with pytest.raises(Conflict):
        kube.delete("ConfigMap", "a", uid="another")
    kube.delete("ConfigMap", "a", uid=created["metadata"]["uid"])
    kube.delete("ConfigMap", "a")
    with pytest.raises(NotFound):
        kube.delete("ConfigMap", "a", missing_ok=False)


def test_a_wait_sees_what_others_do(kube: Kube, cluster: Cluster) -> None:
    kube.create(config_map(n="0"))
    ticked = threading.Event()

    def write() -> None:
        own = connect_handle(str(cluster.kubeconfig), cluster.context, kube.namespace)
        ticked.wait(10)
        for number in range(1, 6):
            own.merge_patch("ConfigMap", "a", {"data": {"n": str(number)}})
        own.close()

    seen: list[str] = []

    def until(objects: list[dict[str, Any]]) -> bool | None:
        seen.extend(o["data"]["n"] for o in objects)
        return True if seen[-1] == "5" else None

    writer = threading.Thread(target=write)
    writer.start()
    how = {"fields": "metadata.name=a", "deadline": Deadline(20), "awaited": "five", "on_tick": ticked.set}
    assert kube.wait("ConfigMap", until, **how) is True
    writer.join()
    assert seen == sorted(seen)


def test_permissions_and_events_are_asked_for(kube: Kube) -> None:
    assert kube.can_i("create", "apps", "deployments")
    assert kube.can_i("get", "", "pods", "log", namespace="")
    reference = {"kind": "ConfigMap", "name": "a", "namespace": kube.namespace}
    for reason, when in (("Later", "2026-01-02T00:00:00Z"), ("Earlier", "2026-01-01T00:00:00Z")):
        kube.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"generateName": "a-"},
                "involvedObject": reference,
                "reason": reason,
                "lastTimestamp": when,
            }
        )
    assert [event["reason"] for event in kube.events("a")] == ["Earlier", "Later"]
    assert kube.events("b") == []


def test_no_metrics_are_no_error(kube: Kube) -> None:
    assert kube.pod_metrics() == {}


@pytest.fixture
def pod(kube: Kube) -> str:
    """A pod that runs, serves on port 8080 and has nothing to do."""
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    container = {"name": "app", "image": "gremlinsai/backend:v1.0.0", "env": [address]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    address = kube.wait("Pod", _address, fields="metadata.name=p", deadline=Deadline(30), awaited="a running pod")
    confirm.reachable(confirm.Target(address, 8080, "/", "", ""), Deadline(30))
    return "p"


def _address(found: list[dict[str, Any]]) -> str | None:
    status = found[0].get("status", {}) if found else {}
    return str(status["podIP"]) if status.get("phase") == "Running" else None


@pytest.fixture
def failing(cluster: Cluster) -> Iterator[Callable[[str, float], None]]:
    """Make a share of what is asked of pods fail in one way."""
    yield (
        lambda answers, share: (
            cluster.set_fault("requests", share=share, answers=answers, resources="pods", verbs="get", seed=2) and None
        )
    )
    cluster.clear_faults()


def test_an_exec_that_was_not_begun_is_begun_again(kube: Kube, pod: str, failing: Callable[..., None]) -> None:
    failing("429", 0.6)
    said = [execute(kube, pod, "app", ["echo", "hello"], 20).output.strip() for _ in range(3)]
    assert said == ["hello"] * 3


def test_an_exec_that_may_have_begun_is_not_begun_again(kube: Kube, pod: str, failing: Callable[..., None]) -> None:
    failing("cut-after", 1)
    with pytest.raises(Unreachable):
        execute(kube, pod, "app", ["echo", "hello"], 20)


def test_what_refuses_an_exec_is_told_apart(kube: Kube, pod: str) -> None:
    with pytest.raises(NotFound):
        execute(kube, "nobody", "app", ["true"], 5)


def test_a_forward_is_opened_again_while_the_server_fails(kube: Kube, pod: str, failing: Callable[..., None]) -> None:
    failing("503,cut-before", 0.5)
    forwards = Forwards(kube)
    try:
        host, port = forwards.open(Forward(pod=pod, port=8080))
        for _ in range(4):
            with socket.create_connection((host, port), timeout=20) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert client.recv(9) == b"HTTP/1.1 "
    finally:
        forwards.close()


def test_warnings_of_the_server_are_kept(kube: Kube) -> None:
    policy = {"podSelector": {}, "policyTypes": ["Ingress"]}
    metadata = {"name": "p"}
    kube.create({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": policy})
    assert len(kube.transport.warnings) == 1


def test_a_stranger_is_told_to_log_in(cluster: Cluster, tmp_path: Any) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(cluster.kubeconfig.read_text().replace(cluster.token, "wrong"))
    with pytest.raises(Unauthorized, match="Log in again"):
        connect_handle(str(kubeconfig), cluster.context, "default").list("Pod")


def test_a_wait_survives_the_servers_restart() -> None:
    with localkube.running("restarted") as cluster:
        kube = connect_handle(str(cluster.kubeconfig), cluster.context, "default")
        kube.create(config_map(done="no"))
        again: list[Cluster] = []

        def restart() -> None:
            started.wait(10)
            cluster.stop()
            again.append(localkube.start("restarted", base=cluster.base))
            own = connect_handle(str(again[0].kubeconfig), again[0].context, "default")
            own.merge_patch("ConfigMap", "a", {"data": {"done": "yes"}})
            own.close()

        started = threading.Event()
        thread = threading.Thread(target=restart)
        thread.start()
        found = kube.wait(
            "ConfigMap",
            lambda objects: True if any((o.get("data") or {}).get("done") == "yes" for o in objects) else None,
            deadline=Deadline(30),
            awaited="done after the restart",
            on_tick=started.set,
        )
        thread.join()
        assert found is True
        kube.close()
