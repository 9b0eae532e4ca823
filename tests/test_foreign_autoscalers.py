"""Which autoscalers of other groups stand in a release's way."""

from __future__ import annotations

from typing import Any

import pytest

from bluegreen import localkube
from bluegreen.foreign_autoscalers import refuse, targeting
from bluegreen.kube import connect_handle

COLOURS = frozenset({"shop-blue", "shop-green"})


def scaler(**spec: Any) -> dict[str, Any]:
    """An autoscaler."""
    return {"metadata": {"name": "s"}, "spec": spec}


@pytest.mark.parametrize(
    ("group", "spec", "said"),
    [
        ("keda.sh", {"scaleTargetRef": {"name": "shop-blue"}}, "ScaledObject s scales Deployment shop-blue"),
        ("keda.sh", {"scaleTargetRef": {"name": "other"}}, ""),
        ("keda.sh", {"scaleTargetRef": {"kind": "StatefulSet", "name": "shop-blue"}}, ""),
        (
            "autoscaling.k8s.io",
            {"targetRef": {"kind": "Deployment", "name": "shop-green"}},
            "VerticalPodAutoscaler s scales Deployment shop-green",
        ),
        (
            "autoscaling.k8s.io",
            {"targetRef": {"kind": "Deployment", "name": "shop-green"}, "updatePolicy": {"updateMode": "Off"}},
            "",
        ),
    ],
)
def test_what_scales_a_colour_is_named(group: str, spec: dict[str, Any], said: str) -> None:
    assert list(targeting(group, [scaler(**spec)], COLOURS)) == ([said] if said else [])


def test_a_cluster_without_them_has_none(cluster: localkube.Cluster) -> None:
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, "default")
    refuse(kube, COLOURS)
    kube.close()
