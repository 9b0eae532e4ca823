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
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    ``dropped``: arrivals that the generator made late, or left out. ``histogram_ms``: answers by whole milliseconds.
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

    def to_json(self) -> dict[str, Any]:
        """The result as it goes into release.json."""
        return asdict(self)


def run(
    settings: Settings,
    url: str,
    out_dir: Path,
    *,
    headers: Mapping[str, str] = MARK,
    deadline: Deadline | None = None,
    requests: Sequence[str] = (),
) -> LoadResult:
    """Ask ``url`` for LOAD_TEST_DURATION seconds and give the figures; locust's own report goes into ``out_dir``.

    ``requests``: what to ask, as ``METHOD /path [JSON]``; API_PATHS when empty.
    Whatever ends this call ends locust and all its children too.

    Raises:
        TimeoutExpiredError: locust was not done at the deadline.
        LoadTestError: locust wrote no figures.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    summary = out_dir / "locust.json"
    summary.unlink(missing_ok=True)
    asked = requests or [f"GET {path}" for path in settings.api_paths.split()]
    command = _command(settings, url, out_dir, headers, asked)
    deadline = deadline or Deadline(settings.load_test_duration + START_AND_END_S)
    _run_to_end(command, out_dir, deadline)
    if not summary.exists():
        raise LoadTestError(f"The load test wrote no figures: {_last_words(out_dir / 'locust.log')}")
    return read(json.loads(summary.read_text()), report=str(out_dir / "locust.html"))


def locustfile() -> Path:
    """The bundled load test: beside the package in a checkout, inside it when installed from a wheel."""
    package = Path(__file__).resolve().parent
    places = (package / "templates/loadtests/locustfile.py", package.parent / "loadtests/locustfile.py")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise LoadTestError("loadtests/locustfile.py is missing from this installation.", "Install the package again.")
    return found


def read(figures: Mapping[str, Any], report: str = "") -> LoadResult:
    """The result that the load test's summary file tells of."""
    entries = figures["endpoints"]
    histogram: Counter[int] = Counter()
    for entry in entries:
        histogram.update(_histogram(entry))
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
    )


def percentile(histogram_ms: Mapping[int, int], share: float) -> float:
    """The smallest number of milliseconds that at least ``share`` of the answers did not exceed; 0 of none."""
    wanted, seen = math.ceil(share * sum(histogram_ms.values())), 0
    for milliseconds in sorted(histogram_ms):
        seen += histogram_ms[milliseconds]
        if seen >= wanted:
            return float(milliseconds)
    return 0.0


def _command(
    settings: Settings, url: str, out_dir: Path, headers: Mapping[str, str], requests: Iterable[str]
) -> list[str]:
    users = str(settings.load_users)
    return [
        *(sys.executable, "-m", "locust", "-f", str(locustfile()), "--headless", "--only-summary", "--host", url),
        *("-u", users, "-r", users, "-t", f"{math.ceil(settings.load_test_duration)}s"),
        f"--rate={settings.load_users * PER_USER_PER_S}",
        f"--warm-up={settings.load_warmup}",
        f"--version-header={settings.version_header}",
        f"--expected-version={settings.expected_version if settings.version_header else ''}",
        *(f"--request={request}" for request in requests),
        *(f"--header={name}: {value}" for name, value in headers.items() or [("", "")]),
        *("--html", str(out_dir / "locust.html"), "--summary-file", str(out_dir / "locust.json")),
        *("--parent", str(os.getpid()), "--exit-code-on-error", "0"),
    ]


def _run_to_end(command: Sequence[str], out_dir: Path, deadline: Deadline) -> None:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    with open(out_dir / "locust.log", "wb") as log:
        # a session of its own, so that all its children can be ended with it and Ctrl-C comes to us alone
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        process.wait(timeout=deadline.remaining_s)
    except subprocess.TimeoutExpired:
        last_seen = _last_words(out_dir / "locust.log")
        raise TimeoutExpiredError("The load test's end", deadline.elapsed_s, last_seen) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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
    )
