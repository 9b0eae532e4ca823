"""A pod's whole status at one moment, as its kubelet writes it: from what it sees and what the API has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bluegreen import clock
from bluegreen.localkube.kubelet import pod_status

Obj = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """What the kubelet sees of a pod: its containers' statuses, in the order in which it lists them, and the rest.

    ``over``: nothing of it runs any more, nor will. ``deleted``: nothing starts again. ``failure``: the reason and
    message of a pod that was ended for what it did.
    """

    inits: list[Obj]
    mains: list[Obj]
    ephemerals: list[Obj]
    start_time: str
    addresses: Obj
    sandbox: bool
    node_ready: bool
    deleted: bool
    over: bool
    failure: tuple[str, str] | None


def status(pod: Obj, seen: Seen) -> Obj:
    """What the status is now; what others have put there stays."""
    before, spec = pod.get("status") or {}, pod["spec"]
    inits, mains, ephemerals = _statuses(seen)
    phase = pod_status.phase(spec, inits, mains, ends=seen.over)
    if seen.over and seen.failure:
        phase = pod_status.FAILED
    elif not seen.over and phase in (pod_status.SUCCEEDED, pod_status.FAILED):
        phase = before.get("phase", phase)  # as the kubelet's mergePodStatus: not while anything may still run
    known, generation = before.get("conditions") or [], pod["metadata"].get("generation")
    wanted = pod_status.conditions(spec, phase, inits, mains, known, seen.sandbox)
    if not seen.node_ready:
        wanted = pod_status.held_back(wanted)
    if seen.over:
        inits, mains = pod_status.concluded(spec, inits, mains)
        phase = phase if phase == pod_status.SUCCEEDED else pod_status.FAILED
    now = {**before, "phase": phase, "startTime": seen.start_time, **seen.addresses}
    if generation is not None:
        now["observedGeneration"] = generation
    if seen.over and seen.failure:
        now["reason"], now["message"] = seen.failure
    now["conditions"] = pod_status.merged(known, wanted, clock.timestamp(), generation)
    if inits:
        now["initContainerStatuses"] = inits
    now["containerStatuses"] = mains
    if ephemerals:
        now["ephemeralContainerStatuses"] = ephemerals
    return now


def _statuses(seen: Seen) -> tuple[list[Obj], list[Obj], list[Obj]]:
    inits, mains = seen.inits, seen.mains
    if seen.deleted:
        inits, mains = pod_status.undone(inits), pod_status.undone(mains)
    count = len(inits) + len(mains) + len(seen.ephemerals)
    inits, mains, ephemerals = (pod_status.shortened(group, count) for group in (inits, mains, seen.ephemerals))
    return inits, mains, ephemerals
