"""Metrics: read with their types, summed, compared, and refused when they make no sense."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bluegreen import metrics
from tests.backend import Backend, backend

TEXT = """\
# TYPE requests_total counter
requests_total{path="/",status="200"} 7
requests_total{path="/",status="503"} 2
requests_total{path="/a",status="200"} 1
# TYPE seconds histogram
seconds_bucket{le="0.1"} 3
seconds_bucket{le="+Inf"} 5
seconds_count 5
seconds_sum 1.5
# TYPE active gauge
active 4
# TYPE idle_total counter
plain 1
"""


@pytest.fixture(scope="module")
def sample() -> Iterator[Backend]:
    """A healthy sample."""
    with backend() as running:
        yield running


def test_families_have_their_types_and_counters_are_found_by_both_names() -> None:
    found = metrics.parse(TEXT)
    types = {
        name: family.type
        for name in ("requests_total", "requests", "seconds", "active", "plain")
        if (family := found.family(name))
    }
    assert types == {
        "requests_total": "counter",
        "requests": "counter",
        "seconds": "histogram",
        "active": "gauge",
        "plain": "unknown",
    }
    assert found.family("gone") is None


def test_a_total_is_the_sum_over_the_labels_given() -> None:
    found = metrics.parse(TEXT)
    assert found.total("requests_total") == 10
    assert found.total("requests_total", status="200") == 8
    assert found.total("requests_total", status="404") == 0
    assert found.total("active") == 4
    assert found.total("idle_total") == 0
    assert found.total("gone") is None


def test_server_errors_are_told_by_the_status_where_there_is_one() -> None:
    assert metrics.parse(TEXT).server_errors("requests_total") == 2
    assert metrics.parse("# TYPE a counter\na_total 3\n").server_errors("a_total") is None
    assert metrics.parse("# TYPE a counter\n").server_errors("a_total") == 0


def test_a_delta_tells_forward_backward_and_absent() -> None:
    before, after = metrics.parse("# TYPE a counter\na_total 3\n"), metrics.parse("# TYPE a counter\na_total 8\n")
    assert metrics.delta(before, after, "a_total") == 5
    assert metrics.delta(after, before, "a_total") == -5
    assert metrics.delta(metrics.parse(""), after, "a_total") == 8
    assert metrics.delta(before, metrics.parse(""), "a_total") is None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["h_bucket{le='1'} 3", "h_bucket{le='+Inf'} 5", "h_count 5", "h_sum 1"], None),
        (["h_bucket{le='1'} 6", "h_bucket{le='+Inf'} 5", "h_count 5", "h_sum 1"], "less than a smaller one"),
        (["h_bucket{le='1'} 3", "h_count 3", "h_sum 1"], "no bucket +Inf"),
        (["h_bucket{le='1'} 3", "h_bucket{le='+Inf'} 5", "h_count 4", "h_sum 1"], "its count 4 is not its +Inf 5"),
        (["h_bucket{le='+Inf'} 5", "h_count 5"], "no count or no sum"),
    ],
)
def test_a_histogram_has_to_add_up(lines: list[str], problem: str | None) -> None:
    samples = [line.replace("'", '"') for line in lines]
    parsed = [metrics.parse(line + "\n") for line in samples]
    family = metrics.Family(
        "h", "histogram", tuple(s for one in parsed for f in one.families.values() for s in f.samples)
    )
    found = list(metrics.histogram_problems(family))
    assert found == [] if problem is None else problem in found[0]


@pytest.mark.parametrize("text", ["a{b} 1\n", 'a{b="c"} many\n', "<html>no</html>\n", '{"a": 1}\n'])
def test_what_is_not_the_text_format_is_refused(text: str) -> None:
    with pytest.raises(metrics.MetricsError, match="not in the Prometheus text format"):
        metrics.parse(text)


def test_a_scrape_reads_what_a_server_has_and_says_what_is_wrong(sample: Backend) -> None:
    assert metrics.scrape(sample.url + "/metrics").family("gremlinsai_api_requests_total") is not None
    with pytest.raises(metrics.MetricsError, match=r"http://127\.0\.0\.1:\d+/nope gave no metrics: status 404"):
        metrics.scrape(sample.url + "/nope")
    with pytest.raises(metrics.MetricsError, match="gave no metrics: ConnectError"):
        metrics.scrape("http://user:canary@127.0.0.1:1/metrics")


def test_a_scrape_has_a_time_out_and_shows_no_password() -> None:
    with backend("deaf") as deaf, pytest.raises(metrics.MetricsError, match="ReadTimeout") as refused:
        metrics.scrape(deaf.metrics_url.replace("//", "//user:canary@") + "/metrics", timeout_s=0.3)
    assert "canary" not in str(refused.value)
