"""Asking a Prometheus: one instant query, and what its answer says about a colour.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from dataclasses import dataclass

from bluegreen.errors import HarnessError

REQUEST_TIMEOUT_S = 10.0  # a choice: a query that takes longer is not one for a gate


class PrometheusError(HarnessError):
    """A Prometheus could not be asked, or refused the query."""


@dataclass(frozen=True)
class Sample:
    """One series of an answer: its labels, and its value now. NaN and infinities are no values and are left out."""

    labels: Mapping[str, str]
    value: float


def filled(query: str, facts: Mapping[str, str]) -> str:
    """A query with ``${NAME}`` replaced; a dollar that stands for itself is written ``$$``.

    Raises PrometheusError for a name that stands for nothing.
    """
    try:
        return string.Template(query).substitute(facts)
    except (KeyError, ValueError) as error:
        known = ", ".join(sorted(facts))
        raise PrometheusError(f"{query!r}: {error} stands for nothing.", f"Use some of: {known}.") from error


def ask(url: str, query: str, token: str = "", timeout_s: float = REQUEST_TIMEOUT_S) -> list[Sample]:
    """The samples that a query gives now; none where there is no data.

    ``url`` is Prometheus' own, with a path prefix where it has one; ``token`` is sent as a bearer token.
    Raises PrometheusError with what Prometheus said, never with the token.
    """
    import httpx

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/api/v1/query",
            data={"query": query},
            headers=headers,
            timeout=timeout_s,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        problem = f"{type(error).__name__} {error}".strip()
        raise PrometheusError(f"Prometheus at {url} was not reached: {problem}.", "Look at PROMETHEUS_URL.") from error
    try:
        said = answer.json()
    except ValueError:
        said = {}
    if answer.status_code != 200 or said.get("status") != "success":
        why = said.get("error") or f"HTTP {answer.status_code}"
        raise PrometheusError(f"Prometheus at {url} refused {query!r}: {why}.")
    return _samples(said["data"])


def _samples(data: Mapping[str, object]) -> list[Sample]:
    """The samples of an instant vector or a scalar; any other result is none that a threshold could be held against."""
    result = data.get("result")
    found: list[tuple[Mapping[str, str], str]] = []
    if data.get("resultType") == "vector" and isinstance(result, list):
        found = [(one["metric"], one["value"][1]) for one in result]
    elif data.get("resultType") == "scalar" and isinstance(result, list):
        found = [({}, str(result[1]))]
    else:
        raise PrometheusError(
            f"The query gives a {data.get('resultType')}, which has no threshold.", "Write one that gives a vector."
        )
    return [Sample(labels, float(value)) for labels, value in found if math.isfinite(float(value))]
