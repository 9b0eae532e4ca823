"""Stage monitoring: whether the colour can be watched once it serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.gate.check import Check
from bluegreen.metrics import Exposition, Family, delta, histogram_problems

Obj = Mapping[str, Any]


def scrape_annotations(pod: Obj, path: str = "/metrics") -> list[Check]:
    """A Prometheus is told to scrape the pod, on a port that a container declares, at ``path``."""
    title = f"Pod {pod['metadata']['name']}"
    told = pod["metadata"].get("annotations", {})
    declared = sorted(
        str(port["containerPort"]) for container in pod["spec"]["containers"] for port in container.get("ports", [])
    )
    port = told.get("prometheus.io/port", "")
    nowhere = f"{title} would be scraped on port {port or '(none)'}, and its containers declare {', '.join(declared)}."
    return [
        Check.equal(f"{title}: prometheus.io/scrape", told.get("prometheus.io/scrape"), "true"),
        Check.that(f"{title}: prometheus.io/port", port in declared, port, f"one of {', '.join(declared)}", nowhere),
        Check.equal(f"{title}: prometheus.io/path", told.get("prometheus.io/path", "/metrics"), path),
    ]


def families(found: Exposition, wanted: Mapping[str, str], where: str) -> list[Check]:
    """Each metric is there with its type; ``wanted``: name -> type."""
    return [_family(found, name, type_, where) for name, type_ in wanted.items()]


def _family(found: Exposition, name: str, type_: str, where: str) -> Check:
    family = found.family(name)
    if family is None:
        return Check(f"{where}: {name}", False, "not there", type_, f"{where} has no metric {name}.")
    return Check.equal(f"{where}: type of {name}", family.type, type_)


def well_formed(found: Exposition, wanted: Mapping[str, str], where: str) -> list[Check]:
    """No sample is there twice, and no counter is below zero or no number: a Prometheus would store nonsense."""
    checks = []
    for family in filter(None, map(found.family, wanted)):
        wrong = _nonsense(family)
        checks.append(Check.that(f"{where}: {family.name}", not wrong, wrong, "sound", f"{where}: {wrong}."))
    return checks


def _nonsense(family: Family) -> str:
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        shown = sample.name + ("{" + ",".join(f'{name}="{value}"' for name, value in key[1]) + "}" if key[1] else "")
        if key in seen:
            return f"{shown} is there twice"
        if family.type in ("counter", "histogram") and not sample.value >= 0 and not sample.name.endswith("_sum"):
            return f"{shown} is {sample.value:g}, which is below zero or no number"
        seen.add(key)
    return ""


def histograms(found: Exposition, wanted: Mapping[str, str], where: str) -> list[Check]:
    """Each histogram adds up: buckets that grow, a +Inf that is its count, a sum."""
    return list(_histograms(found, wanted, where))


def _histograms(found: Exposition, wanted: Mapping[str, str], where: str) -> Iterator[Check]:
    for name, type_ in wanted.items():
        family = found.family(name)
        if type_ == "histogram" and family is not None and family.type == "histogram":
            problems = list(histogram_problems(family))
            otherwise = f"{where}: {'; '.join(problems)}."
            yield Check.that(f"{where}: {name}", not problems, "; ".join(problems), "adds up", otherwise)


def counted(before: Exposition, after: Exposition, counter: str, made: int, where: str) -> list[Check]:
    """The request counter moved by at least the requests that were made in between."""
    moved = delta(before, after, counter)
    said = f"not there after {made} requests" if moved is None else f"{moved:g} further after {made} requests"
    otherwise = f"{where}: {counter} is {said}: it does not count what it should."
    return [
        Check.that(f"{where}: {counter}", moved is not None and moved >= made, moved, f"at least {made}", otherwise)
    ]


def no_server_errors(before: Exposition, after: Exposition, counter: str, where: str) -> list[Check]:
    """No answer of 5xx was counted for good requests. Nothing is checked where the counter does not tell the status."""
    first, last = before.server_errors(counter), after.server_errors(counter)
    if last is None:
        return []
    more = last - (first or 0.0)
    otherwise = f"{where} counted {more:g} answers of 5xx in {counter} while only good requests were made."
    return [Check.that(f"{where}: 5xx in {counter}", more == 0, more, "0", otherwise)]
