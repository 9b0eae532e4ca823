"""Faults on demand, each seen from a client's side while it is set, and no more once it is cleared."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from bluegreen.errors import InputError
from bluegreen.kube import Kube, connect_handle
from bluegreen.localkube import faults, strikes
from bluegreen.localkube.fault_board import Board, version_at
from bluegreen.localkube.http import disturbed
from bluegreen.localkube.http.options import list_options
from bluegreen.localkube.store import Store
from bluegreen.localkube.strikes import Active, Asked
from tests.localkube.serving import Served, serving

MAPS = "/api/v1/namespaces/default/configmaps"
Obj = dict[str, Any]


# -- what may be asked for ---------------------------------------------------------------------------------------------
NONSENSE: tuple[tuple[Obj, str], ...] = (
    ({}, "kind: is no fault. Write one of requests, latency"),
    ({"kind": "fire"}, "kind='fire': is no fault."),
    ({"kind": ["requests"]}, "kind=\"['requests']\": is no fault."),
    ({"kind": "requests"}, "share: is missing."),
    ({"kind": "requests", "share": "much"}, "share='much': cannot be meant. Write a share from 0 to 1."),
    ({"kind": "requests", "share": 2}, "share='2'"),
    ({"kind": "requests", "share": 0}, "share='0'"),
    ({"kind": "requests", "share": True}, "share='True'"),
    ({"kind": "requests", "share": "nan"}, "share='nan'"),
    ({"kind": "requests", "share": 10**400}, "share='1000"),
    ({"kind": "requests", "share": 1, "answers": "418"}, "answers='418': cannot be meant. Write one or more of 429,"),
    ({"kind": "requests", "share": 1, "answers": ""}, "answers=''"),
    ({"kind": "requests", "share": 1, "answers": 429}, "answers='429'"),
    ({"kind": "requests", "share": 1, "retry_after_s": 0.5}, "retry_after_s='0.5': cannot be meant. Write a whole"),
    ({"kind": "requests", "share": 1, "verbs": "fly"}, "verbs='fly'"),
    ({"kind": "requests", "share": 1, "client": 7}, "client='7'"),
    ({"kind": "requests", "share": 1, "seed": -1}, "seed='-1'"),
    ({"kind": "requests", "share": 1, "name": " x"}, "name=' x'"),
    ({"kind": "latency", "delay_s": -1}, "delay_s='-1': cannot be meant. Write seconds from 0 to 3600."),
    ({"kind": "stale", "behind_s": 1, "reads": "some"}, "reads='some': cannot be meant. Write one of cache, all."),
    ({"kind": "watches", "ends": ["explodes"]}, "ends=\"['explodes']\""),
    ({"kind": "pulls", "delay_s": "inf"}, "delay_s='inf'"),
    ({"kind": "pulls", "delay_s": 1, "client": "x"}, "client='x': is no field of pulls. Its fields: delay_s."),
    ({"kind": "pulls", "delay_s": 1, "name": "mine"}, "name='mine': is not needed: there is one pulls."),
    ({"kind": "endpoints"}, "delays nothing."),
    ({"kind": "freeze", "pod": "lonely"}, "pod='lonely': cannot be meant. Write NAMESPACE/NAME."),
)


@pytest.mark.parametrize(("given", "said"), NONSENSE, ids=[said for _, said in NONSENSE])
def test_nonsense_is_refused_naming_field_and_value(given: Obj, said: str) -> None:
    with pytest.raises(InputError) as refused:
        faults.read(given)
    assert said in str(refused.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(InputError) as refused:
        faults.read({"kind": "requests", "answers": "x", "colour": "red"})
    assert [mistake.setting for mistake in refused.value.mistakes] == ["colour", "share", "answers"]


def test_text_means_what_numbers_mean() -> None:
    assert faults.read({"kind": "requests", "share": "0.5", "answers": "429, 500", "seed": "3"}) == faults.read(
        {"kind": "requests", "share": 0.5, "answers": ["429", "500"], "seed": 3}
    )


# -- which requests are struck -----------------------------------------------------------------------------------------
def active(**given: Any) -> Active:
    return Active(faults.read({"kind": "requests", "share": 0.5, "seed": 1, **given}))


def struck(one: Active, asked: Asked, times: int = 200) -> list[int]:
    results = (strikes.strike([one], asked) for _ in range(times))
    return [strike.answer.status if strike.answer else -1 for strike in results]


ASKED = Asked("bluegreen", "system:serviceaccount:shop:releaser", "patch", "services", "shop")


def test_a_seed_makes_the_same_requests_meet_the_same_faults() -> None:
    first = struck(active(), ASKED)
    assert struck(active(), ASKED) == first
    assert struck(active(seed=2), ASKED) != first
    assert {429, 500, 503, 504, 0, -1} == set(first)
    assert 60 <= sum(status >= 0 for status in first) <= 140


@pytest.mark.parametrize(
    ("narrowed", "concerned"),
    [
        ({"client": "green"}, True),
        ({"client": "kubectl"}, False),
        ({"user": "system:serviceaccount:shop:releaser"}, True),
        ({"user": "system:serviceaccount:shop"}, False),
        ({"verbs": "get,patch"}, True),
        ({"verbs": "get"}, False),
        ({"resources": "services"}, True),
        ({"resources": "pods"}, False),
        ({"namespace": "shop"}, True),
        ({"namespace": "sho"}, False),
        ({"kind": "watches"}, False),
        ({"kind": "stale", "behind_s": 1}, False),
    ],
)
def test_a_fault_can_be_narrowed_to_some_requests(narrowed: Obj, concerned: bool) -> None:
    given = {"kind": "requests", **({"share": 1} if "kind" not in narrowed else {}), **narrowed}
    one = Active(faults.read(given))
    assert (strikes.strike([one], ASKED) is not strikes.NONE) is concerned
    assert one.seen == (1 if concerned else 0)


def test_delays_add_up_and_the_first_answer_counts() -> None:
    given: list[Obj] = [
        {"kind": "latency", "delay_s": 1},
        {"kind": "latency", "delay_s": 2, "name": "more"},
        {"kind": "requests", "share": 1, "answers": "500"},
        {"kind": "requests", "share": 1, "answers": "503", "name": "other"},
    ]
    result = strikes.strike([Active(faults.read(one)) for one in given], ASKED)
    assert (result.delay_s, result.answer, result.by) == (3.0, faults.ANSWERS["500"], "requests")


def test_a_version_of_so_long_ago() -> None:
    noted = deque([(10.0, 5), (11.0, 7), (12.0, 9)])
    assert [version_at(noted, moment, 20) for moment in (1.0, 10.5, 11.0, 99.0)] == [5, 5, 7, 9]
    assert version_at(deque(), 1.0, 20) == 20


def test_only_reads_that_a_watch_cache_answers_are_stale_unless_all_are_asked_for() -> None:
    board = Board(Store())
    cache, everything = strikes.Strike(behind_s=1.0), strikes.Strike(behind_s=1.0, plain_reads=True)
    for query, from_cache, from_all in (
        ({}, False, True),
        ({"resourceVersion": "0"}, True, True),
        ({"resourceVersion": "1"}, True, True),
        ({"resourceVersion": "1", "resourceVersionMatch": "NotOlderThan"}, True, True),
        ({"resourceVersion": "1", "resourceVersionMatch": "Exact"}, False, False),
        ({"continue": "x"}, False, False),
    ):
        asked = list_options(query)
        assert bool(disturbed.older(asked, cache, board)) is from_cache, query
        assert bool(disturbed.older(asked, everything, board)) is from_all, query


# -- what a client sees ------------------------------------------------------------------------------------------------
@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


@pytest.fixture
def other(served: Served) -> Iterator[httpx.Client]:
    """A client that faults for the client ``victim`` spare."""
    with served.client() as client:
        yield client


def put(api: httpx.Client, **fault: Any) -> Obj:
    answer = api.post(disturbed.PATH, json=fault)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def clear(api: httpx.Client) -> None:
    assert api.delete(disturbed.PATH).status_code == 200
    assert api.get(disturbed.PATH).json() == {"faults": []}


def make(api: httpx.Client, name: str, value: str = "1") -> httpx.Response:
    return api.post(MAPS, json={"metadata": {"name": name}, "data": {"v": value}})


@pytest.mark.parametrize(("word", "status"), [("429", 429), ("500", 500), ("503", 503)])
def test_a_refused_request_did_nothing(api: httpx.Client, word: str, status: int) -> None:
    put(api, kind="requests", share=1, answers=word, retry_after_s=7)
    answer = make(api, "refused")
    assert answer.status_code == status
    assert answer.json()["kind"] == "Status"
    assert answer.json()["code"] == status
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    clear(api)
    assert api.get(f"{MAPS}/refused").status_code == 404
    assert make(api, "refused").status_code == 201


@pytest.mark.parametrize(("word", "done"), [("cut-before", False), ("cut-after", True)])
def test_a_cut_connection_brings_no_answer_whether_the_work_is_done_or_not(
    api: httpx.Client, word: str, done: bool
) -> None:
    put(api, kind="requests", share=1, answers=word)
    with pytest.raises(httpx.TransportError):
        make(api, "cut")
    with pytest.raises(httpx.TransportError):
        api.get(MAPS, params={"watch": "1"})
    clear(api)
    assert (api.get(f"{MAPS}/cut").status_code == 200) is done


def test_a_time_out_of_the_server_may_come_after_the_deed(api: httpx.Client) -> None:
    put(api, kind="requests", share=1, answers="504-after")
    assert make(api, "late").status_code == 504
    clear(api)
    assert api.get(f"{MAPS}/late").status_code == 200


def test_a_share_of_requests_fails_and_is_counted(api: httpx.Client) -> None:
    put(api, kind="requests", share=0.3, answers="500", seed=4)
    failed = sum(api.get(MAPS).status_code == 500 for _ in range(100))
    assert 15 <= failed <= 45
    (listed,) = api.get(disturbed.PATH).json()["faults"]
    assert (listed["seen"], listed["struck"], listed["seed"]) == (100, failed, 4)


def test_faults_strike_one_client_and_one_resource_only(served: Served, api: httpx.Client) -> None:
    put(api, kind="requests", share=1, answers="503", client="victim", resources="configmaps", verbs="list")
    with served.client() as victim:
        victim.headers["User-Agent"] = "a victim/1.0"
        assert victim.get(MAPS).status_code == 503
        assert victim.get("/api/v1/namespaces/default/secrets").status_code == 200
        assert make(victim, "spared").status_code == 201
    assert api.get(MAPS).status_code == 200


def test_faults_strike_one_user_only(served: Served, api: httpx.Client) -> None:
    put(api, kind="requests", share=1, answers="503", user="system:serviceaccount:default:default")
    token = served.do(lambda: served.authority.token_for("default", "default", lifetime_s=600)[0])
    with served.client(token) as account:
        assert account.get(MAPS).status_code == 503
    assert api.get(MAPS).status_code == 200


def test_latency_is_added(api: httpx.Client) -> None:
    put(api, kind="latency", delay_s=0.3)
    started_s = clock.now_s()
    assert api.get(MAPS).status_code == 200
    assert api.get("/api/v1").status_code == 200
    assert clock.now_s() - started_s >= 0.6


def test_health_version_and_the_faults_themselves_are_spared(api: httpx.Client) -> None:
    put(api, kind="requests", share=1)
    assert [api.get(path).status_code for path in ("/healthz", "/readyz", "/livez", "/version")] == [200] * 4
    assert api.get(disturbed.PATH).status_code == 200
    clear(api)


def test_the_faults_are_in_no_discovery_and_not_for_everybody(served: Served, api: httpx.Client) -> None:
    assert "localkube" not in api.get("/apis").text + api.get("/").text + api.get("/openapi/v3").text
    token = served.do(lambda: served.authority.token_for("default", "default", lifetime_s=600)[0])
    for client, code in ((served.client(token), 403), (served.client(""), 401)):
        with client:
            assert client.get(disturbed.PATH).status_code == code
            assert client.post(disturbed.PATH, json={"kind": "requests", "share": 1}).status_code == code
            assert client.delete(disturbed.PATH).status_code == code
    assert api.get(disturbed.PATH).json() == {"faults": []}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"kind": "requests", "share": 9}', "share='9'"),
        (b'{"kind": "stale", "behind_s": "x", "when": 1}', "behind_s='x'"),
    ],
)
def test_the_api_refuses_nonsense_with_a_400(api: httpx.Client, body: bytes, said: str) -> None:
    answer = api.post(disturbed.PATH, content=body)
    assert answer.status_code == 400
    assert said in answer.json()["message"]


def test_the_api_says_what_is_not_there(api: httpx.Client) -> None:
    assert api.delete(disturbed.PATH, params={"name": "none"}).status_code == 404
    assert api.put(disturbed.PATH, json={}).status_code == 405
    assert api.post(disturbed.PATH, json={"kind": "node"}).status_code == 501  # this server has no kubelet
    assert api.post(disturbed.PATH, content=b" " * 70_000).status_code == 413


# -- watches -----------------------------------------------------------------------------------------------------------
def events(api: httpx.Client, **query: str) -> list[Obj]:
    """Everything a watch says until it ends; raises httpx.TransportError when it is cut off."""
    with api.stream("GET", MAPS, params={"watch": "1", "timeoutSeconds": "5", **query}) as answer:
        assert answer.status_code == 200
        return [json.loads(line) for line in answer.iter_lines()]


def version_of(api: httpx.Client) -> str:
    return str(api.get(MAPS).json()["metadata"]["resourceVersion"])


def test_watches_are_cut_off(api: httpx.Client) -> None:
    put(api, kind="watches", within_s=0.2, ends="cut")
    with pytest.raises(httpx.TransportError):
        events(api)
    clear(api)
    assert events(api, timeoutSeconds="1") == []


def test_watches_expire_and_so_do_their_versions(api: httpx.Client) -> None:
    before = version_of(api)
    put(api, kind="watches", within_s=0.2, ends="expired", seed=1, client="httpx")
    make(api, "one")
    said = events(api)
    assert said[-1]["type"] == "ERROR"
    assert (said[-1]["object"]["code"], said[-1]["object"]["reason"]) == (410, "Expired")
    again = events(api, resourceVersion=before)
    assert [(event["type"], event["object"]["code"]) for event in again] == [("ERROR", 410)]
    now = version_of(api)
    clear(api)
    make(api, "two")
    assert [event["object"]["metadata"]["name"] for event in events(api, resourceVersion=now, timeoutSeconds="1")] == [
        "two"
    ]


# -- stale reads -------------------------------------------------------------------------------------------------------
def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = Deadline(seconds)
    while not holds():
        assert not deadline.expired
        clock.sleep_s(0.02)


def names(api: httpx.Client, **query: str) -> set[str]:
    return {item["metadata"]["name"] for item in api.get(MAPS, params=query).json()["items"]}


def test_reads_from_the_cache_lag_and_plain_ones_do_not(api: httpx.Client) -> None:
    make(api, "old")
    at = version_of(api)
    put(api, kind="stale", behind_s=3600)
    made = make(api, "new").json()["metadata"]["resourceVersion"]
    api.put(f"{MAPS}/old", json={"metadata": {"name": "old"}, "data": {"v": "2"}})
    assert names(api, resourceVersion="0") == {"old"}
    listed = api.get(MAPS, params={"resourceVersion": "0"}).json()
    assert (listed["metadata"]["resourceVersion"], listed["items"][0]["data"]) == (at, {"v": "1"})
    assert names(api, resourceVersion=made) == {"old", "new"}  # a cache may lag, but not behind what is asked for
    assert api.get(f"{MAPS}/new", params={"resourceVersion": "0"}).status_code == 404
    assert api.get(f"{MAPS}/old", params={"resourceVersion": "0"}).json()["data"] == {"v": "1"}
    assert names(api) == {"old", "new"}
    assert api.get(f"{MAPS}/old").json()["data"] == {"v": "2"}
    clear(api)
    assert names(api, resourceVersion="0") == {"old", "new"}


def test_plain_reads_lag_when_all_are_to_and_catch_up(api: httpx.Client) -> None:
    make(api, "old")
    put(api, kind="stale", behind_s=0.3, reads="all")
    make(api, "new")
    assert names(api) == {"old"}
    until(lambda: names(api) == {"old", "new"})


def test_a_state_that_is_forgotten_is_not_shown(served: Served, api: httpx.Client) -> None:
    put(api, kind="stale", behind_s=3600, reads="all")
    make(api, "new")
    served.do(served.registry.store.expire_history)
    assert names(api) == {"new"}
    assert api.get(f"{MAPS}/new").status_code == 200


# -- pods, node, endpoints: on a whole cluster -------------------------------------------------------------------------
@pytest.fixture
def kube(cluster: localkube.Cluster) -> Iterator[Kube]:
    """A namespace of the test's own; faults that it leaves are cleared."""
    namespace = f"faults-{uuid.uuid4().hex[:6]}"
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, namespace)
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    yield kube
    cluster.clear_faults()
    kube.delete("Namespace", namespace)
    kube.close()


def pod(name: str, **more: Any) -> Obj:
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    container = {"name": "app", "image": "gremlinsai/backend:v1.0.0", "env": [address]}
    meta = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container], **more}}


def running(kube: Kube, name: str) -> Obj:
    """The pod, once it is ready."""

    def ready(pods: list[Obj]) -> Obj | None:
        conditions = {c["type"]: c["status"] for one in pods for c in one.get("status", {}).get("conditions") or ()}
        return pods[0] if conditions.get("Ready") == "True" else None

    return kube.wait("Pod", ready, fields=f"metadata.name={name}", deadline=Deadline(30), awaited="a ready pod")


def answers(address: str, timeout_s: float = 2.0) -> bool:
    try:
        return httpx.get(f"http://{address}/api/v1/capabilities", timeout=timeout_s).is_success
    except httpx.TransportError:
        return False


def test_a_pod_is_killed_and_its_container_starts_again(cluster: localkube.Cluster, kube: Kube) -> None:
    kube.create(pod("victim"))
    running(kube, "victim")
    assert cluster.set_fault("kill", pod=f"{kube.namespace}/victim")["pod"] == f"{kube.namespace}/victim"
    assert cluster.faults() == []

    def restarted(pods: list[Obj]) -> Obj | None:
        (status,) = pods[0]["status"]["containerStatuses"]
        return status if status["restartCount"] else None

    fields = "metadata.name=victim"
    status = kube.wait("Pod", restarted, fields=fields, deadline=Deadline(30), awaited="a restart")
    assert status["lastState"]["terminated"]["exitCode"] == 137


def test_a_pod_is_frozen_and_thawed(cluster: localkube.Cluster, kube: Kube) -> None:
    kube.create(pod("frozen"))
    address = f"{running(kube, 'frozen')['status']['podIP']}:8080"
    until(lambda: answers(address))
    fault = cluster.set_fault("freeze", pod=f"{kube.namespace}/frozen")
    assert not answers(address, 0.5)
    assert [each["name"] for each in cluster.clear_faults(fault["name"])] == [fault["name"]]
    assert answers(address, 10)


def test_a_frozen_pod_may_go_before_it_is_thawed(cluster: localkube.Cluster, kube: Kube) -> None:
    kube.create(pod("gone"))
    running(kube, "gone")
    cluster.set_fault("freeze", pod=f"{kube.namespace}/gone")
    kube.delete("Pod", "gone", grace_s=0)
    fields = "metadata.name=gone"
    kube.wait("Pod", lambda found: True if not found else None, fields=fields, deadline=Deadline(30), awaited="its end")
    assert len(cluster.clear_faults()) == 1


@pytest.mark.parametrize("kind", ["kill", "freeze"])
def test_a_pod_that_is_not_there_is_named(cluster: localkube.Cluster, kind: str) -> None:
    with pytest.raises(localkube.FaultRefusedError, match='pods "nobody" not found') as refused:
        cluster.set_fault(kind, pod="default/nobody")
    assert refused.value.status == 404
    assert cluster.faults() == []


def test_the_node_is_not_ready_and_ready_again(cluster: localkube.Cluster, kube: Kube) -> None:
    def ready() -> str:
        (node,) = kube.raw("/api/v1/nodes")["items"]
        return str(next(c["status"] for c in node["status"]["conditions"] if c["type"] == "Ready"))

    cluster.set_fault("node")
    assert ready() != "True"
    cluster.clear_faults("node")
    assert ready() == "True"


def test_images_are_pulled_slowly(cluster: localkube.Cluster, kube: Kube) -> None:
    cluster.set_fault("pulls", delay_s=2)
    started_s = clock.now_s()
    kube.create(pod("slow"))
    running(kube, "slow")
    assert clock.now_s() - started_s >= 2


def slice_ready(kube: Kube, service: str) -> bool:
    slices = kube.list("EndpointSlice", labels=f"kubernetes.io/service-name={service}")
    return any(each["conditions"]["ready"] for one in slices for each in one.get("endpoints") or ())


def test_endpoints_lag(cluster: localkube.Cluster, kube: Kube) -> None:
    kube.create(pod("app"))
    running(kube, "app")
    for name, lag, seconds in (("late-slices", "slices_s", 1.5), ("late-proxy", "proxy_s", 1.5)):
        cluster.set_fault("endpoints", **{lag: seconds})
        started_s = clock.now_s()
        spec = {"selector": {"app": "app"}, "ports": [{"port": 18080, "targetPort": 8080}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        address = kube.create(service)["spec"]["clusterIP"]
        seen: Callable[[], bool] = {
            "slices_s": lambda name=name: slice_ready(kube, name),
            "proxy_s": lambda address=address: answers(f"{address}:18080"),
        }[lag]
        until(seen)
        assert clock.now_s() - started_s >= seconds
        cluster.clear_faults("endpoints")
    for lag in ("slices_s", "proxy_s"):  # what waits when the fault ends is not left waiting
        cluster.set_fault("endpoints", **{lag: 3600})
        name = f"never-{lag[:5]}"
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        address = kube.create(service)["spec"]["clusterIP"]
        assert not answers(f"{address}:18080", 0.5)
        cluster.clear_faults()
        until(lambda name=name, address=address: slice_ready(kube, name) and answers(f"{address}:18080"))


def test_no_fault_outlives_its_cluster() -> None:
    with localkube.running() as cluster:
        cluster.set_fault("requests", share=1)
        cluster.set_fault("node")
        again = localkube.start(cluster.name, base=cluster.base, restart=True, options=localkube.Options())
        assert again.faults() == []
        kube = connect_handle(str(again.kubeconfig), again.context, "default")
        (node,) = kube.raw("/api/v1/nodes")["items"]
        assert {"type": "Ready", "status": "True"}.items() <= next(
            c for c in node["status"]["conditions"] if c["type"] == "Ready"
        ).items()
        kube.close()
        again.stop()
        with pytest.raises(localkube.FaultRefusedError, match="did not answer"):
            again.faults()
