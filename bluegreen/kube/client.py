"""Reading and writing objects of one namespace: plain dicts in, plain dicts out, time-outs and retries inside.

A read is repeated while the server fails in passing. A write that got no clear answer is never repeated blindly:

========================  ======================================================================================
write                     how it is found out whether it happened
========================  ======================================================================================
create                    the object carries a mark of this very call (``WRITE_ID``); look for the mark
apply                     needs no finding out: applying the same configuration twice is applying it once
json_patch, merge_patch,  read the object: as the patch would leave it, it counts as done; otherwise it is sent again,
replace                   and its own preconditions (``test``, resourceVersion) refuse it when somebody else was faster
delete                    a 404 to the repetition means that it is gone, which is what was wanted
========================  ======================================================================================

A state that is read to find out may be older than the write. Taken for what is there it does no harm before the
repetition, which is refused then; after a refusal it is told by that it would not have refused, and read again.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import Any

from bluegreen import clock
from bluegreen.kube.errors import AlreadyExists, Conflict, Invalid, KubeError, NotFound, OutcomeUnknown
from bluegreen.kube.kinds import RESOURCES, Resource
from bluegreen.kube.reading import Obj, Objects, Reader, shown_name
from bluegreen.kube.transport import JSON, Unclear
from bluegreen.kube.writes import Finder, json_patch_holds, merge_holds, tests_hold

MANAGER = "bluegreen"
"""The field manager of releases."""

WRITE_ID = "bluegreen/write-id"
"""The annotation that marks which call created an object."""

APPLY_PATCH = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


class Kube(Reader):
    """The door to one cluster, with a namespace of its own for everything that names none."""

    def create(self, obj: Obj, *, manager: str = MANAGER, dry_run: bool = False) -> Obj:
        """Create an object; ``AlreadyExists`` when there is one of that name. It gets the annotation ``WRITE_ID``.

        A name for ``generateName`` is made here and not by the server: a repetition must not make a second object.
        """
        resource, space = self._place(obj)
        marked = copy.deepcopy(obj)
        mark = str(uuid.uuid4())
        marked["metadata"].setdefault("annotations", {})[WRITE_ID] = mark
        name = marked["metadata"].setdefault("name", f"{marked['metadata'].get('generateName', '')}{mark[:8]}")

        def read() -> Obj | None:
            return self.get(resource.kind, name, space)

        finder = Finder(read, done=lambda there: _mark(there) == mark, refuses=lambda there: there is not None)
        return self._write("POST", resource, space, "", marked, JSON, _options(manager, dry_run), finder)

    def apply(
        self, obj: Obj, *, manager: str = MANAGER, force: bool = False, dry_run: bool = False, namespace: str = ""
    ) -> Obj:
        """Server-side apply: create the object or take over exactly these fields.

        ``Conflict`` when another manager owns one of them, unless ``force``. Unknown fields are refused, not dropped.
        ``namespace`` overrides the object's, for a dry run elsewhere.
        """
        resource, space = self._place(obj)
        space = namespace or space
        if namespace:
            obj = {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}
        query = {**_options(manager, dry_run), "force": "true" if force else "false"}
        return self._write("PATCH", resource, space, obj["metadata"]["name"], obj, APPLY_PATCH, query, None)

    def replace(self, obj: Obj, *, manager: str = MANAGER) -> Obj:
        """Update a whole object, which must carry the resourceVersion it was read at; ``Conflict`` when it moved."""
        resource, space = self._place(obj)
        name = obj["metadata"]["name"]
        finder = self._finder(resource, space, name, lambda there: merge_holds(there, obj), _version_moved(obj))
        return self._write("PUT", resource, space, name, obj, JSON, _options(manager), finder)

    def json_patch(
        self,
        kind: str,
        name: str,
        ops: Objects,
        *,
        manager: str = MANAGER,
        subresource: str = "",
        namespace: str | None = None,
    ) -> Obj:
        """Apply JSON patch operations. ``Invalid`` when a ``test`` fails, ``Conflict`` when a tested version moved."""
        resource, space = self._resource(kind), self._space(namespace)
        finder = self._finder(
            resource, space, name, lambda there: json_patch_holds(there, ops), lambda there: not tests_hold(there, ops)
        )
        return self._write(
            "PATCH", resource, space, name, ops, JSON_PATCH, _options(manager), finder, subresource=subresource
        )

    def merge_patch(
        self,
        kind: str,
        name: str,
        body: Obj,
        *,
        manager: str = MANAGER,
        subresource: str = "",
        namespace: str | None = None,
    ) -> Obj:
        """Merge into an object (RFC 7386): ``None`` removes a key, a list replaces a list."""
        resource, space = self._resource(kind), self._space(namespace)
        finder = self._finder(resource, space, name, lambda there: merge_holds(there, body), _version_moved(body))
        return self._write(
            "PATCH", resource, space, name, body, MERGE_PATCH, _options(manager), finder, subresource=subresource
        )

    def delete(
        self,
        kind: str,
        name: str,
        *,
        propagation: str = "Background",
        grace_s: int | None = None,
        missing_ok: bool = True,
        uid: str = "",
        version: str = "",
        namespace: str | None = None,
    ) -> None:
        """Delete an object; it may linger while it ends: ``wait`` for that.

        With ``uid`` only that very one, with ``version`` only as it was at that resourceVersion: else Conflict.
        """
        resource, space = self._resource(kind), self._space(namespace)
        body: Obj = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        if preconditions := {key: value for key, value in (("uid", uid), ("resourceVersion", version)) if value}:
            body["preconditions"] = preconditions
        self._newest.pop((kind, space if resource.namespaced else "", name), None)
        try:
            what = f"delete {shown_name(kind, space, name)}"
            self._json("DELETE", resource.path(space, name), what, body=body, repeatable=True)
        except NotFound:
            if not missing_ok:
                raise

    def _place(self, obj: Obj) -> tuple[Resource, str]:
        """Where an object belongs; a kind that the table lacks is looked up in the API's own list."""
        kind, version = str(obj.get("kind", "")), str(obj.get("apiVersion", ""))
        known = RESOURCES.get(kind)
        resource = known if known and known.api_version == version else self._discover(kind, version)
        return resource, str(obj["metadata"].get("namespace") or self.namespace) if resource.namespaced else ""

    def _discover(self, kind: str, api_version: str) -> Resource:
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            served = self.raw(root).get("resources") or []
        except NotFound:
            served = []
        for entry in served:
            if entry.get("kind") == kind and "/" not in entry["name"]:
                return Resource(kind, api_version, entry["name"], bool(entry.get("namespaced")))
        raise Invalid(
            f"The cluster serves no kind {kind} of {api_version}.",
            "Correct the manifest's kind and apiVersion, or install what defines the kind.",
        )

    def _finder(
        self, resource: Resource, space: str, name: str, holds: Callable[[Obj], bool], refuses: Callable[[Obj], bool]
    ) -> Finder:
        def read() -> Obj | None:
            return self.get(resource.kind, name, space) if resource.kind in RESOURCES else None

        return Finder(read, holds, lambda there: there is None or refuses(there))

    def _write(
        self,
        method: str,
        resource: Resource,
        space: str,
        name: str,
        body: Any,
        content_type: str,
        query: dict[str, str],
        finder: Finder | None,
        *,
        subresource: str = "",
    ) -> Obj:
        """Send a write; when it is unclear whether it happened, find out before sending it again."""
        what = f"{_VERBS[content_type, method]} {shown_name(resource.kind, space, name or body['metadata']['name'])}"
        path = resource.path(space, name, subresource)

        def send() -> Obj:
            how = {"query": query, "body": body, "content_type": content_type}
            return self._json(method, path, what, repeatable=finder is None, **how)

        written = send() if finder is None else self._certainly(send, finder, what)
        if "dryRun" not in query:
            self._remember(resource, written)
        return written

    def _certainly(self, send: Callable[[], Obj], finder: Finder, what: str) -> Obj:
        policy, started_s, failures, doubt = self.transport.policy, clock.now_s(), 0, False
        while True:
            try:
                return send()
            except Unclear as unclear:
                problem, pause_s, doubt = unclear.problem, unclear.pause_s, True
            except (AlreadyExists, Conflict, Invalid) as refusal:
                done = self._look_behind(finder, what, refusal) if doubt and not refusal.causes else None
                if done is None:
                    raise
                return done
            failures += 1
            there = self._look(finder, what, problem)
            if there is not None and finder.done(there):
                return there
            pause_s = max(pause_s, policy.pause_s(failures))
            if policy.over(failures, clock.now_s() - started_s, pause_s):
                raise problem
            clock.sleep_s(pause_s)

    def _look_behind(self, finder: Finder, what: str, refusal: KubeError) -> Obj | None:
        """What the write left, when it is the write itself that made its repetition fail; None when it was not.

        A state that would not have refused the repetition is older than the refusal, and says nothing.
        """
        policy, started_s, failures = self.transport.policy, clock.now_s(), 0
        while True:
            there = self._look(finder, what, refusal)
            if there is not None and finder.done(there):
                return there
            if finder.refuses(there):
                return None
            failures += 1
            pause_s = policy.pause_s(failures)
            if policy.over(failures, clock.now_s() - started_s, pause_s):
                why = "the server keeps answering with an older state."
                raise OutcomeUnknown(f"Cannot {what}: {refusal.sentence} Whether it had happened is unknown: {why}")
            clock.sleep_s(pause_s)

    def _look(self, finder: Finder, what: str, problem: KubeError) -> Obj | None:
        try:
            return finder.read()
        except KubeError as blind:
            raise OutcomeUnknown(
                f"Cannot {what}: {problem.sentence} Whether it happened is unknown: {blind.sentence}"
            ) from None

    def _remember(self, resource: Resource, written: Obj) -> None:
        metadata = written.get("metadata") or {}
        version = str(metadata.get("resourceVersion") or "")
        if version.isdigit():
            key = (resource.kind, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
            self._newest[key] = max(int(version), self._newest.get(key, 0))


_VERBS = {
    (JSON, "POST"): "create",
    (JSON, "PUT"): "update",
    (APPLY_PATCH, "PATCH"): "apply",
    (JSON_PATCH, "PATCH"): "patch",
    (MERGE_PATCH, "PATCH"): "patch",
}


def _options(manager: str, dry_run: bool = False) -> dict[str, str]:
    """The query of every write: who owns the fields, that unknown ones are refused, and whether it is only a try."""
    return {"fieldManager": manager, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}


def _mark(obj: Obj) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(WRITE_ID, ""))


def _version_moved(body: Obj) -> Callable[[Obj], bool]:
    """Whether an object is of another version than a write asked for; a write that asked for none is never refused."""
    wanted = (body.get("metadata") or {}).get("resourceVersion")
    return lambda there: wanted is None or there["metadata"].get("resourceVersion") != wanted
