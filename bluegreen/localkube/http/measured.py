"""Answering for metrics.k8s.io, whose objects are measured when they are asked for and never stored."""

from __future__ import annotations

from aiohttp import web

from bluegreen.localkube import selectors
from bluegreen.localkube.http import answers, options
from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.http.objects import Handler
from bluegreen.localkube.resource_metrics import ResourceMetrics
from bluegreen.localkube.status import ApiError


def _metrics(call: Call) -> ResourceMetrics:
    if call.metrics is None:
        raise ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request", {})
    return call.metrics


async def get(call: Call) -> web.StreamResponse:
    """GET of one pod's or node's metrics."""
    found = _metrics(call).get(call.kind, call.target.namespace, call.target.name)
    return answers.document(answers.shaped(call.kind, found, call.form, call.include), 200, call.form)


async def list_(call: Call) -> web.StreamResponse:
    """GET of all, selected by the labels of the pods and nodes."""
    asked = options.list_options(call.query)
    selected = selectors.selection(call.kind, asked.labels, asked.fields)
    found = [each for each in _metrics(call).all(call.kind, call.target.namespace) if selected.matches(each)]
    shaped = answers.shaped_list(call.kind, found, {}, call.form, call.include)
    return answers.document(shaped, 200, call.form)


MEASURED: dict[tuple[str, str], Handler] = {
    (kind, verb): handler for kind in ("PodMetrics", "NodeMetrics") for verb, handler in (("get", get), ("list", list_))
}
"""(kind, verb) -> handler."""
