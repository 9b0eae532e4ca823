"""The image registry: references, the bundled sample's rule, registered programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bluegreen.errors import InputError
from bluegreen.localkube.images import SAMPLE_FAULTS, Images, InvalidReferenceError, parse
from bluegreen.sample.faults import FAULTS


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("team/app:v1", "docker.io/team/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("registry.example.org:5000/a/b:1.0", "registry.example.org:5000/a/b:1.0"),
        ("a/b@sha256:" + "0" * 64, "docker.io/a/b@sha256:" + "0" * 64),
    ],
)
def test_references_in_full(text: str, full: str) -> None:
    assert str(parse(text)) == full


@pytest.mark.parametrize("text", ["", "Upper", "a b", "app:", "app:-x", "/app", "a//b", "app@sha256:short"])
def test_what_is_no_reference_is_refused_in_kubernetes_words(text: str) -> None:
    with pytest.raises(InvalidReferenceError, match=r"couldn't parse image name .*: invalid reference format"):
        parse(text)


def test_the_sample_is_there_by_rule(tmp_path: Path) -> None:
    images = Images(tmp_path / "images.json")
    good = images.resolve("gremlinsai/backend:v1.0.0")
    assert good is not None
    assert good.command == (sys.executable, "-m", "bluegreen.sample")
    assert (good.env["SAMPLE_VERSION"], good.env["SAMPLE_FAULT"]) == ("v1.0.0", "")
    bad = images.resolve("docker.io/gremlinsai/backend:2.1-bad-http-500")
    assert bad is not None
    assert (bad.env["SAMPLE_VERSION"], bad.env["SAMPLE_FAULT"]) == ("2.1-bad-http-500", "http-500")
    assert good.digest != bad.digest
    assert good.image_id == f"docker.io/gremlinsai/backend@{good.digest}"


@pytest.mark.parametrize("tag", ["absent", "latest", "v1.0.0-bad-", "v1.0.0-bad-unknown", "v1.0.0.0", "1.0-rc1"])
def test_other_tags_of_the_sample_do_not_exist(tmp_path: Path, tag: str) -> None:
    assert Images(tmp_path / "images.json").resolve(f"gremlinsai/backend:{tag}") is None


def test_the_registry_knows_exactly_the_samples_faults() -> None:
    assert set(SAMPLE_FAULTS) == set(FAULTS) - {""}


def test_pause_starts_no_process(tmp_path: Path) -> None:
    image = Images(tmp_path / "images.json").resolve("registry.k8s.io/pause:3.10")
    assert image is not None
    assert image.command == ()


def test_registered_programs_are_found_by_every_reader_of_the_file(tmp_path: Path) -> None:
    writer, reader = Images(tmp_path / "images.json"), Images(tmp_path / "images.json")
    assert reader.resolve("team/app:v1") is None
    writer.add("team/app:v1", ["echo", "hello"], {"A": "1"})
    found = reader.resolve("docker.io/team/app:v1")
    assert found is not None
    assert (found.command, dict(found.env)) == (("echo", "hello"), {"A": "1"})
    assert (tmp_path / "images.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "images.json").read_text())["docker.io/team/app:v1"]["digest"] == found.digest


def test_a_digest_names_one_content(tmp_path: Path) -> None:
    images = Images(tmp_path / "images.json")
    digest = images.add("team/app:v1", ["echo"]).digest
    assert images.resolve(f"team/app:v1@{digest}") is not None
    assert images.resolve("team/app:v1@sha256:" + "0" * 64) is None
    assert images.add("team/app:v1", ["echo", "more"]).digest != digest


def test_registering_what_is_no_reference_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="NAME:TAG"):
        Images(tmp_path / "images.json").add("Not A Name", ["echo"])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', '{"Not A Name": {"command": [], "digest": ""}}'])
def test_a_spoilt_file_changes_nothing(tmp_path: Path, text: str) -> None:
    images = Images(tmp_path / "images.json")
    images.add("team/app:v1", ["echo"])
    assert images.resolve("team/app:v1") is not None
    (tmp_path / "images.json").write_text(text)
    assert images.resolve("team/app:v1") is not None
