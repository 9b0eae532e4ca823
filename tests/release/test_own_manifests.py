"""A team's own application, released from its YAML as it is: the documentation's examples, one after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bluegreen import localkube

from .conftest import assert_nobody_felt_it
from .team import EXAMPLES, IMAGE, Team


@pytest.fixture
def plain(release_cluster: localkube.Cluster, tmp_path: Path) -> Iterator[Team]:
    """The application of plain YAML, never released."""
    team = Team(release_cluster, tmp_path, EXAMPLES / "plain")
    yield team
    team.kube.delete("Namespace", team.namespace)


def test_plain_yaml_is_released_as_it_is(plain: Team) -> None:
    first = plain.release(f"{IMAGE}:v1.0.0")
    assert first.code == 0, first.output
    again = plain.release(f"{IMAGE}:v1.1.0")
    assert again.code == 0, again.output
    assert_nobody_felt_it(again.record)
    assert plain.colour() == "green"
    assert plain.sizes() == {"web-blue": 0, "web-green": 2}
    written = next(
        d for d in yaml.safe_load_all((EXAMPLES / "plain/shop.yaml").read_text()) if d["kind"] == "Deployment"
    )
    made = plain.deployment("web-green")["spec"]["template"]["spec"]
    assert [c["name"] for c in made["containers"]] == ["logs", "web"]
    assert made["containers"][1]["image"] == f"{IMAGE}:v1.1.0"
    assert made["initContainers"][0]["command"] == written["spec"]["template"]["spec"]["initContainers"][0]["command"]
    said = plain.command("status").stdout
    assert "web-green" in said
    assert "web-blue" in said


@pytest.fixture
def several(release_cluster: localkube.Cluster, tmp_path: Path) -> Iterator[Team]:
    """The application of several Deployments, as a chart makes it."""
    team = Team(release_cluster, tmp_path, EXAMPLES / "helm", SERVICE_NAME="shop-web")
    yield team
    team.kube.delete("Namespace", team.namespace)


def test_the_output_of_helm_is_released_with_all_its_deployments_and_services(several: Team) -> None:
    first = several.release(f"{IMAGE}:v1.0.0")
    assert first.code == 0, first.output
    again = several.release(f"{IMAGE}:v1.1.0")
    assert again.code == 0, again.output
    assert_nobody_felt_it(again.record)
    assert [several.colour(name) for name in ("shop-web", "shop-prices")] == ["green", "green"]
    names = ("shop-web", "shop-prices", "shop-worker")
    blue, green = ({f"{name}-{colour}" for name in names} for colour in ("blue", "green"))
    sizes = several.sizes()
    assert {name for name, size in sizes.items() if size} == green
    assert {name for name, size in sizes.items() if not size} == blue
    assert several.kube.get("Pod", "shop-test-connection") is None
    checked = several.command("preflight", DOCKER_IMAGE=f"{IMAGE}:v1.2.0")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "3 more pods of blue (shop-web 2, shop-prices 1, shop-worker 0)" in checked.stdout
    for command in ("status", "history"):
        said = several.command(command).stdout
        assert all(name in said for name in (green if command == "status" else names)), said
    report = (again.reports / "summary.md").read_text()
    assert all(name in report for name in names), report
    assert [one["name"] for one in again.record["deployments"]] == [*names]


def test_the_output_of_kustomize_is_released(release_cluster: localkube.Cluster, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    kubectl = Path(sys.executable).with_name("kubectl")
    source = EXAMPLES / "kustomize" / "production"
    with (made / "app.yaml").open("w") as file:
        subprocess.run([kubectl, "kustomize", source], stdout=file, check=True)
    team = Team(release_cluster, tmp_path, made, SERVICE_NAME="prod-web")
    done = team.release(f"{IMAGE}:v1.0.0")
    assert done.code == 0, done.output
    assert team.colour("prod-web") == "blue"
    assert team.sizes() == {"prod-web-blue": 2}
    team.kube.delete("Namespace", team.namespace)
