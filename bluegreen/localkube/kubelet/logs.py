"""Reading what containers said: which instance's file, which part of it, and following it as it grows.

The files are written by the supervisors (``shim.output``). Refusals are worded as the kubelet words them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from bluegreen.localkube.status import ApiError, bad_request

Obj = dict[str, Any]
POLL_S = 0.05  # how often a followed file is looked at; a choice
CHUNK = 256 * 1024
FALLBACK_LINES, FALLBACK_BYTES = 80, 2048  # of a log that stands in for a termination message: the kubelet's numbers


@dataclass(frozen=True)
class LogOptions:
    """What is asked for; None: no limit. ``since``: a moment as ``moment`` writes it; "" for the beginning."""

    previous: bool = False
    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: str = ""


def moment(when: datetime) -> str:
    """A moment as the log's lines state it, so that both compare as text."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def choose_container(pod: Obj, name: str) -> str:
    """The container whose log is meant. 400 for one the pod does not have, or when it has to be named."""
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    inits = [each["name"] for each in spec.get("initContainers") or ()]
    mains = [each["name"] for each in spec["containers"]]
    debugging = [each["name"] for each in spec.get("ephemeralContainers") or ()]
    if name:
        if name not in inits + mains + debugging:
            raise bad_request(f"container {name} is not valid for pod {pod_name}")
        return name
    if len(mains) == 1:
        return str(mains[0])
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if default in mains:
        return str(default)
    others = f" or one of the init containers: [{' '.join(inits)}]" if inits else ""
    others += f" or one of the ephemeral containers: [{' '.join(debugging)}]" if debugging else ""
    choice = f"a container name must be specified for pod {pod_name}, choose one of: [{' '.join(mains)}]"
    raise bad_request(choice + others)


def choose_instance(pod: Obj, container: str, previous: bool) -> str:
    """The containerID whose log is meant. 400 when there is none (yet)."""
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {name} does not have a host assigned")
    lists = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    statuses = [each for key in lists for each in status.get(key) or ()]
    found = next((each for each in statuses if each["name"] == container), None)
    if found is None:
        raise bad_request(f'container "{container}" in pod "{name}" is not available')
    state, last = found.get("state") or {}, (found.get("lastState") or {}).get("terminated")
    last_id = (last or {}).get("containerID") or ""
    if previous:
        if not last_id:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return str(last_id)
    if "running" in state:
        return str(found["containerID"])
    chosen = (state.get("terminated") or {}).get("containerID") or last_id
    if chosen:
        return str(chosen)
    if "terminated" in state or last:
        raise bad_request(f'container "{container}" in pod "{name}" is terminated')
    raise bad_request(f'container "{container}" in pod "{name}" {_why(state)}')


def _why(state: Obj) -> str:
    reason = (state.get("waiting") or {}).get("reason", "")
    words = {
        "": "is waiting to start - no logs yet",
        "ErrImagePull": "is waiting to start: image can't be pulled",
        "ImagePullBackOff": "is waiting to start: trying and failing to pull image",
    }
    return words.get(reason, f"is waiting to start: {reason}")


def entry(line: bytes) -> tuple[bytes, bool, bytes]:
    """A line of the file: (time, whether it ends an output line, text)."""
    time, _, rest = line.partition(b" ")
    _, _, rest = rest.partition(b" ")
    mark, _, text = rest.partition(b" ")
    return time, mark == b"F", text


def shown(lines: Iterable[bytes], options: LogOptions) -> Iterator[bytes]:
    """Lines of the file as a client sees them, from the time asked for."""
    since, fresh = options.since.encode(), True
    for line in lines:
        time, whole, text = entry(line)
        if since and time < since:
            continue
        head = time + b" " if options.timestamps and fresh else b""
        yield head + text + (b"\n" if whole else b"")
        fresh = whole


def tail(lines: list[bytes], count: int) -> list[bytes]:
    """The last output lines; one that was split counts once."""
    at, seen = len(lines), 0
    while at > 0:
        ends = entry(lines[at - 1])[1]
        if ends or at == len(lines):
            seen += 1
            if seen > count:
                break
        at -= 1
    return lines[at:]


async def read(path: Path, options: LogOptions, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log of one instance; when followed, until the instance has ended (``ended``) and all was read."""
    with Growing(path) as growing:
        lines = growing.lines()
        if options.tail_lines is not None:
            lines = tail(lines, options.tail_lines)
        left, text = options.limit_bytes, b"".join(shown(lines, options))
        while True:
            if left is not None:
                text = text[:left]
                left -= len(text)
            for at in range(0, len(text), CHUNK):
                yield text[at : at + CHUNK]
            if not options.follow or left == 0:
                return
            over = ended()
            text = b"".join(shown(growing.lines(), options))
            if not text:
                if over:
                    return
                await asyncio.sleep(POLL_S)


class Growing:
    """A log that grows: gives each line once. Holds the file open, so what a pod said last survives its files."""

    def __init__(self, path: Path) -> None:
        self._path, self._rest = path, b""
        self._earlier = path.with_name(path.name + ".1")
        self._file: BinaryIO | None = None

    def __enter__(self) -> Growing:
        with contextlib.suppress(FileNotFoundError):
            self._rest = self._earlier.read_bytes()
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def lines(self) -> list[bytes]:
        """Whole lines added since the last time; a file turned over is read to its end, then the one after it."""
        data = self._rest + self._added()
        if self._turned_over():
            self._open()
            data += self._added()
        *lines, self._rest = data.split(b"\n")
        return lines

    def _added(self) -> bytes:
        if self._file is None:
            self._open()
        return self._file.read() if self._file else b""

    def _open(self) -> None:
        if self._file:
            self._file.close()
        self._file = None
        with contextlib.suppress(FileNotFoundError):
            self._file = self._path.open("rb")

    def _turned_over(self) -> bool:
        """Whether another file has taken the place of the one that is open."""
        if self._file is None:
            return False
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False


def last_words(path: Path) -> str:
    """The end of a log, for a termination message that falls back to it."""
    with Growing(path) as log:
        lines = tail(log.lines(), FALLBACK_LINES)
    return b"".join(shown(lines, LogOptions()))[-FALLBACK_BYTES:].decode(errors="replace")


def check_options(name: str, options: LogOptions) -> None:
    """422 for numbers that make no sense."""
    if options.tail_lines is not None and options.tail_lines < 0:
        raise _invalid(name, "tailLines", options.tail_lines, "must be greater than or equal to 0")
    if options.limit_bytes is not None and options.limit_bytes < 1:
        raise _invalid(name, "limitBytes", options.limit_bytes, "must be greater than 0")


def _invalid(name: str, field: str, value: int, why: str) -> ApiError:
    message = f"Invalid value: {value}: {why}"
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": field}]
    details = {"name": name, "kind": "PodLogOptions", "causes": causes}
    return ApiError(422, "Invalid", f'PodLogOptions "{name}" is invalid: {field}: {message}', details)
