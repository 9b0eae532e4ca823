"""A real HTTP server that keeps a few objects as a Kubernetes API does, and misbehaves on request.

It is there to hold retries and waits against failures that a healthy server never shows: each request takes the next
fault from ``faults``, and is answered rightly when there is none. The embedded cluster's own faults strike by chance;
this one plays a script, so that a test can say which of a call's requests fails, and how.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Obj = dict[str, Any]


@dataclass
class Fault:
    """What goes wrong with one request: an answer without work, or a cut connection before or after the work."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""  # "before" or "after" the request was worked on
    fail_after: int = 0  # a status answered although the work was done
    after: Callable[[], None] | None = None  # something else that happens once the work is done
    body: Obj | None = None


class FaultyApi:
    """The server: objects by path, a version that counts up, the requests seen."""

    def __init__(self) -> None:
        self.objects: dict[str, Obj] = {}
        self.version = 100
        self.faults: queue.SimpleQueue[Fault | None] = queue.SimpleQueue()
        self.seen: list[tuple[str, str]] = []
        self.watches: queue.SimpleQueue[list[bytes | str]] = queue.SimpleQueue()
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FaultyApi:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, *faults: Fault | None) -> None:
        for fault in faults:
            self.faults.put(fault)

    def put(self, path: str, obj: Obj) -> Obj:
        with self.lock:
            self.version += 1
            metadata = {"name": path.rpartition("/")[2], "namespace": "ns", "uid": path, **obj.get("metadata", {})}
            self.objects[path] = {**obj, "metadata": {**metadata, "resourceVersion": str(self.version)}}
            return self.objects[path]

    def work(self, method: str, path: str, query: dict[str, str], body: Any, content_type: str) -> tuple[int, Obj]:
        """Answer a request rightly."""
        with self.lock:
            if method == "POST":
                return self._create(path, body)
            if method == "GET" and path not in self.objects and path.rpartition("/")[2] in ("configmaps", "pods"):
                items = [o for key, o in sorted(self.objects.items()) if key.startswith(path + "/")]
                return 200, {"kind": "List", "metadata": {"resourceVersion": str(self.version)}, "items": items}
            if path not in self.objects:
                return (
                    self._patched(path, {"metadata": {}}, body, content_type) if "apply" in content_type else _no(404)
                )
            if method == "GET":
                return 200, self.objects[path]
            if method == "DELETE":
                self.version += 1
                return 200, self.objects.pop(path)
            return self._patched(path, self.objects[path], body, content_type)

    def _create(self, path: str, body: Obj) -> tuple[int, Obj]:
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}{self.version}"
        if f"{path}/{name}" in self.objects:
            return _no(409, "AlreadyExists")
        return 201, self.put(f"{path}/{name}", {**body, "metadata": {**body["metadata"], "name": name}})

    def _patched(self, path: str, old: Obj, body: Any, content_type: str) -> tuple[int, Obj]:
        new = json.loads(json.dumps(old))
        if isinstance(body, list):
            for op in body:
                *parents, last = op["path"].strip("/").split("/")
                place = new
                for part in parents:
                    place = place[part]
                if op["op"] == "test" and place.get(last) != op["value"]:
                    return _no(422, "Invalid")
                if op["op"] in ("add", "replace"):
                    place[last] = op["value"]
        else:
            wanted = body["metadata"].get("resourceVersion") if "metadata" in body else None
            if wanted and wanted != old["metadata"]["resourceVersion"]:
                return _no(409, "Conflict")
            new = {**new, **body, "metadata": {**new["metadata"], **body.get("metadata", {})}}
        return 200, self.put(path, new)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                api.seen.append((self.command, self.path))
                fault = None if api.faults.empty() else api.faults.get()
                if fault and fault.cut == "before":
                    self.close_connection = True
                elif fault and fault.status:
                    self.reply(fault.status, fault.body or _no(fault.status)[1], fault.headers)
                elif query.get("watch"):
                    self.watch()
                else:
                    status, answer = api.work(
                        self.command, parts.path, query, body, self.headers.get("Content-Type") or ""
                    )
                    if fault and fault.after:
                        fault.after()
                    if fault and fault.cut == "after":
                        self.close_connection = True
                    elif fault and fault.fail_after:
                        self.reply(fault.fail_after, _no(fault.fail_after)[1], {})
                    else:
                        self.reply(status, answer, {})

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

            def reply(self, status: int, body: Obj, headers: dict[str, str]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def watch(self) -> None:
                """Send the pieces of the next script: bytes as they are, ``cut`` ends without the last chunk, and
                ``hold`` keeps the connection open until the client leaves it."""
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.flush()
                self.close_connection = True
                for piece in api.watches.get() if not api.watches.empty() else ["hold"]:
                    if piece == "cut":
                        return
                    if piece == "hold":
                        self.connection.recv(1)
                        return
                    assert isinstance(piece, bytes)
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

        return Handler


def event(type_: str, obj: Obj) -> bytes:
    """One line of a watch."""
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


def _no(status: int, reason: str = "") -> tuple[int, Obj]:
    message = reason or f"refused with {status}"
    return status, {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": message}
