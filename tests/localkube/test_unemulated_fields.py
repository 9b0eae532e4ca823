"""Fields that do nothing here: each is warned of by its path, or refused, and an ordinary object by neither."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bluegreen.localkube import unemulated_fields
from bluegreen.localkube.admission import Admission
from bluegreen.localkube.dns import with_config
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.not_emulated import NOT_EMULATED
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.unemulated_fields import refuse, warnings
from tests.localkube.serving import serving

Obj = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
CONTAINER: Obj = {"name": "c", "image": "x:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}


@pytest.fixture(scope="module")
def api() -> Iterator[httpx.Client]:
    with serving() as served, served.client() as client:
        served.registry.admission.append(unemulated_fields.refuse)
        yield client


def pod(container: Obj | None = None, **spec: Any) -> Obj:
    return {"metadata": {"generateName": "p-"}, "spec": {"containers": [{**CONTAINER, **(container or {})}], **spec}}


def context(**fields: Any) -> Obj:
    return {"securityContext": fields}


POD_SPECS: list[tuple[Obj, str]] = [
    ({"hostPID": True}, "hostPID"),
    ({"hostIPC": True}, "hostIPC"),
    ({"hostUsers": False}, "hostUsers"),
    ({"shareProcessNamespace": True}, "shareProcessNamespace"),
    ({"setHostnameAsFQDN": True}, "setHostnameAsFQDN"),
    ({"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}]}, "volumes[0].emptyDir.sizeLimit"),
    ({"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}, "volumes[0].emptyDir.medium"),
    (context(sysctls=[{"name": "net.core.somaxconn", "value": "9"}]), "securityContext.sysctls"),
    (context(seccompProfile={"type": "RuntimeDefault"}), "securityContext.seccompProfile"),
    (context(appArmorProfile={"type": "RuntimeDefault"}), "securityContext.appArmorProfile"),
    (context(seLinuxOptions={"level": "s0"}), "securityContext.seLinuxOptions"),
]
CONTAINERS: list[tuple[Obj, str]] = [
    (context(privileged=True), "securityContext.privileged"),
    (context(capabilities={"add": ["NET_ADMIN"]}), "securityContext.capabilities.add"),
    (context(capabilities={"drop": ["ALL"]}), "securityContext.capabilities.drop"),
    (context(readOnlyRootFilesystem=True), "securityContext.readOnlyRootFilesystem"),
    (context(seccompProfile={"type": "RuntimeDefault"}), "securityContext.seccompProfile"),
    ({"resources": {"limits": {"ephemeral-storage": "1Gi"}}}, "resources.limits.ephemeral-storage"),
    ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "ports[0].hostPort"),
]


@pytest.mark.parametrize(("fields", "path"), POD_SPECS)
def test_what_a_pod_does_not_get_is_warned_of(api: httpx.Client, fields: Obj, path: str) -> None:
    answer = api.post(PODS, json=pod(**fields))
    assert answer.status_code == 201, answer.text
    assert f'299 - "spec.{path}: not emulated; ' in answer.headers["Warning"]


@pytest.mark.parametrize(("fields", "path"), CONTAINERS)
def test_what_a_container_does_not_get_is_warned_of(api: httpx.Client, fields: Obj, path: str) -> None:
    answer = api.post(PODS, json=pod(fields))
    assert answer.status_code == 201, answer.text
    assert f'299 - "spec.containers[0].{path}: not emulated; ' in answer.headers["Warning"]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {**pod(fields)["spec"], "restartPolicy": "Never"}}
    assert warnings("Job", {"spec": {"template": template}})[0].startswith(f"spec.template.spec.containers[0].{path}:")


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"externalIPs": ["192.0.2.1"]}, "externalIPs"),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]}, "loadBalancerSourceRanges"),
        ({"type": "NodePort", "externalTrafficPolicy": "Local"}, "externalTrafficPolicy"),
        ({"ports": [{"port": 53, "protocol": "UDP"}]}, "ports[0].protocol"),
    ],
)
def test_what_a_service_does_not_do_is_warned_of(api: httpx.Client, spec: Obj, path: str) -> None:
    body = {"metadata": {"generateName": "s-"}, "spec": {"ports": [{"port": 80}], **spec}}
    answer = api.post("/api/v1/namespaces/default/services", json=body)
    assert answer.status_code == 201, answer.text
    assert f'299 - "spec.{path}: not emulated; ' in answer.headers["Warning"]


def test_every_way_of_writing_warns(api: httpx.Client) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod(shareProcessNamespace=True)["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    path = "/apis/apps/v1/namespaces/default/deployments"
    merge = {"Content-Type": "application/merge-patch+json"}
    apply = {"Content-Type": "application/apply-patch+yaml"}
    answers = [
        api.post(path, json=body),
        api.put(f"{path}/web", json=body),
        api.patch(f"{path}/web", json={"metadata": {"labels": {"x": "y"}}}, headers=merge),
        api.patch(f"{path}/web", json=body, headers=apply, params={"fieldManager": "m", "force": "true"}),
    ]
    assert [answer.is_success for answer in answers] == [True] * 4
    assert all("spec.template.spec.shareProcessNamespace" in answer.headers["Warning"] for answer in answers)
    assert "Warning" not in api.patch(f"{path}/web/scale", json={"spec": {"replicas": 2}}, headers=merge).headers
    assert "Warning" not in api.get(f"{path}/web").headers


def test_ordinary_objects_are_not_warned_about(api: httpx.Client) -> None:
    mount = {"name": "v", "mountPath": "/v", "readOnly": True}
    ordinary = pod(
        {"volumeMounts": [mount], "resources": {"limits": {"memory": "64Mi"}}, **context(runAsNonRoot=True)},
        volumes=[{"name": "v", "emptyDir": {}}],
        securityContext={"runAsUser": 1000, "seccompProfile": {"type": "Unconfined"}},
        hostUsers=True,
    )
    assert "Warning" not in api.post(PODS, json=ordinary).headers
    host = pod({"ports": [{"containerPort": 80, "hostPort": 80}]}, hostNetwork=True)
    assert "Warning" not in api.post(PODS, json=host).headers  # it is on the host's address anyway


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]}, "spec.resourceClaims"),
        ({"os": {"name": "windows"}}, "spec.os.name"),
    ],
)
def test_what_could_not_run_as_asked_is_refused(api: httpx.Client, fields: Obj, path: str) -> None:
    answer = api.post(PODS, json=pod(**fields))
    assert answer.status_code == 422, answer.text
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [path]
    template = {"metadata": {"name": "d"}, "spec": {"template": pod(**fields)}}
    with pytest.raises(ApiError, match=r"spec\.template\.spec"):
        refuse(Admission("CREATE", KINDS["Deployment"], "default", template))


def test_warnings_are_bounded_as_a_header_must_be(api: httpx.Client) -> None:
    loud = {**CONTAINER, **context(privileged=True, readOnlyRootFilesystem=True), "stdin": True, "tty": True}
    body = pod()
    body["spec"]["containers"] = [{**loud, "name": f"c{number}"} for number in range(30)]
    answer = api.post(PODS, json=body)
    assert answer.status_code == 201
    assert 2000 < len(answer.headers["Warning"]) < 5000


def test_all_of_them_are_listed_at_the_door() -> None:
    listed = " ".join(str(gap) for gap in NOT_EMULATED)
    spoken = {"seLinuxOptions": "SELinux", "seccompProfile": "seccomp", "appArmorProfile": "AppArmor",
              "mountPropagation": "mount propagation", "recursiveReadOnly": "mount propagation",
              "ephemeral-storage": "ephemeral storage", "readOnlyRootFilesystem": "read-only root", "protocol": "UDP",
              "add": "capabilities", "drop": "capabilities", "procMount": "privileged", "resourceClaims": "claims",
              "name": "Windows", "targetContainerName": "shareProcessNamespace"}  # fmt: skip
    tables = unemulated_fields
    rules = (
        *(*tables.POD, *tables.CONTAINER, *tables.EPHEMERAL, *tables.VOLUME, *tables.PORT, *tables.MOUNT),
        *(*tables.SERVICE, *tables.SERVICE_PORT, *tables.REFUSED),
    )
    for path, _, _ in rules:
        last = path.rpartition(".")[2]
        assert spoken.get(last, last) in listed, path


@pytest.mark.parametrize(
    ("text", "config", "wanted"),
    [
        ("nameserver 10.0.0.1\noptions ndots:5\n", {"options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]},
         "nameserver 10.0.0.1\noptions ndots:2 edns0\n"),
        ("search a.b\nnameserver 10.0.0.1\n", {"nameservers": ["1.1.1.1", "10.0.0.1"], "searches": ["c.d", "a.b"]},
         "search a.b c.d\nnameserver 10.0.0.1\nnameserver 1.1.1.1\n"),
        ("", {"nameservers": ["1.1.1.1"]}, "nameserver 1.1.1.1\n"),
        ("nameserver 1\nnameserver 2\nnameserver 3\n", {"nameservers": ["4"]},
         "nameserver 1\nnameserver 2\nnameserver 3\n"),
    ],
)  # fmt: skip
def test_a_pods_own_dns_configuration_is_added(text: str, config: Obj, wanted: str) -> None:
    assert with_config(text, config) == wanted
