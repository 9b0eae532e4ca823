"""Whole releases on an API that fails: refused, overloaded, cut off, slow, forgetful and behind the times.

    python -m tests.fault_matrix --releases 50 --seed 1
    python -m tests.fault_matrix --releases 1 --seed 17        the case that a line calls seed 17

Every case is a process as a user starts it: ``pytest suites/release`` with the real gate, or ``bluegreen rollback``.
Only its requests meet the faults (they know it by its User-Agent); the cluster's own parts do not, and neither does
whoever watches. Prints a line a case and a table; exits with 1 when one did not end as it must. The ordinary tests run
a seeded sample.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluegreen import clock, confirm, localkube
from bluegreen.access import Access
from bluegreen.colour import Colour
from bluegreen.errors import HarnessError
from bluegreen.probe import Probe
from tests.apps import App
from tests.matrix import whole
from tests.matrix.row import Row
from tests.matrix.table import Tried, figures, table, wrong

RELEASES = 50
CLIENT = "bluegreen"
"""The User-Agent of releases."""

Faults = Mapping[str, Mapping[str, Any]]
FAULTS: Faults = {
    "requests": {"share": 0.2},
    "latency": {"delay_s": 0.2},
    "watches": {"share": 0.5, "within_s": 3},
    "stale": {"share": 0.3, "behind_s": 1, "reads": "all"},
}
"""One request in five fails, in each of the ways there are; all are late; half the watches end early; of the reads
three in ten are a second old, more than Kubernetes would do (``reads=all``)."""

LONGEST_S = 420.0
"""A case that takes longer hangs. A choice: five times what one takes on a machine of its own."""

SETTINGS = {
    "LEASE_DURATION": "15",
    "HEALTH_CHECK_TIMEOUT": "60",
    "ROLLBACK_TIMEOUT": "60",
    "LOAD_TEST_DURATION": "6",
}
"""The defaults (the lock, the way back), a candidate that is given up sooner, and a load that a busy machine starts."""


@dataclass(frozen=True)
class Scenario:
    """One kind of case: what served before, what is done, and how it must end."""

    tag: str
    before: Sequence[str] = ()
    code: int = 0
    outcome: str = "switched"
    live: Colour | None = Colour.BLUE
    selectors: Sequence[str] = ()
    """What the live selector was, from the beginning to the end; nothing in between."""
    command: str = ""  # of ``bluegreen``, in place of a release
    settings: Mapping[str, str] = field(default_factory=dict)
    harmful: bool = False  # whether the candidate itself fails requests once it serves


V1, V2 = "v1.0.0", "v1.1.0"
SCENARIOS: dict[str, Scenario] = {
    "forward": Scenario(V2, (V1,), live=Colour.GREEN, selectors=("blue", "green")),
    "bad candidate": Scenario(f"{V2}-bad-http-500", (V1,), 1, "gate-failed", selectors=("blue",)),
    "first release": Scenario(V1, selectors=("none", "blue")),
    "rollback": Scenario(V2, (V1, V2), command="rollback", selectors=("green", "blue")),
    "turns bad": Scenario(
        f"{V2}-bad-http-500-after-switch", (V1,), 6, "rolled-back", selectors=("blue", "green", "blue"),
        settings={"POST_SWITCH_WATCH": "60"}, harmful=True,
    ),
    "bad first release": Scenario(f"{V1}-bad-http-500", (), 1, "gate-failed", None, ("none",)),
    "never ready": Scenario(
        f"{V2}-bad-never-ready", (V1,), 1, "gate-failed", selectors=("blue",), settings={"HEALTH_CHECK_TIMEOUT": "15"}
    ),
}  # fmt: skip
"""A case's seed, divided by their number, leaves the place of its scenario here."""


def scenario_of(seed: int) -> str:
    """The scenario of a case."""
    return [*SCENARIOS][seed % len(SCENARIOS)]


@dataclass
class Case:
    """What became of one case; ``problem`` is "" when everything was as it must be."""

    seed: int
    problem: str = ""
    spent_s: float = 0.0
    requests: int = 0  # to the live address meanwhile
    failed: int = 0
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """Its scenario."""
        return scenario_of(self.seed)

    def __str__(self) -> str:
        said = self.problem or f"ended as it must; {self.struck['requests']} of {self.struck['seen']} requests failed"
        return f"seed {self.seed}, {self.name}: {said} ({self.spent_s:.0f} s)"


def try_case(cluster: localkube.Cluster, folder: Path, seed: int, faults: Faults = FAULTS) -> Case:
    """Run one case on an application of its own, and hold what must be true afterwards."""
    case, app = Case(seed), App(cluster, folder)
    spare(app)
    started_s = clock.now_s()
    try:
        for tag in SCENARIOS[case.name].before:
            app.released(tag)
        _run(case, app, SCENARIOS[case.name], faults)
    except (AssertionError, HarnessError) as error:
        case.problem = f"NOT AS IT MUST BE: {error}"
    finally:
        case.spent_s = clock.now_s() - started_s
        cluster.clear_faults()
        app.remove()
    return case


def spare(app: App) -> None:
    """Let the requests of whoever watches through: faults know releases by their User-Agent."""
    headers = app.kube.transport.headers
    app.kube.transport.headers = lambda: {**headers(), "User-Agent": "watching"}  # type: ignore[method-assign]


def _run(case: Case, app: App, scenario: Scenario, faults: Faults) -> None:
    with ExitStack() as stack:
        probe = stack.enter_context(_probing(case, app)) if scenario.before else None
        selectors = stack.enter_context(app.watched())
        with failing(app.cluster, case.seed, faults) as case.struck:
            run = _start(app, scenario)
            code = run.end(LONGEST_S)
        _hold_verdict(scenario, run, code)
    assert [*dict.fromkeys(selectors)] == [*dict.fromkeys(scenario.selectors)], f"the live selector was {selectors}"
    assert len(selectors) <= len(scenario.selectors) + 1, f"the live selector was {selectors}"
    assert app.live is scenario.live, f"{app.live} serves"
    app.at_rest()
    _require_tidy(app)
    if scenario.live is not None:
        _require_healthy(app, scenario)
    assert probe is None or scenario.harmful or not case.failed, f"{case.failed} of {case.requests} requests failed"
    assert case.struck["requests"] > 0, f"no request failed: nothing was shown ({case.struck})"


def _start(app: App, scenario: Scenario) -> whole.Run:
    more = {**SETTINGS, **scenario.settings}
    if scenario.command:
        return whole.bluegreen(app, scenario.tag, scenario.command, **more)
    return whole.release(app, scenario.tag, **more)


@contextmanager
def failing(cluster: localkube.Cluster, seed: int, faults: Faults = FAULTS) -> Iterator[Counter[str]]:
    """The API fails releases meanwhile; what it did to how many requests is counted afterwards."""
    struck: Counter[str] = Counter()
    for kind, values in faults.items():
        cluster.set_fault(kind, client=CLIENT, seed=seed, **values)
    try:
        yield struck
    finally:
        for fault in cluster.clear_faults():
            struck[fault["kind"]] = fault["struck"]
            if fault["kind"] == "requests":
                struck["seen"] = fault["seen"]


@contextmanager
def _probing(case: Case, app: App) -> Iterator[Probe]:
    """What users feel meanwhile, by a probe that is not the release's."""
    access = Access(app.kube, app.settings(V1))
    probe = Probe(f"{access.live().url}/", "X-Version", app.folder / f"probe-{uuid.uuid4().hex[:8]}" / "probe.jsonl")
    probe.start()
    try:
        yield probe
    finally:
        result = probe.stop()
        access.close()
        case.requests, case.failed = result.requests, result.failed


def _hold_verdict(scenario: Scenario, run: whole.Run, code: int) -> None:
    assert code == scenario.code, f"exit code {code}, not {scenario.code}: {run.output[-3000:]}"
    assert "Traceback" not in run.output, run.output[-3000:]
    if not scenario.command:
        (file,) = (run.folder / "reports").glob("latest/release.json")
        outcome = json.loads(file.read_text())["outcome"]
        assert outcome == scenario.outcome, f"the verdict was {outcome}, not {scenario.outcome}"


def _require_healthy(app: App, scenario: Scenario) -> None:
    """The colour that must serve does so, as its version."""
    version = scenario.tag if scenario.live is Colour.GREEN or not scenario.before else scenario.before[0]
    access = Access(app.kube, app.settings(version))
    address = access.live()
    target = confirm.Target(address.host, address.port, app.settings(version).health_path, "X-Version", version)
    answers = [confirm.ask(target) for _ in range(5)]
    access.close()
    assert all(answer.good(target) for answer in answers), f"{[*map(str, answers)]}, not {version}"


KNOWN = {
    "Deployment": {"gremlinsai-backend-blue", "gremlinsai-backend-green"},
    "Service": {"gremlinsai-service", "gremlinsai-service-preview"},
    "HorizontalPodAutoscaler": {"gremlinsai-backend-blue", "gremlinsai-backend-green"},
    "PodDisruptionBudget": {"gremlinsai-backend-blue", "gremlinsai-backend-green"},
    "Lease": {"gremlinsai-backend-release"},
}
"""What a release may leave of these kinds, whatever becomes of it."""


def _require_tidy(app: App) -> None:
    """No object twice, none that is nobody's, and no pod outside of the live colour's."""
    for kind, names in KNOWN.items():
        left = {obj["metadata"]["name"] for obj in app.kube.list(kind)} - names
        assert not left, f"left over: {kind} {sorted(left)}"
    owners = {
        o["name"] for pod in app.kube.list("Pod") for o in pod["metadata"].get("ownerReferences") or [{"name": ""}]
    }
    assert len(owners) <= 1, f"pods of {sorted(owners)}"


def run(seed: int, count: int | None = None) -> list[Row]:
    """``count`` cases with the seeds from ``seed`` on; a row for each scenario that came."""
    cases = []
    with localkube.running(localkube.DEFAULT_NAME) as cluster, tempfile.TemporaryDirectory() as folder:
        total = RELEASES if count is None else count
        for number, one in enumerate(range(seed, seed + total), 1):
            cases.append(try_case(cluster, Path(folder), one))
            print(f"{number}/{total} {cases[-1]}", file=sys.stderr, flush=True)
    return [_row(name, found, seed) for name in SCENARIOS if (found := [case for case in cases if case.name == name])]


def _row(name: str, cases: list[Case], seed: int) -> Row:
    lost = [f"python -m tests.fault_matrix --releases 1 --seed {c.seed}: {c.problem}" for c in cases if c.problem]
    struck: Counter[str] = sum((case.struck for case in cases), Counter())
    told = {
        "requests to the API": str(struck["seen"]),
        "failed": str(struck["requests"]),
        "watches ended": str(struck["watches"]),
        "stale reads": str(struck["stale"]),
        "longest": f"{max(case.spent_s for case in cases):.0f} s",
    }
    asked, failed = sum(case.requests for case in cases), sum(case.failed for case in cases)
    return Row(
        f"on a failing API: {name}", len(cases), len(cases) - len(lost), seed, asked, failed,
        SCENARIOS[name].harmful, lost, told,
    )  # fmt: skip


def main() -> int:
    """Run the matrix on a cluster of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the first case; the next ones have the next seeds")
    parser.add_argument("--releases", type=int, default=RELEASES, help=f"how many cases ({RELEASES})")
    given = parser.parse_args()
    done = [Tried("faults", given.seed, given.releases, run(given.seed, given.releases))]
    print(table(done), figures(done), wrong(done), sep="\n\n")
    return 0 if all(row.ok for row in done[0].rows) else 1


if __name__ == "__main__":
    sys.exit(main())
