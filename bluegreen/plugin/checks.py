"""Checks that a team has already, as tests of the gate: a file ``checks.yaml`` in a suite, an entry a test.

    - name: smoke test            # required; the test's name in the report
      stage: api                  # the stage it belongs to; "checks" unless it is named
      command: ./smoke.sh         # one of command, job, pod, prometheus; a text is run by sh -c, a list as it is
      timeout_s: 60               # seconds; 300 unless it is named

``command`` runs where the suite runs and passes by exit code 0; ``job`` and ``pod`` name a manifest of one Job or Pod
(a Helm test pod, say) beside the file, which runs in the cluster and passes when it succeeds. ``prometheus`` is a
query for PROMETHEUS_URL, with ``max``, ``min`` or ``times_live`` for thresholds, asked until there is data.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bluegreen import clock, files, gate, jobs, prometheus
from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError, InputError
from bluegreen.handle import Handle
from bluegreen.kube import connect_handle

if TYPE_CHECKING:
    from bluegreen.settings import Settings

FILE_NAME = "checks.yaml"
TIMEOUT_S = 300.0  # a choice: VALIDATION_TIMEOUT's default, for all of the gate
SHOWN_LINES = 20  # of what a failed command printed
ASK_EVERY_S = 1.0  # how often a Prometheus without data is asked again; it scrapes every few seconds at best
WAYS = ("command", "job", "pod", "prometheus")
LIMITS = ("max", "min", "times_live")
KEYS = {"name", "stage", "timeout_s", *WAYS, *LIMITS}


class ChecksFile(pytest.File):
    """One ``checks.yaml``."""

    def collect(self) -> Iterator[pytest.Item]:
        """An item an entry. Raises CollectError for anything that is not as described above."""
        try:
            entries = files.load_yaml(files.read_text(self.path))
        except (yaml.YAMLError, files.UnreadableError) as error:
            raise self.CollectError(f"{self.path}: it cannot be read: {error}") from error
        if not isinstance(entries, list) or not entries:
            raise self.CollectError(f"{self.path}: write a list with one entry a check.")
        for number, entry in enumerate(entries, 1):
            if wrong := mistake(entry):
                raise self.CollectError(f"{self.path}, check {number}: {wrong}")
            yield Check.from_parent(self, name=entry["name"], entry=entry)


class CheckFailedError(Exception):
    """A check did not pass; the sentence says how it ended and what it printed last."""


class Check(pytest.Item):
    """One check: a command, a Job or a pod."""

    def __init__(self, *, entry: Mapping[str, Any], **given: Any) -> None:
        super().__init__(**given)
        self.entry = entry
        self.add_marker(pytest.mark.stage(entry.get("stage", "checks")))

    def runtest(self) -> None:
        """Run it to its end. Raises CheckFailedError unless it passed."""
        from bluegreen.plugin.fixtures import RUN_DIR, SETTINGS
        from bluegreen.plugin.state import FILE, StateFile

        handle = Handle.from_json(StateFile(self.config.stash[RUN_DIR] / FILE).read().handle)
        deadline = Deadline(float(self.entry.get("timeout_s", TIMEOUT_S)))
        settings = self.config.stash[SETTINGS]
        if "command" in self.entry:
            run_command(self.entry["command"], self.path.parent, variables(handle), deadline)
        elif "prometheus" in self.entry:
            ask_prometheus(self.entry, handle, settings, deadline)
        else:
            self._run_job(handle, settings, deadline)

    def _run_job(self, handle: Handle, settings: Settings, deadline: Deadline) -> None:
        file = self.path.parent / str(self.entry.get("job") or self.entry.get("pod"))
        cluster = connect_handle(handle.kubeconfig, handle.context, handle.namespace)
        try:
            ended = jobs.run(cluster, jobs.read(settings, file), release=handle.release_id, deadline=deadline)
            jobs.must_succeed(ended)
        except InputError:
            raise
        except HarnessError as error:
            raise CheckFailedError(str(error)) from error

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> str:
        """The sentence alone: a traceback would be this harness's."""
        if isinstance(excinfo.value, CheckFailedError | HarnessError | gate.CheckError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands, and its name."""
        return self.path, None, self.name


def mistake(entry: object) -> str:
    """What is wrong with an entry, in words; empty when nothing is."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"].strip():
        return "it needs a name."
    if unknown := sorted(str(key) for key in entry if key not in KEYS):
        return f"unknown key {', '.join(unknown)}; a check has {', '.join(sorted(KEYS))}."
    if len([way for way in WAYS if entry.get(way)]) != 1:
        return f"it needs exactly one of {', '.join(WAYS)}."
    timeout_s = entry.get("timeout_s", TIMEOUT_S)
    if not isinstance(timeout_s, int | float) or isinstance(timeout_s, bool) or timeout_s <= 0:
        return f"timeout_s={timeout_s!r}: write a number of seconds above 0."
    return _wrong_text(entry) or _wrong_limits(entry)


def _wrong_limits(entry: Mapping[str, Any]) -> str:
    given = {key: entry[key] for key in LIMITS if key in entry}
    if bool(given) != ("prometheus" in entry):
        return f"a query needs thresholds, and nothing else has them: {', '.join(LIMITS)}."
    wrong = {
        key: value for key, value in given.items() if isinstance(value, bool) or not isinstance(value, int | float)
    }
    return next((f"{key}={value!r}: write a number." for key, value in wrong.items()), "")


def _wrong_text(entry: Mapping[str, Any]) -> str:
    command = entry.get("command", "")
    words = command if isinstance(command, list) else [command]
    texts = {key: entry.get(key, "") for key in ("stage", "job", "pod", "prometheus")}
    if not all(isinstance(word, str) for word in words):
        return "command: write a text or a list of texts."
    return next((f"{key}: write a text." for key, value in texts.items() if not isinstance(value, str)), "")


def variables(handle: Handle) -> dict[str, str]:
    """What a command is told in its environment beside what the run was started with."""
    return {
        "CANDIDATE_URL": handle.preview_urls.get("http", ""),
        "LIVE_URL": handle.live_urls.get("http", ""),
        "LIVE_HOST": handle.live_host,
        "CANDIDATE": handle.candidate,
        "CANDIDATE_IMAGE": handle.image,
        "CANDIDATE_VERSION": handle.version,
        "RELEASE_ID": handle.release_id,
        "NAMESPACE": handle.namespace,
        "KUBECONFIG": handle.kubeconfig,
        "KUBE_CONTEXT": handle.context,
    }


def run_command(command: str | list[str], folder: Path, told: Mapping[str, str], deadline: Deadline) -> None:
    """Run a command in a folder and a process group of its own, which is ended at the deadline.

    Raises CheckFailedError with the exit code and the last lines printed.
    """
    words = ["sh", "-c", command] if isinstance(command, str) else command
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise CheckFailedError(f"{words[0]} cannot be started: {error.strerror}.") from error
    try:
        printed, _ = process.communicate(timeout=deadline.remaining_s)
    except subprocess.TimeoutExpired as expired:
        raise CheckFailedError(f"{words[0]} did not end within {deadline.seconds:g} seconds.") from expired
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        last = "\n".join(printed.strip().splitlines()[-SHOWN_LINES:]) or "nothing"
        raise CheckFailedError(f"{words[0]} exited with {process.returncode}. It printed:\n{last}")


def ask_prometheus(entry: Mapping[str, Any], handle: Handle, settings: Settings, deadline: Deadline) -> None:
    """Ask a query until it has data, of the live colour too where it is compared, and hold it against its thresholds.

    Raises CheckError when it is outside of them or has no data at the deadline, PrometheusError when it is refused.
    """
    if not settings.prometheus_url:
        raise CheckFailedError("PROMETHEUS_URL is not set, and this check asks a Prometheus.")
    limits = gate.Thresholds(entry.get("min"), entry.get("max"), entry.get("times_live"))
    compared = limits.times_live is not None
    if compared and handle.live in (None, handle.candidate):
        pytest.skip("nothing else is live that it could be compared with")
    while True:
        ours = _ask(entry, handle, settings, handle.candidate)
        theirs = _ask(entry, handle, settings, str(handle.live)) if compared else []
        if (ours and (theirs or not compared)) or deadline.expired:
            break
        clock.sleep_s(min(ASK_EVERY_S, deadline.remaining_s))
    gate.require(gate.within(str(entry["name"]), ours, limits, theirs))


def _ask(entry: Mapping[str, Any], handle: Handle, settings: Settings, colour: str) -> list[prometheus.Sample]:
    facts = {"NAMESPACE": handle.namespace, "APP_NAME": handle.app_name, "SERVICE_NAME": handle.service_name}
    query = prometheus.filled(str(entry["prometheus"]), {**facts, "COLOUR": colour})
    return prometheus.ask(settings.prometheus_url, query, settings.prometheus_token)
