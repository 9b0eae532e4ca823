"""How large a colour has to be now, and what is kept of it to put it back."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bluegreen.deployments import image_of, kept, present_size

Obj = dict[str, Any]


def deployment(replicas: int | None = 3) -> Obj:
    """A colour's Deployment."""
    spec: Obj = {"template": {"spec": {"containers": [{"image": "team/app:v1"}, {"image": "sidecar:v9"}]}}}
    annotations = {"deployment.kubernetes.io/revision": "4", "bluegreen/release": "r1"}
    sized = spec if replicas is None else {**spec, "replicas": replicas}
    return {"metadata": {"name": "a", "labels": {"app": "a"}, "annotations": annotations}, "spec": sized, "status": {}}


def autoscaler(desired: int | None) -> Obj:
    """An autoscaler that wants this many pods."""
    return {"spec": {"minReplicas": 1}, "status": {} if desired is None else {"desiredReplicas": desired}}


@pytest.mark.parametrize(
    ("replicas", "desired", "size"),
    [(3, None, 3), (3, 5, 5), (5, 3, 5), (0, 5, 0), (None, None, 1), (None, 4, 4)],
    ids=["no wish", "just raised", "just lowered", "retired", "default", "default, raised"],
)
def test_a_colour_has_the_size_that_is_set_or_was_just_decided(
    replicas: int | None, desired: int | None, size: int
) -> None:
    assert present_size(deployment(replicas), autoscaler(desired)) == size


def test_a_colour_without_a_deployment_has_no_size_and_one_without_an_autoscaler_has_its_own() -> None:
    assert present_size(None, autoscaler(5)) == 0
    assert present_size(deployment(), None) == 3


def test_what_is_kept_is_all_that_is_needed_to_put_it_back_and_a_copy() -> None:
    given = deployment()
    before = copy.deepcopy(given)
    found = kept(given)
    assert found == {"labels": {"app": "a"}, "annotations": {"bluegreen/release": "r1"}, "spec": given["spec"]}
    found["spec"]["replicas"] = 99
    assert given == before
    assert kept(None) is None


def test_the_image_is_the_first_containers() -> None:
    assert image_of(deployment()) == "team/app:v1"
    assert image_of(None) == ""
