"""README and docs: every command that a reader may type is one, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex

import pytest

from bluegreen.cli.arguments import parser
from bluegreen.settings import SETTINGS
from tests.pages import CHECKOUT

PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md"))]

COMMAND = re.compile(r"(?:`|\$ |/|^ {4}|&& |- |run: )bluegreen ([a-z][^`'\n#|;)&]*)", re.MULTILINE)
"""A command in a sentence, in a block or in a pipeline, without what comes after it."""

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def commands(page: str) -> list[str]:
    """The ``bluegreen`` commands of a page, each once, without the name of the program."""
    return sorted({found.strip().rstrip(".,:") for found in COMMAND.findall((CHECKOUT / page).read_text())})


def anchor(heading: str) -> str:
    """A heading's name in a link, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one(page: str) -> None:
    for command in commands(page):
        words = shlex.split(command)
        if len(words) == 2 and words[0] == "cluster" and words[1] in ("fault", "image"):
            continue  # a group of commands, named in a sentence
        if "--help" in words:
            with pytest.raises(SystemExit, match="0"):
                parser().parse_args(words)
            continue
        parser().parse_args(words)


def test_commands_are_found() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 60


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in LINK.findall((CHECKOUT / page).read_text()):
        if "://" in link:
            continue
        name, _, wanted = link.partition("#")
        path = ((CHECKOUT / page).parent / name).resolve() if name else CHECKOUT / page
        assert path.exists(), f"{page}: {link}"
        if wanted:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert wanted in {anchor(heading) for heading in headings}, f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_is_given_a_value_is_one(page: str) -> None:
    """As ``NAME=value`` in front of a command or in a sentence; other programs' variables are named here."""
    others = {"KUBECONFIG", "GIT_DIR", "OPTIONS", "PATH", "OTEL_EXPORTER_OTLP_HEADERS"}
    known = {setting.name for setting in SETTINGS} | others
    text = (CHECKOUT / page).read_text()
    given = set(re.findall(r"(?:`|^ {4}|^|\$ | )([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)=", text, re.MULTILINE))
    assert given <= known, given - known
