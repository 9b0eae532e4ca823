"""Drive a Kubernetes API through recorded scenarios and compare what it answers with what a real Kubernetes answered.

Each scenario (``scenarios/*.py``, functions named ``scenario_*``) drives the server over plain HTTP in a namespace of
its own; ``recordings/`` holds what Kubernetes 1.34 answered, step by step. Values that differ from run to run (uids,
resourceVersions, times, generated name suffixes, addresses, hashes) are replaced by placeholders on both sides. The
wording of an error is compared only when asked for (``exact``); its code, reason and details always.

The first 320 steps were recorded from a whole cluster; those of the files that say so, from the API server, controllers
and scheduler of Kubernetes 1.34.1, built from its source: what needs no kubelet, over every kind that is served here.

``python -m tests.conformance`` replays against an embedded cluster of its own, ``--cluster CONTEXT`` against any other.
"""

from __future__ import annotations

import importlib.util
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
IPV4 = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
VERSION_IN_TEXT = re.compile(r"\(\d+\)")
DURATION = re.compile(r"\b\d+(\.\d+)?(ms|µs|s|m|h)\b")
# Fields whose value is chosen by the server and says nothing about behaviour.
OPAQUE = {
    "uid": "<uid>",
    "resourceVersion": "<rv>",
    "continue": "<continue>",
    "containerID": "<id>",
    "imageID": "<id>",
    "nodeName": "<node>",
    "hostIP": "<ip>",
    "remainingItemCount": "<n>",
    "observedGeneration": None,
    "generation": None,
}
# Fields left out of the comparison wherever they stand.
DROPPED = {"managedFields", "selfLink", "hostIPs", "podIPs", "nodeName"}


class Step(dict):
    """One request and its normalised answer."""


class Driver:
    """What a scenario drives: HTTP verbs that note each answer as a step."""

    def __init__(self, client: httpx.Client, namespace: str):
        self.client, self.ns = client, namespace
        self.steps: list[Step] = []
        self._tokens: dict[str, str] = {}  # server-chosen string -> placeholder

    # -- requests -------------------------------------------------------------
    def request(
        self,
        method,
        path,
        body=None,
        *,
        content_type=None,
        raw=None,
        note=True,
        headers=None,
        keep=None,
        drop=(),
        **query,
    ):
        """Send one request; ``{ns}`` in path and body stands for the scenario's namespace.

        keep: compare only these top-level keys of the body. drop: leave these keys out
        at any depth. Returns the decoded JSON body (or the text).
        """
        path = path.replace("{ns}", self.ns)
        content = raw
        hdrs = dict(headers or {})
        if body is not None:
            content = json.dumps(body).replace("{ns}", self.ns)
            hdrs.setdefault("Content-Type", content_type or "application/json")
        elif content_type:
            hdrs["Content-Type"] = content_type
        query = {k.rstrip("_"): str(v).replace("{ns}", self.ns) for k, v in query.items()}
        resp = self.client.request(method, path, content=content, headers=hdrs, params=query)
        try:
            data = resp.json()
        except ValueError:
            data = resp.text
        self._learn(data)
        if note:
            shown = data
            if keep and isinstance(data, dict):
                shown = {k: data.get(k) for k in keep}
            self._note(f"{method} {path}", resp.status_code, shown, query, drop)
        return data

    def _note(self, what, status, data, query=None, drop=()):
        self.steps.append(
            Step(
                request=self._text(what),
                query=self._clean(query or {}, set(drop)),
                status=status,
                body=self._clean(data, DROPPED | set(drop)),
            )
        )

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def put(self, path, body=None, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, body=None, **kw):
        return self.request("DELETE", path, body, **kw)

    def patch(self, path, body, kind="strategic", **kw):
        """kind: json, merge, strategic or apply (server-side apply; pass fieldManager=...)."""
        return self.request("PATCH", path, body, content_type=PATCH_TYPES[kind], **kw)

    def wait(self, path, until, *, seconds=60, note=True, every=0.1, **kw):
        """GET path until ``until(body)`` holds; note only the last answer."""
        end = time.monotonic() + seconds
        while True:
            data = self.request("GET", path, note=False, **kw)
            try:
                done = bool(until(data))
            except (KeyError, TypeError, IndexError):
                done = False
            if done or time.monotonic() > end:
                break
            time.sleep(every)
        if note:
            self._note(f"WAIT {path}".replace("{ns}", self.ns), 200 if done else "timeout", data)
        return data

    def say(self, what, value):
        """Note a fact the scenario worked out itself (a count, an order)."""
        self._note(f"FACT {what}", 0, value)

    def watch(self, path, *, seconds=5, until=None, **query):
        """Collect watch events (type, object) for a bounded time; not noted by itself."""
        events, end = [], time.monotonic() + seconds
        query = {k: str(v).replace("{ns}", self.ns) for k, v in query.items()}
        query |= {"watch": "true", "timeoutSeconds": str(max(1, int(seconds)))}
        timeout = httpx.Timeout(10, read=seconds + 2)
        try:
            with self.client.stream("GET", path.replace("{ns}", self.ns), params=query, timeout=timeout) as resp:
                for line in resp.iter_lines():
                    if line.strip():
                        events.append(json.loads(line))
                    if (until and until(events)) or time.monotonic() > end:
                        break
        except httpx.ReadTimeout:
            pass
        return events

    # -- normalising ----------------------------------------------------------
    def _learn(self, data):
        """Remember server-chosen name parts so that they compare as placeholders."""
        for obj in _objects(data):
            meta = obj.get("metadata") or {}
            hash_ = (meta.get("labels") or {}).get("pod-template-hash")
            if hash_:
                self._tokens[hash_] = "<hash>"
            prefix, name = meta.get("generateName"), meta.get("name")
            if prefix and name and name.startswith(prefix):
                self._tokens[name[len(prefix) :]] = "<rand>"
        for token in _values(data, "pod-template-hash"):
            self._tokens[token] = "<hash>"

    def _text(self, text):
        text = text.replace(self.ns, "<ns>")
        for token, mark in sorted(self._tokens.items(), key=lambda kv: -len(kv[0])):
            if len(token) > 3:
                text = text.replace(token, mark)
        for pattern, mark in (
            (TIME, "<time>"),
            (UUID, "<uid>"),
            (IPV4, "<ip>"),
            (VERSION_IN_TEXT, "(<rv>)"),
            (DURATION, "<dur>"),
        ):
            text = pattern.sub(mark, text)
        return text

    def _clean(self, data, drop):
        if isinstance(data, dict):
            out = {}
            for key, value in data.items():
                if key in drop:
                    continue
                if key in OPAQUE and not isinstance(value, (dict, list)):
                    mark = OPAQUE[key]
                    out[key] = value if mark is None else mark
                else:
                    out[self._text(key)] = self._clean(value, drop)
            return out
        if isinstance(data, list):
            return [self._clean(item, drop) for item in data]
        return self._text(data) if isinstance(data, str) else data


def _objects(data):
    if isinstance(data, dict):
        if "metadata" in data:
            yield data
        for value in data.values():
            yield from _objects(value)
    elif isinstance(data, list):
        for item in data:
            yield from _objects(item)


def _values(data, key):
    if isinstance(data, dict):
        for k, v in data.items():
            if k == key and isinstance(v, str):
                yield v
            else:
                yield from _values(v, key)
    elif isinstance(data, list):
        for item in data:
            yield from _values(item, key)


def wordless(step):
    """The step without the prose of an error Status: its message and its causes' messages."""
    body = step["body"]
    if not isinstance(body, dict) or body.get("kind") != "Status" or body.get("status") != "Failure":
        return step
    details = dict(body.get("details") or {})
    if "causes" in details:
        details["causes"] = sorted(({k: v for k, v in c.items() if k != "message"} for c in details["causes"]), key=str)
    return {**step, "body": {k: v for k, v in body.items() if k not in ("message", "details")} | {"details": details}}


def differences(want, got, at="") -> list[str]:
    """Every place where got differs from want, as one line each."""
    if isinstance(want, dict) and isinstance(got, dict):
        out = []
        for key in want.keys() | got.keys():
            here = f"{at}.{key}"
            if key not in got:
                out.append(f"{here}: missing, want {_short(want[key])}")
            elif key not in want:
                out.append(f"{here}: not in the recording: {_short(got[key])}")
            else:
                out += differences(want[key], got[key], here)
        return sorted(out)
    if isinstance(want, list) and isinstance(got, list):
        out = [] if len(want) == len(got) else [f"{at}: {len(got)} items, want {len(want)}"]
        for i, (w, g) in enumerate(zip(want, got, strict=False)):
            out += differences(w, g, f"{at}[{i}]")
        return out
    return [] if want == got else [f"{at}: {_short(got)}, want {_short(want)}"]


def _short(value):
    text = json.dumps(value, sort_keys=True)
    return text if len(text) < 160 else text[:157] + "..."


HERE = Path(__file__).parent


@dataclass(frozen=True)
class Failure:
    """A step whose answer differs from the recording."""

    step: int
    request: str
    differences: list[str]


def scenarios() -> Iterator[tuple[str, Callable[[Driver], None]]]:
    """Every scenario with its name, ``file.scenario``."""
    for file in sorted((HERE / "scenarios").glob("*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, func in vars(module).items():
            if name.startswith("scenario_"):
                yield f"{file.stem}.{name.removeprefix('scenario_')}", func


def recording(name: str) -> list[Step]:
    """What the real Kubernetes answered, step by step."""
    return json.loads((HERE / "recordings" / f"{name}.json").read_text())


def run(client: httpx.Client, func: Callable[[Driver], None]) -> tuple[list[Step], str | None]:
    """Run one scenario in a namespace of its own; its steps, and what it tripped over."""
    ns = f"conf-{uuid.uuid4().hex[:6]}"
    driver = Driver(client, ns)
    client.post("/api/v1/namespaces", json={"metadata": {"name": ns}})
    driver.wait(
        f"/api/v1/namespaces/{ns}/serviceaccounts/default", lambda body: body["kind"] == "ServiceAccount", note=False
    )
    crash = None
    try:
        func(driver)
    except Exception as error:  # a scenario that trips over an answer has failed there
        crash = f"{type(error).__name__}: {error}"
    finally:
        client.delete(f"/api/v1/namespaces/{ns}")
    return driver.steps, crash


def compare(want: list[Step], steps: list[Step], crash: str | None, *, exact: bool = False) -> list[Failure]:
    """Every step that differs from the recording."""
    failures = []
    for number, expected in enumerate(want):
        if number >= len(steps):
            failures.append(Failure(number, expected["request"], [f"not reached ({crash})"]))
            continue
        got = json.loads(json.dumps(steps[number]))
        pair = (expected, got) if exact else (wordless(expected), wordless(got))
        if found := differences(*pair):
            failures.append(Failure(number, expected["request"], found))
    return failures
