"""The official client, unmodified: typed, dynamic, watches, informers, streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bluegreen.clock import Deadline, sleep_s
from tests.localkube.clients.workload import DEPLOYMENT, NEXT, SHELL, WEB, deployment, pod, rolled_out

# the official client leaves the sockets of its watches to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def core(api: Any) -> Any:
    from kubernetes import client

    return client.CoreV1Api(api)


@pytest.fixture
def apps(api: Any) -> Any:
    from kubernetes import client

    return client.AppsV1Api(api)


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def until(holds: Callable[[], Any]) -> None:
    deadline = Deadline(20)
    while not holds():
        assert not deadline.expired
        sleep_s(0.05)


def run_pod(core: Any, namespace: str, body: dict[str, Any]) -> None:
    """Create it and watch it until it runs."""
    from kubernetes import watch

    core.create_namespaced_pod(namespace, body)
    watching = watch.Watch()
    for event in watching.stream(core.list_namespaced_pod, namespace, timeout_seconds=30):
        if event["object"].status.phase == "Running":
            watching.stop()


# -- typed -----------------------------------------------------------------------------------------------------------
def test_typed_objects_are_created_listed_patched_and_deleted(core: Any, namespace: str) -> None:
    from kubernetes import client
    from kubernetes.client.rest import ApiException

    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="one", labels={"a": "b"}), data={"key": "value"})
    made = core.create_namespaced_config_map(namespace, body)
    assert made.metadata.creation_timestamp is not None
    assert [each.metadata.name for each in core.list_namespaced_config_map(namespace, label_selector="a=b").items] == [
        "one"
    ]
    assert core.patch_namespaced_config_map("one", namespace, {"data": {"key": "new"}}).data == {"key": "new"}
    core.replace_namespaced_config_map("one", namespace, config_map("one", key="newer"))
    with pytest.raises(ApiException, match="409"):
        core.replace_namespaced_config_map("one", namespace, made)
    core.delete_namespaced_config_map("one", namespace)
    with pytest.raises(ApiException, match="404"):
        core.read_namespaced_config_map("one", namespace)


def test_a_list_comes_in_pages_of_one_moment(core: Any, namespace: str) -> None:
    for name in ("a", "b", "c", "d"):
        core.create_namespaced_config_map(namespace, config_map(name))
    first = core.list_namespaced_config_map(namespace, limit=2)
    assert first.metadata.remaining_item_count == 3  # a cluster puts a certificate into every namespace
    core.create_namespaced_config_map(namespace, config_map("aa"))
    core.delete_namespaced_config_map("d", namespace)
    names, page = [each.metadata.name for each in first.items], first
    while page.metadata._continue:
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=page.metadata._continue)
        assert page.metadata.resource_version == first.metadata.resource_version
        names += [each.metadata.name for each in page.items]
    assert names == ["a", "b", "c", "d", "kube-root-ca.crt"]


def test_a_list_of_an_earlier_moment_or_of_one_not_older(core: Any, namespace: str) -> None:
    from kubernetes.client.rest import ApiException

    version = core.create_namespaced_config_map(namespace, config_map("a")).metadata.resource_version
    core.create_namespaced_config_map(namespace, config_map("b"))

    def names(match: str) -> set[str]:
        found = core.list_namespaced_config_map(namespace, resource_version=version, resource_version_match=match)
        return {each.metadata.name for each in found.items} - {"kube-root-ca.crt"}

    assert names("Exact") == {"a"}
    assert names("NotOlderThan") == {"a", "b"}
    with pytest.raises(ApiException, match="504"):
        core.list_namespaced_config_map(namespace, resource_version=str(10**12), resource_version_match="NotOlderThan")


def test_a_typed_watch_follows_a_rollout(apps: Any, namespace: str) -> None:
    from kubernetes import watch

    apps.create_namespaced_deployment(namespace, DEPLOYMENT)
    apps.patch_namespaced_deployment("web", namespace, {"spec": {"template": deployment(NEXT)["spec"]["template"]}})
    watching = watch.Watch()
    for event in watching.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
        if rolled_out(event["raw_object"]):
            watching.stop()
    read = apps.read_namespaced_deployment_status("web", namespace)
    assert (read.status.ready_replicas, read.metadata.annotations["deployment.kubernetes.io/revision"]) == (1, "2")
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment_scale("web", namespace).spec.replicas == 2


def test_a_watch_begins_where_a_list_ended_and_bookmarks_where_it_is(core: Any, namespace: str) -> None:
    from kubernetes import watch

    core.create_namespaced_config_map(namespace, config_map("before"))
    listed = core.list_namespaced_config_map(namespace)
    core.create_namespaced_config_map(namespace, config_map("after"))
    core.patch_namespaced_config_map("after", namespace, {"data": {"a": "b"}})
    core.delete_namespaced_config_map("after", namespace)
    seen = [
        (event["type"], event["object"].metadata.name if event["type"] != "BOOKMARK" else "")
        for event in watch.Watch().stream(
            core.list_namespaced_config_map, namespace, timeout_seconds=1, allow_watch_bookmarks=True,
            resource_version=listed.metadata.resource_version,
        )
    ]  # fmt: skip
    assert seen[:3] == [("ADDED", "after"), ("MODIFIED", "after"), ("DELETED", "after")]
    assert seen[-1] == ("BOOKMARK", "")


def test_a_watch_of_one_that_leaves_the_selector_sees_it_go(core: Any, namespace: str) -> None:
    from kubernetes import watch

    version = core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "one", "labels": {"in": "yes"}}}
    ).metadata.resource_version
    core.patch_namespaced_config_map("one", namespace, {"metadata": {"labels": {"in": "no"}}})
    core.patch_namespaced_config_map("one", namespace, {"metadata": {"labels": {"in": "yes"}}})
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, label_selector="in=yes", resource_version=version, timeout_seconds=1
    )
    assert [event["type"] for event in stream] == ["DELETED", "ADDED"]


# -- informers -------------------------------------------------------------------------------------------------------
def test_an_informer_follows_and_lists_anew(core: Any, namespace: str) -> None:
    from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer

    seen: list[tuple[str, str]] = []
    informer = SharedInformer(core.list_namespaced_config_map, namespace, resync_period=1, label_selector="mine=yes")
    for type_ in (ADDED, MODIFIED, DELETED):
        informer.add_event_handler(type_, lambda obj, type_=type_: seen.append((type_, obj.metadata.name)))
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "early", "labels": {"mine": "yes"}}})
    informer.start()
    try:
        until(lambda: ("ADDED", "early") in seen)
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "late", "labels": {"mine": "yes"}}})
        until(lambda: ("ADDED", "late") in seen)
        core.delete_namespaced_config_map("early", namespace)
        until(lambda: ("DELETED", "early") in seen)
        until(lambda: ("MODIFIED", "late") in seen)  # by listing anew: nobody changed it
        assert informer.cache.list_keys() == [f"{namespace}/late"]
    finally:
        informer.stop()


# -- dynamic ---------------------------------------------------------------------------------------------------------
def test_the_dynamic_client_discovers_applies_and_watches(api: Any, namespace: str) -> None:
    from kubernetes.dynamic import DynamicClient
    from kubernetes.dynamic.exceptions import ConflictError

    dynamic = DynamicClient(api)
    deployments = dynamic.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.server_side_apply(body=DEPLOYMENT, namespace=namespace, field_manager="test")
    for event in deployments.watch(namespace=namespace, timeout=30):
        if rolled_out(event["raw_object"]):
            break
    found = deployments.get(name="web", namespace=namespace)
    assert found.metadata.managedFields[0].manager == "test"
    other = deployment(replicas=2)
    with pytest.raises(ConflictError, match=r'conflict with \\"test\\": .spec.replicas'):
        deployments.server_side_apply(body=other, namespace=namespace, field_manager="other")
    forced = deployments.server_side_apply(body=other, namespace=namespace, field_manager="other", force_conflicts=True)
    assert forced.spec.replicas == 2
    patch = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    content = "application/json-patch+json"
    assert deployments.patch(name="web", namespace=namespace, body=patch, content_type=content).spec.replicas == 0
    deployments.delete(name="web", namespace=namespace, body={"propagationPolicy": "Foreground"})
    assert dynamic.version["kubernetes"]["gitVersion"].startswith("v1.34")


# -- streams ---------------------------------------------------------------------------------------------------------
def test_exec_with_input_and_its_exit_code(core: Any, namespace: str) -> None:
    from kubernetes.stream import stream

    run_pod(core, namespace, pod())
    asked = {"stdout": True, "stderr": True, "tty": False}
    said = stream(
        core.connect_get_namespaced_pod_exec, "one", namespace, command=["sh", "-c", "echo $HOSTNAME"], stdin=False,
        **asked,
    )  # fmt: skip
    assert said == "one\n"
    command = ["sh", "-c", "read line; echo got $line; echo bad >&2; exit 7"]
    socket = stream(
        core.connect_get_namespaced_pod_exec, "one", namespace, command=command, stdin=True, _preload_content=False,
        **asked,
    )  # fmt: skip
    socket.write_stdin("hello\n")
    socket.run_forever(timeout=20)
    assert (socket.read_stdout(), socket.read_stderr(), socket.returncode) == ("got hello\n", "bad\n", 7)
    socket.close()


def test_attach_and_the_log_as_it_is_written(core: Any, namespace: str) -> None:
    from kubernetes import watch
    from kubernetes.stream import stream

    script = "while read line; do echo got $line; done; echo got over"
    run_pod(core, namespace, pod(SHELL, command=["sh", "-c", script], stdin=True, stdinOnce=True))
    socket = stream(
        core.connect_get_namespaced_pod_attach, "one", namespace, stdin=True, stdout=True, stderr=True, tty=False,
        _preload_content=False,
    )  # fmt: skip
    socket.write_stdin("a\nb\n")
    assert [socket.readline_stdout(timeout=20) for _ in range(2)] == ["got a", "got b"]
    log = watch.Watch().stream(core.read_namespaced_pod_log, "one", namespace)
    assert [next(log), next(log)] == ["got a", "got b"]
    socket.write_stdin("c\n")
    assert next(log) == "got c"
    socket.close()  # its input ends with the only one who was attached to it, and so does its log
    assert next(log, None) == "got over"


def test_port_forward_as_a_socket(core: Any, namespace: str) -> None:
    from kubernetes.stream import portforward

    run_pod(core, namespace, pod(WEB))
    until(lambda: "serves" in core.read_namespaced_pod_log("one", namespace))
    forward = portforward(core.connect_get_namespaced_pod_portforward, "one", namespace, ports="8080")
    socket = forward.socket(8080)
    socket.settimeout(10)
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    said = b""
    while piece := socket.recv(4096):
        said += piece
    assert said.endswith(b"hello from the pod")
    assert forward.error(8080) is None
    forward.close()
