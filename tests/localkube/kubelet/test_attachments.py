"""Being attached to a container: what it says from then on, and its input, through a pipe or a terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube.kubelet.streams import NotStreamedError, Streams
from tests.localkube.kubelet.node import NAMESPACE, Node, has_ended, is_running, on_node, shell

MANY = 3_000_000  # bytes: more than pipes and queues hold


async def everything(queue: asyncio.Queue[bytes]) -> bytes:
    said = b""
    while data := await queue.get():
        said += data
    return said


async def until(queue: asyncio.Queue[bytes], word: bytes) -> bytes:
    said = b""
    while word not in said:
        data = await queue.get()
        assert data, f"ended after {said!r}"
        said += data
    return said


async def attached(node: Node, *, stdin: bool = True) -> Streams:
    return await node.kubelet.attach(NAMESPACE, "p", "app", stdin=stdin)


async def started(node: Node, script: str, **container: Any) -> None:
    node.pod("p", shell(script, **container), restartPolicy="Never")
    await node.until("p", is_running)


def test_input_ends_with_the_first_who_was_attached_to_it(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        await started(node, "cat; echo over >&2", stdin=True, stdinOnce=True)
        streams = await attached(node)
        await streams.write(b"hello\n")
        streams.close_input()
        assert (await everything(streams.stdout), await everything(streams.stderr)) == (b"hello\n", b"over\n")
        streams.close()
        await node.until("p", has_ended)
        assert sorted((await node.log("p")).splitlines()) == ["hello", "over"]
        with pytest.raises(NotStreamedError, match="container app not found in pod p_test"):
            await attached(node)

    on_node(tmp_path, test)


def test_input_that_is_not_for_one_stays_open(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        await started(node, "while read line; do echo got $line; done", stdin=True)
        for word in (b"one", b"two"):
            streams = await attached(node)
            await streams.write(word + b"\n")
            assert await until(streams.stdout, b"\n") == b"got " + word + b"\n"
            streams.close_input()
            streams.close()

    on_node(tmp_path, test)


def test_without_an_input_the_program_reads_nothing(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        await started(node, "cat; while :; do sleep 0.05; echo on; done")
        streams = await attached(node)
        await streams.write(b"lost\n")
        assert b"lost" not in await until(streams.stdout, b"on\n")
        streams.close()

    on_node(tmp_path, test)


@pytest.mark.parametrize("namespaces", [None, "none"])
def test_a_terminal_is_input_and_output_and_has_a_size(tmp_path: Path, namespaces: str | None) -> None:
    async def test(node: Node) -> None:
        await started(node, 'read line; stty size; test -t 2 && echo "$line on $TERM"', stdin=True, tty=True)
        streams = await attached(node)
        streams.resize(123, 45)
        await streams.write(b"typed\n")
        said = await everything(streams.stdout)
        assert said == b"typed\r\n45 123\r\ntyped on xterm\r\n"
        streams.close()
        await node.until("p", has_ended)
        assert "typed on xterm" in await node.log("p")

    on_node(tmp_path, test, namespaces)


def test_one_who_does_not_listen_holds_the_program_up_until_they_do_or_leave(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        flood = f"head -c {MANY} /dev/zero | tr '\\0' x | fold -w 1000; echo; echo flooded"
        await started(node, f"read go; {flood}; {flood}; echo over", stdin=True)
        slow, leaves = await attached(node), await attached(node)
        await slow.write(b"go\n")
        await until(leaves.stdout, b"xxx")
        assert "flooded" not in await node.log("p")
        leaves.close()
        said = await everything(slow.stdout)
        assert said.endswith(b"over\n")
        assert said.count(b"x") == 2 * MANY
        slow.close()
        await node.until("p", has_ended)

    on_node(tmp_path, test)


def test_where_no_program_runs_nothing_is_said_until_the_end(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pod("p", {"name": "app", "image": "registry.k8s.io/pause:3.10"})
        await node.until("p", is_running)
        streams = await attached(node)
        node.delete("p", grace_s=0)
        assert await everything(streams.stdout) == b""
        streams.close()

    on_node(tmp_path, test)
