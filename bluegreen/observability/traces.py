"""An OpenTelemetry trace of a release: one span a step below one for the whole, sent over OTLP/HTTP at its end.

Needs the extra ``traces``. Headers (a token, say) and certificates are OpenTelemetry's own variables, such as
``OTEL_EXPORTER_OTLP_HEADERS``; a ``TRACEPARENT`` of the CI job becomes the parent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from bluegreen import clock
from bluegreen.errors import HarnessError, InputError, Mistake
from bluegreen.journal import Record
from bluegreen.observability import words
from bluegreen.observability.observer import Observer
from bluegreen.settings import Settings
from bluegreen.steps import Steps

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

TIMEOUT_S = 4
"""A choice: for the export, which the end of a release waits for."""


class NotExportedError(HarnessError):
    """The collector did not take the spans."""


class Traces(Observer):
    """Exports the steps of one release when it is over."""

    def __init__(self, settings: Settings, steps: Steps) -> None:
        if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
            why = "the packages that send traces are not installed."
            remedy = "Install them: pip install 'bluegreen-harness[traces]'; or leave OTLP_ENDPOINT out."
            raise InputError([Mistake("OTLP_ENDPOINT", settings.otlp_endpoint, why, remedy)])
        self._settings, self._steps = settings, steps
        self._record: Record | None = None
        self._result: Mapping[str, Any] = {}

    def entered(self, record: Record) -> None:
        """Remember the last."""
        self._record = record

    def result(self, result: Mapping[str, Any]) -> None:
        """Remember how it ended."""
        self._result = result

    def close(self) -> None:
        """Export. Raises NotExportedError."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        about = {"service.name": "bluegreen", "service.version": metadata.version("bluegreen-harness")}
        kept = InMemorySpanExporter()  # so that all go in one request whose result is known
        provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(kept))
        self._span(provider.get_tracer("bluegreen"))
        exporter = OTLPSpanExporter(f"{self._settings.otlp_endpoint.rstrip('/')}/v1/traces", timeout=TIMEOUT_S)
        try:
            if exporter.export(kept.get_finished_spans()) is not SpanExportResult.SUCCESS:
                raise NotExportedError(f"OTLP_ENDPOINT={self._settings.otlp_endpoint} did not take the trace")
        finally:
            exporter.shutdown()  # type: ignore[no-untyped-call]

    def _span(self, tracer: Tracer) -> None:
        """The whole release and its steps, with the times they had."""
        from opentelemetry.trace import StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract({"traceparent": os.environ.get("TRACEPARENT", "")})
        now_s, began_ns = clock.now_s(), _ns(clock.utc().timestamp() - (clock.now_s() - self._steps.began_s))
        whole = tracer.start_span("release", context=parent, attributes=self._attributes(), start_time=began_ns)
        below = set_span_in_context(whole)
        for step in self._steps.taken:
            span = tracer.start_span(step.name, context=below, start_time=began_ns + _ns(step.started_s))
            span.set_attribute("bluegreen.detail", step.detail)
            if step.failed:
                span.set_status(StatusCode.ERROR, step.detail)
            span.end(began_ns + _ns(step.started_s + step.duration_s))
        if self._record is not None and not words.is_good(self._record):
            whole.set_status(StatusCode.ERROR, self._record.reason.partition("\n")[0])
        whole.end(began_ns + _ns(now_s - self._steps.began_s))

    def _attributes(self) -> dict[str, str | int]:
        settings, record = self._settings, self._record
        found: dict[str, str | int] = {
            "k8s.namespace.name": settings.namespace,
            "bluegreen.app": settings.app_name,
            "bluegreen.cluster": settings.cluster,
        }
        if record is not None:
            found |= {
                "bluegreen.release": record.id,
                "bluegreen.image": record.image,
                "bluegreen.candidate": str(record.candidate),
                "bluegreen.live_before": str(record.live or "nobody"),
                "bluegreen.replicas": record.replicas,
                "bluegreen.outcome": str(self._result.get("outcome") or record.outcome),
            }
        if probe := self._result.get("probe"):
            found |= {"bluegreen.requests": probe["requests"], "bluegreen.requests_failed": probe["failed"]}
        return found


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
