"""The pure half of the API against what Kubernetes' own Go libraries answered: ``library/answers.jsonl``.

Each line holds a question and the answer of k8s.io/apimachinery or structured-merge-diff. ``library/answers.go``
answers the questions anew: build it in a Go module that requires k8s.io/api v0.34.1, and feed it the "ask" of each
line.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bluegreen.localkube import decoding, quantities
from bluegreen.localkube.canonical import canonicalise
from bluegreen.localkube.patches import managers, server_side_apply, strategic_merge, track
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.validation import names

Obj = dict[str, Any]
LINES = [json.loads(line) for line in (Path(__file__).parent / "library" / "answers.jsonl").read_text().splitlines()]
NOBODY = {"manager": "nobody", "operation": "Update", "apiVersion": "none", "fieldsV1": {"f:none": {}}}


def quantity(ask: Obj) -> Obj:
    try:
        return {"result": quantities.canonical(ask["Text"])}
    except quantities.QuantityError as error:
        return {"error": str(error)}


def name(ask: Obj) -> Obj:
    rules: tuple[Callable[[str], list[str]], ...] = (
        *(names.subdomain, names.label, names.label_1035, names.qualified, names.label_value, names.config_key),
        *(names.port_name, names.wildcard, names.environment_variable, names.http_header),
    )
    return {rule.__name__: rule(ask["Text"]) or None for rule in rules}


def decode(ask: Obj) -> Obj:
    obj = copy.deepcopy(ask["Doc"])
    try:
        strict = decoding.check(ask["Kind"], obj)
    except decoding.DecodeError as error:
        return {"error": str(error)}
    canonicalise(ask["Kind"], obj)
    return {"strict": strict, "result": obj}


def strategic(ask: Obj) -> Obj:
    try:
        return {"result": strategic_merge(ask["Kind"], ask["Doc"], ask["Patch"])}
    except ApiError as error:
        return {"error": error.message}


def owned(ask: Obj) -> Obj:
    """One apply or update over an object with managers; appliers' names begin with an a."""
    entries = [
        {"manager": who, "operation": "Apply" if who[0] == "a" else "Update", "apiVersion": "apps/v1", "fieldsV1": set_}
        for who, set_ in ask.get("Managers", {}).items()
    ]
    stated = {"apiVersion": "apps/v1", "kind": "Deployment", **ask["Patch"]}
    live = {"apiVersion": "apps/v1", "kind": "Deployment", **ask["Doc"]}
    live["metadata"] = {**live["metadata"], "managedFields": entries or [NOBODY]}
    try:
        if ask["Mode"] == "apply":
            new = server_side_apply("Deployment", live, stated, manager=ask["Manager"], force=ask["Force"])
        else:
            new = track("Deployment", live, stated, manager=ask["Manager"])
    except ApiError as error:
        return {"conflicts": sorted(cause["field"] for cause in (error.details or {})["causes"])}
    sets = {entry["manager"]: entry["fieldsV1"] for entry in managers.entries_of(new) if entry["manager"] != "nobody"}
    new["metadata"].pop("managedFields", None)
    return {"result": {key: value for key, value in new.items() if key not in ("apiVersion", "kind")}, "managers": sets}


def filled(value: Any) -> Any:
    """A value without empty and null parts: those go when the object takes its canonical form."""
    if isinstance(value, dict):
        found = {key: filled(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item not in (None, {}, [])}
    return [filled(item) for item in value] if isinstance(value, list) else value


def comparable(ask: Obj, answer: Obj) -> Any:
    """An answer without what the libraries leave to their callers."""
    answer = copy.deepcopy(answer)
    if "conflicts" in answer:
        return sorted(conflict.rpartition(" ")[2] for conflict in answer["conflicts"])
    if "managers" in answer:
        for fields in answer["managers"].values():  # identity is nobody's: the caller strips it
            for key in (".", "f:name"):
                fields.get("f:metadata", {}).pop(key, None)
        sets = {
            who: {k: v for k, v in fields.items() if v or k != "f:metadata"}
            for who, fields in answer["managers"].items()
        }
        return filled(answer["result"]), {who: fields for who, fields in sets.items() if fields}
    if ask["Mode"] == "strategic" and "result" in answer:
        return as_decoded(ask["Kind"], answer["result"])
    if ask["Mode"] == "strategic":
        return "error"  # the words hold Go's printing of maps
    return answer


def as_decoded(kind: str, patched: Obj) -> Any:
    """What a patched object becomes: directives that are left over are unknown fields."""
    try:
        decoding.check(kind, patched)
    except decoding.DecodeError:
        return "refused"
    canonicalise(kind, patched)
    return patched


OURS = {
    "apply": owned,
    "decode": decode,
    "name": name,
    "quantity": quantity,
    "strategic": strategic,
    "update": owned,
}


@pytest.mark.parametrize("mode", sorted(OURS))
def test_answers_as_the_library_does(mode: str) -> None:
    lines = [line for line in LINES if line["ask"]["Mode"] == mode]
    assert len(lines) >= 25
    for line in lines:
        ours = OURS[mode](copy.deepcopy(line["ask"]))
        assert comparable(line["ask"], ours) == comparable(line["ask"], line["answer"]), line["ask"]
