"""The audit log: who asked for what and how it ended, and nothing where nobody wanted one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen import localkube
from bluegreen.clock import Deadline
from bluegreen.kube import Forbidden, connect_handle
from bluegreen.settings import load
from tests.account import set_up_for


@pytest.fixture(scope="module")
def audited() -> Iterator[localkube.Cluster]:
    """A cluster that writes down what is asked of it."""
    with localkube.running("audited", audit=True) as cluster:
        yield cluster


def lines(cluster: localkube.Cluster, name: str) -> list[dict[str, Any]]:
    """The lines about objects of a name."""
    found = map(json.loads, cluster.audit_log.read_text().splitlines())
    return [line for line in found if line.get("objectRef", {}).get("name") == name]


def test_each_request_has_a_line_and_no_body(audited: localkube.Cluster) -> None:
    kube = connect_handle(str(audited.kubeconfig), audited.context, "default")
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kept"}, "stringData": {"a": "canary-5d1"}})
    assert kube.get("Secret", "missed") is None
    kube.wait("Secret", lambda found: found or None, fields="metadata.name=kept", deadline=Deadline(5), awaited="it")
    kube.close()
    [line] = lines(audited, "missed")
    assert (line["kind"], line["apiVersion"], line["stage"]) == ("Event", "audit.k8s.io/v1", "ResponseComplete")
    assert (line["verb"], line["responseStatus"]["code"]) == ("get", 404)
    assert line["user"]["username"] == "kubernetes-admin"
    assert line["objectRef"] == {"resource": "secrets", "namespace": "default", "name": "missed", "apiVersion": "v1"}
    text = audited.audit_log.read_text()
    assert '"verb":"create"' in text
    assert "canary-5d1" not in text
    assert audited.token not in text
    assert audited.audit_log.stat().st_mode & 0o777 == 0o600


def test_a_cluster_writes_none_by_default(cluster: localkube.Cluster) -> None:
    assert not cluster.audit_log.exists()


def test_a_role_may_allow_to_get_its_own_namespace_and_an_apply_needs_create(
    audited: localkube.Cluster, tmp_path: Path
) -> None:
    settings = load({"NAMESPACE": "rights"})
    admin = connect_handle(str(audited.kubeconfig), audited.context, "rights")
    kubeconfig = set_up_for(admin, settings, audited, tmp_path / "kubeconfig")
    admin.close()
    kube = connect_handle(str(kubeconfig), audited.context, "rights")
    assert kube.get("Namespace", "rights") is not None
    with pytest.raises(Forbidden, match='cannot get resource "namespaces" in API group "" in the namespace "default"'):
        kube.get("Namespace", "default")
    claimed = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "another"}, "spec": {"ports": [{"port": 1}]}}
    with pytest.raises(Forbidden, match='cannot create resource "services"'):
        kube.apply(claimed)
    kube.close()
    assert {(line["verb"], line["responseStatus"]["code"]) for line in lines(audited, "another")} == {("patch", 403)}
