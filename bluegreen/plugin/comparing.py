"""The two sides of a comparison: whose pods are asked, at which addresses, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from bluegreen.content import Said, differences

if TYPE_CHECKING:
    import httpx

    from bluegreen.comparison import Side
    from bluegreen.gate import Check
    from bluegreen.metrics import Exposition
    from bluegreen.plugin.measuring import Target

Obj = dict[str, Any]


@contextmanager
def sides(target: Target) -> Iterator[tuple[Side, Side]]:
    """The candidate and what it is compared with: the live pods, or fresh ones of the live release (COMPARE=copy).

    Both are asked at their pods' own addresses: the same way to both, and nobody else's answers.
    """
    release, settings = target.release, target.settings
    candidate = _side(target, target.selector, release.version)
    if settings.compare != "copy":
        yield candidate, _side(target, target.selector_of(release.live), release.live_version)
        return
    from bluegreen import baseline

    name = f"{target.plan.names[0]}-{release.live}"
    live = target.cluster.get("Deployment", name)
    assert live is not None, f"Deployment {name} is gone"
    limit_s = settings.health_check_timeout
    with baseline.standing(
        target.cluster, live, target.deployment(), release.app_name, release.replicas, limit_s
    ) as selector:
        yield candidate, _side(target, selector, release.live_version)


def way_too_narrow(target: Target) -> list[Check]:
    """What cannot be told where the pods are reached by a port-forward that does not carry the load."""
    from bluegreen import load
    from bluegreen.access import PORT_FORWARD
    from bluegreen.gate import Check
    from bluegreen.portforward import too_much

    via, settings = target.access.pod(target.pods()[0]).via, target.settings
    narrow = via == PORT_FORWARD
    why = too_much(load.rate_rps(settings), settings.load_users, kept=settings.keep_alive) if narrow else ""
    remedy = "Ask for less with LOAD_RATE, or run the release inside the cluster (CLUSTER=in-cluster)."
    if not why:
        return []
    return [Check.unknown("compare: way to the pods", via, "one that carries the load", f"{why}. {remedy}")]


def _side(target: Target, selector: str, version: str) -> Side:
    from bluegreen.comparison import Side

    first = _ready(target, selector)
    assert first, f"no ready pod has the labels {selector}"

    def urls() -> list[str]:
        return [target.access.pod(pod).url for pod in _ready(target, selector)]

    return Side(urls, version if target.release.version_header else "", lambda: _scrapes(target, first))


def _ready(target: Target, selector: str) -> list[Obj]:
    """The pods that answer now: an autoscaler may have made some that do not yet, or takes some away."""
    from bluegreen.traffic import pod_ready

    return [pod for pod in target.cluster.list("Pod", labels=selector) if pod_ready(pod)]


def _scrapes(target: Target, pods: Sequence[Obj]) -> list[Exposition]:
    """The metrics of each pod that answers with some."""
    from bluegreen.metrics import MetricsError

    found = []
    for pod in pods:
        with suppress(MetricsError):
            found.append(target.scrape(pod))
    return found


class SameAnswers:
    """Asks the candidate and what is live the same, and tells where their answers differ."""

    def __init__(self, candidate: httpx.Client, live: httpx.Client, ignore: Sequence[str]) -> None:
        self._candidate, self._live, self._ignore = candidate, live, ignore

    def __call__(self, request: str, *, ignore: Sequence[str] = (), **how: Any) -> list[str]:
        """The differences between both answers to ``METHOD /path``, in words; empty when there are none.

        ``ignore``: further fields that may differ, as paths such as ``items.*.id``. ``how``: as for httpx, for example
        ``json={"message": "hi"}``. Both are asked: a request that changes something changes it on live too.
        """
        method, _, path = request.partition(" ")
        ours, theirs = (client.request(method, path, **how) for client in (self._candidate, self._live))
        return differences(_said(ours), _said(theirs), [*self._ignore, *ignore])


def _said(answer: httpx.Response) -> Said:
    return Said(answer.status_code, answer.headers.get("content-type", "").partition(";")[0].strip(), answer.content)
