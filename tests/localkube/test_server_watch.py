"""Watches over HTTPS: where they start, what selectors do to them, how they end, and many at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import httpx
import pytest

from bluegreen import clock
from bluegreen.localkube.http import watches
from bluegreen.localkube.kinds import KINDS
from tests.localkube.serving import Served, serving

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"Content-Type": "application/merge-patch+json"}
Obj = dict[str, Any]


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture
def api(served: Served) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


def put(api: httpx.Client, name: str, value: str = "1", **meta: Any) -> str:
    """Create or change a ConfigMap; gives its resourceVersion."""
    body = {"metadata": {"name": name, **meta}, "data": {"v": value}}
    answer = api.post(MAPS, json=body)
    if answer.status_code == 409:
        answer = api.put(f"{MAPS}/{name}", json=body)
    return str(answer.json()["metadata"]["resourceVersion"])


def watch(api: httpx.Client, count: int, path: str = MAPS, headers: Any = None, **query: Any) -> list[Obj]:
    """The first events of a watch, at most as many as ``count``; fewer when it ends before."""
    params = {"watch": "1", "timeoutSeconds": "5", **query}
    events = []
    with api.stream("GET", path, params=params, headers=headers) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            events.append(json.loads(line))
            if len(events) == count:
                break
    return events


def brief(events: list[Obj]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def test_a_watch_tells_what_came_after_its_version(api: httpx.Client) -> None:
    start = put(api, "before")
    put(api, "a")
    put(api, "a", "2")
    api.delete(f"{MAPS}/a")
    events = watch(api, 3, resourceVersion=start)
    assert brief(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert events[2]["object"]["data"] == {"v": "2"}
    assert events[0]["object"]["kind"] == "ConfigMap"


@pytest.mark.parametrize("version", [None, "", "0"])
def test_without_a_version_it_begins_with_what_there_is(api: httpx.Client, version: str | None) -> None:
    put(api, "b")
    put(api, "a")
    query = {} if version is None else {"resourceVersion": version}
    assert brief(watch(api, 2, **query)) == [("ADDED", "a"), ("ADDED", "b")]


def test_what_happens_while_it_is_open_is_told_at_once(api: httpx.Client, served: Served) -> None:
    start = put(api, "x")
    registry = served.registry
    body = {"metadata": {"name": "later"}}
    timer = threading.Timer(0.1, lambda: served.do(lambda: registry.create(KINDS["ConfigMap"], "default", body)))
    timer.start()
    assert brief(watch(api, 1, resourceVersion=start)) == [("ADDED", "later")]
    timer.join()


def test_leaving_a_selection_is_a_deletion_and_entering_an_addition(api: httpx.Client) -> None:
    start = put(api, "x", "1", labels={"in": "yes"})
    put(api, "x", "2", labels={"in": "no"})
    put(api, "x", "3", labels={"in": "no"})
    put(api, "x", "4", labels={"in": "yes"})
    put(api, "x", "5", labels={"in": "yes"})
    events = watch(api, 3, resourceVersion=start, labelSelector="in=yes")
    assert [(event["type"], event["object"]["data"]["v"]) for event in events] == [
        ("DELETED", "1"), ("ADDED", "4"), ("MODIFIED", "5"),
    ]  # fmt: skip
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_one_object_and_one_namespace_can_be_watched(api: httpx.Client) -> None:
    start = put(api, "a")
    put(api, "b")
    api.post("/api/v1/namespaces", json={"metadata": {"name": "other"}})
    api.post("/api/v1/namespaces/other/configmaps", json={"metadata": {"name": "c"}})
    put(api, "a", "2")
    assert brief(watch(api, 1, resourceVersion=start, fieldSelector="metadata.name=a")) == [("MODIFIED", "a")]
    everywhere = watch(api, 3, path="/api/v1/configmaps", resourceVersion=start)
    assert brief(everywhere) == [("ADDED", "b"), ("ADDED", "c"), ("MODIFIED", "a")]


def test_it_ends_when_its_time_is_over(api: httpx.Client) -> None:
    start = put(api, "a")
    assert watch(api, 9, resourceVersion=start, timeoutSeconds="1") == []


def test_a_forgotten_version_is_an_error_in_the_stream(api: httpx.Client, served: Served) -> None:
    start = put(api, "a")
    put(api, "b")
    served.do(served.registry.store.expire_history)
    events = watch(api, 9, resourceVersion=start)
    assert [(event["type"], event["object"]["code"], event["object"]["reason"]) for event in events] == [
        ("ERROR", 410, "Expired")
    ]


def test_bookmarks_say_how_far_a_watch_is(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_S", 0.05)
    start = put(api, "a")
    api.post("/api/v1/namespaces/default/secrets", json={"metadata": {"name": "unrelated"}})
    bookmark = watch(api, 1, resourceVersion=start, allowWatchBookmarks="true")[0]
    assert (bookmark["type"], bookmark["object"]["kind"]) == ("BOOKMARK", "ConfigMap")
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) > int(start)
    assert bookmark["object"]["metadata"].keys() == {"resourceVersion"}
    assert watch(api, 9, resourceVersion=start, timeoutSeconds="1") == []


def test_initial_events_end_with_a_bookmark_that_says_so(api: httpx.Client) -> None:
    put(api, "a")
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    added, bookmark = watch(api, 2, **query)
    assert added["type"] == "ADDED"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    refused = api.get(MAPS, params={"watch": "1", "sendInitialEvents": "true"})
    assert (refused.status_code, refused.json()["details"]["kind"]) == (422, "ListOptions")


def test_tables_and_metadata_alone_are_watched_too(api: httpx.Client) -> None:
    put(api, "a")
    put(api, "b")
    table = watch(api, 2, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    assert [event["object"]["rows"][0]["cells"][0] for event in table] == ["a", "b"]
    assert [bool(event["object"]["columnDefinitions"]) for event in table] == [True, False]
    alone = watch(api, 1, headers={"Accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"})
    assert alone[0]["object"]["kind"] == "PartialObjectMetadata"
    assert "data" not in alone[0]["object"]


def test_a_selector_that_cannot_be_read_is_refused(api: httpx.Client) -> None:
    assert api.get(MAPS, params={"watch": "1", "labelSelector": "a in b"}).status_code == 400


def test_a_client_that_goes_leaves_nothing_behind(api: httpx.Client, served: Served) -> None:
    put(api, "a")
    assert watch(api, 1)
    shelf = served.registry.store._shelf(KINDS["ConfigMap"])

    deadline = clock.Deadline(5)
    while served.do(lambda: list(shelf.subscribers)):
        assert not deadline.expired


def test_many_watchers_miss_nothing(served: Served, api: httpx.Client) -> None:
    watchers, updates = 20, 200
    start = put(api, "busy", "0")
    begun = threading.Barrier(watchers + 1)

    def follow() -> list[str]:
        params = {"watch": "1", "resourceVersion": start}
        with served.client() as client, client.stream("GET", MAPS, params=params) as answer:
            begun.wait(10)
            lines = islice(answer.iter_lines(), updates)
            return [json.loads(line)["object"]["data"]["v"] for line in lines]

    with ThreadPoolExecutor(watchers) as pool:
        following = [pool.submit(follow) for _ in range(watchers)]
        begun.wait(10)
        for count in range(1, updates + 1):
            api.patch(f"{MAPS}/busy", content=json.dumps({"data": {"v": str(count)}}), headers=MERGE)
        seen = [each.result(30) for each in following]
    assert seen == [[str(count) for count in range(1, updates + 1)]] * watchers


def test_a_watcher_that_does_not_read_costs_nobody_anything(
    served: Served, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bluegreen.localkube import store

    monkeypatch.setattr(store, "HISTORY_CHANGES", 50)
    start = put(api, "big", "0")
    params = {"watch": "1", "resourceVersion": start}
    with served.client() as slow, slow.stream("GET", MAPS, params=params) as answer:
        for count in range(200):  # more than any buffer between the two holds
            api.put(f"{MAPS}/big", json={"metadata": {"name": "big"}, "data": {"v": str(count) * 20_000}})
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert lines[-1]["type"] == "ERROR"
    assert lines[-1]["object"]["code"] == 410
