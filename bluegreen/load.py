"""The load test: locust as a process of its own, and what its figures say.

Comes in: an address, and how hard to ask. Goes out: a ``LoadResult``; ``gate`` judges it. Locust's exit code is no
verdict (1 on a single failed request, 0 when it was killed), so it is never read as one.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError, TimeoutExpiredError

if TYPE_CHECKING:
    from bluegreen.settings import Settings

MARK = {"X-Bluegreen": "gate"}
"""The header that tells an application that a request is a test's."""

PER_USER_PER_S = 15.0
"""Requests a second for each of LOAD_USERS. A choice: 20 users make 300 a second, 100 on each of three pods, more than
the 30 at which the bundled bad images show what is wrong with them, and an eighth of what one such pod can do."""

START_AND_END_S = 30.0
"""How much longer than asked locust may take to start and to write its report, when no deadline is given."""

LOOK_EVERY_S = 0.25
"""A choice: how often is looked whether a test is decided before its time; its figures come twice a second."""

# All that locust's process gets of our environment: no secret, and none of locust's own LOCUST_* settings.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE")


class LoadTestError(HarnessError):
    """The load test gave no figures: locust did not run as it should."""


@dataclass(frozen=True)
class Endpoint:
    """One method and path. ``failures`` are requests without a good answer in time; times in milliseconds."""

    method: str
    path: str
    requests: int
    failures: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    histogram_ms: Mapping[int, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Failure:
    """One way in which requests failed, and how often."""

    method: str
    path: str
    error: str
    count: int


@dataclass(frozen=True)
class LoadResult:
    """The figures of a load test, its warm-up left out.

    ``p50_ms`` and so on count from the moment a request was due, so that a stall shows in them. ``late`` and
    ``dropped``: arrivals that came late, whoever's fault, or were left out; ``overslept``: those of the late ones that
    the generator itself made late. ``unanswered``: requests that were waited for until the test ended.
    ``lag_*_ms``: how late the generator's event loop woke up, which is part of every latency and no fault of the
    application's; ``cpu_warning``: locust found its own CPU exhausted; ``busy``: the share of the time for which the
    busiest of its processes ran, or waited for a core: at 1 it could not have asked for more.
    ``histogram_ms``: answers by whole milliseconds. ``stopped_early``: why the test was ended before its time.
    ``samples``: where sides were compared, the times of each side's good answers, by ``SIDE METHOD /path``.
    ``report``: locust's own page.
    """

    requests: int
    failures: int
    success_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    rps: float
    seconds: float
    users: int
    wanted_rps: float
    late: int
    dropped: int
    endpoints: tuple[Endpoint, ...]
    errors: tuple[Failure, ...]
    histogram_ms: Mapping[int, int]
    report: str = ""
    overslept: int = 0
    unanswered: int = 0
    lag_p50_ms: float = 0.0
    lag_p95_ms: float = 0.0
    lag_p99_ms: float = 0.0
    cpu_warning: bool = False
    busy: float = 0.0
    workers: int = 0
    stopped_early: str = ""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The result as it goes into release.json; without the single times and the endpoints' histograms."""
        told = {key: value for key, value in asdict(self).items() if key != "samples"}
        for endpoint in told["endpoints"]:
            del endpoint["histogram_ms"]
        return told


Hopeless = Callable[[LoadResult, float], str]
"""Given the figures so far and the greatest number of requests still to come: why the test is decided, or ''."""


@dataclass(frozen=True)
class Plan:
    """What a load test asks, and of whom.

    ``requests``: as ``METHOD /path [JSON]``; API_PATHS when empty. ``sides``: where two releases are compared, each
    side's URLs; ``versions``: what each side must answer with, where it states a version.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: dict(MARK))
    requests: Sequence[str] = ()
    sides: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def run(
    settings: Settings,
    url: str,
    out_dir: Path,
    *,
    headers: Mapping[str, str] = MARK,
    deadline: Deadline | None = None,
    requests: Sequence[str] = (),
    hopeless: Hopeless | None = None,
) -> LoadResult:
    """Ask ``url`` for LOAD_TEST_DURATION seconds and give the figures; locust's own report goes into ``out_dir``.

    ``requests``: what to ask, as ``METHOD /path [JSON]``; API_PATHS when empty. ``hopeless`` may end it early.
    Whatever ends this call ends locust and all its children too.

    Raises:
        TimeoutExpiredError: locust was not done at the deadline.
        LoadTestError: locust wrote no figures.
    """
    plan = Plan(url, headers, requests)
    return run_plan(settings, plan, out_dir, deadline=deadline, hopeless=hopeless)


def run_plan(
    settings: Settings,
    plan: Plan,
    out_dir: Path,
    *,
    name: str = "locust",
    deadline: Deadline | None = None,
    hopeless: Hopeless | None = None,
) -> LoadResult:
    """The same for any plan; the files in ``out_dir`` are named after ``name``."""
    out_dir.mkdir(parents=True, exist_ok=True)
    summary = out_dir / f"{name}.json"
    summary.unlink(missing_ok=True)
    deadline = deadline or Deadline(settings.load_test_duration + START_AND_END_S)
    with tempfile.TemporaryDirectory() as folder:
        watch = _Watch(Path(folder) / "progress.json", settings, hopeless)
        command = [*_command(settings, plan, out_dir / name), "--progress-file", str(watch.file)]
        _run_to_end(command, out_dir / f"{name}.log", deadline, watch.look)
    if not summary.exists():
        raise LoadTestError(f"The load test wrote no figures: {_last_words(out_dir / f'{name}.log')}")
    report = str(out_dir / f"{name}.html")
    return read(json.loads(summary.read_text()), report=report, stopped_early=watch.decided)


@dataclass
class _Watch:
    """Looks at a running test's figures, and says once when it is decided."""

    file: Path
    settings: Settings
    hopeless: Hopeless | None
    decided: str = ""

    def look(self) -> bool:
        """Whether the test is to end now."""
        if self.hopeless is None or self.decided or not self.file.exists():
            return False
        so_far = read(json.loads(self.file.read_text()))
        if so_far.wanted_rps:
            measured_s = self.settings.load_test_duration - self.settings.load_warmup
            # none beyond the schedule but those that were late, and a second more than was asked for
            further = so_far.wanted_rps * max(1.0, measured_s - so_far.seconds + 2) + so_far.users
            self.decided = self.hopeless(so_far, further)
        return bool(self.decided)


def locustfile() -> Path:
    """The bundled load test: beside the package in a checkout, inside it when installed from a wheel."""
    package = Path(__file__).resolve().parent
    places = (package / "templates/loadtests/locustfile.py", package.parent / "loadtests/locustfile.py")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise LoadTestError("loadtests/locustfile.py is missing from this installation.", "Install the package again.")
    return found


def read(figures: Mapping[str, Any], report: str = "", stopped_early: str = "") -> LoadResult:
    """The result that the load test's summary file tells of."""
    entries = figures["endpoints"]
    histogram: Counter[int] = Counter()
    for entry in entries:
        histogram.update(_histogram(entry))
    lags = {int(milliseconds): count for milliseconds, count in figures.get("lags_ms", {}).items()}
    requests = sum(entry["requests"] for entry in entries)
    failures = sum(entry["failures"] for entry in entries)
    seconds = float(figures["seconds"])
    return LoadResult(
        requests=requests,
        failures=failures,
        success_rate=(requests - failures) / requests if requests else 0.0,
        p50_ms=percentile(histogram, 0.50),
        p95_ms=percentile(histogram, 0.95),
        p99_ms=percentile(histogram, 0.99),
        max_ms=max((entry["max_ms"] for entry in entries), default=0.0),
        rps=requests / seconds if seconds else 0.0,
        seconds=seconds,
        users=figures["users"],
        wanted_rps=figures["rate"],
        late=figures["late"],
        dropped=figures["dropped"],
        endpoints=tuple(sorted(map(_endpoint, entries), key=lambda endpoint: (endpoint.path, endpoint.method))),
        errors=tuple(sorted((Failure(**error) for error in figures["errors"]), key=lambda failure: -failure.count)),
        histogram_ms=dict(sorted(histogram.items())),
        report=report,
        overslept=figures.get("overslept", 0),
        unanswered=figures.get("unanswered", 0),
        lag_p50_ms=percentile(lags, 0.50),
        lag_p95_ms=percentile(lags, 0.95),
        lag_p99_ms=percentile(lags, 0.99),
        cpu_warning=figures.get("cpu_warning", False),
        busy=figures.get("busy", 0.0),
        workers=figures.get("workers", 0),
        stopped_early=stopped_early,
        samples=figures.get("samples", {}),
    )


def percentile(histogram_ms: Mapping[int, int], share: float) -> float:
    """The smallest number of milliseconds that at least ``share`` of the answers did not exceed; 0 of none."""
    wanted, seen = math.ceil(share * sum(histogram_ms.values())), 0
    for milliseconds in sorted(histogram_ms):
        seen += histogram_ms[milliseconds]
        if seen >= wanted:
            return float(milliseconds)
    return 0.0


def _command(settings: Settings, plan: Plan, out: Path) -> list[str]:
    processes = ["--processes", str(settings.load_processes)] if settings.load_processes > 1 else []
    return [
        *(sys.executable, "-m", "locust", "-f", str(locustfile()), "--headless", "--only-summary"),
        *arguments(settings, plan),
        *processes,
        *("--html", f"{out}.html", "--summary-file", f"{out}.json", "--parent", str(os.getpid())),
    ]


def arguments(settings: Settings, plan: Plan) -> list[str]:
    """What the locust file is told of a plan, wherever it runs."""
    users, asked = str(settings.load_users), plan.requests or [f"GET {path}" for path in settings.api_paths.split()]
    stated = bool(settings.version_header)
    versions = plan.versions if stated else {}
    return [
        *("--host", plan.url, "-u", users, "-r", users, "-t", f"{math.ceil(settings.load_test_duration)}s"),
        *pace(settings),
        f"--warm-up={settings.load_warmup}",
        f"--version-header={settings.version_header}",
        f"--expected-version={settings.expected_version if stated else ''}",
        *(f"--request={request}" for request in asked),
        *(f"--side={side}={url}" for side, urls in plan.sides.items() for url in urls),
        *(f"--side-version={side}={version}" for side, version in versions.items()),
        *(f"--header={name}: {value}" for name, value in plan.headers.items() or [("", "")]),
        *("--exit-code-on-error", "0"),
    ]


def escaped(argument: str) -> str:
    """An argument as a pod's manifest takes it: there ``$(NAME)`` would be replaced, and ``$$`` is a plain ``$``."""
    return argument.replace("$", "$$")


def rate_rps(settings: Settings) -> float:
    """Requests a second that a load test asks for in all."""
    return settings.load_rate or settings.load_users * PER_USER_PER_S


def pace(settings: Settings) -> list[str]:
    """How often is asked: at fixed moments whatever the answers, or by users who wait for each answer."""
    if settings.load_model == "users":
        return [f"--per-user={rate_rps(settings) / settings.load_users}"]
    return [f"--rate={rate_rps(settings)}"]


def _run_to_end(command: Sequence[str], log_file: Path, deadline: Deadline, decided: Callable[[], bool]) -> None:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    with open(log_file, "wb") as log:
        # a session of its own, so that all its children can be ended with it and Ctrl-C comes to us alone
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        while not _ended(process, min(LOOK_EVERY_S, deadline.remaining_s)):
            if deadline.expired:
                raise TimeoutExpiredError("The load test's end", deadline.elapsed_s, _last_words(log_file))
            if decided():
                process.send_signal(signal.SIGUSR1)  # the locust file writes its figures and its report, and ends
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        process.wait(timeout=max(0.01, within_s))
    except subprocess.TimeoutExpired:
        return False
    return True


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][:300] if lines else "locust said nothing"


def _histogram(entry: Mapping[str, Any]) -> dict[int, int]:
    return {int(milliseconds): count for milliseconds, count in entry["histogram_ms"].items()}


def _endpoint(entry: Mapping[str, Any]) -> Endpoint:
    histogram = _histogram(entry)
    return Endpoint(
        method=entry["method"],
        path=entry["path"],
        requests=entry["requests"],
        failures=entry["failures"],
        p50_ms=percentile(histogram, 0.50),
        p95_ms=percentile(histogram, 0.95),
        p99_ms=percentile(histogram, 0.99),
        max_ms=round(entry["max_ms"], 1),
        histogram_ms=histogram,
    )
