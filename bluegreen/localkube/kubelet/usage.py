"""What containers use: CPU and memory of all their processes, from /proc; and the end of those that use too much.

A container's processes are its program and all its descendants; memory that they share (after a fork) counts once.
Where no control group enforces a memory limit, the program is killed when its processes' resident memory exceeds it, as
the kernel would do.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bluegreen import clock
from bluegreen.localkube import quantities
from bluegreen.localkube.kubelet.describe import limits_of

if TYPE_CHECKING:
    from bluegreen.localkube.kubelet.container import ContainerRun
    from bluegreen.localkube.kubelet.pod import PodRun

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_S = 5.0  # how often CPU time is read, so that a rate is known when somebody asks; a choice
WATCH_S = 0.5  # how often memory is looked at where nothing else limits it; a choice
WINDOW_S = 1.0  # the shortest time over which a rate is given


@dataclass(frozen=True)
class Used:
    """CPU in nanocores (over ``window_s``) and resident memory in bytes."""

    cpu_nano: int
    memory_bytes: int
    window_s: float


Usage = dict[tuple[str, str], dict[str, Used]]
"""(namespace, pod) -> container -> what it uses."""


@dataclass(frozen=True)
class Process:
    """One process, or several added up: its parent, CPU seconds (ended children included), resident bytes."""

    parent: int
    cpu_s: float
    memory_bytes: int


def processes() -> dict[int, Process]:
    """All processes of this machine."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                cpu = sum(map(int, fields[11:15])) / TICKS
                found[int(name)] = Process(int(fields[1]), cpu, int(fields[21]) * PAGE)
    return found


def trees(all_processes: dict[int, Process], roots: Iterable[int]) -> dict[int, list[int]]:
    """For each root process: it and all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, process in all_processes.items():
        children[process.parent].append(pid)
    found: dict[int, list[int]] = {}
    for root in roots:
        found[root] = [root] if root in all_processes else []
        for pid in found[root]:  # grows while it is walked
            found[root] += children[pid]
    return found


def totals(all_processes: dict[int, Process], roots: Iterable[int]) -> dict[int, Process]:
    """For each root process: it and all its descendants, added up. Memory is what they have at most: what they share
    counts for each of them.
    """
    found = {}
    for root, pids in trees(all_processes, roots).items():
        members = [all_processes[pid] for pid in pids]
        found[root] = Process(0, sum(each.cpu_s for each in members), sum(each.memory_bytes for each in members))
    return found


def shared_once(all_processes: dict[int, Process], roots: Iterable[int]) -> dict[int, int]:
    """The resident bytes of each tree, with what its processes share counted once: exact, and slow to find out."""
    found = {}
    for root, pids in trees(all_processes, roots).items():
        parts = [_proportional(pid) for pid in pids] if len(pids) > 1 else [None]
        exact = [part for part in parts if part is not None]
        found[root] = sum(exact if len(exact) == len(parts) else (all_processes[pid].memory_bytes for pid in pids))
    return found


def _proportional(pid: int) -> int | None:
    """A process's bytes, of shared pages its part; 0 for one that has gone, None where this may not be looked at."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"Pss:")), None)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except OSError:
        return None


class Watcher:
    """Measures while it runs."""

    def __init__(self, containers: Callable[[], list[tuple[PodRun, ContainerRun]]]) -> None:
        self._containers = containers
        self._samples: dict[str, list[tuple[float, float]]] = {}  # container id -> (when, CPU seconds), oldest first
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Measure from now on."""
        self._task = asyncio.create_task(self._run(), name="usage")

    def stop(self) -> None:
        """Measure no more."""
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        sampled_s = 0.0
        while True:
            await asyncio.sleep(WATCH_S)
            running = self._containers()
            unlimited = [(run, each) for run, each in running if _watched(run, each)]
            due = clock.now_s() - sampled_s >= SAMPLE_S
            if not running or not (due or unlimited):
                continue
            measured = self._measure(running)
            if due:
                sampled_s = clock.now_s()
                self._note(running, measured)
            self._enforce(unlimited, measured)

    def _measure(self, running: list[tuple[PodRun, ContainerRun]]) -> dict[int, Process]:
        return totals(processes(), _roots(running))

    def _note(self, running: list[tuple[PodRun, ContainerRun]], measured: dict[int, Process]) -> None:
        now_s = clock.now_s()
        alive = {}
        for _, each in running:
            if each.instance:
                before = self._samples.get(each.container_id, [])
                alive[each.container_id] = [*before, (now_s, measured[each.instance.pid].cpu_s)][-3:]
        self._samples = alive

    def usage(self) -> Usage:
        """What every running container uses now, CPU as a rate over the last seconds."""
        running = self._containers()
        every = processes()
        measured, memory = totals(every, _roots(running)), shared_once(every, _roots(running))
        found: Usage = defaultdict(dict)
        now_s = clock.now_s()
        for run, each in running:
            if each.instance is None:
                continue
            total = measured[each.instance.pid]
            past = [s for s in self._samples.get(each.container_id, []) if now_s - s[0] >= WINDOW_S]
            window_s, cpu = (now_s - past[-1][0], total.cpu_s - past[-1][1]) if past else (0.0, 0.0)
            rate = int(max(0.0, cpu) / window_s * 1e9) if window_s else 0
            found[run.namespace, run.name][each.name] = Used(rate, memory[each.instance.pid], window_s)
        self._note_missing(running, measured)
        return dict(found)

    def _note_missing(self, running: list[tuple[PodRun, ContainerRun]], measured: dict[int, Process]) -> None:
        """Begin to sample what nobody had sampled yet."""
        for _, each in running:
            if each.instance and each.container_id not in self._samples:
                self._samples[each.container_id] = [(clock.now_s(), measured[each.instance.pid].cpu_s)]

    def _enforce(self, running: list[tuple[PodRun, ContainerRun]], measured: dict[int, Process]) -> None:
        """End the containers that use too much by themselves, and the largest of a pod that does as a whole."""
        at_most = {pid: process.memory_bytes for pid, process in measured.items()}
        suspects = {run for run, _ in _too_large(running, at_most)}
        if not suspects:
            return
        closer = [(run, each) for run, each in running if run in suspects]
        for _, each in _too_large(closer, shared_once(processes(), _roots(closer))):
            each.out_of_memory = True
            if each.instance:
                each.instance.signal(signal.SIGKILL)


def _roots(running: Iterable[tuple[PodRun, ContainerRun]]) -> list[int]:
    return [each.instance.pid for _, each in running if each.instance]


def _too_large(
    running: Iterable[tuple[PodRun, ContainerRun]], used_bytes: dict[int, int]
) -> Iterator[tuple[PodRun, ContainerRun]]:
    """The containers that have to end for these figures, by process id."""
    pods: dict[PodRun, list[tuple[int, ContainerRun]]] = defaultdict(list)
    for run, each in running:
        if each.instance:
            pods[run].append((used_bytes[each.instance.pid], each))
    for run, found in pods.items():
        ending = [each for used, each in found if used > (_bytes(limits_of(run.pod, each.spec)) or used)]
        whole = _bytes(limits_of(run.pod, {}))
        if not ending and whole and sum(used for used, _ in found) > whole:
            ending = [max(found, key=lambda pair: pair[0])[1]]
        yield from ((run, each) for each in ending)


def _bytes(limits: dict[str, Any]) -> int | None:
    limit = limits.get("memory")
    return None if limit is None else quantities.parse(limit) // quantities.NANO


def _watched(run: PodRun, container: ContainerRun) -> bool:
    """Whether nothing but this watch limits the memory of the container, or of its pod as a whole."""
    spec = getattr(container.instance, "spec", None)
    if _bytes(limits_of(run.pod, {})) is not None:
        return True
    return _bytes(limits_of(run.pod, container.spec)) is not None and not (spec and spec.cgroups)
