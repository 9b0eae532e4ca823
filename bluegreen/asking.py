"""One request on a connection of its own, and what became of it."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, replace

ANSWER_TIMEOUT_S = 1.0
"""The longest one confirming request may take; the first attempts at a new address may hang."""


@dataclass(frozen=True)
class Target:
    """Where to ask, and what must answer. ``authority``: the host to name, where it is another than the address."""

    host: str
    port: int
    path: str
    version_header: str  # "" for an application that states none
    version: str  # "" when it is not known: then any will do
    authority: str = ""
    tls: bool = False

    def at(self, host: str, port: int) -> Target:
        """The same, asked of a pod or a Service inside the cluster, which speak plain HTTP."""
        return replace(self, host=host, port=port, tls=False)


@dataclass(frozen=True)
class Answer:
    """What one fresh request brought: a status and a stated version, or a problem."""

    status: int = 0
    version: str = ""
    problem: str = ""

    def good(self, target: Target) -> bool:
        """Whether the answer is healthy and from the version awaited."""
        versioned = not target.version_header or self.version == (target.version or self.version)
        return not self.problem and 200 <= self.status < 400 and versioned

    def __str__(self) -> str:
        return self.problem or f"HTTP {self.status}" + (f" from version {self.version}" if self.version else "")


def ask(target: Target, timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
    """Ask once."""
    kind = http.client.HTTPSConnection if target.tls else http.client.HTTPConnection
    connection = kind(target.host, target.port, timeout=max(0.05, timeout_s))
    named = {"Host": target.authority} if target.authority else {}
    try:
        connection.request("GET", target.path, headers={"Connection": "close", **named})
        response = connection.getresponse()
        response.read()
        return Answer(response.status, response.headers.get(target.version_header or "-", ""))
    except (OSError, http.client.HTTPException) as error:
        return Answer(problem=f"no answer ({error or type(error).__name__})")
    finally:
        connection.close()
