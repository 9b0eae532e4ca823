"""Running kind, docker and podman: the thin part, each call bounded in time, each refusal a sentence."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.errors import CannotStartError
from bluegreen.kindcluster import decisions

SHORT_S = 60.0
"""A choice: a question to kind or to the container engine."""

CREATE_S = 900.0
"""A choice: making a cluster or an image, with what has to be pulled for it."""

PROVIDER = "KIND_EXPERIMENTAL_PROVIDER"

SHOWN = 600
"""A choice: characters of a failed program's last words that are shown."""


@dataclass(frozen=True)
class Programs:
    """What is there: kind, and the container engine that it is to use."""

    engine: str  # docker or podman

    @property
    def environment(self) -> dict[str, str]:
        """The environment of what is run: kind takes this engine; a built image holds itself and no attestation, whose
        blobs ``kind load`` does not bring along."""
        return {**os.environ, PROVIDER: self.engine, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


def find() -> Programs:
    """The programs on PATH. Raises ``CannotStartError`` with what is absent, or does not answer."""
    engine, refusals = "", dict[str, str]()
    if has_kind := shutil.which("kind") is not None:
        engine, refusals = _engine()
    if problem := decisions.missing(has_kind, engine, refusals):
        raise CannotStartError(*problem)
    return Programs(engine)


def _engine() -> tuple[str, dict[str, str]]:
    """The first engine that answers, and what those said that do not."""
    refusals: dict[str, str] = {}
    for name in decisions.candidates(os.environ.get(PROVIDER, "")):
        if shutil.which(name) is None:
            continue
        code, _, said = _run([name, "version"], dict(os.environ), SHORT_S)
        if code == 0:
            return name, refusals
        refusals[name] = said.strip().splitlines()[-1] if said.strip() else f"exit code {code}"
    return "", refusals


def clusters(programs: Programs) -> list[str]:
    """The names of the kind clusters there are."""
    return output(programs, ["kind", "get", "clusters"]).split()


def run(programs: Programs, command: Sequence[str], limit_s: float) -> str:
    """Run a program to its end; its standard output. Raises ``CannotStartError`` with its last words."""
    code, out, said = _run(command, programs.environment, limit_s)
    if code != 0:
        shown = " ".join(said.split())[-SHOWN:] or f"exit code {code}"
        raise CannotStartError(f"`{' '.join(command)}` failed: {shown}", "Mend that, or use CLUSTER=local.")
    return out


def output(programs: Programs, command: Sequence[str]) -> str:
    """The standard output of a question."""
    return run(programs, command, SHORT_S)


def succeeds(programs: Programs, command: Sequence[str]) -> bool:
    """Whether a program ends well."""
    return _run(command, programs.environment, SHORT_S)[0] == 0


def _run(command: Sequence[str], environment: dict[str, str], limit_s: float) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; a program that takes too long is ended."""
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return -1, "", f"not done after {limit_s:.0f} s"
    except OSError as problem:
        return -1, "", str(problem)
    return done.returncode, done.stdout, done.stderr


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of 127.0.0.1."""
    with socket.socket() as attempt:
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
