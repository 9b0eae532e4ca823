"""Writes that happen once or not at all, whatever becomes of their answers.

A JSON patch tests the resourceVersion of the object it was decided on. When the answer is lost or a test fails, the
object is read again: it holds the change (then the write landed), or the change is decided anew on what is there now.
Nothing is repeated blindly. Time-outs and retries of single requests are ``kube``'s; this adds only the reading again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bluegreen import clock
from bluegreen.colour import Obj
from bluegreen.errors import HarnessError
from bluegreen.kube import Conflict, Forbidden, Kube, KubeError, NotFound

Op = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""

ATTEMPTS = 8
"""How often a change is decided anew before giving up; a choice: controllers may interfere a few times."""
_PAUSE_S = 0.01
"""Pause before the second attempt, doubled for each further one: 2.5 s in all."""


def test(path: str, value: object) -> Op:
    """The operation that makes a patch fail unless the value at the path is this one."""
    return {"op": "test", "path": path, "value": value}


def escaped(key: str) -> str:
    """A key as a segment of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def annotated(found: Obj, key: str, value: str) -> list[Op]:
    """The operations that set an annotation, also on an object that has none yet."""
    if found["metadata"].get("annotations") is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": {key: value}}]
    return [{"op": "add", "path": f"/metadata/annotations/{escaped(key)}", "value": value}]


def patch(
    kube: Kube,
    kind: str,
    name: str,
    decide: Callable[[Obj], list[Op]],
    *,
    landed: Callable[[Obj], bool],
    manager: str,
    known: Obj | None = None,
    sent: Callable[[list[Op]], None] | None = None,
) -> Obj:
    """Change one object; returns it as it is afterwards.

    ``decide`` gives the operations for the object as it was read, or raises to stop; ``landed`` says whether an object
    holds the change already. ``known`` saves the first read. ``sent`` hears every patch before it goes out.
    Raises HarnessError when the object is not there or keeps changing, and what ``decide`` and the API raise.
    """
    found = known if known is not None else _present(kube, kind, name)
    refusal: KubeError | None = None
    for attempt in range(ATTEMPTS):
        if landed(found):
            return found
        ops = [test("/metadata/resourceVersion", found["metadata"]["resourceVersion"]), *decide(found)]
        if sent is not None:
            sent(ops)
        try:
            return kube.json_patch(kind, name, ops, manager=manager)
        except (Forbidden, NotFound):
            raise
        except KubeError as error:
            refusal = error
            clock.sleep_s(0 if attempt == 0 else _PAUSE_S * 2**attempt)
            before, found = found, _present(kube, kind, name)
            if _refused_for_good(error, before, found):
                raise
    raise refusal or HarnessError(f"{kind} {name} could not be changed.")


def delete(kube: Kube, kind: str, name: str, require: Callable[[Obj], None]) -> None:
    """Delete one object if it is there, as it was when ``require`` looked at it and did not raise.

    Raises HarnessError when the object keeps changing, and what ``require`` and the API raise.
    """
    for attempt in range(ATTEMPTS):
        found = kube.get(kind, name)
        if found is None:
            return
        require(found)
        metadata = found["metadata"]
        try:
            kube.delete(kind, name, uid=metadata["uid"], version=metadata["resourceVersion"])
            return
        except Conflict:  # it changed, if only its status: look again
            clock.sleep_s(_PAUSE_S * 2**attempt)
    raise HarnessError(f"{kind} {name} kept changing while it was to be deleted.")


def create(kube: Kube, obj: Obj, *, ours: Callable[[Obj], bool], otherwise: Callable[[Obj], HarnessError]) -> Obj:
    """Create one object, or find that the creation landed although its answer was lost.

    When there is one already that is not ``ours``, raises the error that ``otherwise`` makes of it.
    """
    kind, name = obj["kind"], obj["metadata"]["name"]
    try:
        return kube.create(obj)
    except KubeError as error:
        found = None if isinstance(error, Forbidden) else kube.get(kind, name)
        if found is None:
            raise
        if not ours(found):
            raise otherwise(found) from error
        return found


def _present(kube: Kube, kind: str, name: str) -> Obj:
    found = kube.get(kind, name)
    if found is None:
        raise HarnessError(f"{kind} {name} is not there any more.", "Run `bluegreen setup`, then start again.")
    return found


def _refused_for_good(error: KubeError, before: Obj, after: Obj) -> bool:
    """Whether the API refused the change itself, and not because a test of the patch failed.

    The object has not moved, so no test can have failed; or it was read from an older state both times, which does not
    name the fields that are wrong.
    """
    same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    return same and (error.status in (400, 413, 415) or (error.status == 422 and bool(error.causes)))
