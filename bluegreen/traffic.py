"""The only writer of a Service's selector: live traffic forward and back, the previews to a colour or to nobody.

A switch is one JSON patch that changes one value and tests three: the whole selector as it was read, the epoch that
this release stamped on the Service when it took the lock, and the resourceVersion. ``confirm`` tells when it is done.

Where several Services carry live traffic (EXTRA_SERVICES), Kubernetes has no patch of them all: they are patched one
after the other, SERVICE_NAME first, and whoever moves them takes the moved ones back when one cannot be moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen import clock, fence
from bluegreen.colour import NOBODY, Colour, Obj, live_colour
from bluegreen.errors import CannotStartError, HarnessError, TakenOverError
from bluegreen.fence import Op
from bluegreen.kube import Kube
from bluegreen.settings import Settings

MANAGER = "bluegreen-traffic"
EPOCH = "bluegreen/epoch"
"""Annotation on the live Service and on both Deployments: the id of the release that may change them now."""

SERVICE_LABEL = "kubernetes.io/service-name"


class ForeignWriteError(HarnessError):
    """Something else wrote the live selector since this release read it: this release may not move traffic."""


class FencedOffError(TakenOverError):
    """A newer release stamped its epoch on the object: this one was taken over and changes nothing any more."""


@dataclass(frozen=True)
class Patch:
    """One JSON patch as it was sent to a Service, for the report."""

    service: str
    operations: tuple[Op, ...]
    sent_at: str  # RFC 3339 with microseconds, UTC

    def as_json(self) -> dict[str, Any]:
        """JSON-able."""
        return {"service": self.service, "operations": list(self.operations), "sent_at": self.sent_at}


@dataclass
class Traffic:
    """The live and the preview Services of one application, for the holder of one epoch.

    ``patches`` holds every patch of a live Service's selector that was sent, in order.
    """

    kube: Kube
    settings: Settings
    epoch: str
    held: Callable[[], None] = lambda: None  # raises when the lock is lost; asked after each look, before a change
    patches: list[Patch] = field(default_factory=list)
    recorded: tuple[str, ...] = ()  # further Services that the last release moved, and that the settings do not name

    @property
    def live_name(self) -> str:
        """The live Service that is asked and probed."""
        return self.settings.service_name

    @property
    def live_names(self) -> tuple[str, ...]:
        """All live Services, in the order in which they are moved; that of ``live_name`` is first."""
        return tuple(dict.fromkeys((*self.settings.live_services, *self.recorded)))

    def remember(self, names: Iterable[str]) -> None:
        """Take in the further Services that the last release moved, as far as they are still there.

        Whoever mends it has to move them all, with which settings ever it is called.
        """
        own = self.settings.live_services
        self.recorded = tuple(name for name in names if name not in own and self.kube.get("Service", name) is not None)

    def forget(self) -> None:
        """Leave Services alone that are not named any more. Raises CannotStartError when one still selects a colour:

        the colour it selects will be retired, and what it serves with it.
        """
        for name in self.recorded:
            if (colour := selected(self.service(name))) is not None:
                raise CannotStartError(
                    f"Service {name} selects {colour}: the last release moved it, and EXTRA_SERVICES does not name it.",
                    f"Name it in EXTRA_SERVICES again, or delete it, or give it another selector than "
                    f"app={self.settings.app_name} with a colour.",
                )
        self.recorded = ()

    def live(self) -> Colour | None:
        """The colour that the first live Service selects now; None when it selects nobody.

        Raises ForeignWriteError, naming who wrote it, when the selector is no colour's.
        """
        return selected(self.service())

    def services(self) -> list[Obj]:
        """All live Services as they are now. Raises HarnessError when one is missing."""
        return [self.service(name) for name in self.live_names]

    def at(self, colour: Colour) -> list[Obj]:
        """The live Services that select a colour now. Raises as ``live`` does."""
        return [service for service in self.services() if selected(service) is colour]

    def service(self, name: str = "") -> Obj:
        """A live Service as it is now, the first when none is named. Raises HarnessError when there is none."""
        found = self.kube.get("Service", name or self.live_name)
        if found is None:
            raise HarnessError(f"Service {name or self.live_name} is not there.", "Run `bluegreen setup`.")
        return found

    def pods(self, service: Obj, colour: Colour) -> list[Obj]:
        """The pods of a colour that a Service selects when it is at that colour."""
        selector = {**(service["spec"].get("selector") or {}), "version": colour.value}
        return self.kube.list("Pod", labels=",".join(f"{key}={value}" for key, value in selector.items()))

    def claim(self) -> Obj:
        """Stamp this epoch on all live Services. From now on no older release moves any; returns the first."""
        first = self._claim(self.live_name)
        for name in self.live_names[1:]:
            self._claim(name)
        return first

    def _claim(self, name: str) -> Obj:
        return fence.patch(
            self.kube,
            "Service",
            name,
            self._stamped,
            landed=lambda found: epoch_of(found) == self.epoch,
            manager=MANAGER,
        )

    def _stamped(self, found: Obj) -> list[Op]:
        self.held()  # a process that was frozen until now finds a newer epoch here, and must not write over it
        return fence.annotated(found, EPOCH, self.epoch)

    def join(self, live: Colour | None) -> list[str]:
        """Bring live Services that select nobody yet, being new, to where the first one is; returns their names.

        Raises CannotStartError when one selects another colour: which is right, a person has to say.
        """
        found = {name: selected(self.service(name)) for name in self.live_names[1:]}
        for name, colour in found.items():
            if colour not in (live, None):
                raise CannotStartError(
                    f"Service {name} selects {colour}, but {self.live_name} selects {live or 'nobody'}.",
                    "They move together: set the selector of one of them to the colour that shall serve.",
                )
        new = [name for name, colour in found.items() if colour is not live]
        for name in new:
            self.move_one(name, None, live)
        return new

    def move(self, before: Colour | None, after: Colour | None, moved: Callable[[str], None] = lambda _: None) -> None:
        """Move all live traffic from one colour to another, one Service after the other; nobody is None.

        ``moved`` hears the name of each as soon as it is. Raises what ``move_one`` raises; those before it have moved.
        """
        for name in self.live_names:
            self.move_one(name, before, after)
            moved(name)

    def move_back(self, after: Colour, before: Colour | None) -> list[str]:
        """Move every live Service that selects ``after`` to ``before``, in reverse order; returns their names."""
        names = [str(service["metadata"]["name"]) for service in reversed(self.at(after))]
        for name in names:
            self.move_one(name, after, before)
        return names

    def move_one(self, name: str, before: Colour | None, after: Colour | None) -> Obj:
        """Move one live Service from one colour to another. Returns the Service as patched.

        Raises ForeignWriteError when the selector is neither what it was nor what it shall be, and FencedOffError when
        a newer release owns the Service. A move that somebody else made is not taken for this one's.
        """
        wanted, tried = _version(after), len(self.patches)

        def decide(found: Obj) -> list[Op]:
            require_epoch(found, self.epoch)
            self._require_selector(found, before)
            return switch_operations(found["spec"]["selector"], self.epoch, wanted)

        return fence.patch(
            self.kube,
            "Service",
            name,
            decide,
            landed=lambda found: (
                len(self.patches) > tried and epoch_of(found) == self.epoch and self._selects(found, wanted)
            ),
            manager=MANAGER,
            sent=lambda ops: self.patches.append(Patch(name, tuple(ops), clock.micro_timestamp())),
        )

    def require(self, colour: Colour | None) -> None:
        """Raise ForeignWriteError, naming who wrote it and when, unless all live Services select this colour."""
        for service in self.services():
            self._require_selector(service, colour)

    def preview(self, colour: Colour | None) -> None:
        """Point the preview Services at a colour, or at nobody: an idle preview never answers from live pods."""
        for name in self.live_names:
            self._preview(f"{name}-preview", _version(colour))

    def _preview(self, name: str, wanted: str) -> None:

        def decide(_: Obj) -> list[Op]:
            self.held()
            return [{"op": "add", "path": "/spec/selector/version", "value": wanted}]

        fence.patch(
            self.kube,
            "Service",
            name,
            decide,
            landed=lambda found: self._selects(found, wanted),
            manager=MANAGER,
        )

    def _selects(self, service: Obj, version: str) -> bool:
        selector = service["spec"].get("selector") or {}
        return bool(selector.get("version") == version and selector.get("app") == self.settings.app_name)

    def _require_selector(self, service: Obj, before: Colour | None) -> None:
        if self._selects(service, _version(before)):
            return
        writer = last_writer(service)
        raise ForeignWriteError(
            f"Service {service['metadata']['name']} selects {service['spec'].get('selector')}, not "
            f"{_version(before)!r} as this release read it; {writer} wrote it.",
            "Find out who moves this Service's traffic besides the release, then start again.",
        )


def switch_operations(selector: Mapping[str, str], epoch: str, version: str) -> list[Op]:
    """The switch: one value replaced, tested against the whole selector as read and against the epoch."""
    return [
        fence.test("/spec/selector", dict(selector)),
        fence.test(f"/metadata/annotations/{fence.escaped(EPOCH)}", epoch),
        {"op": "replace", "path": "/spec/selector/version", "value": version},
    ]


def selected(service: Obj) -> Colour | None:
    """The colour that a Service selects; None for nobody. Raises ForeignWriteError for a selector of no colour."""
    try:
        return live_colour(service)
    except CannotStartError as error:
        raise ForeignWriteError(f"{error.sentence} {last_writer(service)} wrote it.", error.remedy) from error


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


def last_writer(service: Obj) -> str:
    """Who wrote the selector's version last, and when, as the API server noted it."""
    owners = _selector_owners(service)
    strangers = [entry for entry in owners if entry.get("manager") != MANAGER] or owners
    if not strangers:
        return "an unknown field manager"
    latest = max(strangers, key=lambda entry: str(entry.get("time", "")))
    return f"field manager {latest.get('manager')!r} ({latest.get('operation')}, {latest.get('time', 'time unknown')})"


def written_here(service: Obj) -> bool:
    """Whether a release wrote the selector last, perhaps with others; so it is taken where nothing is noted."""
    managers = {str(entry.get("manager")) for entry in _selector_owners(service)}
    return not managers or MANAGER in managers


def _selector_owners(service: Obj) -> list[Obj]:
    entries = service["metadata"].get("managedFields") or []
    return [entry for entry in entries if "f:selector" in entry.get("fieldsV1", {}).get("f:spec", {})]


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


def _version(colour: Colour | None) -> str:
    return NOBODY if colour is None else colour.value
