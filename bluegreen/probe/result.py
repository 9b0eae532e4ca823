"""What the probe's answers amount to. Pure: lines of the probe's process in, a ``ProbeResult`` out."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

SWITCH = "switch"  # the mark set right before the live selector is patched
SWITCHED = "switched"  # the mark set when the switch is confirmed

REHEARSE_FORWARD, REHEARSE_BACK = "rehearse forward", "rehearse back"  # the marks before a rehearsal's two patches
UNSERVED = "nobody serves"
"""The mark set right before live traffic is taken back to nobody: nothing is lost from there on, nothing counts."""

BUCKETS_LIMIT = 240  # buckets of the timeline, enough for a picture 1,000 pixels wide
CLOSE_UP_S = (2.0, 4.0)  # seconds before and after the switch of which every single answer is kept
DURING_S = 2.0  # at least this long after the patch counts as "during": traffic moves within 0.2 s on a real cluster
FAILURES_SHOWN = 20

ERRORS = {
    "refused": "the connection was refused",
    "connect-timeout": "no connection within the time-out",
    "connect-failed": "no connection could be made",
    "timeout": "no whole answer within the time-out",
    "closed": "the connection was closed before anything was answered",
    "closed-while-kept": "the server closed a kept connection as a request was on its way",
    "cut": "the answer was cut off",
    "not-http": "the answer was not HTTP",
    "status": "the answer was an error",
}


def is_good(status: int) -> bool:
    """Whether a user gets what they asked for: 2xx and 3xx."""
    return 200 <= status < 400


@dataclass(frozen=True, slots=True)
class Answer:
    """One request. ``at_s``: when it was due, monotonic; ``ms``: from then to the end of the answer or the failure."""

    at_s: float
    ms: float
    late_ms: float
    fresh: bool
    status: int
    version: str
    error: str

    @staticmethod
    def of(line: str) -> Answer:
        """The answer that a line tells of."""
        entry = json.loads(line)
        return Answer(*(entry[name] for name in Answer.__slots__))

    @property
    def ended_s(self) -> float:
        """When it was over, monotonic."""
        return self.at_s + self.ms / 1000

    @property
    def ok(self) -> bool:
        """Whether it was answered well."""
        return not self.error


@dataclass(frozen=True)
class Mark:
    """A step of the release, in seconds since the probe started."""

    name: str
    at_s: float


@dataclass(frozen=True)
class Bucket:
    """Some seconds of the timeline. ``versions``: good answers by the version stated, "" where none is."""

    at_s: float
    requests: int
    failed: int
    p50_ms: float
    max_ms: float
    versions: dict[str, int]


@dataclass(frozen=True)
class Kind:
    """Requests and failures of one kind of connection."""

    requests: int
    failed: int


@dataclass(frozen=True)
class ProbeResult:
    """What users would have felt. Times are seconds since the probe started, ``started`` by the wall clock.

    ``longest_gap_ms``: the longest time without a good answer, from the end of one to the end of the next.
    ``counted_from``: when counting began; None as long as nothing counts (a first release: nothing serves yet).
    ``not_counted``: requests before that, and after live traffic was taken back to nobody. ``late_ms``: how late the
    probe itself was at worst; a gap that is no longer than this is the machine's fault, not the release's.
    """

    requests: int
    failed: int
    longest_gap_ms: float
    started: str
    counted_from: str | None
    not_counted: int
    duration_s: float
    late_ms: float
    first_failures: tuple[str, ...]
    errors: dict[str, int]
    by_version: dict[str, int]
    fresh: Kind
    keep_alive: Kind
    p50_ms: dict[str, float | None]
    p99_ms: dict[str, float | None]
    bucket_s: float
    timeline: tuple[Bucket, ...]
    close_up: tuple[Answer, ...]
    marks: tuple[Mark, ...]

    def to_json(self) -> dict[str, Any]:
        """The result as it goes into release.json."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """The result in one line."""
        if not self.requests:
            return "The probe has no answer that counts."
        felt = "no request failed" if not self.failed else f"{self.failed} of them failed"
        return f"{self.requests:,} requests, {felt}, longest gap {self.longest_gap_ms:.0f} ms."


def summarise(
    answers: Iterable[Answer],
    marks: Sequence[tuple[str, float]],
    started_s: float,
    started: datetime,
    from_first_good: bool,
) -> ProbeResult:
    """The result of all answers so far.

    ``marks`` and ``started_s`` are monotonic, ``started`` is the same moment by the wall clock. ``from_first_good``:
    nothing served when the probe started, so that only what follows the first good answer counts; and of that only
    what was over before the mark ``UNSERVED``.
    """
    every = sorted(answers, key=lambda answer: answer.at_s)
    counted_from_s = _counted_from(every, started_s, from_first_good)
    until_s = dict(reversed(marks)).get(UNSERVED, math.inf)
    counted = [answer for answer in every if counted_from_s is not None and answer.at_s >= counted_from_s]
    counted = [answer for answer in counted if answer.ended_s < until_s]
    failures = [answer for answer in counted if not answer.ok]
    bucket_s = _bucket_width(every, started_s)
    return ProbeResult(
        requests=len(counted),
        failed=len(failures),
        longest_gap_ms=round(_longest_gap_s(counted) * 1000, 1),
        started=_iso(started),
        counted_from=None if counted_from_s is None else _iso(started + timedelta(seconds=counted_from_s - started_s)),
        not_counted=len(every) - len(counted),
        duration_s=round(max((answer.ended_s for answer in every), default=started_s) - started_s, 3),
        late_ms=max((answer.late_ms for answer in counted), default=0.0),
        first_failures=tuple(_sentence(answer, started_s, started, marks) for answer in failures[:FAILURES_SHOWN]),
        errors=dict(Counter(answer.error for answer in failures)),
        by_version=dict(Counter(answer.version for answer in counted if answer.ok)),
        fresh=_kind(counted, True),
        keep_alive=_kind(counted, False),
        p50_ms=_around_switch(counted, marks, 0.50),
        p99_ms=_around_switch(counted, marks, 0.99),
        bucket_s=bucket_s,
        timeline=_timeline(counted, started_s, bucket_s),
        close_up=_close_up(counted, marks, started_s),
        marks=tuple(Mark(name, round(at_s - started_s, 3)) for name, at_s in marks),
    )


@dataclass(frozen=True)
class Felt:
    """What users felt in a part of a release; ``by_version``: good answers by the version stated."""

    requests: int
    failed: int
    longest_gap_ms: float
    by_version: dict[str, int] = field(default_factory=dict)


def felt(answers: Iterable[Answer], from_s: float, until_s: float) -> Felt:
    """What was felt of the requests due between two moments of the monotonic clock."""
    inside = sorted((a for a in answers if from_s <= a.at_s < until_s), key=lambda answer: answer.at_s)
    by_version = dict(Counter(answer.version for answer in inside if answer.ok))
    return Felt(len(inside), sum(not a.ok for a in inside), round(_longest_gap_s(inside) * 1000, 1), by_version)


def percentile(sorted_ms: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of the values do not exceed; None of no values."""
    if not sorted_ms:
        return None
    return sorted_ms[max(0, math.ceil(share * len(sorted_ms)) - 1)]


def _counted_from(answers: Sequence[Answer], started_s: float, from_first_good: bool) -> float | None:
    if not from_first_good:
        return started_s
    return next((answer.at_s for answer in answers if answer.ok), None)


def _longest_gap_s(answers: Sequence[Answer]) -> float:
    """The longest time without a good answer, the time since the last one included when requests failed after it."""
    ends = sorted(answer.ended_s for answer in answers if answer.ok)
    gaps = [later - earlier for earlier, later in itertools.pairwise(ends)]
    failed_after = [answer.ended_s for answer in answers if not answer.ok and ends and answer.ended_s > ends[-1]]
    return max([*gaps, *(end - ends[-1] for end in failed_after)], default=0.0)


def _kind(answers: Iterable[Answer], fresh: bool) -> Kind:
    ours = [answer for answer in answers if answer.fresh is fresh]
    return Kind(len(ours), sum(not answer.ok for answer in ours))


def _around_switch(
    answers: Iterable[Answer], marks: Sequence[tuple[str, float]], share: float
) -> dict[str, float | None]:
    """A percentile of the good answers' times before, during and after the first switch."""
    moments = dict(reversed(marks))  # the first mark of a name counts
    switch_s = moments.get(SWITCH, math.inf)
    settled_s = max(switch_s + DURING_S, moments.get(SWITCHED, -math.inf))
    parts: dict[str, list[float]] = {"before": [], "during": [], "after": []}
    for answer in answers:
        if answer.ok:
            part = "before" if answer.at_s < switch_s else "during" if answer.at_s < settled_s else "after"
            parts[part].append(answer.ms)
    return {part: percentile(sorted(times), share) for part, times in parts.items()}


def _bucket_width(answers: Sequence[Answer], started_s: float) -> float:
    """Half a second, doubled until the timeline has few enough buckets."""
    seconds, width = (answers[-1].at_s - started_s if answers else 0.0), 0.5
    while seconds / width > BUCKETS_LIMIT:
        width *= 2
    return width


def _timeline(answers: Iterable[Answer], started_s: float, width_s: float) -> tuple[Bucket, ...]:
    buckets: dict[int, list[Answer]] = {}
    for answer in answers:
        buckets.setdefault(int((answer.at_s - started_s) / width_s), []).append(answer)
    return tuple(_bucket(place * width_s, inside) for place, inside in sorted(buckets.items()))


def _bucket(at_s: float, answers: Sequence[Answer]) -> Bucket:
    good = [answer for answer in answers if answer.ok]
    times = sorted(answer.ms for answer in good)
    return Bucket(
        at_s=at_s,
        requests=len(answers),
        failed=len(answers) - len(good),
        p50_ms=percentile(times, 0.5) or 0.0,
        max_ms=times[-1] if times else 0.0,
        versions=dict(Counter(answer.version for answer in good)),
    )


def _close_up(answers: Iterable[Answer], marks: Sequence[tuple[str, float]], started_s: float) -> tuple[Answer, ...]:
    """Every answer around the first switch, its time relative to the probe's start."""
    switch_s = next((at_s for name, at_s in marks if name == SWITCH), None)
    if switch_s is None:
        return ()
    before_s, after_s = CLOSE_UP_S
    inside = [answer for answer in answers if -before_s <= answer.at_s - switch_s <= after_s]
    return tuple(_relative(answer, started_s) for answer in inside)


def _relative(answer: Answer, started_s: float) -> Answer:
    at_s = round(answer.at_s - started_s, 4)
    return Answer(at_s, answer.ms, answer.late_ms, answer.fresh, answer.status, answer.version, answer.error)


def _sentence(answer: Answer, started_s: float, started: datetime, marks: Sequence[tuple[str, float]]) -> str:
    """A failure in words: when, on which kind of connection, what happened, after which step of the release."""
    when = started + timedelta(seconds=answer.at_s - started_s)
    connection = "a fresh connection" if answer.fresh else "a kept connection"
    what = f"{ERRORS.get(answer.error, answer.error)}" + (f" ({answer.status})" if answer.error == "status" else "")
    before = [(name, at_s) for name, at_s in marks if at_s <= answer.at_s]
    step = f", {answer.at_s - before[-1][1]:.2f} s after {before[-1][0]!r}" if before else ""
    return f"{when.strftime('%H:%M:%S.%f')[:-3]} on {connection}, after {answer.ms:.0f} ms: {what}{step}"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
