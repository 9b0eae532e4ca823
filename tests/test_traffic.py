"""Traffic moves by one patch that tests what it was decided on; everything else is refused and named."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bluegreen import fence, live_object, traffic
from bluegreen.colour import Colour
from bluegreen.localkube.patches import json_patch
from bluegreen.localkube.status import ApiError
from bluegreen.traffic import EPOCH, MANAGER, FencedOffError
from bluegreen.ways import wholly
from bluegreen.ways.selector import ServiceSelector

Obj = dict[str, Any]

SELECTOR = {"app": "gremlinsai-backend", "version": "blue"}
BY_SELECTOR = ServiceSelector("gremlinsai-backend")


def service(epoch: str = "release-1", **selector: str) -> Obj:
    """A live Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "live", "annotations": {EPOCH: epoch, "other": "annotation"}, "resourceVersion": "7"},
        "spec": {"selector": {**SELECTOR, **selector}, "ports": [{"port": 80}]},
    }


def switch_operations(epoch: str = "release-1") -> list[Obj]:
    """The patch of a switch from blue to green, as ``Traffic`` sends it."""
    stamped = fence.test(f"/metadata/annotations/{fence.escaped(EPOCH)}", epoch)
    return [stamped, *BY_SELECTOR.operations(service(), wholly(Colour.GREEN))]


def test_the_switch_changes_one_value_and_nothing_else() -> None:
    switched = json_patch(service(), switch_operations())
    assert switched == service(version="green")


@pytest.mark.parametrize(
    "found",
    [
        service(epoch="release-2"),
        service(version="green"),
        service(version="none"),
        service(app="something-else"),
        service(track="canary"),
    ],
)
def test_the_switch_is_refused_on_anything_but_what_was_read(found: Obj) -> None:
    before = copy.deepcopy(found)
    with pytest.raises(ApiError):
        json_patch(found, switch_operations())
    assert found == before


def test_a_service_without_an_epoch_is_not_switched() -> None:
    bare = service()
    del bare["metadata"]["annotations"]
    with pytest.raises(ApiError):
        json_patch(bare, switch_operations())
    with pytest.raises(FencedOffError):
        traffic.require_epoch(bare, "release-1")


def test_a_newer_release_fences_an_older_one_off() -> None:
    traffic.require_epoch(service(epoch="release-2"), "release-2")
    with pytest.raises(FencedOffError, match="release-2"):
        traffic.require_epoch(service(epoch="release-2"), "release-1")


def entry(manager: str, time: str, fields: Obj) -> Obj:
    """One entry of managedFields."""
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": fields}}


def test_whoever_wrote_the_selector_last_is_named_with_the_time() -> None:
    found = service()
    found["metadata"]["managedFields"] = [
        entry("bluegreen-setup", "2026-01-01T00:00:00Z", {"f:selector": {}}),
        entry("kubectl-edit", "2026-01-03T00:00:00Z", {"f:selector": {}}),
        entry("cloud-controller", "2026-01-04T00:00:00Z", {"f:ports": {}}),
        entry(MANAGER, "2026-01-05T00:00:00Z", {"f:selector": {}}),
    ]
    assert "kubectl-edit" in live_object.last_writer(BY_SELECTOR.owners(found))
    assert "2026-01-03T00:00:00Z" in live_object.last_writer(BY_SELECTOR.owners(found))


def test_a_service_without_managed_fields_names_nobody() -> None:
    assert "unknown" in live_object.last_writer(BY_SELECTOR.owners(service()))


def pod(name: str, ready: bool = True, leaving: bool = False) -> Obj:
    """A pod."""
    metadata = {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {})}
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": str(ready)}]}}


def endpoints(*names: str, ready: bool | None = True) -> Obj:
    """An EndpointSlice of pods."""
    conditions = {} if ready is None else {"ready": ready}
    return {"endpoints": [{"targetRef": {"kind": "Pod", "name": name}, "conditions": conditions} for name in names]}


SETTLED = [
    ([endpoints("a", "b")], [pod("a"), pod("b")], True),
    ([endpoints("a"), endpoints("b")], [pod("a"), pod("b")], True),
    ([endpoints("a", ready=None)], [pod("a")], True),
    ([endpoints("a"), endpoints("b", ready=False)], [pod("a"), pod("b", ready=False)], True),
    ([endpoints("a")], [pod("a"), pod("b", leaving=True)], True),
    ([endpoints("a")], [pod("a"), pod("b")], False),
    ([endpoints("a", "old")], [pod("a")], False),
    ([endpoints("old")], [pod("a")], False),
    ([endpoints()], [], False),
    ([], [pod("a", ready=False)], False),
    ([{"endpoints": None}], [pod("a")], False),
]


@pytest.mark.parametrize(("slices", "pods", "wanted"), SETTLED)
def test_a_service_is_settled_on_exactly_the_ready_pods_and_at_least_one(
    slices: list[Obj], pods: list[Obj], wanted: bool
) -> None:
    assert traffic.settled(slices, pods) is wanted
