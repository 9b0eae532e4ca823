"""What people hand over is read only when it is an ordinary file of text; YAML only when it cannot explode."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bluegreen import files, manifests
from bluegreen.errors import InputError, Mistake
from bluegreen.settings import load

UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a directory": (Path.mkdir, "it is a directory"),
    "a pipe": (os.mkfifo, "it is a pipe or a device"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "it is a pipe or a device"),
    "a link to nowhere": (lambda path: path.symlink_to("nowhere"), "No such file"),
    "a link to itself": (lambda path: path.symlink_to(path), "Too many levels"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_what_is_no_ordinary_file_is_refused_wherever_it_is_given(tmp_path: Path, kind: str) -> None:
    make, why = UNFIT[kind]
    for name in (".env", "hpa.yaml"):
        make(tmp_path / name)
    with pytest.raises(InputError, match=why):
        load({}, dotenv=tmp_path / ".env")
    with pytest.raises(InputError, match=why):  # and not passed over for the built-in one
        manifests.render(load({"MANIFESTS": str(tmp_path)}), "hpa", COLOUR="blue")


def test_a_byte_order_mark_and_other_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("\ufeffREPLICAS=2\r\nNAMESPACE=shop\r\n".encode())
    settings = load({}, dotenv=tmp_path / ".env")
    assert (settings.replicas, settings.namespace) == (2, "shop")


@given(st.text(alphabet="[]{}:,&*a1 \n-!'\"%", max_size=60))
def test_any_text_is_read_or_refused_as_yaml(text: str) -> None:
    with contextlib.suppress(yaml.YAMLError):
        files.load_yaml(text)


def test_a_message_shows_any_value_and_is_bounded() -> None:
    said = str(Mistake("METRICS", "\udcff" + "x" * 100_000, "\udcff names no type.", "Write name:type."))
    said.encode()
    assert len(said) < 500
    assert "characters" in said
