"""What goes on beside a test of the load stage: looks at every pod's health, and users while a pod leaves."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bluegreen import clock, gate
from bluegreen.plugin.measuring import Target, ask, http_client

if TYPE_CHECKING:
    import httpx

LOOK_EVERY_S = 0.5  # a choice: a dependency that is gone for longer is seen, and pods are not kept busy by being asked
USERS = 4  # a choice: requests of so many are under way or about to be while a pod leaves
STOP_TIMEOUT_S = 15.0  # longer than one request may take


class HealthWatch:
    """Asks every pod for its health again and again while the block runs; ``looks`` holds what was said."""

    def __init__(self, target: Target, paths: Sequence[str]) -> None:
        self._paths = paths
        self._clients = {pod["metadata"]["name"]: target.pod_client(pod) for pod in target.pods()}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_until_over, name="health-watch", daemon=True)
        self.looks: list[gate.Look] = []

    def __enter__(self) -> HealthWatch:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._over.set()
        self._thread.join(STOP_TIMEOUT_S)
        for client in self._clients.values():
            client.close()

    def _look_until_over(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for pod, client in self._clients.items():
                self.looks.append(gate.Look(pod, self._problem(client)))

    def _problem(self, client: httpx.Client) -> str:
        checks = [check for path in self._paths for check in gate.healthy(ask(client, path, path), must_say=False)]
        return " ".join(check.sentence for check in checks if not check.passed)


class Users:
    """A few users who ask a URL one request after the other, on kept and on fresh connections, while the block runs."""

    def __init__(self, url: str, path: str) -> None:
        self._url, self._path = url, path
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask_until_over, args=(number % 2 == 0,), daemon=True)
            for number in range(USERS)
        ]
        self.answers: list[gate.Answer] = []

    def __enter__(self) -> Users:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(STOP_TIMEOUT_S)

    def _ask_until_over(self, kept: bool) -> None:
        import httpx

        more: dict[str, Any] = {"limits": httpx.Limits(max_keepalive_connections=1)} if kept else {}
        with http_client(self._url, **more) as client:
            while not self._over.is_set():
                self.answers.append(ask(client, self._path, f"GET {self._path}"))
                clock.sleep_s(0.01)
