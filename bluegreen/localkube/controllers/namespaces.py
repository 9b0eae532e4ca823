"""Namespaces: what each is born with, and how each goes: content first, conditions that say what holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bluegreen.localkube.controllers.adoption import is_deleting
from bluegreen.localkube.controllers.base import CUSTOM, MANAGER, Context, Key, key_of, kind
from bluegreen.localkube.controllers.conditions import new, updated_in_place
from bluegreen.localkube.controllers.pod_control import is_terminating
from bluegreen.localkube.kinds import KINDS, Kind
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

Obj = dict[str, Any]

FINALIZER = "kubernetes"
"""The entry of spec.finalizers that holds a namespace until its content has gone."""
OBJECTS_PER_PASS = 200
"""Objects of a namespace deleted before other work gets its turn. A choice."""
RETRY_S = 5.0
"""Pause before what refused to be deleted is asked again. A choice."""
ROOT_CA = "kube-root-ca.crt"
_CONTENT = tuple(each for each in KINDS.values() if each.namespaced and each.stored)
_ROOT_CA_WORDS = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the"
    " internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes"
    " clusters."
)
_BACKGROUND = {"propagationPolicy": "Background"}


@dataclass
class Namespaces:
    """The namespace, service account and root CA controllers in one. ``authority``: the cluster's CA, PEM."""

    context: Context
    authority: str = ""
    name: str = "namespace-controller"
    watches: tuple[str, ...] = ("Namespace", *(each.kind for each in _CONTENT if each.kind != "Event"), CUSTOM)

    def keys(self, change: Change) -> Iterable[Key]:
        """The namespace itself; that of a deleted object, when it is going or has lost what it was born with."""
        obj = change.object
        if (obj["kind"], obj["apiVersion"]) == ("Namespace", "v1"):
            return [("", obj["metadata"]["name"])]
        if change.type == "ADDED" or (change.type == "MODIFIED" and obj["metadata"]["name"] != ROOT_CA):
            return ()
        namespace = self.context.get("Namespace", "", obj["metadata"].get("namespace", ""))
        is_own = obj["kind"] in ("ServiceAccount", "ConfigMap") and obj["apiVersion"] == "v1"
        return [("", namespace["metadata"]["name"])] if namespace and (is_deleting(namespace) or is_own) else ()

    def reconcile(self, key: Key) -> float | None:
        """Give a live namespace what it is born with; empty one that is being deleted, and let it go."""
        namespace = self.context.get("Namespace", *key)
        if namespace is None:
            return None
        if is_deleting(namespace):
            return self._terminate(namespace)
        self._furnish(key[1])
        return None

    # -- birth ---------------------------------------------------------------------
    def _furnish(self, namespace: str) -> None:
        try:
            self._ensure("ServiceAccount", namespace, {"metadata": {"name": "default"}})
            self._ensure("ConfigMap", namespace, self._root_ca())
        except ApiError as error:
            if not is_terminating(error):
                raise

    def _root_ca(self) -> Obj:
        annotations = {"kubernetes.io/description": _ROOT_CA_WORDS}
        return {"metadata": {"name": ROOT_CA, "annotations": annotations}, "data": {"ca.crt": self.authority}}

    def _ensure(self, kind_name: str, namespace: str, wanted: Obj) -> None:
        current = self.context.get(kind_name, namespace, wanted["metadata"]["name"])
        if current is None:
            self.context.registry.create(kind(kind_name), namespace, wanted, manager=MANAGER)
        elif current.get("data") != wanted.get("data"):
            self.context.registry.modify(
                kind(kind_name),
                *key_of(current),
                lambda copy: copy.update(data=wanted["data"]),
                manager=MANAGER,
                subresource="",
            )

    # -- death ---------------------------------------------------------------------
    def _terminate(self, namespace: Obj) -> float | None:
        name = namespace["metadata"]["name"]
        custom = [each for each in self.context.store.kinds.custom if each.namespaced]
        content = (*_CONTENT, *custom)
        doomed = [(each, obj) for each in content for obj in self.context.all(each.key, name) if not is_deleting(obj)]
        refusals = self._delete(doomed[:OBJECTS_PER_PASS])
        if len(doomed) > OBJECTS_PER_PASS:
            return 0.0
        left = {each: self.context.all(each.key, name) for each in content}
        left = {each: objects for each, objects in left.items() if objects}
        if left or refusals:
            self._say_what_holds(namespace, left, refusals)
        elif FINALIZER in (namespace["spec"].get("finalizers") or ()):
            self._let_go(namespace)
        return RETRY_S if refusals else None

    def _delete(self, doomed: Iterable[tuple[Kind, Obj]]) -> list[str]:
        """Ask objects to go; returns what was refused. Pods keep their grace."""
        refusals = []
        for each, obj in doomed:
            try:
                self.context.registry.delete(each, *key_of(obj), _BACKGROUND)
            except ApiError as error:
                if error.code != 404:
                    refusals.append(error.message)
        return refusals

    def _say_what_holds(self, namespace: Obj, left: dict[Kind, list[Obj]], refusals: list[str]) -> None:
        def change(copy: Obj) -> None:
            status = copy.setdefault("status", {})
            status["phase"] = "Terminating"
            for condition in deletion_conditions(left, refusals):
                status["conditions"] = updated_in_place(status.get("conditions"), condition)

        self.context.registry.modify(kind("Namespace"), *key_of(namespace), change, manager=MANAGER)

    def _let_go(self, namespace: Obj) -> None:
        def change(copy: Obj) -> None:
            copy["spec"]["finalizers"] = [each for each in copy["spec"]["finalizers"] if each != FINALIZER]

        self.context.registry.modify(
            kind("Namespace"), *key_of(namespace), change, manager=MANAGER, subresource="finalize"
        )


def deletion_conditions(left: dict[Kind, list[Obj]], refusals: list[str]) -> list[Obj]:
    """What a namespace in deletion says about itself, in Kubernetes' words."""
    finalizers = Counter(
        name for objects in left.values() for obj in objects for name in obj["metadata"].get("finalizers") or ()
    )
    return [
        new(
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        new(
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        _content_failure(refusals),
        _remaining(left),
        _finalizers_remaining(finalizers),
    ]


def _content_failure(refusals: list[str]) -> Obj:
    if refusals:
        message = f"Failed to delete all resource types, {len(refusals)} remaining: {', '.join(sorted(refusals))}"
        return new("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", message)
    message = "All content successfully deleted, may be waiting on finalization"
    return new("NamespaceDeletionContentFailure", "False", "ContentDeleted", message)


def _remaining(left: dict[Kind, list[Obj]]) -> Obj:
    if not left:
        return new("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed")
    counts = [f"{each.plural}.{each.group} has {len(objects)} resource instances" for each, objects in left.items()]
    message = f"Some resources are remaining: {', '.join(sorted(counts))}"
    return new("NamespaceContentRemaining", "True", "SomeResourcesRemain", message)


def _finalizers_remaining(finalizers: Counter[str]) -> Obj:
    if not finalizers:
        message = "All content-preserving finalizers finished"
        return new("NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers", message)
    counts = sorted(f"{name} in {count} resource instances" for name, count in finalizers.items())
    message = f"Some content in the namespace has finalizers remaining: {', '.join(counts)}"
    return new("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", message)
