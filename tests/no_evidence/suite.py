"""An honest suite, as small as can be: a test a stage, each of which asks and asserts. It is let through as it is, so
that whatever a case changes about it is what keeps the release from switching."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bluegreen import checkout
from bluegreen.verdict import STAGES

HONEST = """
def test_the_candidate_says_it_is_well(candidate, settings):
    answer = candidate.get(settings.health_path)
    assert answer.status_code == 200


def test_it_has_the_pods_it_needs(target):
    assert len(target.pods()) == target.release.replicas
"""

PRODUCTION = """
def test_users_are_answered(users, settings):
    assert users.get(settings.health_path).status_code == 200
"""


def write(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Write the honest suite into a team's repository, with files beside its own or in their place; its folder."""
    (folder / "pytest.ini").write_text(checkout.CONFIGURATION)
    suite = folder / "suites" / "release"
    suite.mkdir(parents=True)
    honest = {f"test_{stage}.py": PRODUCTION if stage == "production" else HONEST for stage in STAGES}
    for name, text in {**honest, **(files or {})}.items():
        (suite / name).parent.mkdir(parents=True, exist_ok=True)
        (suite / name).write_text(text)
    return suite
