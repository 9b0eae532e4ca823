"""Bad files of thresholds for the load test (LOAD_THRESHOLDS)."""

from __future__ import annotations

from tests.bad_input.case import Text

_ALL = "Write one of: success, p50_ms"

THRESHOLDS: tuple[Text, ...] = (
    Text("no YAML", "a bracket is not closed", "all: {", ("LOAD_THRESHOLDS", "it is not YAML", "Mend the file")),
    Text("no TOML", "a bracket is not closed", "[all", ("LOAD_THRESHOLDS", "it is not TOML", "Mend the file")),
    Text("binary", "no text", b"\xff\xfe", ("LOAD_THRESHOLDS", "not UTF-8 text", "Mend it")),
    Text("empty", "nothing in it", "", ("LOAD_THRESHOLDS", "it holds no thresholds", "Write all:")),
    Text("a list", "no map", "- 1\n", ("LOAD_THRESHOLDS", "it holds no thresholds", "Write all:")),
    Text("an unknown part", "a slip", "al: {}\n", ("='al'", "there is no such part", "Write all and endpoints")),
    Text("an unknown threshold", "a slip", "all: {p95: 3}\n", ("all='p95'", "no such threshold", _ALL)),
    Text("a part that is no map", "a number", "all: 3\n", ("all='3'", "it is no map", "Write name: value pairs")),
    Text("endpoints as a list", "no map", "endpoints: [GET /]\n", ("endpoints=", "it is no map", "name: value")),
    Text("a share of 99", "a percentage", "all: {success: 99}\n", ("all: success='99'", "not a share", "Write 0.95")),
    Text("a time in words", "no number", "all: {p95_ms: 1s}\n", ("all: p95_ms='1s'", "not a time", "milliseconds")),
    Text("a time of zero", "too small", "all: {p50_ms: 0}\n", ("all: p50_ms='0'", "not a time", "milliseconds")),
    Text("a time of yes", "a truth", "all: {p99_ms: yes}\n", ("all: p99_ms='True'", "not a time", "milliseconds")),
    Text("no number at all", ".nan", "all: {max_ms: .nan}\n", ("all: max_ms='nan'", "not a time", "milliseconds")),
    Text("a negative rate", "below 0", "all: {rate: -1}\n", ("all: rate='-1'", "above 0", "requests a second")),
    Text(
        "half a request", "no whole", "all: {requests: 1.5}\n", ("all: requests='1.5'", "whole number", "such as 100")
    ),
    Text("an endpoint without a method", "a path", "endpoints: {/: {}}\n", ("endpoints='/'", "no endpoint", "METHOD")),
    Text("too deep", "lists in lists", "[" * 300 + "]" * 300, ("it is not YAML", "nests deeper", "Mend the file")),
    Text("no such day", "a date", "all: {p95_ms: 2020-99-99}\n", ("it is not YAML", "of one of its values", "Mend")),
    Text("a key twice", "two p95_ms", "all: {p95_ms: 1, p95_ms: 2}\n", ("p95_ms is there twice", "Mend the file")),
)
