"""A release as seen from outside: Events, metrics, traces, notifications. They watch; nothing here decides or delays.

``Observers`` is told of each step that the journal writes down, of the need for a person, and of the end. It passes
that on to each observer in a thread of its own: a slow webhook keeps neither the switch nor the others waiting, and
what cannot be delivered is said once and changes no verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen.kube import Kube
from bluegreen.observability.observer import Observer
from bluegreen.observability.observers import Observers
from bluegreen.settings import Settings
from bluegreen.steps import Steps

__all__ = ["Observer", "Observers", "observers"]


def observers(kube: Kube, settings: Settings, steps: Steps, tell: Callable[[str], None]) -> Observers:
    """Whoever watches a release with these settings; Events always, the others where a setting asks for them.

    Raises InputError where OTLP_ENDPOINT is set and the packages that send traces are not installed.
    """
    from bluegreen.observability.events import Events

    found = Observers(tell)
    found.add("Events", Events(kube, settings))
    if settings.metrics_file or settings.pushgateway_url or settings.metrics_port:
        from bluegreen.observability.release_metrics import ReleaseMetrics

        found.add("metrics", ReleaseMetrics(settings, lambda: found.felt()))
    if settings.notify_url:
        from bluegreen.observability.webhook import Webhook

        found.add("NOTIFY_URL", Webhook(settings))
    if settings.otlp_endpoint:
        from bluegreen.observability.traces import Traces

        found.add("traces", Traces(settings, steps))
    return found
