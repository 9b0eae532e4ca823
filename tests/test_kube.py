"""The door to a cluster: what is repeated, what is found out, what waits survive; against a server that misbehaves."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.clock import Deadline, now_s
from bluegreen.errors import CannotStartError, HarnessError, InputError, TimeoutExpiredError
from bluegreen.kube import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    Kube,
    NotFound,
    OutcomeUnknown,
    RetryPolicy,
    Stale,
    Unreachable,
    connect,
    connect_handle,
)
from bluegreen.kube.connect import contexts
from bluegreen.kube.kinds import RESOURCES
from bluegreen.kube.retry import retry_after_s
from bluegreen.kube.transport import Transport
from bluegreen.kube.writes import json_patch_holds, merge_holds
from bluegreen.settings import load
from tests.faulty_api import Fault, FaultyApi, event

MAPS = "/api/v1/namespaces/ns/configmaps"
BUSY, DROPPED, LOST = Fault(429), Fault(cut="before"), Fault(cut="after")
QUICK = RetryPolicy(attempts=4, first_s=0.001, cap_s=0.002, total_s=5)


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with FaultyApi() as api:
        yield api


def kube_for(url: str, policy: RetryPolicy = QUICK) -> Kube:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration

    return Kube(Transport(ApiClient(Configuration(host=url)), policy), "ns", context="test")


@pytest.fixture
def kube(api: FaultyApi) -> Iterator[Kube]:
    kube = kube_for(api.url)
    yield kube
    kube.close()


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


# --- reading --------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_none(kube: Kube) -> None:
    assert kube.get("ConfigMap", "a") is None


@pytest.mark.parametrize("fault", [BUSY, DROPPED, LOST, Fault(500), Fault(502), Fault(503), Fault(504)])
def test_a_read_is_repeated_while_the_server_fails_in_passing(api: FaultyApi, kube: Kube, fault: Fault) -> None:
    api.put(f"{MAPS}/a", config_map(x="1"))
    api.fail(fault, fault, None)
    found = kube.get("ConfigMap", "a")
    assert found is not None
    assert found["data"] == {"x": "1"}
    assert len(api.seen) == 3


@pytest.mark.parametrize(("status", "error"), [(400, Invalid), (401, Forbidden), (403, Forbidden), (422, Invalid)])
def test_a_refusal_is_final(api: FaultyApi, kube: Kube, status: int, error: type[Exception]) -> None:
    api.fail(Fault(status))
    with pytest.raises(error) as caught:
        kube.get("ConfigMap", "a")
    assert len(api.seen) == 1
    assert isinstance(caught.value, HarnessError)
    assert "read ConfigMap ns/a" in str(caught.value)
    assert f"HTTP {status}" in str(caught.value)


def test_repeating_is_bounded(api: FaultyApi, kube: Kube) -> None:
    api.fail(*[Fault(503)] * 10)
    with pytest.raises(Unreachable, match="503"):
        kube.list("ConfigMap")
    assert len(api.seen) == QUICK.attempts


def test_a_dead_server_is_named(unused_port: int) -> None:
    kube = kube_for(f"http://127.0.0.1:{unused_port}")
    with pytest.raises(Unreachable, match=rf"no answer from http://127\.0\.0\.1:{unused_port} .*Connection refused"):
        kube.get("ConfigMap", "a")


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_retry_after_is_honoured(api: FaultyApi, kube: Kube) -> None:
    api.fail(Fault(429, {"Retry-After": "1"}), None)
    began_s = now_s()
    kube.get("ConfigMap", "a")
    assert now_s() - began_s >= 1


def test_a_retry_after_beyond_the_budget_ends_it_at_once(api: FaultyApi, kube: Kube) -> None:
    api.fail(Fault(429, {"Retry-After": "3600"}))
    with pytest.raises(Unreachable):
        kube.get("ConfigMap", "a")
    assert len(api.seen) == 1


def test_pauses_grow_with_jitter_up_to_a_cap() -> None:
    policy = RetryPolicy(first_s=0.1, cap_s=3)
    assert [round(policy.pause_s(n, chance=1), 3) for n in (1, 2, 3, 6, 60)] == [0.1, 0.2, 0.4, 3, 3]
    assert policy.pause_s(1, chance=0) == 0.05
    assert policy.pause_s(1, retry_after_s=7) == 7
    assert (retry_after_s("7"), retry_after_s(None), retry_after_s("Wed, 21 Oct"), retry_after_s("-1")) == (7, 0, 0, 0)


def test_lists_are_read_page_by_page(api: FaultyApi, kube: Kube) -> None:
    page = {"metadata": {"resourceVersion": "101", "continue": "more"}, "items": [config_map("a")]}
    last = {"metadata": {"resourceVersion": "101"}, "items": [config_map("b")]}
    api.fail(Fault(200, body=page), Fault(200, body=last))
    assert [o["metadata"]["name"] for o in kube.list("ConfigMap", labels="x=y")] == ["a", "b"]
    assert "continue=more" in api.seen[1][1]
    assert all("labelSelector=x%3Dy" in path for _, path in api.seen)


def test_a_list_whose_pages_expired_is_read_in_one(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    page = {"metadata": {"resourceVersion": "1", "continue": "more"}, "items": []}
    api.fail(Fault(200, body=page), Fault(410), None)
    assert len(kube.list("ConfigMap")) == 1
    assert "limit" not in api.seen[2][1]


def test_an_answer_older_than_what_was_written_is_not_believed(api: FaultyApi, kube: Kube) -> None:
    kube.create(config_map())
    old = {"metadata": {"resourceVersion": "1"}, "items": []}
    api.fail(Fault(200, body=old), None)
    assert len(kube.list("ConfigMap")) == 1
    api.fail(*[Fault(200, body={**config_map(), "metadata": {"name": "a", "resourceVersion": "1"}})] * 4)
    with pytest.raises(Stale):
        kube.get("ConfigMap", "a")


HIDDEN, OLDER = Fault(404), Fault(200, body={**config_map(x="old"), "metadata": {"name": "a", "resourceVersion": "1"}})


def test_an_object_that_was_written_is_not_taken_for_gone_by_an_older_answer(api: FaultyApi, kube: Kube) -> None:
    written = kube.create(config_map())["metadata"]["resourceVersion"]
    api.fail(HIDDEN, None)
    assert kube.get("ConfigMap", "a") is not None
    assert api.seen[-1][1] == f"{MAPS}/a?resourceVersion={written}"
    del api.objects[f"{MAPS}/a"]
    assert kube.get("ConfigMap", "a") is None


def test_what_was_read_once_is_not_taken_back(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="new"))
    assert kube.get("ConfigMap", "a") is not None
    api.fail(OLDER, None)
    found = kube.get("ConfigMap", "a")
    assert found is not None
    assert found["data"] == {"x": "new"}
    assert len(kube.list("ConfigMap")) == 1
    api.fail(Fault(200, body={"metadata": {"resourceVersion": "1"}, "items": []}), None)
    assert len(kube.list("ConfigMap")) == 1
    assert "resourceVersionMatch=NotOlderThan" in api.seen[-1][1]


def test_what_one_client_knows_another_may_learn(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="new"))
    kube.get("ConfigMap", "a")
    kube.list("ConfigMap")
    other = kube_for(api.url)
    other.learn(json.loads(json.dumps(kube.known())))
    api.fail(OLDER, None, Fault(200, body={"metadata": {"resourceVersion": "1"}, "items": []}), None)
    found = other.get("ConfigMap", "a")
    other_list = other.list("ConfigMap")
    other.close()
    assert found is not None
    assert found["data"] == {"x": "new"}
    assert len(other_list) == 1


def test_what_a_wait_has_seen_is_not_taken_back(api: FaultyApi, kube: Kube) -> None:
    obj = api.put(f"{MAPS}/a", config_map(x="new"))
    later = {**obj, "metadata": {**obj["metadata"], "resourceVersion": "150"}, "data": {"x": "newer"}}
    api.watches.put([event("MODIFIED", later), "hold"])
    newer = {"x": "newer"}
    kube.wait("ConfigMap", lambda f: f[0]["data"] == newer or None, deadline=Deadline(5), awaited="a change")
    api.fail(Fault(200, body={"metadata": {"resourceVersion": "149"}, "items": []}))
    api.version = 150
    assert len(kube.list("ConfigMap")) == 1


def test_a_page_of_a_proxy_is_no_traceback(api: FaultyApi, kube: Kube) -> None:
    from bluegreen.kube.errors import from_status
    from bluegreen.kube.transport import _json_object

    error = from_status("read Pod a", 403, _json_object(b"<html>Forbidden by Squid"))
    assert str(error).startswith("Cannot read Pod a: <html>Forbidden by Squid (HTTP 403).")


# --- writing --------------------------------------------------------------------------------------------------


def test_a_write_that_was_not_begun_is_repeated(api: FaultyApi, kube: Kube) -> None:
    api.fail(BUSY, BUSY, None)
    kube.create(config_map())
    assert [method for method, _ in api.seen] == ["POST"] * 3


@pytest.mark.parametrize("fault", [LOST, Fault(fail_after=503), Fault(fail_after=500), Fault(fail_after=504)])
def test_a_create_whose_answer_was_lost_is_found_by_its_mark(api: FaultyApi, kube: Kube, fault: Fault) -> None:
    api.fail(fault)
    created = kube.create(config_map(x="1"))
    assert created["data"] == {"x": "1"}
    assert [method for method, _ in api.seen] == ["POST", "GET"]


def test_a_create_that_did_not_happen_is_sent_again(api: FaultyApi, kube: Kube) -> None:
    api.fail(DROPPED)
    kube.create(config_map())
    assert [method for method, _ in api.seen] == ["POST", "GET", "POST"]
    assert list(api.objects) == [f"{MAPS}/a"]


def test_a_create_that_lost_to_somebody_else_is_refused(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="theirs"))
    api.fail(DROPPED)
    with pytest.raises(AlreadyExists):
        kube.create(config_map(x="ours"))
    assert api.objects[f"{MAPS}/a"]["data"] == {"x": "theirs"}


def test_a_generated_name_is_created_once(api: FaultyApi, kube: Kube) -> None:
    api.fail(LOST)
    obj = {**config_map(), "metadata": {"generateName": "a-"}}
    created = kube.create(obj)
    assert len(api.objects) == 1
    assert created["metadata"]["name"] in next(iter(api.objects))


SWITCH = [
    {"op": "test", "path": "/data/x", "value": "blue"},
    {"op": "replace", "path": "/data/x", "value": "green"},
]


def test_a_patch_whose_answer_was_lost_is_not_sent_again(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="blue"))
    api.fail(LOST)
    assert kube.json_patch("ConfigMap", "a", SWITCH)["data"] == {"x": "green"}
    assert [method for method, _ in api.seen] == ["PATCH", "GET"]


def test_a_patch_that_did_not_happen_is_sent_again(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="blue"))
    api.fail(DROPPED)
    assert kube.json_patch("ConfigMap", "a", SWITCH)["data"] == {"x": "green"}
    assert [method for method, _ in api.seen] == ["PATCH", "GET", "PATCH"]


def test_a_patch_overtaken_by_somebody_else_is_refused(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="blue"))
    api.fail(Fault(cut="after", after=lambda: api.put(f"{MAPS}/a", config_map(x="purple")) and None))
    with pytest.raises(Invalid):
        kube.json_patch("ConfigMap", "a", SWITCH)
    assert api.objects[f"{MAPS}/a"]["data"] == {"x": "purple"}


def test_a_create_that_an_older_answer_hides_is_found_all_the_same(api: FaultyApi, kube: Kube) -> None:
    api.fail(LOST, HIDDEN, None, HIDDEN, HIDDEN, None)
    assert kube.create(config_map(x="1"))["data"] == {"x": "1"}
    assert [method for method, _ in api.seen] == ["POST", "GET", "POST", "GET", "GET", "GET"]


def test_a_patch_that_an_older_answer_hides_is_found_all_the_same(api: FaultyApi, kube: Kube) -> None:
    old = api.put(f"{MAPS}/a", config_map(x="blue"))
    before = Fault(200, body=old)
    api.fail(LOST, before, None, before, None)
    assert kube.json_patch("ConfigMap", "a", SWITCH)["data"] == {"x": "green"}
    assert [method for method, _ in api.seen] == ["PATCH", "GET", "PATCH", "GET", "GET"]


def test_a_replace_that_an_older_answer_hides_is_found_all_the_same(api: FaultyApi, kube: Kube) -> None:
    old = api.put(f"{MAPS}/a", config_map(x="blue"))
    api.fail(LOST, Fault(200, body=old), None, Fault(200, body=old), None)
    assert kube.replace({**old, "data": {"x": "green"}})["data"] == {"x": "green"}


def test_what_became_of_a_write_may_stay_hidden(api: FaultyApi, kube: Kube) -> None:
    old = api.put(f"{MAPS}/a", config_map(x="blue"))
    before = Fault(200, body=old)
    api.fail(LOST, before, None, *[before] * 10)
    with pytest.raises(OutcomeUnknown, match="older state"):
        kube.json_patch("ConfigMap", "a", SWITCH)


def test_a_refused_test_is_final(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="red"))
    with pytest.raises(Invalid):
        kube.json_patch("ConfigMap", "a", SWITCH)
    assert len(api.seen) == 1


def test_a_replace_carries_its_version(api: FaultyApi, kube: Kube) -> None:
    read = api.put(f"{MAPS}/a", config_map(x="1"))
    api.fail(LOST)
    kube.replace({**read, "data": {"x": "2"}})
    with pytest.raises(Conflict):
        kube.replace({**read, "data": {"x": "3"}})
    assert api.objects[f"{MAPS}/a"]["data"] == {"x": "2"}


def test_whether_a_write_happened_may_stay_unknown(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(x="blue"))
    api.fail(LOST, *[Fault(503)] * 10)
    with pytest.raises(OutcomeUnknown, match="Whether it happened is unknown"):
        kube.merge_patch("ConfigMap", "a", {"data": {"x": "green"}})


def test_applying_is_repeated_as_it_is(api: FaultyApi, kube: Kube) -> None:
    api.fail(LOST, Fault(503), None)
    kube.apply(config_map(x="1"), manager="me")
    assert [method for method, _ in api.seen] == ["PATCH"] * 3
    assert "fieldManager=me" in api.seen[0][1]
    assert "fieldValidation=Strict" in api.seen[0][1]


def test_a_delete_whose_answer_was_lost_is_done(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    api.fail(LOST)
    kube.delete("ConfigMap", "a")
    assert not api.objects
    with pytest.raises(NotFound):
        kube.delete("ConfigMap", "a", missing_ok=False)


@pytest.mark.parametrize(
    ("ops", "holds"),
    [
        ([{"op": "add", "path": "/a/b~1c", "value": 1}], True),
        ([{"op": "add", "path": "/list/-", "value": 2}], True),
        ([{"op": "add", "path": "/list/-", "value": 9}], False),
        ([{"op": "replace", "path": "/list/0", "value": 1}], True),
        ([{"op": "remove", "path": "/gone"}], True),
        ([{"op": "remove", "path": "/a"}], False),
        ([{"op": "test", "path": "/a", "value": "anything"}], True),
        ([{"op": "copy", "from": "/a", "path": "/b"}], False),
    ],
)
def test_whether_a_patch_holds(ops: list[dict[str, Any]], holds: bool) -> None:
    assert json_patch_holds({"a": {"b/c": 1}, "list": [1, 2]}, ops) is holds


def test_whether_a_merge_holds() -> None:
    obj = {"metadata": {"resourceVersion": "2"}, "spec": {"a": 1, "b": [1]}}
    assert merge_holds(obj, {"metadata": {"resourceVersion": "1"}, "spec": {"a": 1, "c": None}})
    assert not merge_holds(obj, {"spec": {"b": [1, 2]}})
    assert not merge_holds(obj, {"spec": {"a": None}})
    assert not merge_holds(obj, {"spec": {"d": {"e": 1}}})


# --- waiting --------------------------------------------------------------------------------------------------


def done(objects: list[dict[str, Any]]) -> str | None:
    return next((o["metadata"]["name"] for o in objects if (o.get("data") or {}).get("done")), None)


def await_done(kube: Kube, seconds: float = 10, **how: Any) -> str:
    return kube.wait("ConfigMap", done, deadline=Deadline(seconds), awaited="something is done", **how)


def changed(version: int, **data: str) -> bytes:
    obj = config_map("a", **data)
    obj["metadata"] |= {"namespace": "ns", "uid": f"{MAPS}/a", "resourceVersion": str(version)}
    return event("MODIFIED", obj)


GONE = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"})


def test_what_is_so_already_needs_no_watch(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map(done="yes"))
    assert await_done(kube) == "a"
    assert len(api.seen) == 1


def test_a_watch_goes_on_from_the_list(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    api.watches.put([changed(150), changed(151, done="yes"), "hold"])
    assert await_done(kube) == "a"
    assert "resourceVersion=101" in api.seen[1][1]
    assert "allowWatchBookmarks=true" in api.seen[1][1]


def test_events_may_come_in_pieces(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    line = changed(150, done="yes")
    api.watches.put([line[:20], line[20:90], line[90:], "hold"])
    assert await_done(kube) == "a"


@pytest.mark.parametrize("end", [["cut"], [], [b'{"type": "MODI', "cut"]], ids=["cut", "ended", "half a line"])
def test_a_watch_that_ends_goes_on_where_it_stopped(api: FaultyApi, kube: Kube, end: list[bytes | str]) -> None:
    api.put(f"{MAPS}/a", config_map())
    api.watches.put([changed(150), *end])
    api.watches.put([changed(151, done="yes"), "hold"])
    assert await_done(kube) == "a"
    assert "resourceVersion=150" in api.seen[2][1]


def test_a_bookmark_moves_the_version_on(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    api.watches.put([event("BOOKMARK", {"metadata": {"resourceVersion": "700"}}), "cut"])
    api.watches.put([changed(701, done="yes"), "hold"])
    assert await_done(kube) == "a"
    assert "resourceVersion=700" in api.seen[2][1]


def test_an_expired_version_begins_with_a_new_list(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    api.watches.put([GONE])
    api.watches.put([changed(150, done="yes"), "hold"])
    assert await_done(kube) == "a"
    assert [("watch" in path) for _, path in api.seen] == [False, True, False, True]


def test_a_refused_watch_is_tried_again(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    api.fail(None, Fault(410), None, Fault(503), DROPPED, None)
    api.watches.put([changed(150, done="yes"), "hold"])
    assert await_done(kube) == "a"


def test_an_older_state_takes_nothing_back(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    seen: list[str] = []

    def until(objects: list[dict[str, Any]]) -> str | None:
        seen.extend(o["data"].get("n", "") for o in objects)
        return done(objects)

    api.watches.put([changed(150, n="new"), GONE])  # the list that follows still shows version 101
    api.watches.put([changed(151, done="yes"), "hold"])
    kube.wait("ConfigMap", until, deadline=Deadline(10), awaited="it")
    assert seen[1:-1] == ["new"] * len(seen[1:-1])


def test_deleted_objects_are_gone(api: FaultyApi, kube: Kube) -> None:
    obj = api.put(f"{MAPS}/a", config_map())
    api.watches.put([event("DELETED", {**obj, "metadata": {**obj["metadata"], "resourceVersion": "150"}}), "hold"])
    gone = kube.wait("ConfigMap", lambda found: True if not found else None, deadline=Deadline(10), awaited="gone")
    assert gone is True


def test_a_deadline_says_what_was_awaited_and_seen(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    with pytest.raises(TimeoutExpiredError, match=r"something is done: not so after 0\.3 s\. Last seen: a\."):
        await_done(kube, 0.3)
    with pytest.raises(TimeoutExpiredError, match="Last seen: 1 object"):
        await_done(kube, 0.1, seen=lambda objects: f"{len(objects)} object")


def test_a_server_that_only_fails_ends_at_the_deadline(api: FaultyApi, kube: Kube) -> None:
    api.fail(*[Fault(503)] * 200)
    began_s = now_s()
    with pytest.raises(TimeoutExpiredError, match="no such object"):
        await_done(kube, 0.3)
    assert now_s() - began_s < 3


def test_a_refusal_ends_a_wait_at_once(api: FaultyApi, kube: Kube) -> None:
    api.fail(Fault(403))
    with pytest.raises(Forbidden):
        await_done(kube)


def test_ticks_go_on_while_nothing_happens_and_may_end_it(kube: Kube) -> None:
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(now_s())
        if len(ticks) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await_done(kube, on_tick=tick)
    assert max(b - a for a, b in itertools.pairwise(ticks)) < 1


def test_what_until_raises_ends_the_wait(api: FaultyApi, kube: Kube) -> None:
    def until(objects: list[dict[str, Any]]) -> None:
        raise LookupError("early")

    with pytest.raises(LookupError, match="early"):
        kube.wait("ConfigMap", until, deadline=Deadline(5), awaited="it")


def test_no_thread_is_left_behind(api: FaultyApi, kube: Kube) -> None:
    api.put(f"{MAPS}/a", config_map())
    api.watches.put([changed(150, done="yes"), "hold"])
    await_done(kube)
    for thread in [t for t in threading.enumerate() if t.name == "watch"]:
        thread.join(5)
    assert not [t for t in threading.enumerate() if t.name == "watch"]


# --- connecting -----------------------------------------------------------------------------------------------

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: dangerous
contexts:
- {name: dangerous, context: {cluster: c, user: u}}
- {name: staging, context: {cluster: c, user: u}}
clusters:
- {name: c, cluster: {server: "%s"}}
users:
- {name: u, user: {token: canary-token}}
"""


@pytest.fixture
def kubeconfig(tmp_path: Path, api: FaultyApi) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG % api.url)
    return file


def named(kubeconfig: Path | str, cluster: str) -> Any:
    return load({"KUBECONFIG": str(kubeconfig), "CLUSTER": cluster, "DOCKER_IMAGE": "a:v1", "NAMESPACE": "ns"})


def test_a_named_context_is_connected_to(api: FaultyApi, kubeconfig: Path) -> None:
    api.put("/version", {"gitVersion": "v1.34.0"})
    kube = connect(named(kubeconfig, "staging"))
    assert (kube.context, kube.server, kube.server_version) == ("staging", api.url, "v1.34.0")
    again = connect_handle(kube.kubeconfig, kube.context, kube.namespace)
    assert again.get("ConfigMap", "a") is None
    assert again.transport.headers()["Authorization"] == "Bearer canary-token"


def test_an_unknown_context_lists_the_known_ones(kubeconfig: Path) -> None:
    with pytest.raises(InputError, match="Known contexts: dangerous, staging"):
        connect(named(kubeconfig, "production"))


def test_a_missing_kubeconfig_knows_no_context(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no such file"):
        connect(named(tmp_path / "none", "production"))


@pytest.mark.parametrize("text", ["a: [", "- list", "contexts: 5", "contexts: [1]", "\0"])
def test_a_broken_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(InputError, match=r"KUBECONFIG=.*cannot be read as a kubeconfig"):
        contexts(str(file))


def test_a_context_without_a_cluster_is_named(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    context = "contexts: [{name: half, context: {cluster: none, user: none}}]"
    file.write_text(f"{context}\nclusters: []\nusers: [{{name: none, user: {{}}}}]\n")
    with pytest.raises(InputError, match="CLUSTER='half': its kubeconfig entry is of no use"):
        connect(named(file, "half"))


def test_a_kind_cluster_of_the_users_is_a_context_like_any_other(kubeconfig: Path, api: FaultyApi) -> None:
    kubeconfig.write_text(kubeconfig.read_text().replace("staging", "kind-kind"))
    api.put("/version", {"gitVersion": "v1.34.0"})
    assert connect(named(kubeconfig, "kind-kind")).context == "kind-kind"


def test_in_cluster_needs_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InputError, match="does not run in a pod"):
        connect(named("", "in-cluster"))


def test_an_unreachable_cluster_is_named_before_anything(tmp_path: Path, unused_port: int) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG % f"http://127.0.0.1:{unused_port}")
    with pytest.raises(CannotStartError, match=rf"CLUSTER=staging: http://127\.0\.0\.1:{unused_port} .*refused"):
        connect(named(file, "staging"))


def test_something_else_than_a_kubernetes_api_is_named(api: FaultyApi, kubeconfig: Path) -> None:
    with pytest.raises(CannotStartError, match="of no use"):
        connect(named(kubeconfig, "staging"))


def test_a_proxy_is_not_asked_for_this_machine(
    kubeconfig: Path, api: FaultyApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    api.put("/version", {"gitVersion": "v1.34.0"})
    assert connect(named(kubeconfig, "staging")).server_version == "v1.34.0"


def test_importing_it_loads_no_client() -> None:
    code = "import sys, bluegreen.kube; sys.exit('kubernetes' in sys.modules or 'urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kinds_have_their_paths() -> None:
    assert RESOURCES["Deployment"].path("ns", "a", "scale") == "/apis/apps/v1/namespaces/ns/deployments/a/scale"
    assert RESOURCES["Pod"].path("") == "/api/v1/pods"
    assert RESOURCES["Node"].path("ns", "n1") == "/api/v1/nodes/n1"
    assert RESOURCES["Pod"].path("ns", "a b") == "/api/v1/namespaces/ns/pods/a%20b"


def test_a_kind_outside_the_table_is_looked_up_once_named(api: FaultyApi, kube: Kube) -> None:
    served = [{"name": "things/status", "kind": "Thing"}, {"name": "things", "kind": "Thing", "namespaced": True}]
    api.put("/apis/example.com/v1", {"resources": served})
    kube.apply({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}})
    assert api.seen[-1][1].startswith("/apis/example.com/v1/namespaces/ns/things/a?")
    with pytest.raises(Invalid, match=r"serves no kind Other of example\.com/v1"):
        kube.apply({"apiVersion": "example.com/v1", "kind": "Other", "metadata": {"name": "a"}})


# --- the embedded cluster -------------------------------------------------------------------------------------


def test_the_embedded_cluster_is_started_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen import localkube

    monkeypatch.setenv("BLUEGREEN_HOME", str(tmp_path))
    try:
        first = connect(load({}))
        assert first.context == "bluegreen-local"
        assert first.notes == []
        assert connect(load({})).server == first.server
        monkeypatch.setattr(localkube.Cluster, "outdated", property(lambda _: True))
        assert "cluster up --restart" in connect(load({})).notes[0]
    finally:
        localkube.stop()
