"""A trace over OTLP, read back with OpenTelemetry's own messages."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bluegreen.errors import InputError
from bluegreen.journal import Step
from bluegreen.observability.traces import NotExportedError, Traces
from bluegreen.settings import load
from bluegreen.steps import Steps

from .listening import Receiver, receiving
from .records import at

PARENT = "0af7651916cd43dd8448eb211c80319c"


def taken() -> Steps:
    """Two steps, the second of which failed."""
    steps = Steps(lambda _: None)
    with steps.step("stand up the candidate") as step:
        step.detail = "green: 3 pods"
    with pytest.raises(ValueError, match="bad"), steps.step("switch"):
        raise ValueError("bad")
    return steps


def spans(receiver: Receiver) -> dict[str, Span]:
    """The spans that arrived, by name."""
    found = {}
    for path, body in receiver.posted:
        assert path == "/v1/traces"
        request = ExportTraceServiceRequest.FromString(body)
        found |= {s.name: s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans}
    return found


def test_one_span_a_step_below_one_for_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPARENT", f"00-{PARENT}-b7ad6b7169203331-01")
    with receiving() as receiver:
        traces = Traces(load({"OTLP_ENDPOINT": receiver.url}), taken())
        traces.entered(at(Step.CLOSED, outcome="rolled-back", reason="it failed"))
        traces.result({"outcome": "rolled-back", "probe": {"requests": 100, "failed": 2}})
        traces.close()
        found = spans(receiver)
    assert set(found) == {"release", "stand up the candidate", "switch"}
    whole = found.pop("release")
    about = {entry.key: entry.value for entry in whole.attributes}
    assert about["bluegreen.outcome"].string_value == "rolled-back"
    assert about["bluegreen.requests_failed"].int_value == 2
    assert whole.status.code == Status.STATUS_CODE_ERROR
    assert whole.trace_id.hex() == PARENT
    for span in found.values():
        assert span.parent_span_id == whole.span_id
        assert whole.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= whole.end_time_unix_nano
    assert found["switch"].status.code == Status.STATUS_CODE_ERROR
    assert found["stand up the candidate"].status.code == Status.STATUS_CODE_UNSET


def test_a_collector_that_does_not_take_it_is_named() -> None:
    with receiving() as receiver:
        receiver.statuses = [400]
        traces = Traces(load({"OTLP_ENDPOINT": receiver.url}), taken())
        with pytest.raises(NotExportedError, match="did not take the trace"):
            traces.close()


def test_without_the_packages_it_is_refused_before_anything_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(InputError) as refused:
        Traces(load({"OTLP_ENDPOINT": "http://127.0.0.1:4318"}), taken())
    assert "pip install 'bluegreen-harness[traces]'" in str(refused.value)
