"""Every bad manifest is refused with its file, what was found and what to write, and nothing is made."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bluegreen import environment, manifest_rules, manifests
from bluegreen.errors import InputError
from bluegreen.kube import Kube, connect_handle
from bluegreen.localkube import Cluster
from bluegreen.settings import Settings, load
from tests.bad_input.case import Text
from tests.bad_input.manifests import REFUSED, UNFIT, UNREADABLE, Changed


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.id)
def test_a_file_that_cannot_be_read_is_refused_by_line(tmp_path: Path, case: Text) -> None:
    file = tmp_path / "configmap.yaml"
    file.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    with pytest.raises(InputError) as caught:
        manifests.render(load({"MANIFESTS": str(tmp_path)}), "configmap")
    said = [str(mistake) for mistake in caught.value.mistakes]
    wanted = (str(file), *case.shows)
    assert any(all(part in sentence for part in wanted) for sentence in said), said


@pytest.fixture
def kube(cluster: Cluster) -> Iterator[Kube]:
    """A cluster in which the namespace of the test does not exist, and must not exist afterwards."""
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, f"bad-{uuid.uuid4().hex[:8]}")
    yield kube
    assert kube.get("Namespace", kube.namespace) is None
    kube.close()


def changed(case: Changed, folder: Path, namespace: str) -> Settings:
    """Settings with the built-in manifest changed as the case says."""
    text = (manifests.BUILT_IN / f"{case.file}.yaml").read_text()
    assert case.old in text
    (folder / f"{case.file}.yaml").write_text(text.replace(case.old, case.new, 1))
    return load({"MANIFESTS": str(folder), "NAMESPACE": namespace})


@pytest.mark.parametrize("case", [*UNFIT, *REFUSED], ids=lambda case: case.id)
@pytest.mark.parametrize("asked", [environment.check, environment.set_up], ids=["release", "setup"])
def test_what_no_release_could_work_with_is_refused(
    kube: Kube, tmp_path: Path, case: Changed, asked: type[environment.check]
) -> None:
    settings = changed(case, tmp_path, kube.namespace)
    with pytest.raises(InputError) as caught:
        asked(kube, settings)
    said = [str(mistake) for mistake in caught.value.mistakes]
    wanted = (str(tmp_path / f"{case.file}.yaml"), *case.shows)
    assert any(all(part in sentence for part in wanted) for sentence in said), said


def test_the_built_in_manifests_have_no_mistake() -> None:
    for env in ({}, {"INGRESS_HOST": "app.example.com", "TLS_SECRET": "t", "NAMESPACE": "n", "APP_NAME": "a"}):
        assert manifest_rules.mistakes(load(env)) == []


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_any_line_left_out_or_doubled_gives_objects_or_a_complete_message(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever an editor's slip makes of a manifest, it renders or is refused in words: nothing else is raised."""
    name = data.draw(st.sampled_from(manifests.NAMES))
    lines = (manifests.BUILT_IN / f"{name}.yaml").read_text().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    slips = {"left out": [], "doubled": [lines[at]] * 2, "outdented": [lines[at].lstrip()], "cut": [lines[at][:-3]]}
    lines[at : at + 1] = slips[data.draw(st.sampled_from(sorted(slips)))]
    (tmp_path / f"{name}.yaml").write_text("\n".join(lines))
    settings = load({"MANIFESTS": str(tmp_path)})
    try:
        manifests.render(settings, name, COLOUR="blue")
        mistakes = manifest_rules.mistakes(settings)
    except InputError as problem:
        mistakes = list(problem.mistakes)
    (tmp_path / f"{name}.yaml").unlink()
    assert all(mistake.why and mistake.remedy and name in mistake.setting for mistake in mistakes)
