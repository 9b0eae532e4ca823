"""What must be true of an application across a release that is cut off and mended, watched all the while.

Exactly one colour serves, and well; the live selector was a colour's at every moment; nothing is left over in the
cluster; the journal tells what happened; and the version that served was not overwritten before another one had taken
its place and was verified.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from bluegreen import confirm
from bluegreen.access import Access
from bluegreen.clock import Deadline
from bluegreen.colour import Colour, Obj
from bluegreen.deployments import image_of
from bluegreen.errors import TimeoutExpiredError
from bluegreen.journal import MENDS, Journal, Mend, Record, Step
from bluegreen.kube import Kube, connect_handle
from bluegreen.kube.kinds import RESOURCES
from bluegreen.localkube.kinds import KINDS
from bluegreen.probe import Probe
from tests.apps import App

NOT_LISTED = ("Event", "Endpoints", "PodMetrics")
COLOURED = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget")

ANSWERS = 5
"""Fresh requests made of the colour that serves in the end."""


@dataclass(frozen=True)
class Before:
    """What an application was when the watching began."""

    live: Colour
    tag: str
    record: Record
    names: frozenset[tuple[str, str]]


class Witness:
    """Watches one application that serves a good version; made before a release is begun, asked after it was mended."""

    def __init__(self, app: App, neighbour: str = "") -> None:
        """``neighbour``: how the names of another application's objects begin, which may come meanwhile."""
        self.app, self.neighbour = app, neighbour
        live, record = app.live, app.record
        assert live is not None
        assert record is not None
        self.before = Before(live, app.tag(live), record, frozenset(_names(app)))
        self.selectors: list[str] = []
        self.images: dict[Colour, list[str]] = {colour: [] for colour in Colour}
        self.steps: list[tuple[str, Step]] = []  # release id and step, as the journal had them
        self.requests, self.failed = 0, 0
        self.felt: tuple[str, ...] = ()
        self.left: Record | None = None
        self._over = threading.Event()
        self._stepped = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._kubes: list[Kube] = []
        self._access = Access(app.kube, app.settings(self.before.tag))
        address = self._access.live()
        out_file = app.folder / f"probe-{uuid.uuid4().hex[:8]}" / "probe.jsonl"
        self._probe = Probe(f"{address.url}/", "X-Version", out_file, timeout_s=10.0)

    def __enter__(self) -> Witness:
        self._follow("Service", "gremlinsai-service", self._note_selector)
        self._follow("ConfigMap", "gremlinsai-backend-release-journal", self._note_step)
        for colour in Colour:
            self._follow("Deployment", f"gremlinsai-backend-{colour}", self._note_image)
        self._probe.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        for kube in self._kubes:
            kube.close()
        self._access.close()
        result = self._probe.stop()
        self.requests, self.failed, self.felt = result.requests, result.failed, result.first_failures

    # --- while it is watched -----------------------------------------------------------------------------------------

    def await_step(self, step: Step, deadline: Deadline, over: Callable[[], bool]) -> bool:
        """Wait until a release of after the beginning is at a step; False when it is ``over`` before that."""
        with self._stepped:
            while not any(one is step and release != self.before.record.id for release, one in self.steps):
                if over() or deadline.expired:
                    return False
                self._stepped.wait(0.05)
        return True

    def cut_off(self) -> Record | None:
        """Note what the cut-off run left in the journal, before anybody mends it; None when it had opened nothing."""
        record = Journal(self.app.kube, self.app.settings("v0")).read()
        self.left = record if record is not None and record.id != self.before.record.id else None
        return self.left

    def forgive(self, bad: bool) -> None:
        """Do not count what a version failed that was bad once it was live: that it did is not the release's doing."""
        if bad and all("(500)" in line or "connection was refused" in line for line in self.felt):
            self.failed = 0

    # --- afterwards --------------------------------------------------------------------------------------------------

    @property
    def survivor(self) -> tuple[Colour, str]:
        """The colour and the version that had to serve once what was left had been mended."""
        left = self.left
        if left is None:
            return self.before.live, self.before.tag
        onward = MENDS[left.step] is Mend.FINISH or (left.step is Step.CLOSED and left.outcome == "switched")
        colour = left.candidate if onward else self.before.live
        return colour, left.image.rpartition(":")[2] if onward else self.before.tag

    def hold(self, next_tag: str = "") -> str:
        """Hold everything that must be true after the mending; ``next_tag``: what the next release brought, if any.

        Gives what serves and what is kept, in words. Raises AssertionError with what is not true.
        """
        colour, tag = self.survivor
        assert set(self.selectors) <= {str(colour) for colour in Colour}, f"the live selector was {self.selectors}"
        self.app.at_rest()
        serving = self.app.live
        assert serving is (colour.other if next_tag else colour), f"{serving} serves, {colour} survived"
        assert self.app.tag(serving) == (next_tag or tag), f"{self.app.tag(serving)} serves"
        assert self.app.tag(colour) == tag, f"{colour} was {tag} and is {self.app.tag(colour)} now"
        self._require_untouched(colour, tag)
        self._require_healthy(serving, next_tag or tag)
        self._require_told(next_tag)
        self._require_tidy()
        assert not self.failed, f"{self.failed} of {self.requests} requests failed: {self.felt}"
        return f"serves {next_tag or tag}, keeps {tag}" if next_tag else f"serves {tag}"

    def _require_untouched(self, colour: Colour, tag: str) -> None:
        """The version that survived was never overwritten, not even for a moment."""
        images = self.images[colour]
        kept = images if colour is self.before.live else images[-1:]
        assert kept == [tag], f"{colour} survived with {tag}, but held {images} meanwhile"
        old = self.images[self.before.live]
        assert old[:1] == [self.before.tag], f"{self.before.live} held {old}"

    def _require_healthy(self, colour: Colour, version: str) -> None:
        address = self._access.live()
        path = self.app.settings(version).health_path
        target = confirm.Target(address.host, address.port, path, "X-Version", version)
        for _ in range(ANSWERS):
            answer = confirm.ask(target)
            assert answer.good(target), f"{colour} answers {answer}, not as {version}"

    def _require_told(self, next_tag: str) -> None:
        """The journal has the cut-off release with its end, and the next one where there was one."""
        journal = Journal(self.app.kube, self.app.settings("v0"))
        record = journal.read()
        assert record is not None
        told = {entry["id"]: entry for entry in journal.history}
        if self.left is not None:
            entry = told.get(self.left.id)
            assert entry is not None, f"the history does not tell of {self.left.id}"
            assert entry["outcome"] == self._outcome(self.left), f"{self.left.step} ended as {entry['outcome']}"
            assert entry["outcome"] == "switched" or entry["reason"], "the history gives no reason"
        if next_tag:
            assert (record.image.rpartition(":")[2], record.outcome) == (next_tag, "switched"), record

    @staticmethod
    def _outcome(left: Record) -> str:
        ends = {Mend.NOTHING: left.outcome, Mend.FINISH: "switched"}
        return ends.get(MENDS[left.step], "interrupted")

    def _require_tidy(self) -> None:
        """No object that was not there before and is nobody's, but for the other colour's own."""
        added = {name for name in _names(self.app) - self.before.names if name[0] not in COLOURED}
        added = {name for name in added if not (self.neighbour and name[1].startswith(self.neighbour))}
        assert not added, f"left over in the cluster: {sorted(added)}"

    # --- the watching ------------------------------------------------------------------------------------------------

    def _follow(self, kind: str, name: str, note: Callable[[Obj], None]) -> None:
        """Hear of every state of an object, from now until the end, on a connection of its own."""
        ready = threading.Event()
        cluster = self.app.cluster
        kube = connect_handle(str(cluster.kubeconfig), cluster.context, self.app.namespace)
        self._kubes.append(kube)

        def take(found: list[Obj]) -> None:
            for obj in found:
                note(obj)
            ready.set()

        def tick() -> None:
            if self._over.is_set():
                raise _Over

        def follow() -> None:
            try:
                fields, deadline = f"metadata.name={name}", Deadline(900)
                kube.wait(kind, take, fields=fields, deadline=deadline, awaited="the end", on_tick=tick)
            except (TimeoutExpiredError, _Over):
                return

        self._threads.append(threading.Thread(target=follow, daemon=True))
        self._threads[-1].start()
        assert ready.wait(30), f"{kind} {name} cannot be watched"

    def _note_selector(self, service: Obj) -> None:
        selector = service["spec"].get("selector") or {}
        exact = selector.keys() == {"app", "version"} and selector["app"] == "gremlinsai-backend"
        word = selector["version"] if exact else f"{selector}"
        if self.selectors[-1:] != [word]:
            self.selectors.append(word)

    def _note_step(self, configmap: Obj) -> None:
        text = (configmap.get("data") or {}).get("release")
        record = Record.from_json(text) if text else None
        if record is not None and self.steps[-1:] != [(record.id, record.step)]:
            with self._stepped:
                self.steps.append((record.id, record.step))
                self._stepped.notify_all()

    def _note_image(self, deployment: Obj) -> None:
        colour = Colour(deployment["metadata"]["name"].rpartition("-")[2])
        tag = image_of(deployment).rpartition(":")[2]
        if self.images[colour][-1:] != [tag]:
            self.images[colour].append(tag)


class _Over(Exception):
    """The watched time is over."""


def _names(app: App) -> set[tuple[str, str]]:
    """Every object of the namespace that no other object of it owns, by kind and name."""
    kinds = [kind for kind in RESOURCES if kind in KINDS and KINDS[kind].namespaced and kind not in NOT_LISTED]
    found = {kind: app.kube.list(kind) for kind in kinds}
    present = {obj["metadata"]["uid"] for objects in found.values() for obj in objects}
    return {
        (kind, obj["metadata"]["name"])
        for kind, objects in found.items()
        for obj in objects
        if not any(owner["uid"] in present for owner in obj["metadata"].get("ownerReferences") or [])
    }
