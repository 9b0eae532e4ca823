"""The load test, usable alone: ``locust -f loadtests/locustfile.py --host URL``.

Needs nothing but locust. What is asked, by which kind of user and at which rate are options; ``--help`` lists them
under "What to ask". Works headless and with the web page, with ``--processes`` and as master and workers.

Closed users (the default) wait for an answer before they ask again, so that a slow server is asked less often and
its stalls are hidden. With ``--rate`` requests are due at fixed moments instead: a latency counts from the moment the
request was due, and arrivals that came late or were left out are counted and reported; so is how late this process
itself was, which is no fault of the server's. With ``--side NAME=URL`` two releases are asked in turn.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from argparse import SUPPRESS, ArgumentTypeError
from collections import Counter, defaultdict
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import gevent
import locust.stats
from locust import FastHttpUser, HttpUser, events
from locust.runners import MasterRunner, WorkerRunner

log = logging.getLogger("loadtest")

GIVE_UP_LATE_S = 1.0  # a request later than this is left out and counted as dropped: it would only queue up
LATE_S = 0.01  # a choice: below this a request is as punctual as the scheduler's grain allows
LAG_EVERY_S = 0.02  # how often the event loop's own lag is looked at
PROGRESS_EVERY_S = 0.5
SUMMARY = "loadtest-summary "  # begins the line that holds all figures, with --summary-file -
MARK = "X-Bluegreen: gate"  # lets an application tell a test from a user
DEFAULT_REQUESTS = (
    "GET /",
    "GET /api/v1/capabilities",
    "GET /api/v1/conversations",
    'POST /api/v1/chat {"message": "hello there"}',
)

UNANSWERED_S = 2.0  # a request that the end of the test cuts off after this long counts as one that hangs
arrivals: Counter[str] = Counter()  # of this process: "late", "overslept" (by this process' own fault), "dropped"
lags_ms: Counter[int] = Counter()  # how late this process' event loop woke up, by whole milliseconds
since_s = {"began": 0.0, "busy": 0.0}  # when counting began, and for how long this process had been busy by then
busy_of: dict[str, float] = {}  # of each process that asks: the share of the time for which it was busy
workers_begun: list[int] = []  # of a master: how many workers there were when a test began
samples: defaultdict[str, list[float]] = defaultdict(list)  # "SIDE METHOD /path" -> times of good answers in ms


@dataclass(frozen=True)
class Ask:
    """One kind of request: a method, a path, and a JSON body or none."""

    method: str
    path: str
    body: Any = None

    @staticmethod
    def of(text: str) -> Ask:
        """Read ``METHOD /path [JSON]``."""
        method, _, rest = text.strip().partition(" ")
        path, _, body = rest.strip().partition(" ")
        if not method.isalpha() or not path.startswith("/"):
            raise ArgumentTypeError(f"{text!r} is no request: write METHOD /path [JSON], such as 'GET /'")
        try:
            return Ask(method.upper(), path, json.loads(body) if body.strip() else None)
        except ValueError as error:
            raise ArgumentTypeError(f"the body of {text!r} is not JSON: {error}") from None


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Our options; each can come from the environment as well."""
    # locust would publish its page and its master's port on every address; here that has to be asked for
    parser.set_defaults(web_host="127.0.0.1", master_bind_host="127.0.0.1")
    group = parser.add_argument_group("What to ask")
    add = group.add_argument
    add("--request", action="append", type=_request, metavar="'METHOD /path [JSON]'", help="may be given several times")
    add("--user-kind", choices=sorted(USERS), default="fast", help="fast: FastHttpUser; plain: HttpUser (requests)")
    add("--per-user", type=float, default=0.0, metavar="N", help="at most N requests a second a user; 0: no limit")
    add("--rate", type=float, default=0.0, metavar="N", help="N requests a second in all, due at fixed moments")
    add("--warm-up", type=float, default=0.0, metavar="SECONDS", help="leave the first seconds out of the figures")
    add("--answer-within", type=float, default=10.0, metavar="SECONDS", help="a slower answer is a failure")
    add(
        "--header",
        action="append",
        metavar="'NAME: VALUE'",
        help=f"sent with each request; default {MARK!r}, '' for none",
    )
    add("--version-header", env_var="VERSION_HEADER", default="X-Version", help="states the version that answers")
    add("--expected-version", env_var="EXPECTED_VERSION", default="", help="an answer of another version is a failure")
    add(
        "--side",
        action="append",
        type=_side,
        metavar="NAME=URL",
        help="compare: ask each side in turn; several URLs of one side take turns",
    )
    add("--side-version", action="append", metavar="NAME=VERSION", help="the version that a side must answer with")
    add("--progress-file", default="", metavar="FILE", help="takes the figures so far, again and again")
    add("--summary-file", default="", metavar="FILE", help="takes all figures as JSON when the test ends")
    add("--parent", type=int, default=0, metavar="PID", help="end when this process, our parent, is gone")
    # the master sets it and locust hands it to the workers, who know only how many users are their own
    add("--users-in-all", type=int, default=0, help=SUPPRESS)


def _request(text: str) -> str:
    """An option's text, checked; it stays text, because a master sends its options to its workers."""
    Ask.of(text)
    return text


def _side(text: str) -> str:
    name, _, url = text.partition("=")
    if not name or not url.startswith(("http://", "https://")):
        raise ArgumentTypeError(f"{text!r} is no side: write NAME=URL")
    return text


class Asking:
    """What both kinds of users do: ask in turn for everything on the list, at the pace of the options."""

    _seats = 0  # users of this process so far
    _next_ask = 0
    _due_s = 0.0

    def on_start(self) -> None:
        """Take a seat, so that users do not all ask at the same moment."""
        options = self.environment.parsed_options  # type: ignore[attr-defined]
        seat, Asking._seats = Asking._seats, Asking._seats + 1
        self.asks: list[Ask] = [Ask.of(text) for text in options.request or DEFAULT_REQUESTS]
        self._next_ask = seat
        self._interval_s = _interval_s(options)
        self._headers = dict(filter(None, map(_header, [MARK] if options.header is None else options.header)))
        self._timeout_s = options.answer_within
        self._sides = _sides(options.side or [])
        self._versions = dict(text.split("=", 1) for text in options.side_version or [])
        self._waits = False  # whether this user slept until its request was due, and was not busy with the one before
        self._due_s = perf_counter() + self._interval_s * ((seat * 0.618) % 1)  # spread evenly, however many they are
        if self._interval_s:
            gevent.sleep(max(0.0, self._due_s - perf_counter()))

    def ask(self) -> None:
        """Ask for the next thing on the list, and look who answers."""
        options = self.environment.parsed_options  # type: ignore[attr-defined]
        item, side, base = self._next()
        late_ms = max(0.0, perf_counter() - self._due_s) * 1000 if options.rate else 0.0
        if self._waits and late_ms > LATE_S * 1000:
            arrivals["overslept"] += 1  # nobody but this process made it late
        begun_s = perf_counter()
        try:
            with self.client.request(  # type: ignore[attr-defined]
                item.method,
                base + item.path,
                name=f"{item.path} [{side}]" if side else item.path,
                json=item.body,
                headers=self._headers,
                catch_response=True,
                timeout=self._timeout_s,
            ) as response:
                took_ms = response.request_meta["response_time"]
                response.request_meta["response_time"] += late_ms
                problem = _problem(response, options, self._versions.get(side, options.expected_version))
                if problem:
                    response.failure(problem)
                elif side:
                    samples[f"{side} {item.method} {item.path}"].append(round(took_ms, 3))
        except gevent.GreenletExit:  # the test ends, and this one is still not answered
            if perf_counter() - begun_s > UNANSWERED_S:
                arrivals["unanswered"] += 1
            raise

    def _next(self) -> tuple[Ask, str, str]:
        """What to ask, of which side, at which base URL; everything is asked of every side before the next thing."""
        turn, self._next_ask = self._next_ask, self._next_ask + 1
        if not self._sides:
            return self.asks[turn % len(self.asks)], "", ""
        side, urls = self._sides[turn % len(self._sides)]
        turn //= len(self._sides)
        return self.asks[turn % len(self.asks)], side, urls[turn // len(self.asks) % len(urls)]

    def wait_time(self) -> float:
        """Seconds until the next request; with --rate the moments are fixed, and what is far too late is left out."""
        options = self.environment.parsed_options  # type: ignore[attr-defined]
        self._due_s += self._interval_s
        late_s = perf_counter() - self._due_s
        if late_s > 0 and not options.rate:
            self._due_s += late_s  # a closed user goes on from here
        elif late_s > GIVE_UP_LATE_S:
            left_out = int(late_s / self._interval_s)
            arrivals["dropped"] += left_out
            self._due_s += left_out * self._interval_s
        if late_s > LATE_S:
            arrivals["late"] += 1
        pause_s = max(0.0, self._due_s - perf_counter())
        self._waits = pause_s > 0
        return pause_s


class FastUser(Asking, FastHttpUser):
    """Several times the requests of a plain user from the same machine."""

    tasks = (Asking.ask,)


class PlainUser(Asking, HttpUser):
    """A user on the requests library, for what the fast one does not do (proxies, odd TLS)."""

    tasks = (Asking.ask,)


USERS = {"fast": FastUser, "plain": PlainUser}


def _interval_s(options: Any) -> float:
    """Seconds between two requests of one user; 0: none."""
    if options.rate:
        return float(max(1, options.users_in_all) / options.rate)
    return 1 / float(options.per_user) if options.per_user else 0.0


def _header(text: str) -> tuple[str, str] | None:
    name, _, value = text.partition(":")
    return (name.strip(), value.strip()) if name.strip() else None


def _sides(given: list[str]) -> list[tuple[str, list[str]]]:
    """The sides by name, each with its URLs, without a slash at their ends."""
    sides: dict[str, list[str]] = {}
    for text in given:
        name, url = text.split("=", 1)
        sides.setdefault(name, []).append(url.rstrip("/"))
    return list(sides.items())


def _problem(response: Any, options: Any, expected_version: str) -> str:
    """Why an answer is a failure; empty for a good one."""
    if not response.status_code:
        return f"no answer: {type(getattr(response, 'error', None)).__name__}"
    if response.status_code >= 400:
        return f"status {response.status_code}"
    stated = response.headers.get(options.version_header, "") if options.version_header else ""
    if expected_version and stated != expected_version:
        return f"answered by version {stated or '(none stated)'} and not {expected_version}"
    return ""


@events.init.add_listener
def choose(environment: Any, runner: Any, **_: Any) -> None:
    """Keep the kind of user that was asked for, and watch over our parent."""
    gevent.get_hub().loop.update_now()  # else the run time counts from before the imports, seconds on a busy machine
    options = environment.parsed_options
    environment.user_classes = [USERS[options.user_kind]]
    if not isinstance(runner, MasterRunner):  # a master asks for nothing, and is never late
        gevent.spawn(_measure_lag)
    if options.progress_file and not isinstance(runner, WorkerRunner):
        gevent.signal_handler(signal.SIGUSR1, runner.quit)  # whoever reads our progress may end us; reports are written
    if options.parent and not isinstance(runner, WorkerRunner):
        gevent.spawn(_end_with_parent, options.parent, runner)


def _end_with_parent(parent: int, runner: Any) -> None:
    while os.getppid() == parent:
        gevent.sleep(0.25)
    log.error("the process that started this load test is gone: ending")
    runner.quit()


def _measure_lag() -> None:
    """Sleep over and over, and count by how much each sleep was too long: the generator's own part of every latency."""
    while True:
        began_s = perf_counter()
        gevent.sleep(LAG_EVERY_S)
        lags_ms[max(0, int((perf_counter() - began_s - LAG_EVERY_S) * 1000))] += 1


def _busy_s() -> float:
    """Seconds that this process' thread has run, or waited for a core that others had; by the kernel's scheduler."""
    try:
        with open("/proc/self/schedstat", encoding="ascii") as file:
            ran_ns, waited_ns, _ = file.read().split()
    except (OSError, ValueError):  # not Linux, or a kernel that does not count
        return process_time()
    return (int(ran_ns) + int(waited_ns)) / 1e9


def _busy_share() -> float:
    """How much of the time since counting began this process was busy: at 1 it could not have asked for more."""
    took_s = perf_counter() - since_s["began"]
    return min(1.0, (_busy_s() - since_s["busy"]) / took_s) if took_s > 0 else 0.0


@events.test_start.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Forget what was counted during the warm-up."""
    gevent.get_hub().loop.update_now()
    _count_from_here()
    Asking._seats = 0
    options, runner = environment.parsed_options, environment.runner
    if not isinstance(runner, WorkerRunner):
        options.users_in_all = runner.target_user_count
    if isinstance(runner, MasterRunner):
        workers_begun.append(len(runner.clients))
    if options.warm_up:
        gevent.spawn_later(options.warm_up, _forget, runner)
    if options.progress_file and not isinstance(runner, WorkerRunner):
        gevent.spawn_later(options.warm_up, _tell_progress, runner, options)


def _forget(runner: Any) -> None:
    runner.stats.reset_all()
    _count_from_here()
    log.info("warm-up over: counting from here")


def _count_from_here() -> None:
    _forget_own()
    since_s.update(began=perf_counter(), busy=_busy_s())


def _forget_own() -> None:
    for counted in (arrivals, lags_ms, samples):
        counted.clear()


def _tell_progress(runner: Any, options: Any) -> None:
    """Write the figures so far, without the single times, for whoever wants to end a test that is decided."""
    while True:
        gevent.sleep(PROGRESS_EVERY_S)
        figures = {**_figures(runner, options), "samples": {}}
        draft = f"{options.progress_file}.new"
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(figures, file)
        os.replace(draft, options.progress_file)


@events.report_to_master.add_listener
def send_arrivals(data: dict[str, Any], **_: Any) -> None:
    """A worker hands over what locust's own figures lack."""
    data["own"] = {
        "arrivals": dict(arrivals), "lags_ms": dict(lags_ms), "samples": dict(samples), "busy": _busy_share()
    }  # fmt: skip
    _forget_own()


@events.worker_report.add_listener
def take_arrivals(client_id: str, data: dict[str, Any], **_: Any) -> None:
    """The master adds it up."""
    own = data.get("own", {})
    busy_of[client_id] = own.get("busy", 0.0)
    arrivals.update(own.get("arrivals", {}))
    lags_ms.update({int(ms): count for ms, count in own.get("lags_ms", {}).items()})
    for key, times in own.get("samples", {}).items():
        samples[key] += times


@events.quitting.add_listener
def summarise(environment: Any, **_: Any) -> None:
    """Say how the schedule was kept, and write all figures where they were asked for."""
    options, runner = environment.parsed_options, environment.runner
    if isinstance(runner, WorkerRunner):
        return
    if options.rate:
        log.info("arrivals: %d late, %d dropped", arrivals["late"], arrivals["dropped"])
    if options.summary_file == "-":  # a pod's: its log is what can be fetched
        print(SUMMARY + json.dumps(_figures(runner, options)), flush=True)
    elif options.summary_file:
        with open(options.summary_file, "w", encoding="utf-8") as file:
            json.dump(_figures(runner, options), file)


def _figures(runner: Any, options: Any) -> dict[str, Any]:
    stats = runner.stats
    busy = busy_of if isinstance(runner, MasterRunner) else {"": _busy_share()}
    last, first = stats.last_request_timestamp, stats.start_time
    return {
        "seconds": max(0.0, last - first) if last and first else 0.0,
        "users": runner.target_user_count,
        "rate": options.rate,
        "late": arrivals["late"],
        "dropped": arrivals["dropped"],
        "overslept": arrivals["overslept"],
        "unanswered": arrivals["unanswered"],
        "busy": round(max(busy.values(), default=0.0), 3),
        "lags_ms": {str(ms): count for ms, count in sorted(lags_ms.items())},
        "cpu_warning": bool(
            getattr(runner, "cpu_warning_emitted", False) or getattr(runner, "worker_cpu_warning_emitted", False)
        ),
        "workers": max(workers_begun, default=0),
        "samples": dict(samples),
        "endpoints": [_endpoint(entry) for entry in stats.entries.values()],
        "errors": [
            {"method": error.method, "path": error.name, "error": str(error.error), "count": error.occurrences}
            for error in stats.errors.values()
        ],
    }


def _endpoint(entry: Any) -> dict[str, Any]:
    return {
        "method": entry.method,
        "path": entry.name,
        "requests": entry.num_requests,
        "failures": entry.num_failures,
        "max_ms": entry.max_response_time,
        "histogram_ms": {str(ms): count for ms, count in sorted(entry.response_times.items())},
    }


def _whole_ms(response_time: float) -> int:
    """Whole milliseconds up to a second, three digits above; locust by itself keeps two digits of everything."""
    step = 1
    while response_time >= 1000 * step:
        step *= 10
    return round(response_time / step) * step


locust.stats.bucket_response_time = _whole_ms
