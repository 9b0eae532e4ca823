"""Kubernetes 1.29 and every version since: what a release writes is what their API servers know, field by field.

The schemas are Kubernetes' own OpenAPI definitions; strict: a field that a version does not have is refused.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bluegreen import manifests, settings
from bluegreen.kube.connect import OLDEST
from bluegreen.kube.kinds import RESOURCES
from tests.pages import CHECKOUT, blocks

VERSIONS = [f"1.{minor}" for minor in range(OLDEST[1], 36)]
NOT_BUILT_IN = ("gateway.networking.k8s.io", "metrics.k8s.io")
"""Groups that come with something installed beside Kubernetes."""

EVERYTHING = {
    "DOCKER_IMAGE": "registry.example.com/team/shop:v1",
    "INGRESS_HOST": "shop.example.com",
    "TLS_SECRET": "shop-tls",
    "NODE_PORT": "30080",
    "PREVIEW_NODE_PORT": "30081",
    "DB_HOST": "db",
    "REDIS_HOST": "redis",
    "DB_PASSWORD": "x",
}
"""Settings with which each part of the built-in manifests is there."""

VALUES = {"COLOUR": "blue", "LOAD_POD": "load", "LOAD_CONFIG": "load", "LOAD_IMAGE": "locustio/locust:2"}


@cache
def served(version: str) -> frozenset[tuple[str, str]]:
    """Each API version and kind that a version of Kubernetes serves."""
    files = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    [folder] = [f for f in files.iterdir() if f.name.startswith(f"v{version}.") and f.name.endswith("-local")]
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    return frozenset(
        ("/".join(filter(None, (one["group"], one["version"]))), one["kind"])
        for definition in definitions.values()
        for one in definition.get("x-kubernetes-group-version-kind") or []
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_that_is_asked_for_is_served(version: str) -> None:
    asked = {(r.api_version, r.kind) for r in RESOURCES.values() if r.api_version.partition("/")[0] not in NOT_BUILT_IN}
    assert asked <= served(version), asked - served(version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("given", [{}, EVERYTHING], ids=["the defaults", "with everything"])
def test_the_built_in_manifests_hold_no_field_that_a_version_lacks(version: str, given: dict[str, str]) -> None:
    chosen = settings.load({"DOCKER_IMAGE": "team/shop:v1", **given})
    names = [path.stem for path in sorted(manifests.BUILT_IN.glob("*.yaml"))]
    written = [obj for name in names for obj in manifests.render(chosen, name, **VALUES)]
    assert {"Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Role", "Pod"} <= {
        o["kind"] for o in written
    }
    for obj in written:
        kubernetes_validate.validate(obj, version, strict=True)


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_the_documented_manifests_hold_none_either(version: str) -> None:
    pages = sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "docs").glob("*.md"))
    objects: list[dict[str, Any]] = []
    for text in (text for page in pages for text in blocks(page)):
        if "apiVersion:" in text and "$(" not in text:
            objects += [one for one in yaml.safe_load_all(text) if isinstance(one, dict) and "kind" in one]
    known = [one for one in objects if (one["apiVersion"], one["kind"]) in served(version)]
    assert "Job" in {one["kind"] for one in known}
    for one in known:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_field_of_a_later_version_is_found(tmp_path: Path) -> None:
    """The preStop hook ``sleep`` is one: 1.29 had it only behind a gate, and 1.28 not at all."""
    chosen = settings.load({"DOCKER_IMAGE": "team/shop:v1"})
    [deployment] = manifests.render(chosen, "deployment", **VALUES)
    deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 2}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.28", strict=True)
