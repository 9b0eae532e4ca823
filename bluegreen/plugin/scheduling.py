"""xdist: who runs which test when. The controller decides; a worker only ever holds what it may run next.

A worker starts a test only once it holds another one (or is told to shut down). That gives a barrier for nothing: the
gate's tests are dealt to all workers, each followed by a test of a later phase that it holds but does not start. When
the gate's tests have all ended, the controller gives the leading worker the load test, then the production tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from bluegreen.plugin.stages import PHASES, phase_of

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController


class Phases(Protocol):
    """What the scheduler asks of the owner of the release."""

    def start(self) -> bool:
        """Stand up the candidate; False when nothing may be run."""

    def enter(self, phase: str) -> None:
        """Decide whether a later phase may run; its tests say so themselves when it may not."""


class PhaseScheduling:
    """An xdist scheduler (``xdist.scheduler.Scheduling``) that runs phases one after the other."""

    def __init__(
        self, node_count: int, phases: Phases, stage_of_test: Callable[[Sequence[str]], Mapping[str, str]]
    ) -> None:
        self.node_count = node_count
        self.phases = phases
        self.stage_of_test = stage_of_test
        self.node2pending: dict[WorkerController, list[int]] = {}
        self.node2collection: dict[WorkerController, list[str]] = {}
        self.queues: dict[str, list[int]] = {}
        self.phase_by_index: list[str] = []
        self.phase = PHASES[0]
        self.leader: WorkerController | None = None  # the worker that runs the phases after the gate
        self.started = False

    @property
    def nodes(self) -> list[WorkerController]:
        """Every worker that can be given tests."""
        return list(self.node2pending)

    @property
    def collection_is_completed(self) -> bool:
        """Whether all first workers have collected."""
        return self.started or len(self.node2collection) >= self.node_count

    @property
    def tests_finished(self) -> bool:
        """Whether the workers may be shut down, which makes each run the one test it holds.

        Never while a worker holds a test of a later phase: the shutdown would start it before its time.
        """
        if not self.started or any(self.queues.values()):
            return False
        held = [i for pending in self.node2pending.values() for i in pending]
        few = all(len(pending) < 2 for pending in self.node2pending.values())
        return few and all(self.phase_by_index[i] == self.phase for i in held)

    @property
    def has_pending(self) -> bool:
        """Whether tests are waiting or running."""
        return any(self.queues.values()) or any(self.node2pending.values())

    def add_node(self, node: WorkerController) -> None:
        """A worker is there; one that replaces a crashed worker gets nothing: its tests gave no evidence."""
        self.node2pending[node] = []
        if self.started:
            node.shutdown()

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """A worker has collected."""
        if not self.started:
            self.node2collection[node] = list(collection)

    def schedule(self) -> None:
        """All workers have collected: let the owner stand up the candidate, then deal the gate's tests."""
        if self.started:
            return
        self.started = True
        collection = next(iter(self.node2collection.values()))
        if any(other != collection for other in self.node2collection.values()):
            raise RuntimeError("bluegreen: the workers collected different tests; run the suite without -n to see why")
        if not collection:
            return
        stages = self.stage_of_test(collection)
        if not self.phases.start():
            return
        self.phase_by_index = [phase_of(stages[nodeid]) for nodeid in collection]
        for phase in PHASES:
            self.queues[phase] = [i for i, at in enumerate(self.phase_by_index) if at == phase]
        self._deal_gate()

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002
        """A test has ended on a worker; perhaps its phase with it."""
        self.node2pending[node].remove(item_index)
        self._advance()

    def mark_test_pending(self, item: str) -> None:
        """Never: a test is not run twice, for a pass on a second try is no evidence."""
        raise NotImplementedError(item)

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        """Never: tests are not stolen."""
        raise NotImplementedError

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker is gone; the test it was in, if any. What it had not run stays not run: that is no evidence."""
        pending = self.node2pending.pop(node)
        collection = self.node2collection.pop(node, None)
        if not pending or collection is None:
            return None
        if node is self.leader:  # nobody is left who could run the later phases
            self.queues = {phase: [] for phase in PHASES}
        self._advance()
        return collection[pending[0]]

    def _deal_gate(self) -> None:
        """Deal the gate's tests like cards; everyone but the leader is told to end after them."""
        self.leader, *others = self.nodes
        for turn, node in enumerate(self.nodes):
            self._give(node, self.queues["gate"][turn :: len(self.nodes)])
        self.queues["gate"] = []
        self._hold_next()
        for node in others:
            node.shutdown()
        self._advance()

    def _advance(self) -> None:
        """Move on to the next phases while the present one has ended."""
        while self._ended(self.phase):
            position = PHASES.index(self.phase) + 1
            if position == len(PHASES):
                return
            self.phase = PHASES[position]
            self.phases.enter(self.phase)
            self._give_leader(self.queues[self.phase])
            self.queues[self.phase] = []
            self._hold_next()

    def _hold_next(self) -> None:
        """Give the leader the first test of the next phase, so that it runs the last one of this phase."""
        for phase in PHASES[PHASES.index(self.phase) + 1 :]:
            if self.queues[phase]:
                self._give_leader([self.queues[phase].pop(0)])
                return

    def _ended(self, phase: str) -> bool:
        """Whether no worker has a test of this phase left."""
        later = set(PHASES[PHASES.index(phase) + 1 :])
        return all(self.phase_by_index[i] in later for pending in self.node2pending.values() for i in pending)

    def _give_leader(self, indices: list[int]) -> None:
        """Give tests to the leading worker; where it has crashed they are not run, which is no evidence."""
        if self.leader and self.leader in self.node2pending and not self.leader.shutting_down:
            self._give(self.leader, indices)

    def _give(self, node: WorkerController, indices: list[int]) -> None:
        if indices:
            self.node2pending[node].extend(indices)
            with suppress(OSError):  # it died a moment ago: ``remove_node`` is told so next, and finds these not run
                node.send_runtest_some(indices)
