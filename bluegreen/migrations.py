"""Whether the migrations that others run are done: a Job in the namespace, or a command of the team's that knows.

A migration that the release runs itself (MIGRATION) is no business of this module.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from typing import Any

from bluegreen import grammar, registry
from bluegreen.errors import CannotStartError
from bluegreen.evidence import redacted, secret_values
from bluegreen.grammar import Refused
from bluegreen.kube import Kube
from bluegreen.settings import Settings

Obj = dict[str, Any]

SOUNDS_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|_URL|_URI", re.IGNORECASE)

COMMAND_TIMEOUT_S = 60.0
"""A choice: a command that only asks is done in seconds."""


def require(kube: Kube, settings: Settings) -> str:
    """What says that the migrations are done, in words; '' where no setting names anything to ask.

    Raises CannotStartError when they are not done.
    """
    said = []
    if settings.migration_job:
        said.append(completed(kube.get("Job", settings.migration_job), settings.migration_job, settings.docker_image))
    if settings.migration_command:
        said.append(_asked(settings))
    return "; ".join(said)


def completed(job: Obj | None, name: str, image: str) -> str:
    """That a Job has completed, in words. Raises CannotStartError when it has not. Pure.

    One that ran another version of the very image that is released is an earlier release's.
    """
    if job is None:
        raise CannotStartError(f"MIGRATION_JOB={name}: there is no such Job.", "Run it, or correct the name.")
    conditions = [c for c in (job.get("status") or {}).get("conditions") or [] if c.get("status") == "True"]
    by_type = {condition.get("type"): condition for condition in conditions}
    if failed := by_type.get("Failed"):
        why = ": ".join(filter(None, (failed.get("reason"), failed.get("message"))))
        raise CannotStartError(f"MIGRATION_JOB={name} has failed ({why}).", "Look at its log, and run it again.")
    if "Complete" not in by_type:
        raise CannotStartError(f"MIGRATION_JOB={name} has not completed.", "Wait until it has.")
    for ran in (str(c.get("image", "")) for c in job["spec"]["template"]["spec"].get("containers") or []):
        if _other_version(ran, image):
            raise CannotStartError(
                f"MIGRATION_JOB={name} has completed, but it ran {ran}, and {image} is released.",
                "Run the migration of this version first.",
            )
    return f"Job {name} completed at {(job.get('status') or {}).get('completionTime', 'an unknown time')}"


def _other_version(ran: str, released: str) -> bool:
    """Whether both are versions of one image, by their tags, and differ."""
    try:
        one, other = grammar.parse_image(ran), grammar.parse_image(released)
    except Refused:
        return False
    same_name = registry.locate(one).path == registry.locate(other).path
    return same_name and bool(one.tag and other.tag) and one.tag != other.tag


def _secrets(settings: Settings) -> dict[str, str]:
    """What must not be shown of a command's output: secret settings, and variables whose names sound like secrets."""
    named = {value: f"[{name}]" for name, value in os.environ.items() if SOUNDS_SECRET.search(name) and len(value) > 3}
    return named | secret_values(settings)


def _asked(settings: Settings) -> str:
    """Run the command. Raises CannotStartError with its last line when it does not end with 0."""
    shown = f"MIGRATION_COMMAND={settings.migration_command}"
    try:
        done = subprocess.run(
            shlex.split(settings.migration_command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            env=os.environ,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotStartError(f"{shown} did not end within {COMMAND_TIMEOUT_S:g} s.", "Have it only ask.") from None
    except OSError as error:
        raise CannotStartError(f"{shown} cannot be run: {error.strerror}.", "Correct the command.") from None
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).strip().splitlines()
        last = redacted(lines[-1][:200], _secrets(settings)) if lines else "it said nothing"
        raise CannotStartError(f"{shown} ended with {done.returncode}: {last}.", "Run the migrations first.")
    return f"{shown} ended with 0"
