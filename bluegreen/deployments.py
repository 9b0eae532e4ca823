"""A Deployment in its two colours, with their autoscalers, for the holder of one epoch.

An application may have several such Deployments: ``of`` gives another one, ``found`` all that are there.

Every write tests the epoch annotation of the Deployment, so that a process that was taken over changes nothing. A
Deployment that exists is given its whole new spec at once: nothing of an earlier version's template lingers in it, and
what it was before can be put back exactly.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bluegreen import config_copies, fence
from bluegreen.colour import Colour, Obj
from bluegreen.errors import HarnessError
from bluegreen.fence import Op
from bluegreen.kube import Kube, NotFound
from bluegreen.plan import Plan, plan_of
from bluegreen.settings import Settings
from bluegreen.traffic import EPOCH, epoch_of, require_epoch
from bluegreen.workload import Workload, main_container

MANAGER = "bluegreen-release"
BOUNDS = ("minReplicas", "maxReplicas")
"""What a release owns of an autoscaler that is there."""

RELEASE = "bluegreen/release"
"""Annotation on a Deployment: the id of the release that gave it its present spec."""

RETIRED_FROM = "bluegreen/retired-from"
"""Annotation of a Deployment at zero: the number of pods it had before."""

APPLICATION = "bluegreen/application"
"""Label of a Deployment that a release made: APP_NAME. By it all Deployments of an application are found."""

REVISION = "deployment.kubernetes.io/revision"  # written by the Deployment controller, never put back


@dataclass(frozen=True)
class Deployments:
    """Reads and writes both colours' objects of one Deployment: the plan's main one, unless ``of`` names another."""

    kube: Kube
    settings: Settings
    epoch: str
    held: Callable[[], None] = lambda: None  # raises when the lock is lost; asked after each look, before a change
    base: str = ""  # its name without the colour; "" stands for the plan's main one
    selector: str = ""  # the label selector of its pods without the colour; "" stands for the plan's

    def of(self, workload: Workload) -> Deployments:
        """The same for another Deployment of the application."""
        return replace(self, base=workload.name, selector=workload.selector)

    @property
    def plan(self) -> Plan:
        """What its objects are made of."""
        return plan_of(self.settings)

    @property
    def workload(self) -> str:
        """Its name without the colour."""
        return self.base or self.plan.names[0]

    def name(self, colour: Colour) -> str:
        """The name of a colour's Deployment."""
        return f"{self.workload}-{colour}"

    def labels(self, colour: Colour) -> str:
        """The label selector of a colour's pods."""
        return f"{self.selector or self.plan.selector(self.workload)},version={colour}"

    def get(self, colour: Colour) -> Obj | None:
        """A colour's Deployment, or None."""
        return self.kube.get("Deployment", self.name(colour))

    def pods(self, colour: Colour) -> list[Obj]:
        """A colour's pods, those on their way out included."""
        return self.kube.list("Pod", labels=self.labels(colour))

    def found(self) -> dict[Colour, dict[str, Obj]]:
        """Every Deployment of the application that is there, by its colour and its name without it.

        Those that a release of several made carry a label; one of a single Deployment is known by its name.
        """
        listed = self.kube.list("Deployment", labels=f"{APPLICATION}={self.settings.app_name}")
        mains = [found for colour in Colour if (found := self.get(colour)) is not None]
        there: dict[Colour, dict[str, Obj]] = {colour: {} for colour in Colour}
        for obj in [*listed, *mains]:
            if (colour := colour_of(obj)) is not None:
                there[colour][obj["metadata"]["name"].removesuffix(f"-{colour}")] = obj
        return there

    def claim(self) -> dict[Colour, dict[str, Obj]]:
        """Stamp this epoch on every Deployment of the application, in both colours; returns them as ``found`` does."""
        return {colour: {name: self._claim(obj) for name, obj in one.items()} for colour, one in self.found().items()}

    def _claim(self, found: Obj) -> Obj:
        name = found["metadata"]["name"]
        return fence.patch(
            self.kube, "Deployment", name, self._stamped, landed=self._claimed, manager=MANAGER, known=found
        )

    def _stamped(self, found: Obj) -> list[Op]:
        self.held()  # a process that was frozen until now finds a newer epoch here, and must not write over it
        return fence.annotated(found, EPOCH, self.epoch)

    def size(self, colour: Colour) -> int:
        """The number of pods a colour has to have now: what its Deployment says or its autoscaler just decided."""
        deployment = self.get(colour)
        return present_size(deployment, next(iter(self._scalers(colour)), None) if deployment is not None else None)

    def _scalers(self, colour: Colour) -> list[Obj]:
        """The autoscalers that scale a colour, whatever they are called."""
        name = self.name(colour)
        return [s for s in self.kube.list("HorizontalPodAutoscaler") if s["spec"]["scaleTargetRef"].get("name") == name]

    def stand_up(self, colour: Colour, replicas: int, release_id: str) -> Obj:
        """Give a colour what the plan says at a size, with its autoscaler's minimum pinned to that size.

        Returns the Deployment. Raises what the API raises when it refuses one of the objects.
        """
        rendered = self.rendered(colour, replicas)
        wanted = config_copies.with_own(
            self.kube, self.settings.app_name, rendered, release_id, self.held, self.plan.configuration()
        )
        self.guard(
            colour, replicas
        )  # first: an autoscaler with a larger minimum adds pods at once, and takes them away
        return self.put(colour, wanted, release_id)

    def guard(self, colour: Colour, least: int) -> None:
        """Pin a colour's autoscaler to at least this many pods. Everything else about it is setting up's."""
        if self.workload not in self.plan.names:
            return
        for obj in self.plan.autoscalers(self.workload, colour, max(1, least)):
            if self.kube.get(obj["kind"], obj["metadata"]["name"]) is None:
                self.held()
                self.kube.apply(obj, manager=MANAGER, force=True)
            elif bounds := bounds_of([obj]):
                self._bind(obj["kind"], obj["metadata"]["name"], bounds)

    def bounds(self, colour: Colour) -> dict[str, int]:
        """What the plan says of a colour's autoscaler while no release runs; nothing where it has none."""
        known = self.workload in self.plan.names
        return bounds_of(self.plan.autoscalers(self.workload, colour, None)) if known else {}

    def free(self, colour: Colour, bounds: Mapping[str, int]) -> None:
        """Give a colour's autoscaler the bounds that it has while no release runs; the plan's where none are known."""
        if wanted := bounds or self.bounds(colour):
            for scaler in self._scalers(colour):
                self._bind("HorizontalPodAutoscaler", scaler["metadata"]["name"], wanted)

    def _bind(self, kind: str, name: str, bounds: Mapping[str, Any]) -> None:
        """Give an autoscaler these bounds, unless it was changed by whoever took the lock meanwhile."""

        def decide(_: Obj) -> list[Op]:
            self.held()
            return [{"op": "add", "path": f"/spec/{key}", "value": value} for key, value in bounds.items()]

        def landed(obj: Obj) -> bool:
            return all(obj["spec"].get(key) == value for key, value in bounds.items())

        fence.patch(self.kube, kind, name, decide, landed=landed, manager=MANAGER)

    def resume(self, colour: Colour, replicas: int, release_id: str) -> Obj:
        """Bring a retired colour back at a size, as it is, with its autoscaler's minimum pinned to that size."""

        def decide(obj: Obj) -> list[Op]:
            marked = fence.annotated(obj, RELEASE, release_id)
            return [*self._fenced(obj), *marked, {"op": "replace", "path": "/spec/replicas", "value": replicas}]

        resumed = self._patch(colour, decide, lambda obj: _made_by(obj, release_id) and self._claimed(obj))
        self.guard(colour, replicas)
        return resumed

    def scale(self, colour: Colour, replicas: int) -> Obj:
        """Set a colour's number of pods. Zero also makes its autoscaler inert, and is noted with the size before."""

        def decide(obj: Obj) -> list[Op]:
            size = obj["spec"].get("replicas", 1)
            noted = fence.annotated(obj, RETIRED_FROM, str(size)) if size and not replicas else []
            return [*self._fenced(obj), *noted, {"op": "replace", "path": "/spec/replicas", "value": replicas}]

        return self._patch(
            colour,
            decide,
            lambda obj: obj["spec"].get("replicas") == replicas and self._claimed(obj),
        )

    def put_back(self, colour: Colour, before: Mapping[str, Any], release_id: str) -> None:
        """Give a colour's Deployment back what it was before this release, its size included."""

        def decide(obj: Obj) -> list[Op]:
            annotations = {**before["annotations"], EPOCH: self.epoch}
            kept = {key: value for key, value in obj["metadata"]["annotations"].items() if key == REVISION}
            return [
                *self._fenced(obj),
                {"op": "add", "path": "/metadata/annotations", "value": {**annotations, **kept}},
                {"op": "add", "path": "/metadata/labels", "value": before["labels"]},
                {"op": "replace", "path": "/spec", "value": before["spec"]},
            ]

        def landed(obj: Obj) -> bool:
            return (obj["metadata"].get("annotations") or {}).get(RELEASE) != release_id and self._claimed(obj)

        self._patch(colour, decide, landed)

    def collect_configuration(self) -> None:
        """Remove the copies of ConfigMaps and Secrets that no Deployment refers to any more."""
        config_copies.collect(self.kube, self.settings.app_name, self.held)

    def delete(self, colour: Colour) -> None:
        """Delete a colour's Deployment if it is there; autoscaler and disruption budget stay and rest."""
        fence.delete(self.kube, "Deployment", self.name(colour), lambda found: require_epoch(found, self.epoch))

    def put(self, colour: Colour, wanted: Obj, release_id: str) -> Obj:
        """Create a colour's Deployment, or replace the spec of the one that is there; ``wanted``: as it is to be."""
        metadata = wanted["metadata"]
        metadata["annotations"] = {**(metadata.get("annotations") or {}), EPOCH: self.epoch, RELEASE: release_id}
        metadata["labels"] = {**(metadata.get("labels") or {}), APPLICATION: self.settings.app_name}
        if self.get(colour) is None:
            self.held()
            made = fence.create(self.kube, wanted, ours=lambda obj: _made_by(obj, release_id), otherwise=_in_the_way)
            return self._kept(colour, made)

        def decide(obj: Obj) -> list[Op]:
            annotations = {**(obj["metadata"].get("annotations") or {}), **metadata["annotations"]}
            return [
                *self._fenced(obj),
                {"op": "add", "path": "/metadata/annotations", "value": annotations},
                {"op": "add", "path": "/metadata/labels", "value": metadata["labels"]},
                {"op": "replace", "path": "/spec", "value": wanted["spec"]},
            ]

        return self._patch(colour, decide, lambda obj: _made_by(obj, release_id) and self._claimed(obj))

    def _kept(self, colour: Colour, made: Obj) -> Obj:
        """What was just created, which no epoch could guard: taken away again when the lock was lost meanwhile."""
        try:
            self.held()
        except HarnessError:
            fence.delete(self.kube, "Deployment", self.name(colour), lambda found: require_epoch(found, self.epoch))
            raise
        return made

    def _patch(self, colour: Colour, decide: Any, landed: Any, known: Obj | None = None) -> Obj:
        name = self.name(colour)
        return fence.patch(self.kube, "Deployment", name, decide, landed=landed, manager=MANAGER, known=known)

    def _claimed(self, obj: Obj) -> bool:
        return epoch_of(obj) == self.epoch

    def _fenced(self, obj: Obj) -> list[Op]:
        require_epoch(obj, self.epoch)
        return [fence.test(f"/metadata/annotations/{fence.escaped(EPOCH)}", self.epoch)]

    def rendered(self, colour: Colour, replicas: int) -> Obj:
        """The Deployment that a release makes of a colour."""
        return self.plan.deployment(self.workload, colour, replicas)


def colour_of(deployment: Obj) -> Colour | None:
    """The colour that a Deployment's selector and its name state; None when they state none, or not the same."""
    labels = ((deployment.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    name = str(deployment["metadata"]["name"])
    return next((c for c in Colour if labels.get("version") == c.value and name.endswith(f"-{c}")), None)


def is_of(deployment: Obj, app_name: str) -> bool:
    """Whether a release of an application made a Deployment."""
    return (deployment["metadata"].get("labels") or {}).get(APPLICATION) == app_name


def bounds_of(autoscalers: list[Obj]) -> dict[str, int]:
    """What a release owns of the first autoscaler; nothing where there is none."""
    spec = autoscalers[0].get("spec") or {} if autoscalers else {}
    return {key: spec[key] for key in BOUNDS if key in spec}


def present_size(deployment: Obj | None, autoscaler: Obj | None) -> int:
    """The number of pods a Deployment has to have now; 0 when there is none or it is retired."""
    replicas = 0 if deployment is None else int(deployment["spec"].get("replicas", 1))
    desired = int((autoscaler or {}).get("status", {}).get("desiredReplicas") or 0)
    return max(replicas, desired) if replicas else 0


def kept(deployment: Obj | None) -> dict[str, Any] | None:
    """What is needed to put a Deployment back as it is now; None when there is none."""
    if deployment is None:
        return None
    metadata = deployment["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != REVISION}
    return {
        "annotations": annotations,
        "labels": metadata.get("labels") or {},
        "spec": copy.deepcopy(deployment["spec"]),
    }


def fingerprint(deployment: Obj | None) -> str:
    """What tells one pod template from another, as the server keeps them; "" without a Deployment."""
    if deployment is None:
        return ""
    return hashlib.sha256(json.dumps(deployment["spec"]["template"], sort_keys=True).encode()).hexdigest()[:16]


def image_of(deployment: Obj | None) -> str:
    """The image of a Deployment's application; "" without one."""
    return str(main_container((deployment or {}).get("spec", {}).get("template") or {}).get("image", ""))


def _made_by(obj: Obj, release_id: str) -> bool:
    return (obj["metadata"].get("annotations") or {}).get(RELEASE) == release_id


def _in_the_way(obj: Obj) -> NotFound:
    name = obj["metadata"]["name"]
    return NotFound(f"Deployment {name} appeared while this release was creating it.", "Start again.")
