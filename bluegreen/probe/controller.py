"""Starts the probe's process, marks the steps of the release, and reads what it has found so far."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from pathlib import Path

from bluegreen import clock
from bluegreen.errors import HarnessError
from bluegreen.probe.result import SWITCHED, Answer, Felt, ProbeResult, felt, summarise

ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),  # whom a machine trusts, where that is not the system's own choice
)
"""All that the probe's process gets of our environment: no secret."""

SUMMARY_SHARE = 0.05
"""At most this share of the time goes into summing up: half an hour's answers take 0.1 s, and it is asked for often."""


class ProbeDiedError(HarnessError):
    """The probe's process ended by itself, so that nobody watches live any more."""

    def __init__(self, exit_code: int, said: str) -> None:
        self.exit_code = exit_code
        super().__init__(f"The probe ended by itself with exit code {exit_code}: {said or 'it said nothing'}.")


class Probe:
    """The probe of one release. Its methods may be called from any thread.

    ``url``: what to ask. ``version_header``: the header that states a version, "" for none. ``out_file``: takes one
    JSON line a request. ``rate_per_s``: requests a second, half of them on fresh connections. ``serving``: whether
    something serves when it starts; if not, counting begins with the first good answer. ``authority``: the host that
    requests name, where it is another than the URL's.
    """

    def __init__(
        self,
        url: str,
        version_header: str,
        out_file: Path,
        *,
        rate_per_s: float = 20.0,
        keep_alive: int = 4,
        timeout_s: float = 2.0,
        serving: bool = True,
        authority: str = "",
    ) -> None:
        self.url, self.out_file, self.serving = url, out_file, serving
        self._timeout_s = timeout_s
        self._command = [
            *(sys.executable, "-m", "bluegreen.probe", f"--url={url}", f"--out={out_file}", f"--rate={rate_per_s}"),
            *(f"--keep-alive={keep_alive}", f"--timeout={timeout_s}", f"--version-header={version_header}"),
            f"--host={authority}",
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: list[Answer] = []
        self._marks: list[tuple[str, float]] = []
        self._offset = 0
        self._last: ProbeResult | None = None
        self._last_good_until_s = 0.0
        self._lock = threading.Lock()
        self._started_s, self._started = clock.now_s(), clock.utc()

    def start(self) -> None:
        """Start asking. A process group of its own: Ctrl-C is for the harness, which still needs the answers."""
        self.out_file.parent.mkdir(parents=True, exist_ok=True)
        self.out_file.touch()
        self._started_s, self._started = clock.now_s(), clock.utc()
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        with open(self.out_file.with_suffix(".log"), "wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
            )

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def mark(self, name: str) -> None:
        """Note a step of the release at this moment; ``SWITCH`` and ``SWITCHED`` frame the switch."""
        with self._lock:
            self._marks.append((name, clock.now_s()))
            self._last = None

    def snapshot(self) -> ProbeResult:
        """What was found so far.

        Raises:
            ProbeDiedError: the process ended by itself.
        """
        if self._process is not None and (exit_code := self._process.poll()) is not None:
            said = self.out_file.with_suffix(".log").read_text(errors="replace").strip().splitlines()
            raise ProbeDiedError(exit_code, said[-1] if said else "")
        return self._result(may_be_old=True)

    def felt(self, mark: str) -> Felt:
        """What was felt from the last mark of this name until the next mark but ``SWITCHED``, or until now."""
        with self._lock:
            self._read_on()
            moments = [at_s for name, at_s in self._marks if name == mark]
            if not moments:
                return Felt(0, 0, 0.0)
            later = [at_s for name, at_s in self._marks if at_s > moments[-1] and name != SWITCHED]
            return felt(self._answers, moments[-1], min(later, default=math.inf))

    def stop(self) -> ProbeResult:
        """Stop asking, wait for the answers under way, and give the result; a second call gives it again."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(2 * self._timeout_s + 1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return self._result()

    def _result(self, may_be_old: bool = False) -> ProbeResult:
        """What was found. ``may_be_old``: an earlier result will do, as long as no request has failed since."""
        with self._lock:
            added = self._read_on()
            started_s = clock.now_s()
            recent = may_be_old and started_s < self._last_good_until_s
            if recent and self._last is not None and all(answer.ok for answer in added):
                return self._last
            marks = list(self._marks)
            self._last = summarise(self._answers, marks, self._started_s, self._started, not self.serving)
            self._last_good_until_s = clock.now_s() + (clock.now_s() - started_s) / SUMMARY_SHARE
            return self._last

    def _read_on(self) -> list[Answer]:
        """Read the lines that were added since; a line that is not complete yet is left for the next time."""
        if not self.out_file.exists():
            return []
        with open(self.out_file, "rb") as file:
            file.seek(self._offset)
            added = file.read()
        complete = added[: added.rfind(b"\n") + 1]
        self._offset += len(complete)
        answers = [Answer.of(line) for line in complete.decode().splitlines()]
        self._answers += answers
        return answers
