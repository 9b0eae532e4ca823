"""Stage load: what the load test's figures say, against thresholds for all requests and for single endpoints.

A figure beyond its limit is a failure of the application, unless the generator itself was late by as much: then nothing
is known. Without enough requests nothing is known either, and nothing else is looked at: zero of zero is no success.
"""

from __future__ import annotations

from collections.abc import Iterator

from bluegreen.gate.check import Check
from bluegreen.load import Endpoint, LoadResult
from bluegreen.thresholds import Limits, Thresholds

HALF = 0.5
"""A choice: a generator that made less than this part of the load asked for, by its own fault, tested another."""

BUSY = 0.9
"""A choice: a generator that ran, or waited for a core, for so much of the time had none left to ask for more."""

ENOUGH_TO_CALL_BROKEN = 20
"""A choice: of an endpoint that fails one time in ten, ten of twenty requests fail once in 150,000 tests."""

_TIMES = (("p50_ms", 0.50, "half of the"), ("p95_ms", 0.95, "95 of 100"), ("p99_ms", 0.99, "99 of 100"))
"""Each limit of a time: its name here and in a result, the share of answers within it, and that share in words."""


def load(result: LoadResult, thresholds: Thresholds) -> list[Check]:
    """The whole load test, then each endpoint that the thresholds name."""
    found = {f"{endpoint.method} {endpoint.path}": endpoint for endpoint in result.endpoints}
    checks = [*_generator(result), *_whole(result, thresholds.all)]
    for name, limits in thresholds.endpoints.items():
        checks += _endpoint(result, name, found.get(name), limits)
    judged = [name for name, limits in thresholds.endpoints.items() if limits.success is not None]
    checks += [check for name, one in found.items() if name not in judged for check in _works(result, name, one)]
    return checks


def _works(result: LoadResult, name: str, endpoint: Endpoint) -> Iterator[Check]:
    """An endpoint of which more requests fail than succeed is broken, however few of all requests are its own."""
    if endpoint.requests < ENOUGH_TO_CALL_BROKEN or not endpoint.failures:
        return
    good = endpoint.requests - endpoint.failures
    how = "; ".join(f"{f.count} x {f.error}" for f in result.errors if f"{f.method} {f.path}" == name)
    otherwise = f"{name}: {good} of {endpoint.requests} requests succeeded, and more must than fail: {how}."
    yield Check.that(f"load: {name}: works", good > HALF * endpoint.requests, good, "more than fail", otherwise)


def _starved(result: LoadResult) -> str:
    """Why the load asked for was not made, where that was the generator's doing; '' where it was made."""
    return generator(result) if result.wanted_rps and result.rps < HALF * result.wanted_rps else ""


def _whole(result: LoadResult, limits: Limits) -> Iterator[Check]:
    wanted = max(1, limits.requests or 1)
    if result.requests < wanted and not result.stopped_early:
        sentence = f"The load test made {result.requests} requests, too few to prove anything: {wanted} are wanted."
        yield Check.unknown("load: requests", result.requests, f"at least {wanted}", sentence)
        yield from _failures(result)
        return
    yield Check.that("load: requests", result.requests >= 1, result.requests, f"at least {wanted}", "No request.")
    if limits.success is not None:
        how = "; ".join(f"{f.count} x {f.method} {f.path}: {f.error}" for f in result.errors[:5])
        yield _success("load", result.success_rate, result.requests, limits.success, f": {how}.")
    yield from _times("load", result, result, limits)
    if limits.rate is not None:
        yield _rate("load", result.rps, limits.rate, result)


def _endpoint(result: LoadResult, name: str, found: Endpoint | None, limits: Limits) -> Iterator[Check]:
    where, wanted = f"load: {name}", max(1, limits.requests or 1)
    requests = found.requests if found else 0
    if found is None or requests < wanted:
        sentence = (
            f"{name} has thresholds and was asked {requests} times: {wanted} requests are wanted to prove anything."
        )
        yield Check.unknown(f"{where}: requests", requests, f"at least {wanted}", sentence)
        return
    if limits.success is not None:
        share = (requests - found.failures) / requests
        how = "; ".join(f"{f.count} x {f.error}" for f in result.errors if f"{f.method} {f.path}" == name)
        yield _success(where, share, requests, limits.success, f": {how}." if how else ".")
    yield from _times(where, found, result, limits)
    if limits.rate is not None:
        yield _rate(where, requests / result.seconds if result.seconds else 0.0, limits.rate, result)


def _success(where: str, share: float, requests: int, wanted: float, how: str) -> Check:
    sentence = f"{share:.2%} of {requests:,} requests succeeded, and {wanted:.2%} are wanted"
    prefix = "" if where == "load" else f"{where.removeprefix('load: ')}: "
    name = f"{where}: success rate"
    return Check.that(name, share >= wanted, f"{share:.4f}", f"at least {wanted:g}", f"{prefix}{sentence}{how}")


def _times(where: str, figures: LoadResult | Endpoint, result: LoadResult, limits: Limits) -> Iterator[Check]:
    prefix, blame = "" if where == "load" else f"{where.removeprefix('load: ')}: ", _starved(result)
    rest = f"(half took {figures.p50_ms:g} ms, 95 of 100 {figures.p95_ms:g} ms, 99 of 100 {figures.p99_ms:g} ms)"
    lags = {"p50_ms": result.lag_p50_ms, "p95_ms": result.lag_p95_ms, "p99_ms": result.lag_p99_ms}
    for key, _, words in _TIMES:
        wanted_ms: float | None = getattr(limits, key)
        if wanted_ms is not None:
            took = f"{prefix}{words} answers took up to {getattr(figures, key):g} ms"
            sentence = f"{took} under {result.rps:.0f} requests/s, and {wanted_ms:g} ms are allowed {rest}."
            yield _time(
                f"{where}: {key.removesuffix('_ms')}", getattr(figures, key), wanted_ms, lags[key], sentence, blame
            )
    if limits.max_ms is not None:
        sentence = (
            f"{prefix}the slowest answer took {figures.max_ms:g} ms, and {limits.max_ms:g} ms are allowed {rest}."
        )
        yield _time(f"{where}: slowest", figures.max_ms, limits.max_ms, result.lag_p99_ms, sentence, blame)


def _time(name: str, took_ms: float, wanted_ms: float, lag_ms: float, sentence: str, blame: str) -> Check:
    """A limit of a time; unproven where the generator's own lag, or that it was the limit, carries it beyond."""
    wanted = f"at most {wanted_ms:g} ms"
    if took_ms > wanted_ms and blame:  # requests waited in the generator, from the moment they were due
        return Check.unknown(name, f"{took_ms:g} ms", wanted, f"{sentence} But {blame} {REMEDY}")
    if wanted_ms < took_ms <= wanted_ms + lag_ms:
        why = (
            f"{sentence} But the generator itself was up to {lag_ms:g} ms late: it was the limit, not the application."
        )
        return Check.unknown(name, f"{took_ms:g} ms", wanted, f"{why} {REMEDY}")
    return Check.that(name, took_ms <= wanted_ms, f"{took_ms:g} ms", wanted, sentence)


REMEDY = "Give it more CPU, LOAD_PROCESSES or LOAD_WORKERS, or ask for less."
"""What to do about a generator that was the limit."""


def _rate(where: str, rate: float, wanted: float, result: LoadResult) -> Check:
    name, shown = f"{where}: rate", f"{rate:.1f} requests/s"
    said = f"{where.removeprefix('load: ')}: {rate:.1f} requests/s were answered, and {wanted:g} are wanted"
    if rate < wanted and (blame := generator(result)):
        return Check.unknown(name, shown, f"at least {wanted:g}", f"{said}; but {blame} {REMEDY}")
    return Check.that(name, rate >= wanted, shown, f"at least {wanted:g} requests/s", f"{said}.")


def generator(result: LoadResult) -> str:
    """Why the generator, and not the application, kept the rate down; '' when nothing says so."""
    if result.cpu_warning:
        return "locust's own CPU was exhausted."
    if result.busy >= BUSY:
        return f"the generator ran, or waited for a core, for {result.busy:.0%} of the time."
    if result.overslept > HALF * max(1, result.late):
        return f"the generator itself made {result.overslept} of {result.late} late arrivals late."
    return ""


def _generator(result: LoadResult) -> Iterator[Check]:
    """That the load asked for was made; where it was not, whether the application or the generator kept it down.

    A user whose request hangs asks nothing else: what was not made is the only sign of an answer that never came.
    """
    if not result.wanted_rps or result.rps >= HALF * result.wanted_rps or not result.requests or result.stopped_early:
        return
    said = f"{result.rps:.0f} of {result.wanted_rps:.0f} requests/s were made"
    wanted = f"{result.wanted_rps:.0f} requests/s"
    if result.unanswered:
        why = f"{said}: {result.unanswered} users waited until the end for answers that did not come."
        yield Check("load: requests made", False, f"{result.rps:.0f}", wanted, why)
    elif blame := generator(result):
        yield Check.unknown("load: generator", f"{result.rps:.0f}", wanted, f"{said}: {blame} {REMEDY}")


def _failures(result: LoadResult) -> Iterator[Check]:
    """With too few requests, what went wrong with the most of them, so that the report says why."""
    for f in result.errors[:3]:
        sentence = f"{f.count} x {f.path}: {f.error}."
        yield Check.unknown(f"load: {f.method} {f.path}", f"{f.count} failures", "none", sentence)


# --- before the end ---------------------------------------------------------------------------------------------------


def hopeless(result: LoadResult, further: float, thresholds: Thresholds) -> str:
    """Why the test has failed already, whatever the ``further`` requests that may still come do; '' when it has not.

    Only shares can be decided before the end, and only against the application: that too few requests can still fail
    is known once the last ones are in, so a pass is never early. At an endpoint all further requests may be its own.
    """
    sides = [("", result.requests, result.failures, result.histogram_ms, thresholds.all)]
    for endpoint in result.endpoints:
        name = f"{endpoint.method} {endpoint.path}"
        limits = thresholds.endpoints.get(name)
        if limits:
            sides.append((f"{name}: ", endpoint.requests, endpoint.failures, endpoint.histogram_ms, limits))
    for prefix, requests, failures, histogram, limits in sides:
        most = requests + further
        if limits.success is not None and failures > (1 - limits.success) * most:
            return f"{prefix}{failures} of {requests} requests failed: {limits.success:.2%} cannot be reached any more"
        for key, share, words in _TIMES:
            limit_ms: float | None = getattr(limits, key)
            lag_ms = result.lag_p99_ms
            slow = sum(count for ms, count in histogram.items() if limit_ms is not None and ms > limit_ms + lag_ms)
            if limit_ms is not None and slow > (1 - share) * most:
                return (
                    f"{prefix}{slow} of {requests} answers took longer than {limit_ms:g} ms: {words} cannot be within"
                )
    return ""
