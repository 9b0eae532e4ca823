"""Whether migrations that others run are done."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from bluegreen import migrations, settings
from bluegreen.errors import CannotStartError, InputError


def job(image: str = "shop:v2", **condition: str) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"image": image}]}}
    status = {"conditions": [{"status": "True", **condition}], "completionTime": "2026-01-01T00:00:00Z"}
    return {"spec": {"template": pod}, "status": status if condition else {}}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "there is no such Job"),
        (job(), "has not completed"),
        (
            job(type="Failed", reason="BackoffLimitExceeded", message="too often"),
            "failed .BackoffLimitExceeded: too often",
        ),
        (job("shop:v1", type="Complete"), "it ran shop:v1, and shop:v2 is released"),
        (job("docker.io/library/shop:v1", type="Complete"), "it ran docker.io/library/shop:v1"),
    ],
)
def test_a_job_that_has_not_done_it_stops_a_release(found: Any, said: str) -> None:
    with pytest.raises(CannotStartError, match=f"MIGRATION_JOB=migrate.*{said}"):
        migrations.completed(found, "migrate", "shop:v2")


@pytest.mark.parametrize("image", ["shop:v2", "tools/flyway:11", "shop@sha256:" + "a" * 64])
def test_a_job_that_completed_counts(image: str) -> None:
    assert "completed at 2026" in migrations.completed(job(image, type="Complete"), "migrate", "shop:v2")


def asked(command: str, **more: str) -> str:
    return migrations.require(None, settings.load({"MIGRATION_COMMAND": command, **more}))  # type: ignore[arg-type]


def test_a_command_says_it_by_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ended with 0" in asked(f"{sys.executable} -c pass")
    monkeypatch.setenv("SHOP_DB_URL", "postgres://shop:hush@db/shop")
    program = "import os,sys; print(os.environ['SHOP_DB_URL'], 's3cr3t'); sys.exit(3)"
    with pytest.raises(CannotStartError, match=r"ended with 3: \[SHOP_DB_URL\] \[DB_PASSWORD\]") as refused:
        asked(f'{sys.executable} -c "{program}"', DB_PASSWORD="s3cr3t")
    assert "hush" not in str(refused.value).partition("ended with")[2]
    with pytest.raises(CannotStartError, match="cannot be run: No such file"):
        asked("no-such-program --check")
    monkeypatch.setattr(migrations, "COMMAND_TIMEOUT_S", 0.05)
    with pytest.raises(CannotStartError, match=r"did not end within 0\.05 s"):
        asked("sleep 20")


def test_nothing_is_asked_when_no_setting_names_anything() -> None:
    assert migrations.require(None, settings.load({})) == ""  # type: ignore[arg-type]


def test_a_migration_of_the_releases_own_cannot_be_done_before_it(tmp_path: Any) -> None:
    manifest = tmp_path / "job.yaml"
    manifest.write_text("kind: Job")
    with pytest.raises(InputError, match="cannot be done before"):
        settings.load({"MIGRATION": str(manifest), "MIGRATION_JOB": "migrate"})
