"""The only writer of what steers live traffic: forward and back, in shares, the previews to a colour or to nobody.

Live traffic is steered by the selectors of the live Services (SERVICE_NAME, EXTRA_SERVICES) and, where SWITCH_BY says
so, by Ingresses or HTTPRoutes before them; ``ways`` knows how each kind does it. A move of one object is one JSON patch
that tests what it was decided on, the epoch that this release stamped on the object when it took the lock, and the
resourceVersion. ``confirm`` tells when it is done.

Kubernetes has no patch of several objects: they are patched one after the other, those that users come in by first,
and whoever moves them takes the moved ones back when one cannot be moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bluegreen import clock, fence, ways
from bluegreen.colour import NOBODY, Colour, Obj
from bluegreen.errors import CannotStartError, HarnessError, TakenOverError
from bluegreen.fence import Op
from bluegreen.kube import Kube
from bluegreen.live_object import MANAGER, MOVED, ForeignWriteError, LiveObject, Ref
from bluegreen.plan import Plan, plan_of
from bluegreen.settings import ROUTE_KINDS, Settings
from bluegreen.ways import Split, Way, wholly

__all__ = ["EPOCH", "MANAGER", "FencedOffError", "ForeignWriteError", "Patch", "Traffic"]

EPOCH = "bluegreen/epoch"
"""Annotation on what steers live traffic and on both Deployments: the id of the release that may change them now."""

SERVICE_LABEL = "kubernetes.io/service-name"


class FencedOffError(TakenOverError):
    """A newer release stamped its epoch on the object: this one was taken over and changes nothing any more."""


@dataclass(frozen=True)
class Patch:
    """One JSON patch as it was sent to an object that steers live traffic, for the report."""

    ref: Ref
    operations: tuple[Op, ...]
    sent_at: str  # RFC 3339 with microseconds, UTC

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        kind, name = self.ref
        named = {"service": name} if kind == "Service" else {}
        return {"kind": kind, "name": name, **named, "operations": list(self.operations), "sent_at": self.sent_at}


@dataclass
class Traffic:
    """What steers live traffic of one application, and its previews, for the holder of one epoch.

    ``patches`` holds every patch that was sent to move live traffic, in order.
    """

    kube: Kube
    settings: Settings
    epoch: str
    held: Callable[[], None] = lambda: None  # raises when the lock is lost; asked after each look, before a change
    patches: list[Patch] = field(default_factory=list)
    recorded: tuple[Ref, ...] = ()  # what the last release moved besides, and the settings do not name

    # --- what there is -----------------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """What the manifests say of the Services."""
        return plan_of(self.settings)

    @property
    def live_names(self) -> tuple[str, ...]:
        """All live Services, in the order in which they are moved: SERVICE_NAME first."""
        recorded = (name for kind, name in self.recorded if kind == "Service")
        return tuple(dict.fromkeys((*self.plan.services, *recorded)))

    @property
    def routes(self) -> tuple[Ref, ...]:
        """The Ingresses or HTTPRoutes by which users come in; none where Services alone are switched."""
        recorded = (ref for ref in self.recorded if ref[0] != "Service")
        return tuple(dict.fromkeys((*self.settings.routes, *recorded)))

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Everything that moves, in the order in which it does: what users come in by first."""
        return (*self.routes, *(("Service", name) for name in self.live_names))

    @property
    def moved_besides(self) -> str:
        """What moves with SERVICE_NAME, as ``remember`` takes it: for the journal."""
        return " ".join("/".join(ref) for ref in self.refs if ref != ("Service", self.settings.service_name))

    def remember(self, moved: str) -> None:
        """Take in what the last release moved besides (``moved_besides``), as far as it is still there.

        Whoever mends it has to move all of it, with which settings ever it is called.
        """
        found = [_ref(word) for word in moved.split()]
        self.recorded = tuple(ref for ref in found if ref not in self.refs and self.kube.get(*ref) is not None)

    def forget(self) -> None:
        """Leave alone what is not named any more. Raises CannotStartError when it still sends traffic to a colour:

        the colour will be retired, and what it serves with it.
        """
        for ref in self.recorded:
            live = self.object(ref)
            if live.place() is not None:
                kind, named = live.title, "EXTRA_SERVICES" if ref[0] == "Service" else "ROUTE_NAME"
                raise CannotStartError(
                    f"{kind} sends live traffic to {live.told()}: the last release moved it, and {named} does not "
                    "name it.",
                    _leave(ref, self.settings),
                )
        self.recorded = ()

    def way(self, kind: str) -> Way:
        """How objects of a kind steer live traffic."""
        return ways.of(kind, self.live_names, self.plan.service_selector, self.settings.namespace)

    def object(self, ref: Ref) -> LiveObject:
        """What steers live traffic as it is now. Raises HarnessError when it is not there."""
        found = self.kube.get(*ref)
        if found is None:
            remedy = "Run `bluegreen setup`." if ref[0] == "Service" else "Bring it back, then `bluegreen recover`."
            raise HarnessError(f"{' '.join(ref)} is not there.", remedy)
        return LiveObject(self.way(ref[0]), found)

    def objects(self) -> list[LiveObject]:
        """Everything that steers live traffic as it is now. Raises HarnessError when something of it is missing."""
        return [self.object(ref) for ref in self.refs]

    def behind(self, colour: Colour) -> list[Obj]:
        """The Services that lead to a colour's pods and nobody else's once live traffic is there."""
        own = ways.colour_services(self.live_names, colour) if self.routes else []
        return [self.object(("Service", name)).obj for name in (*self.live_names, *own)]

    def pods(self, service: Obj, colour: Colour) -> list[Obj]:
        """The pods of a colour that a Service selects when it is at that colour."""
        selector = {**(service["spec"].get("selector") or {}), "version": colour.value}
        return self.kube.list("Pod", labels=",".join(f"{key}={value}" for key, value in selector.items()))

    # --- where traffic is --------------------------------------------------------------------------------------------

    def live(self) -> Colour | None:
        """The colour that live traffic is at now, as users come in; None when it is at nobody.

        Raises ForeignWriteError, naming who wrote it, when it is at no colour, or at several.
        """
        return next((place for ref in self.refs if (place := self.object(ref).place()) is not None), None)

    def found(self) -> Colour | None:
        """The same; raises CannotStartError, for a release that has not begun."""
        return next((place for live in self.objects() if (place := live.found()) is not None), None)

    def at(self, colour: Colour) -> list[LiveObject]:
        """What sends any live traffic to a colour now. Raises as ``live`` does."""
        return [live for live in self.objects() if live.reaches(colour)]

    def require(self, colour: Colour | None, besides: Colour | None = None, percent: int = 0) -> None:
        """Raise ForeignWriteError, naming who wrote it and when, unless all live traffic is at this colour.

        ``percent``: but for so many of a hundred requests, which weighted routes send to ``besides``.
        """
        for live in self.objects():
            try:
                live.require(self._split(live.ref, colour, besides, percent))
            except ForeignWriteError:
                self.require_not_taken_over(live)
                raise

    def require_not_taken_over(self, live: LiveObject) -> None:
        """Raise FencedOffError when a newer release owns it: what is not as it was is that one's doing."""
        if epoch_of(live.obj):
            require_epoch(live.obj, self.epoch)

    def _split(self, ref: Ref, before: Colour | None, after: Colour | None, percent: int) -> Split:
        return ways.shared(before, after, percent) if ref[0] in ways.WEIGHTED and percent else wholly(before)

    # --- taking possession -------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Stamp this epoch on everything that steers live traffic. From now on no older release moves any of it."""
        for ref in self.refs:
            fence.patch(
                self.kube,
                *ref,
                self._stamped,
                landed=lambda found: epoch_of(found) == self.epoch,
                manager=MANAGER,
            )

    def _stamped(self, found: Obj) -> list[Op]:
        self.held()  # a process that was frozen until now finds a newer epoch here, and must not write over it
        return fence.annotated(found, EPOCH, self.epoch)

    def join(self, live: Colour | None) -> list[str]:
        """Bring what sends traffic to nobody yet, being new, to where the rest is; returns what was, in words.

        Raises CannotStartError when something sends it to another colour: which is right, a person has to say.
        """
        found = {ref: self.object(ref).found() for ref in self.refs}
        for ref, colour in found.items():
            if colour not in (live, None):
                raise CannotStartError(
                    f"{' '.join(ref)} sends live traffic to {colour}, but {' '.join(self.refs[0])} to {live}.",
                    "They move together: let one of them send it to the colour that shall serve.",
                )
        new = [ref for ref, colour in found.items() if colour is not live]
        for ref in new:
            self.move_one(ref, wholly(None), wholly(live))
        return [" ".join(ref) for ref in new]

    # --- moving ------------------------------------------------------------------------------------------------------

    def move(
        self,
        before: Colour | None,
        after: Colour | None,
        moved: Callable[[Ref], None] = lambda _: None,
        percent: int = 0,
    ) -> None:
        """Move all live traffic from one colour to another, one object after the other; nobody is None.

        ``percent``: how much weighted routes send to ``after`` already. ``moved`` hears of each as soon as it is.
        Raises what ``move_one`` raises; those before it have moved.
        """
        for ref in self.refs:
            self.move_one(ref, self._split(ref, before, after, percent), wholly(after))
            moved(ref)

    def share(self, before: Colour, after: Colour, was: int, percent: int) -> None:
        """Let weighted routes send so many of a hundred requests to ``after``; until now it was ``was``."""
        for ref in self.routes:
            if ref[0] in ways.WEIGHTED:
                self.move_one(ref, self._split(ref, before, after, was), ways.shared(before, after, percent))

    def move_back(self, after: Colour, before: Colour | None) -> list[str]:
        """Move everything that sends anything to ``after`` to ``before``, in reverse order; returns what it was."""
        back = list(reversed(self.at(after)))
        for live in back:
            self.move_one(live.ref, None, wholly(before), away_from=after)
        return [live.title for live in back]

    def move_one(self, ref: Ref, before: Split | None, after: Split, away_from: Colour | None = None) -> Obj:
        """Let one object share live traffic out otherwise, by one patch. Returns it as patched.

        ``before``: how it does until now; None: anyhow between ``away_from`` and where it goes. Raises
        ForeignWriteError when that is not so, and FencedOffError when a newer release owns it. A move that somebody
        else made is not taken for this one's.
        """
        way, tried = self.way(ref[0]), len(self.patches)

        def decide(found: Obj) -> list[Op]:
            live = LiveObject(way, found)
            require_epoch(found, self.epoch)
            if before is not None:
                live.require(before)
            elif not live.within({away_from, *after}):
                live.require(after)
            noted = [] if ref[0] == "Service" else fence.annotated(found, MOVED, ways.told(after))
            epoch = fence.test(f"/metadata/annotations/{fence.escaped(EPOCH)}", self.epoch)
            return [epoch, *way.operations(found, after), *noted]

        return fence.patch(
            self.kube,
            *ref,
            decide,
            landed=lambda found: (
                len(self.patches) > tried and epoch_of(found) == self.epoch and LiveObject(way, found).holds(after)
            ),
            manager=MANAGER,
            sent=lambda ops: self.patches.append(Patch(ref, tuple(ops), clock.micro_timestamp())),
        )

    # --- previews ----------------------------------------------------------------------------------------------------

    def preview(self, colour: Colour | None) -> None:
        """Point the preview Services at a colour, or at nobody: an idle preview never answers from live pods."""
        for name in self.live_names:
            self._preview(f"{name}-preview", NOBODY if colour is None else colour.value)

    def _preview(self, name: str, wanted: str) -> None:
        own = self.plan.service_selector(name.removesuffix("-preview")) or {}

        def decide(_: Obj) -> list[Op]:
            self.held()
            return [{"op": "add", "path": "/spec/selector/version", "value": wanted}]

        def landed(found: Obj) -> bool:
            selector = found["spec"].get("selector") or {}
            return bool({**own, "version": wanted}.items() <= selector.items())

        fence.patch(self.kube, "Service", name, decide, landed=landed, manager=MANAGER)


def _ref(word: str) -> Ref:
    """Kind and name of what the journal says that a release moved; a name alone is a Service's."""
    kind, _, name = word.rpartition("/")
    return kind or "Service", name


def _leave(ref: Ref, settings: Settings) -> str:
    """How something is taken out of a release's hands without a request lost."""
    if ref[0] == "Service":
        return (
            "Name it in EXTRA_SERVICES again, or delete it, or give it another selector than "
            f"{settings.app_name}'s with a colour."
        )
    by = next(word for word, kind in ROUTE_KINDS.items() if kind == ref[0])
    return (
        f"Set SWITCH_BY={by} ROUTE_NAME={ref[1]} again, or let its backends lead to {settings.service_name} itself, "
        "which serves the same colour."
    )


def epoch_of(obj: Obj) -> str:
    """The epoch stamped on an object; "" when there is none."""
    return str((obj["metadata"].get("annotations") or {}).get(EPOCH, ""))


def require_epoch(obj: Obj, epoch: str) -> None:
    """Raise FencedOffError unless the object carries this epoch."""
    if epoch_of(obj) == epoch:
        return
    kind, name = obj.get("kind", "object"), obj["metadata"]["name"]
    raise FencedOffError(
        f"{kind} {name} belongs to release {epoch_of(obj) or 'of nobody'} now, not to {epoch}.",
        "This release was taken over and changes nothing any more; see `bluegreen status`.",
    )


def slice_pods(slices: Iterable[Obj], *, ready_only: bool = True) -> set[str]:
    """The names of the pods behind a Service, from its EndpointSlices."""
    return {
        endpoint["targetRef"]["name"]
        for one in slices
        for endpoint in one.get("endpoints") or []
        if endpoint.get("targetRef", {}).get("kind") == "Pod"
        and (not ready_only or endpoint.get("conditions", {}).get("ready", True) is not False)
    }


def pod_ready(pod: Obj) -> bool:
    """Whether a pod is ready and not on its way out."""
    conditions = pod.get("status", {}).get("conditions") or []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def settled(slices: Iterable[Obj], pods: Iterable[Obj]) -> bool:
    """Whether the EndpointSlices hold exactly these pods as far as they are ready, and at least one."""
    wanted = {pod["metadata"]["name"] for pod in pods if pod_ready(pod)}
    return bool(wanted) and slice_pods(slices) == wanted
