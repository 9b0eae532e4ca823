"""Python clients, unmodified: the official one (typed, dynamic, stream, asyncio), kr8s and lightkube."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bluegreen.localkube import Cluster

# the official client leaves the sockets of its watches to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IDLE = "test/idle:v1"
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": IDLE}], "terminationGracePeriodSeconds": 0},
        },
    },
}


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Any]:
    """The client, configured by the cluster's kubeconfig as any program would."""
    from kubernetes import config

    cluster.add_image(IDLE, ["sleep", "600"])
    with config.new_client_from_config(config_file=str(cluster.kubeconfig), context=cluster.context) as client:
        yield client


@pytest.fixture
def namespace(api: Any) -> Iterator[str]:
    from kubernetes import client

    name = f"clients-{uuid.uuid4().hex[:6]}"
    core = client.CoreV1Api(api)
    core.create_namespace({"metadata": {"name": name}})
    yield name
    core.delete_namespace(name)


def test_typed_objects_are_created_listed_patched_and_deleted(api: Any, namespace: str) -> None:
    from kubernetes import client
    from kubernetes.client.rest import ApiException

    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="one", labels={"a": "b"}), data={"key": "value"})
    made = core.create_namespaced_config_map(namespace, body)
    assert made.metadata.creation_timestamp is not None
    assert [each.metadata.name for each in core.list_namespaced_config_map(namespace, label_selector="a=b").items] == [
        "one"
    ]
    assert core.patch_namespaced_config_map("one", namespace, {"data": {"key": "new"}}).data == {"key": "new"}
    core.delete_namespaced_config_map("one", namespace)
    with pytest.raises(ApiException, match="404"):
        core.read_namespaced_config_map("one", namespace)


def test_a_typed_watch_follows_a_rollout(api: Any, namespace: str) -> None:
    from kubernetes import client, watch

    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, DEPLOYMENT)
    watching = watch.Watch()
    for event in watching.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
        if (event["object"].status.available_replicas or 0) == 1:
            watching.stop()
    assert apps.read_namespaced_deployment_status("web", namespace).status.ready_replicas == 1
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment_scale("web", namespace).spec.replicas == 2


def test_the_dynamic_client_discovers_applies_and_watches(api: Any, namespace: str) -> None:
    from kubernetes.dynamic import DynamicClient

    dynamic = DynamicClient(api)
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.server_side_apply(body=DEPLOYMENT, namespace=namespace, field_manager="test")
    for event in deployments.watch(namespace=namespace, timeout=30):
        if event["object"].status.availableReplicas == 1:
            break
    found = deployments.get(name="web", namespace=namespace)
    assert found.metadata.managedFields[0].manager == "test"
    assert dynamic.version["kubernetes"]["gitVersion"].startswith("v1.34")


def test_the_stream_client_runs_a_program_in_a_pod(api: Any, namespace: str) -> None:
    from kubernetes import client, watch
    from kubernetes.stream import stream

    core = client.CoreV1Api(api)
    core.create_namespaced_pod(
        namespace, {"metadata": {"name": "one"}, "spec": {"containers": [{"name": "c", "image": IDLE}]}}
    )
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_pod, namespace, timeout_seconds=30):
        if event["object"].status.phase == "Running":
            watching.stop()
    said = stream(
        core.connect_get_namespaced_pod_exec, "one", namespace, command=["sh", "-c", "echo $HOSTNAME"],
        stdout=True, stderr=True, stdin=False, tty=False,
    )  # fmt: skip
    assert said == "one\n"
    assert core.read_namespaced_pod_log("one", namespace) == ""


def test_the_asyncio_client_lists_watches_and_follows_a_rollout(cluster: Cluster, api: Any, namespace: str) -> None:
    from kubernetes.aio import client, config, watch

    async def follow() -> int:
        configuration = client.Configuration()
        await config.load_kube_config(
            config_file=str(cluster.kubeconfig), context=cluster.context, client_configuration=configuration
        )
        async with client.ApiClient(configuration) as connected:
            apps = client.AppsV1Api(connected)
            await apps.create_namespaced_deployment(namespace, DEPLOYMENT)
            async with watch.Watch() as watching:
                async for event in watching.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
                    if event["object"].status.available_replicas == 1:
                        break
            return len((await client.CoreV1Api(connected).list_namespaced_pod(namespace)).items)

    assert asyncio.run(follow()) == 1


def test_kr8s_waits_for_a_rollout_execs_and_watches(cluster: Cluster, api: Any, namespace: str) -> None:
    import kr8s
    from kr8s.objects import Deployment

    connected = kr8s.api(kubeconfig=str(cluster.kubeconfig), namespace=namespace)
    deployment = Deployment({**DEPLOYMENT, "metadata": {"name": "web", "namespace": namespace}}, api=connected)
    deployment.create()
    deployment.wait("condition=Available", timeout=30)
    deployment.patch({"metadata": {"labels": {"a": "b"}}})
    (pod,) = kr8s.get("pods", namespace=namespace, label_selector="app=web", api=connected)
    assert pod.exec(["sh", "-c", "echo $HOSTNAME"]).stdout == f"{pod.name}\n".encode()
    change, seen = next(iter(connected.watch("deployments", namespace=namespace)))
    assert (change, seen.name, seen.labels["a"]) == ("ADDED", "web", "b")


def test_lightkube_applies_waits_and_watches(cluster: Cluster, api: Any, namespace: str) -> None:
    from lightkube import Client, KubeConfig
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.apps_v1 import Deployment
    from lightkube.resources.core_v1 import ConfigMap, Pod

    config = KubeConfig.from_file(cluster.kubeconfig)
    with Client(config=config, namespace=namespace, field_manager="lightkube") as client:
        client.apply(ConfigMap(metadata=ObjectMeta(name="one"), data={"key": "value"}))
        assert client.get(ConfigMap, "one").data == {"key": "value"}
        client.create(Deployment.from_dict(DEPLOYMENT))
        client.wait(Deployment, "web", for_conditions=["Available"])
        assert [pod.status.phase for pod in client.list(Pod, labels={"app": "web"})] == ["Running"]
        change, seen = next(iter(client.watch(Deployment)))
        assert (change, seen.metadata.name) == ("ADDED", "web")
