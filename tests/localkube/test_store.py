"""The store: versions, history, the log on disk, what is kept decoded."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from bluegreen.localkube import entries as entries_module
from bluegreen.localkube import store as store_module
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change, Store

MAP = KINDS["ConfigMap"]
SET = KINDS["ReplicaSet"]


def config_map(name: str, namespace: str = "a", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, **more}


def version(obj: dict[str, Any]) -> int:
    return int(obj["metadata"]["resourceVersion"])


def test_one_counter_numbers_changes_of_every_kind() -> None:
    store = Store()
    first = store.put(MAP, config_map("x"))
    second = store.put(SET, config_map("y"))
    third = store.remove(MAP, "a", "x")
    assert [version(first), version(second), version(third)] == [2, 3, 4]
    assert store.resource_version == 4


def test_a_list_is_sorted_by_namespace_and_name() -> None:
    store = Store()
    for namespace, name in [("b", "1"), ("a", "2"), ("a", "1"), ("b", "0")]:
        store.put(MAP, config_map(name, namespace))
    assert [(o["metadata"]["namespace"], o["metadata"]["name"]) for o in store.list(MAP)] == [
        ("a", "1"), ("a", "2"), ("b", "0"), ("b", "1"),
    ]  # fmt: skip
    assert [o["metadata"]["name"] for o in store.list(MAP, "b")] == ["0", "1"]
    assert [e.obj["metadata"]["name"] for e in store.entries(MAP, "", ("a", "1"))] == ["2", "0", "1"]


def test_listeners_hear_each_change_with_what_was_before() -> None:
    store, heard = Store(), list[Change]()
    unsubscribe = store.subscribe(MAP, heard.append)
    store.put(MAP, config_map("x", data={"v": "1"}))
    store.put(MAP, config_map("x", data={"v": "2"}))
    store.remove(MAP, "a", "x")
    unsubscribe()
    store.put(MAP, config_map("y"))
    assert [change.type for change in heard] == ["ADDED", "MODIFIED", "DELETED"]
    before = [change.previous["data"]["v"] if change.previous else None for change in heard]
    assert before == [None, "1", "2"]
    assert heard[2].object["metadata"]["resourceVersion"] == "4"


def test_a_listener_that_fails_does_not_fail_the_write(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()

    def fail(_: Change) -> None:
        raise ValueError("no")

    store.subscribe(MAP, fail)
    assert store.put(MAP, config_map("x"))
    assert "a listener of configmaps failed" in caplog.text


def test_history_gives_what_came_after_a_version_of_one_kind() -> None:
    store = Store()
    start = version(store.put(MAP, config_map("x")))
    store.put(SET, config_map("other"))
    store.put(MAP, config_map("y"))
    assert [change.name for change in store.history(MAP, start)] == ["y"]
    assert store.history(MAP, store.resource_version) == []


def test_forgotten_history_is_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "HISTORY_CHANGES", 10)
    store = Store()
    for count in range(30):
        store.put(MAP, config_map("x", data={"v": str(count)}))
    with pytest.raises(ApiError) as refused:
        store.history(MAP, 2)
    assert (refused.value.code, refused.value.reason) == (410, "Expired")
    last = store.history(MAP, store.resource_version - 3)
    assert [change.object["data"]["v"] for change in last] == ["27", "28", "29"]


def test_history_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "HISTORY_BYTES", 10_000)
    store = Store()
    for _ in range(50):
        store.put(MAP, config_map("x", data={"v": "x" * 1000}))
    kept = store.history(MAP, store.resource_version - 3)
    assert len(kept) == 3
    with pytest.raises(ApiError, match="too old"):
        store.history(MAP, 2)


def test_expiring_all_history_leaves_the_present_watchable() -> None:
    store = Store()
    store.put(MAP, config_map("x"))
    store.expire_history()
    with pytest.raises(ApiError, match="too old"):
        store.history(MAP, 1)
    assert store.history(MAP, store.resource_version) == []


def test_owners_are_indexed_and_forgotten() -> None:
    store = Store()
    owned = config_map("child")
    owned["metadata"]["ownerReferences"] = [{"uid": "boss", "name": "b"}]
    store.put(MAP, owned)
    assert [(kind.kind, obj["metadata"]["name"]) for kind, obj in store.by_owner("boss")] == [("ConfigMap", "child")]
    store.put(MAP, config_map("child"))
    assert store.by_owner("boss") == []


def test_everything_acknowledged_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    store = Store(path)
    store.put(MAP, config_map("kept", data={"v": "1"}))
    store.put(MAP, config_map("kept", data={"v": "2"}))
    store.put(MAP, config_map("gone"))
    store.remove(MAP, "a", "gone")
    again = Store(path)  # not closed before: as after a kill
    assert [obj["data"] for obj in again.list(MAP)] == [{"v": "2"}]
    assert again.resource_version == store.resource_version
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_counter_survives_even_where_no_object_carries_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "log")
    store.put(MAP, config_map("x"))
    store.remove(MAP, "a", "x")
    for _ in range(2):  # the second start reads a snapshot
        store = Store(tmp_path / "log")
        assert store.resource_version == 3
    with pytest.raises(ApiError, match="too old"):
        store.history(MAP, 2)


def test_a_line_cut_short_was_never_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    Store(path).put(MAP, config_map("whole"))
    with path.open("ab") as log:
        log.write(b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"na')
    store = Store(path)
    assert [obj["metadata"]["name"] for obj in store.list(MAP)] == ["whole"]
    store.put(MAP, config_map("next"))
    assert len(Store(path).list(MAP)) == 2


def test_a_log_mostly_out_of_date_is_rewritten_while_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bluegreen.localkube import log

    monkeypatch.setattr(log, "_COMPACT_ABOVE", 10_000)
    path = tmp_path / "log"
    store = Store(path)
    for count in range(500):
        store.put(MAP, config_map("x", data={"v": f"{count:0200}"}))
    assert path.stat().st_size < 20_000
    assert Store(path).list(MAP)[0]["data"]["v"] == f"{499:0200}"


def test_lists_may_cut_the_kind_off_every_encoded_object() -> None:
    store = Store()
    odd = {"data": {"a": "b"}, "apiVersion": "v1", "metadata": {"name": "x", "namespace": "a"}, "kind": "ConfigMap"}
    stored = store.put(MAP, odd)
    encoded = store.encoded(stored)
    assert encoded.startswith(MAP.json_prefix)
    assert orjson.loads(encoded) == stored


def test_objects_not_in_use_are_kept_encoded_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries_module, "DECODED_BYTES", 500)
    store = Store()
    first = store.put(MAP, config_map("first"))
    for count in range(20):
        store.put(MAP, config_map(f"n{count}"))
    entry = store.entry(MAP, "a", "first")
    assert entry is not None
    assert not entry.holds(first)
    assert entry.obj == first
    assert entry.holds(entry.obj)
    assert store.encoded(first) == entry.encoded


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Lets a test say how many bytes a file may hold: a write beyond fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_finds_no_room_is_no_write(tmp_path: Path, small_disk: Callable[[int], None]) -> None:
    path = tmp_path / "log"
    store = Store(path)
    store.put(MAP, config_map("whole"))
    small_disk(path.stat().st_size + 20)
    before = store.resource_version
    with pytest.raises(OSError, match="File too large"):
        store.put(MAP, config_map("lost"))
    assert (store.resource_version, store.get(MAP, "a", "lost")) == (before, None)
    small_disk(10_000)
    store.put(MAP, config_map("next"))
    assert [obj["metadata"]["name"] for obj in Store(path).list(MAP)] == ["next", "whole"]


def test_without_room_for_a_snapshot_the_old_log_goes_on(tmp_path: Path, small_disk: Callable[[int], None]) -> None:
    path = tmp_path / "log"
    store = Store(path)
    for name in ("a", "b"):
        store.put(MAP, config_map(name))
    with path.open("ab") as log:
        log.write(b'{"cut short')
    small_disk(50)
    store = Store(path)
    assert len(store.list(MAP)) == 2
    assert not path.with_suffix(".new").exists()
    small_disk(10_000)
    store.put(MAP, config_map("c"))
    assert [obj["metadata"]["name"] for obj in Store(path).list(MAP)] == ["a", "b", "c"]


def test_a_log_that_cannot_be_rewritten_now_is_rewritten_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bluegreen.localkube import log

    monkeypatch.setattr(log, "_COMPACT_ABOVE", 2_000)
    path = tmp_path / "log"
    store = Store(path)
    in_the_way = path.with_suffix(".new")
    in_the_way.mkdir()
    for count in range(20):
        store.put(MAP, config_map("x", data={"v": f"{count:0200}"}))
    assert path.stat().st_size > 5_000
    in_the_way.rmdir()
    for count in range(60):
        store.put(MAP, config_map("x", data={"v": f"{count:0200}"}))
    assert path.stat().st_size < 5_000
    assert Store(path).list(MAP)[0]["data"]["v"] == f"{59:0200}"
