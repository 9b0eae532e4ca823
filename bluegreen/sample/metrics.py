"""The sample's metrics, counted in plain dictionaries and written in the Prometheus text format 0.0.4."""

from __future__ import annotations

import resource
from collections import Counter
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# upper bounds in seconds; the last bucket, +Inf, is the count
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class Durations:
    """One histogram: how many were at most each bound, how many in all, and their sum in seconds."""

    at_most: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_S))
    count: int = 0
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one request."""
        self.count += 1
        self.sum_s += seconds
        for place, bound in enumerate(BUCKETS_S):
            if seconds <= bound:
                self.at_most[place] += 1


@dataclass
class Metrics:
    """What was counted since the start."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    durations: dict[tuple[str, str], Durations] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def observe(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[method, endpoint, status] += 1
        self.durations.setdefault((method, endpoint), Durations()).observe(seconds)

    def error(self, status: int) -> None:
        """Count one answer that was an error: ``client`` for 4xx, ``server`` for 5xx."""
        self.errors["server" if status >= 500 else "client"] += 1

    def families(self, active_conversations: int) -> list[str]:
        """The application's own families, as lines."""
        return [
            *_head("gremlinsai_api_requests_total", "counter", "Requests answered"),
            *(
                f'gremlinsai_api_requests_total{{method="{method}",endpoint="{endpoint}",status="{status}"}} {count}'
                for (method, endpoint, status), count in sorted(self.requests.items())
            ),
            *_head("gremlinsai_api_request_duration_seconds", "histogram", "Time to answer a request"),
            *(line for key, durations in sorted(self.durations.items()) for line in _histogram(*key, durations)),
            *_head("gremlinsai_api_errors_total", "counter", "Answers that were an error"),
            *(
                f'gremlinsai_api_errors_total{{error_type="{kind}"}} {self.errors[kind]}'
                for kind in ("client", "server")
            ),
            *_head("gremlinsai_active_conversations", "gauge", "Conversations now held"),
            f"gremlinsai_active_conversations {active_conversations}",
        ]


def process_families(open_connections: int, in_flight: int) -> list[str]:
    """Families of the process itself, which any backend has."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return [
        *_head("process_cpu_seconds_total", "counter", "User and system CPU time"),
        f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime:.3f}",
        *_head("process_max_resident_memory_bytes", "gauge", "Highest resident memory"),
        f"process_max_resident_memory_bytes {usage.ru_maxrss * 1024}",
        *_head("http_open_connections", "gauge", "Connections now open, idle ones included"),
        f"http_open_connections {open_connections}",
        *_head("http_requests_in_flight", "gauge", "Requests now being answered"),
        f"http_requests_in_flight {in_flight}",
    ]


def _head(name: str, type_: str, help_: str) -> list[str]:
    return [f"# HELP {name} {help_}", f"# TYPE {name} {type_}"]


def _histogram(method: str, endpoint: str, durations: Durations) -> list[str]:
    name, labels = "gremlinsai_api_request_duration_seconds", f'method="{method}",endpoint="{endpoint}"'
    buckets = zip((*BUCKETS_S, "+Inf"), (*durations.at_most, durations.count), strict=True)
    return [
        *(f'{name}_bucket{{{labels},le="{bound}"}} {count}' for bound, count in buckets),
        f"{name}_count{{{labels}}} {durations.count}",
        f"{name}_sum{{{labels}}} {durations.sum_s:.6f}",
    ]
