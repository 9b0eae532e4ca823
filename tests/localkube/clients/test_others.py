"""Other Python clients, unmodified: the official client's asyncio half, kr8s and lightkube."""

from __future__ import annotations

import asyncio

import pytest

from bluegreen.localkube import Cluster
from tests.localkube.clients.workload import DEPLOYMENT, NEXT, WEB, deployment, pod, rolled_out

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


# -- kubernetes.aio --------------------------------------------------------------------------------------------------
def test_the_asyncio_client_applies_lists_and_follows_a_rollout(cluster: Cluster, namespace: str) -> None:
    from kubernetes.aio import client, config, watch

    async def follow() -> int:
        configuration = client.Configuration()
        await config.load_kube_config(
            config_file=str(cluster.kubeconfig), context=cluster.context, client_configuration=configuration
        )
        async with client.ApiClient(configuration) as connected:
            apps, core = client.AppsV1Api(connected), client.CoreV1Api(connected)
            await apps.create_namespaced_deployment(namespace, DEPLOYMENT)
            template = {"spec": {"template": deployment(NEXT)["spec"]["template"]}}
            await apps.patch_namespaced_deployment("web", namespace, template)
            async with watch.Watch() as watching:
                async for event in watching.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
                    if rolled_out(event["raw_object"]):
                        break
            with pytest.raises(client.ApiException, match="404"):
                await core.read_namespaced_config_map("none", namespace)
            pods = (await core.list_namespaced_pod(namespace, field_selector="status.phase=Running")).items
            assert {each.spec.containers[0].image for each in pods if not each.metadata.deletion_timestamp} == {NEXT}
            await apps.delete_namespaced_deployment("web", namespace, propagation_policy="Foreground")
            return len(pods)

    assert asyncio.run(follow()) >= 1


def test_the_asyncio_client_runs_a_program_and_reads_a_log(cluster: Cluster, namespace: str) -> None:
    from kubernetes.aio import client, config, watch
    from kubernetes.aio.stream import WsApiClient

    async def talk() -> str:
        configuration = client.Configuration()
        await config.load_kube_config(
            config_file=str(cluster.kubeconfig), context=cluster.context, client_configuration=configuration
        )
        async with client.ApiClient(configuration) as connected, WsApiClient(configuration) as sockets:
            core = client.CoreV1Api(connected)
            await core.create_namespaced_pod(namespace, pod(WEB))
            async with watch.Watch() as watching:
                async for event in watching.stream(core.list_namespaced_pod, namespace, timeout_seconds=30):
                    if event["object"].status.phase == "Running":
                        break
            async with watch.Watch() as following:
                async for line in following.stream(core.read_namespaced_pod_log, "one", namespace):
                    assert line == "serves\n"
                    break
            return str(
                await client.CoreV1Api(sockets).connect_get_namespaced_pod_exec(
                    "one", namespace, command=["sh", "-c", "echo $HOSTNAME"], stdout=True, stderr=True, stdin=False,
                    tty=False,
                )
            )  # fmt: skip

    assert asyncio.run(talk()) == "one\n"


# -- kr8s ------------------------------------------------------------------------------------------------------------
def test_kr8s_applies_waits_for_a_rollout_and_scales(cluster: Cluster, namespace: str, images: None) -> None:
    import kr8s
    from kr8s.objects import ConfigMap, Deployment

    connected = kr8s.api(kubeconfig=str(cluster.kubeconfig), namespace=namespace)
    made = Deployment({**DEPLOYMENT, "metadata": {"name": "web", "namespace": namespace}}, api=connected)
    made.create()
    made.wait("condition=Available", timeout=30)
    made.patch({"metadata": {"labels": {"a": "b"}}})
    assert [each.name for each in kr8s.get("deployments", namespace=namespace, api=connected)] == ["web"]
    made.scale(2)
    made.wait("jsonpath='{.status.readyReplicas}'=2", timeout=30)
    (pod, _) = kr8s.get("pods", namespace=namespace, label_selector="app=web", api=connected)
    assert pod.exec(["sh", "-c", "echo $HOSTNAME"]).stdout == f"{pod.name}\n".encode()
    change, seen = next(iter(connected.watch("deployments", namespace=namespace)))
    assert (change, seen.name, seen.labels["a"]) == ("ADDED", "web", "b")
    made.delete(propagation_policy="Foreground")
    made.wait("delete", timeout=30)
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("none", namespace=namespace, api=connected)


def test_kr8s_reads_a_log_and_forwards_a_port(cluster: Cluster, namespace: str, images: None) -> None:
    import httpx
    import kr8s
    from kr8s.objects import Pod

    connected = kr8s.api(kubeconfig=str(cluster.kubeconfig), namespace=namespace)
    body = pod(WEB)
    body["metadata"]["namespace"] = namespace
    made = Pod(body, api=connected)
    made.create()
    made.wait("condition=Ready", timeout=30)
    assert next(made.logs(follow=True)) == "serves"
    address = "127.77.0.1"  # kr8s looks for a free port and takes it later: nobody else is to be there
    with made.portforward(8080, local_port=None, address=address) as port:
        assert httpx.get(f"http://{address}:{port}/").text == "hello from the pod"


# -- lightkube -------------------------------------------------------------------------------------------------------
def test_lightkube_applies_with_its_conflicts_and_follows_a_rollout(
    cluster: Cluster, namespace: str, images: None
) -> None:
    from lightkube import ApiError, Client, KubeConfig
    from lightkube.resources.apps_v1 import Deployment
    from lightkube.resources.core_v1 import Pod

    config = KubeConfig.from_file(cluster.kubeconfig)
    with Client(config=config, namespace=namespace, field_manager="lightkube") as client:
        client.apply(Deployment.from_dict(DEPLOYMENT))
        client.wait(Deployment, "web", for_conditions=["Available"])
        two = Deployment.from_dict(deployment(NEXT, replicas=2))
        with pytest.raises(ApiError, match="conflict"):
            client.apply(two, field_manager="other")
        client.apply(two, field_manager="other", force=True)
        for change, seen in client.watch(Deployment, fields={"metadata.name": "web"}):
            assert change in ("ADDED", "MODIFIED")
            if rolled_out(seen.to_dict()):
                break
        pods = [pod for pod in client.list(Pod, labels={"app": "web"}) if not pod.metadata.deletionTimestamp]
        assert {(pod.status.phase, pod.spec.containers[0].image) for pod in pods} == {("Running", NEXT)}


def test_lightkube_lists_in_pages_patches_in_every_way_and_reads_logs(
    cluster: Cluster, namespace: str, images: None
) -> None:
    from lightkube import ApiError, Client, KubeConfig
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import ConfigMap, Pod
    from lightkube.types import CascadeType, PatchType

    config = KubeConfig.from_file(cluster.kubeconfig)
    with Client(config=config, namespace=namespace, field_manager="lightkube") as client:
        for name in ("a", "b", "c"):
            client.create(ConfigMap(metadata=ObjectMeta(name=name, labels={"mine": "yes"}), data={"key": name}))
        listed = client.list(ConfigMap, labels={"mine": "yes"}, chunk_size=1)
        assert [each.metadata.name for each in listed] == ["a", "b", "c"]
        client.patch(ConfigMap, "a", {"data": {"key": "merge"}}, patch_type=PatchType.MERGE)
        client.patch(ConfigMap, "b", [{"op": "remove", "path": "/data/key"}], patch_type=PatchType.JSON)
        assert (client.get(ConfigMap, "a").data, client.get(ConfigMap, "b").data) == ({"key": "merge"}, None)
        client.deletecollection(ConfigMap, cascade=CascadeType.BACKGROUND)
        with pytest.raises(ApiError, match="not found"):
            client.get(ConfigMap, "a")
        client.create(Pod.from_dict(pod(WEB)))
        client.wait(Pod, "one", for_conditions=["Ready"])
        assert next(iter(client.log("one", follow=True))) == "serves\n"


def test_lightkube_in_asyncio(cluster: Cluster, namespace: str, images: None) -> None:
    from lightkube import AsyncClient, KubeConfig
    from lightkube.resources.apps_v1 import Deployment

    async def follow() -> None:
        client = AsyncClient(config=KubeConfig.from_file(cluster.kubeconfig), namespace=namespace, field_manager="a")
        await client.apply(Deployment.from_dict(DEPLOYMENT))
        async for _, seen in client.watch(Deployment):
            if rolled_out(seen.to_dict()):
                break
        assert [each.metadata.name async for each in client.list(Deployment)] == ["web"]
        await client.close()

    asyncio.run(follow())
