"""The load test, usable alone: ``locust -f loadtests/locustfile.py --host URL``.

Needs nothing but locust. What is asked, by which kind of user and at which rate are options; ``--help`` lists them
under "What to ask". Works headless and with the web page, with ``--processes`` and as master and workers.

Closed users (the default) wait for an answer before they ask again, so that a slow server is asked less often and
its stalls are hidden. With ``--rate`` requests are due at fixed moments instead: a latency counts from the moment the
request was due, and arrivals that came late or were left out are counted and reported.
"""

from __future__ import annotations

import json
import logging
import os
from argparse import SUPPRESS, ArgumentTypeError
from collections import Counter
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import gevent
import locust.stats
from locust import FastHttpUser, HttpUser, events
from locust.runners import MasterRunner, WorkerRunner

log = logging.getLogger("loadtest")

GIVE_UP_LATE_S = 1.0  # a request later than this is left out and counted as dropped: it would only queue up
LATE_S = 0.01  # a choice: below this a request is as punctual as the scheduler's grain allows
MARK = "X-Bluegreen: gate"  # lets an application tell a test from a user
DEFAULT_REQUESTS = (
    "GET /",
    "GET /api/v1/capabilities",
    "GET /api/v1/conversations",
    'POST /api/v1/chat {"message": "hello there"}',
)

arrivals: Counter[str] = Counter()  # of this process: "late" and "dropped"


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
    add("--summary-file", default="", metavar="FILE", help="takes all figures as JSON when the test ends")
    add("--parent", type=int, default=0, metavar="PID", help="end when this process, our parent, is gone")
    # the master sets it and locust hands it to the workers, who know only how many users are their own
    add("--users-in-all", type=int, default=0, help=SUPPRESS)


def _request(text: str) -> str:
    """An option's text, checked; it stays text, because a master sends its options to its workers."""
    Ask.of(text)
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
        self._due_s = perf_counter() + self._interval_s * ((seat * 0.618) % 1)  # spread evenly, however many they are
        if self._interval_s:
            gevent.sleep(max(0.0, self._due_s - perf_counter()))

    def ask(self) -> None:
        """Ask for the next thing on the list, and look who answers."""
        options = self.environment.parsed_options  # type: ignore[attr-defined]
        item = self.asks[self._next_ask % len(self.asks)]
        self._next_ask += 1
        late_ms = max(0.0, perf_counter() - self._due_s) * 1000 if options.rate else 0.0
        with self.client.request(  # type: ignore[attr-defined]
            item.method, item.path, json=item.body, headers=self._headers, catch_response=True, timeout=self._timeout_s
        ) as response:
            response.request_meta["response_time"] += late_ms
            problem = _problem(response, options)
            if problem:
                response.failure(problem)

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
        return max(0.0, self._due_s - perf_counter())


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


def _problem(response: Any, options: Any) -> str:
    """Why an answer is a failure; empty for a good one."""
    if not response.status_code:
        return f"no answer: {type(getattr(response, 'error', None)).__name__}"
    if response.status_code >= 400:
        return f"status {response.status_code}"
    stated = response.headers.get(options.version_header, "") if options.version_header else ""
    if options.expected_version and stated != options.expected_version:
        return f"answered by version {stated or '(none stated)'} and not {options.expected_version}"
    return ""


@events.init.add_listener
def choose(environment: Any, runner: Any, **_: Any) -> None:
    """Keep the kind of user that was asked for, and watch over our parent."""
    options = environment.parsed_options
    environment.user_classes = [USERS[options.user_kind]]
    if options.parent and not isinstance(runner, WorkerRunner):
        gevent.spawn(_end_with_parent, options.parent, runner)


def _end_with_parent(parent: int, runner: Any) -> None:
    while os.getppid() == parent:
        gevent.sleep(0.25)
    log.error("the process that started this load test is gone: ending")
    runner.quit()


@events.test_start.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Forget what was counted during the warm-up."""
    arrivals.clear()
    Asking._seats = 0
    options, runner = environment.parsed_options, environment.runner
    if not isinstance(runner, WorkerRunner):
        options.users_in_all = runner.target_user_count
    if options.warm_up:
        gevent.spawn_later(options.warm_up, _forget, runner)


def _forget(runner: Any) -> None:
    runner.stats.reset_all()
    arrivals.clear()
    log.info("warm-up over: counting from here")


@events.report_to_master.add_listener
def send_arrivals(data: dict[str, Any], **_: Any) -> None:
    """A worker hands its late and dropped arrivals over with its figures."""
    data["arrivals"] = dict(arrivals)
    arrivals.clear()


@events.worker_report.add_listener
def take_arrivals(data: dict[str, Any], **_: Any) -> None:
    """The master adds them up."""
    arrivals.update(data.get("arrivals", {}))


@events.quitting.add_listener
def summarise(environment: Any, **_: Any) -> None:
    """Say how the schedule was kept, and write all figures where they were asked for."""
    options, runner = environment.parsed_options, environment.runner
    if isinstance(runner, WorkerRunner):
        return
    if options.rate:
        log.info("arrivals: %d late, %d dropped", arrivals["late"], arrivals["dropped"])
    if options.summary_file:
        with open(options.summary_file, "w", encoding="utf-8") as file:
            json.dump(_figures(runner, options), file)


def _figures(runner: Any, options: Any) -> dict[str, Any]:
    stats = runner.stats
    last, first = stats.last_request_timestamp, stats.start_time
    return {
        "seconds": max(0.0, last - first) if last and first else 0.0,
        "users": runner.target_user_count,
        "rate": options.rate,
        "late": arrivals["late"],
        "dropped": arrivals["dropped"],
        "workers": len(runner.clients) if isinstance(runner, MasterRunner) else 0,
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
