"""A team's own application, released from its YAML as it is: the documentation's examples, one after the other."""

from __future__ import annotations

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
