"""A release as its tests see it: plain facts that travel as JSON to the processes that measure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Handle:
    """What a test needs to know to find the candidate and what serves live, and to tell one from the other.

    Holds no secret, no connection and no thread. A process that measures loads its own settings and opens its own
    connection to ``kubeconfig`` and ``context``.
    """

    release_id: str
    namespace: str
    app_name: str
    service_name: str  # the live Service
    preview_name: str  # the preview Service, which selects the candidate only
    candidate: str  # colour
    live: str | None  # colour that served when the release began; None: nothing did, this is a first release
    image: str  # the exact reference asked for
    version: str  # what the candidate must state in version_header
    version_header: str  # "" for an application that states none
    live_version: str  # what the live colour stated when the release began, "" when it stated none
    replicas: int  # the candidate's size: the live colour's present size
    deployment: str  # the candidate's Deployment
    kubeconfig: str  # path
    context: str
    live_urls: Mapping[str, str] = field(default_factory=dict)  # port name -> base URL, no trailing slash
    preview_urls: Mapping[str, str] = field(default_factory=dict)
    live_via: str = ""  # by which way its URLs lead there: route, load-balancer, node-port, cluster, port-forward
    live_host: str = ""  # the host that requests to live_urls["http"] have to name; "" where it is the URL's own
    preview_via: str = ""
    available: bool = False  # whether the candidate became Available and answers through the preview Service
    unavailable_reason: str = ""  # one sentence when it did not
    returning: str = ""  # why the whole gate is not needed, in words: it served until a moment ago; "" when it is
    started_at: str = ""  # RFC 3339, UTC
    report_dir: str = ""  # where this release's report and evidence go

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Handle:
        """The handle that ``to_json`` wrote."""
        return cls(**json.loads(text))
