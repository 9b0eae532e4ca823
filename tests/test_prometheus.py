"""Asking a Prometheus: what its answers mean, and what is said when there is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from bluegreen import gate, prometheus
from bluegreen.prometheus import PrometheusError, Sample


def vector(*values: float | str) -> dict[str, Any]:
    result = [{"metric": {"pod": str(place)}, "value": [1.0, str(value)]} for place, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


ANSWERS: dict[str, tuple[int, Any]] = {
    "two": (200, vector(1, 2.5)),
    "none": (200, vector()),
    "nan": (200, vector("NaN", "+Inf", 3)),
    "scalar": (200, {"status": "success", "data": {"resultType": "scalar", "result": [1.0, "4"]}}),
    "string": (200, {"status": "success", "data": {"resultType": "string", "result": [1.0, "a"]}}),
    "wrong(": (400, {"status": "error", "errorType": "bad_data", "error": "parse error: unclosed left parenthesis"}),
    "html": (502, None),
}


@pytest.fixture
def url() -> Iterator[str]:
    """A server that answers a query as ``ANSWERS`` says, to whoever has the token."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["query"][0]
            status, said = ANSWERS[query]
            if self.headers.get("Authorization") != "Bearer sesame" or self.path != "/prefix/api/v1/query":
                status, said = 401, None
            body = b"<html>" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/prefix/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("query", "values"), [("two", [1, 2.5]), ("none", []), ("nan", [3]), ("scalar", [4])])
def test_answers(url: str, query: str, values: list[float]) -> None:
    assert [sample.value for sample in prometheus.ask(url, query, "sesame")] == values


@pytest.mark.parametrize(
    ("query", "token", "said"),
    [
        ("wrong(", "sesame", "refused 'wrong(': parse error: unclosed left parenthesis"),
        ("html", "sesame", "refused 'html': HTTP 502"),
        ("two", "another", "refused 'two': HTTP 401"),
        ("string", "sesame", "The query gives a string, which has no threshold"),
    ],
)
def test_refusals_say_why_and_never_the_token(url: str, query: str, token: str, said: str) -> None:
    with pytest.raises(PrometheusError) as refused:
        prometheus.ask(url, query, token)
    assert said in str(refused.value)
    assert token not in str(refused.value)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(PrometheusError, match="was not reached: ConnectError"):
        prometheus.ask("http://127.0.0.1:9", "up")


def test_placeholders() -> None:
    assert prometheus.filled('up{version="${COLOUR}"} $$1', {"COLOUR": "green"}) == 'up{version="green"} $1'
    with pytest.raises(PrometheusError, match="'COLOR' stands for nothing"):
        prometheus.filled("${COLOR}", {"COLOUR": "green"})


def failed(*values: float, live: tuple[float, ...] = (), **limits: float) -> list[str]:
    samples, others = [Sample({}, value) for value in values], [Sample({}, value) for value in live]
    return [
        check.sentence for check in gate.within("q", samples, gate.Thresholds(**limits), others) if not check.passed
    ]


def test_thresholds_hold_for_every_series_and_no_data_is_no_pass() -> None:
    assert failed(1, 2, most=2, least=1) == []
    assert failed(1, 3, most=2) == ["q is 3, and 2 is allowed."]
    assert failed(0.5, 3, least=1) == ["q is 0.5, and 1 is wanted at least."]
    assert failed(most=2) == ["q: Prometheus has no data."]


def test_against_live() -> None:
    assert failed(1.2, live=(1.0,), times_live=1.25) == []
    assert failed(1.3, live=(0.5, 1.0), times_live=1.25) == [
        "q is 1.3, and 1 of what is live: more than 1.25 times as much."
    ]
    assert failed(1.3, times_live=1.25) == ["q: Prometheus has no data of what is live."]
