"""Reading logs: which instance, which part, and following while it grows. Wording as the kubelet's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.kubelet.logs import LogOptions, check_options, choose_container, choose_instance, moment, read
from bluegreen.localkube.status import ApiError

Obj = dict[str, Any]
LINES = (
    "2026-01-01T00:00:01.000000000Z stdout F one\n"
    "2026-01-01T00:00:02.000000000Z stderr P tw\n"
    "2026-01-01T00:00:02.000000001Z stderr F o\n"
    "2026-01-01T00:00:03.000000000Z stdout F three\n"
)


def said(path: Path, **options: Any) -> str:
    async def whole() -> bytes:
        return b"".join([piece async for piece in read(path, LogOptions(**options), lambda: True)])

    return asyncio.run(whole()).decode()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "one\ntwo\nthree\n"),
        ({"tail_lines": 1}, "three\n"),
        ({"tail_lines": 2}, "two\nthree\n"),
        ({"tail_lines": 0}, ""),
        ({"tail_lines": 99}, "one\ntwo\nthree\n"),
        ({"limit_bytes": 5}, "one\nt"),
        ({"since": moment(datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC))}, "three\n"),
        ({"tail_lines": 1, "timestamps": True}, "2026-01-01T00:00:03.000000000Z three\n"),
        ({"follow": True}, "one\ntwo\nthree\n"),
    ],
)
def test_parts_of_a_log(tmp_path: Path, options: Obj, expected: str) -> None:
    file = tmp_path / "x.log"
    file.write_text(LINES)
    assert said(file, **options) == expected


def test_an_end_without_newline_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text("2026-01-01T00:00:01.000000000Z stdout P no newline\n")
    assert said(file) == "no newline"
    assert said(file, tail_lines=1) == "no newline"


def test_a_log_turned_over_is_read_from_both_files(tmp_path: Path) -> None:
    (tmp_path / "x.log.1").write_text(LINES)
    (tmp_path / "x.log").write_text("2026-01-01T00:00:04.000000000Z stdout F four\n")
    assert said(tmp_path / "x.log", tail_lines=2) == "three\nfour\n"


def test_following_gives_what_is_added_and_ends_with_the_container(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text(LINES)

    async def follow() -> str:
        pieces: list[bytes] = []
        async for piece in read(file, LogOptions(follow=True, tail_lines=1), lambda: len(pieces) > 1):
            pieces.append(piece)
            if len(pieces) == 1:
                with file.open("a") as more:
                    more.write("2026-01-01T00:00:04.000000000Z stdout F four\n")
        return b"".join(pieces).decode()

    assert asyncio.run(asyncio.wait_for(follow(), 10)) == "three\nfour\n"


def test_following_survives_the_removal_of_the_files(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text(LINES)

    async def follow() -> str:
        pieces: list[bytes] = []
        async for piece in read(file, LogOptions(follow=True, tail_lines=1), lambda: not file.exists()):
            pieces.append(piece)
            if len(pieces) == 1:
                with file.open("a") as more:
                    more.write("2026-01-01T00:00:04.000000000Z stdout F last words\n")
                file.unlink()
        return b"".join(pieces).decode()

    assert asyncio.run(asyncio.wait_for(follow(), 10)) == "three\nlast words\n"


def test_following_goes_on_in_the_next_file_when_one_is_turned_over(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text(LINES)

    async def follow() -> str:
        pieces: list[bytes] = []
        async for piece in read(file, LogOptions(follow=True, tail_lines=1), lambda: len(pieces) > 1):
            pieces.append(piece)
            if len(pieces) == 1:
                with file.open("a") as more:
                    more.write("2026-01-01T00:00:04.000000000Z stdout F four\n")
                file.rename(tmp_path / "x.log.1")
                file.write_text("2026-01-01T00:00:05.000000000Z stdout F five\n")
        return b"".join(pieces).decode()

    assert asyncio.run(asyncio.wait_for(follow(), 10)) == "three\nfour\nfive\n"


def pod(state: Obj, last: Obj | None = None, **more: Any) -> Obj:
    status = {"name": "app", "state": state, "lastState": last or {}, "containerID": "process://now", **more}
    spec = {"nodeName": "n", "containers": [{"name": "app"}], "initContainers": [{"name": "first"}]}
    return {"metadata": {"name": "p"}, "spec": spec, "status": {"containerStatuses": [status]}}


def test_the_instance_is_the_running_one_or_the_last() -> None:
    ended = {"terminated": {"containerID": "process://before"}}
    assert choose_instance(pod({"running": {}}), "app", previous=False) == "process://now"
    assert choose_instance(pod({"running": {}}, ended), "app", previous=True) == "process://before"
    crashed = pod({"waiting": {"reason": "CrashLoopBackOff"}}, ended)
    assert choose_instance(crashed, "app", previous=False) == "process://before"
    assert choose_instance(pod(ended), "app", previous=False) == "process://before"


@pytest.mark.parametrize(
    ("state", "previous", "sentence"),
    [
        ({"running": {}}, True, 'previous terminated container "app" in pod "p" not found'),
        (
            {"waiting": {"reason": "ContainerCreating"}},
            False,
            'container "app" in pod "p" is waiting to start: ContainerCreating',
        ),
        (
            {"waiting": {"reason": "ErrImagePull"}},
            False,
            'container "app" in pod "p" is waiting to start: image can\'t be pulled',
        ),
        (
            {"waiting": {"reason": "ImagePullBackOff"}},
            False,
            'container "app" in pod "p" is waiting to start: trying and failing to pull image',
        ),
    ],
)
def test_refusals(state: Obj, previous: bool, sentence: str) -> None:
    with pytest.raises(ApiError) as caught:
        choose_instance(pod(state), "app", previous)
    assert (caught.value.code, caught.value.message) == (400, sentence)


def test_the_container_must_exist_and_be_named_where_there_are_several() -> None:
    one = pod({})
    assert choose_container(one, "") == "app"
    assert choose_container(one, "first") == "first"
    with pytest.raises(ApiError, match="container nope is not valid for pod p"):
        choose_container(one, "nope")
    one["spec"]["containers"].append({"name": "b"})
    with pytest.raises(ApiError) as caught:
        choose_container(one, "")
    words = (
        "a container name must be specified for pod p, choose one of: [app b] or one of the init containers: [first]"
    )
    assert caught.value.message == words


def test_numbers_that_make_no_sense_are_refused() -> None:
    for options in (LogOptions(tail_lines=-1), LogOptions(limit_bytes=0)):
        with pytest.raises(ApiError) as caught:
            check_options("p", options)
        assert caught.value.code == 422
