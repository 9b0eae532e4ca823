"""Clients bound to a colour: an answer of another build counts for nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bluegreen.plugin.measuring import OtherBuildError, bound_client


@pytest.fixture
def url() -> Iterator[str]:
    """A server that states the version that the path names, or none."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if self.path == "/v2/missing" else 200)
            if version := self.path.split("/")[1]:
                self.send_header("X-Version", version)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_only_answers_of_the_build_are_taken(url: str) -> None:
    with bound_client(url, "X-Version", "v2") as client:
        assert client.get("/v2").status_code == 200
        assert client.get("/v2/missing").status_code == 404
        with pytest.raises(OtherBuildError, match="answered with X-Version: v1, not by version v2"):
            client.get("/v1")
        with pytest.raises(OtherBuildError, match="no header X-Version, not by version v2"):
            client.get("/")
