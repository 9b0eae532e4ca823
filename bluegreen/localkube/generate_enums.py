"""Writes ``schema_enums.json``: the values that fields of the served kinds may have, with what each means.

A server states them in its OpenAPI documents and ``kubectl explain`` prints them; the documents in Kubernetes'
repository leave them out, the Go file that the server is built with does not. Not needed at run time. To regenerate::

    (cd $(mktemp -d) && go mod init enums && go get k8s.io/kubernetes@v1.34.1)
    python -m bluegreen.localkube.generate_enums \
        $(go env GOMODCACHE)/k8s.io/kubernetes@v1.34.1/pkg/generated/openapi/zz_generated.openapi.go
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from bluegreen.localkube import schema

KUBERNETES = "v1.34.1"
HEADING = "\n\nPossible enum values:"
# func schema_k8sio_api_core_v1_Container(...), func schema_pkg_apis_apiextensions_v1_JSONSchemaProps(...)
_STRUCT = re.compile(r"^func schema_(?:k8sio_api|pkg_apis)_(\w+?)_(v\d\w*?)_(\w+)\(ref", re.MULTILINE)
_FIELD = re.compile(
    r'^\t{5}"(\w+)": \{\n\t{6}SchemaProps: spec\.SchemaProps\{\n\t{7}Description: +("(?:[^"\\]|\\.)*"),\n'
    r"(?:\t{7}(?!Enum|Items)\w+:.*\n)*\t{7}Enum: +\[\]interface\{\}\{(.*)\},$",
    re.MULTILINE,
)


def enums(source: str) -> Iterator[tuple[str, str, list[str], str]]:
    """(struct, field, values, what they mean) of every field that has a closed set of values."""
    structs = list(_STRUCT.finditer(source))
    for found, following in zip(structs, [*structs[1:], None], strict=True):
        body = source[found.end() : following.start() if following else None]
        name = ".".join(found.groups())
        for field, description, values in _FIELD.findall(body):
            text = json.loads(description)
            meaning = HEADING + text.partition(HEADING)[2] if HEADING in text else ""
            yield name, field, json.loads(f"[{values}]"), meaning


def main(path: str) -> None:
    """Write the table beside this module: only of what the schema table knows."""
    known = schema.names()
    found: dict[str, dict[str, list[object]]] = {}
    for name, field, values, meaning in enums(Path(path).read_text()):
        if name in known:
            found.setdefault(name, {})[field] = [values, meaning]
    header = {"kubernetes": KUBERNETES, "generator": "bluegreen/localkube/generate_enums.py"}
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(found[k], separators=(',', ':'))}" for k in sorted(found))
    target = Path(__file__).with_name("schema_enums.json")
    target.write_text(f'{{"source": {json.dumps(header)},\n"enums": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main(sys.argv[1])
