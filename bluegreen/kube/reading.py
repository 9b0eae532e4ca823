"""Reading objects of one namespace: plain dicts, with time-outs and retries inside.

Every read is repeated while the server fails in passing, and while it answers with a state older than what this very
client has already written or seen: a cache in front of the API takes nothing back. The second question states the
version that the answer must have reached, which servers honour.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from bluegreen import clock
from bluegreen.clock import Deadline
from bluegreen.kube.errors import Expired, KubeError, NotFound, Stale, Unreachable
from bluegreen.kube.kinds import RESOURCES, Resource
from bluegreen.kube.transport import Transport
from bluegreen.kube.watch import Wait

Obj = dict[str, Any]
Objects = list[Obj]
T = TypeVar("T")
Known = list[list[Any]]
"""Kind, namespace, name and resourceVersion of each object; of each kind, without a name, its newest list's."""

PAGE = 500
"""Objects a list request asks for at once, as kubectl does."""


class Reader:
    """What can be asked of a cluster; ``Kube`` adds the writes."""

    def __init__(self, transport: Transport, namespace: str, *, context: str = "", kubeconfig: str = "") -> None:
        self.transport = transport
        self.namespace = namespace
        self.context = context
        self.kubeconfig = kubeconfig
        """The files it was made from, for ``connect_handle`` in another process; '' inside a cluster."""
        self.server_version = ""
        self.published: Mapping[int, tuple[str, int]] = {}
        """NodePorts that this machine answers itself, as kind's node does: each with host and port."""
        self.notes: list[str] = []
        """What a person should know about this cluster before a release, a sentence each."""
        self._newest: dict[tuple[str, str, str], int] = {}  # each object's version, as written or read: see _fresh
        self._listed: dict[str, int] = {}  # by kind: the version of the newest list or watch

    def known(self) -> Known:
        """The versions that this client knows of, for ``learn`` in another process; JSON-able."""
        return [*([*key, version] for key, version in {**self._newest}.items())] + [
            [kind, "", "", version] for kind, version in {**self._listed}.items()
        ]

    def learn(self, known: Known) -> None:
        """Take nothing older from now on than what another client of this cluster knows of."""
        for kind, space, name, version in known:
            if name:
                self._newest[kind, space, name] = max(version, self._newest.get((kind, space, name), 0))
            else:
                self._saw(kind, version)

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self.transport.server

    def close(self) -> None:
        """Close the connections; the object is of no use afterwards."""
        self.transport.close()

    def get(self, kind: str, name: str, namespace: str | None = None) -> Obj | None:
        """One object, or ``None`` when there is none."""
        resource, space = self._resource(kind), self._space(namespace)
        key = (kind, space if resource.namespaced else "", name)
        what = f"read {shown_name(kind, space, name)}"

        def read(query: dict[str, str]) -> Obj:
            return self._json("GET", resource.path(space, name), what, query=query, repeatable=True)

        try:
            found = self._fresh(read, self._newest.get(key, 0), what)
        except NotFound:
            return None
        self._newest[key] = max(_version(found), self._newest.get(key, 0))
        return found

    def list(self, kind: str, labels: str = "", fields: str = "", namespace: str | None = None) -> Objects:
        """All objects of a kind that match the selectors; ``namespace`` '' means of all namespaces."""
        return self.list_at(kind, labels, fields, namespace)[0]

    def list_at(
        self, kind: str, labels: str = "", fields: str = "", namespace: str | None = None
    ) -> tuple[Objects, str]:
        """The same, with the resourceVersion from which a watch goes on."""
        resource, space = self._resource(kind), self._space(namespace)
        what = f"list {resource.plural} in {space or 'all namespaces'}"
        written = [rv for (of, ns, _), rv in self._newest.items() if of == kind and space in ("", ns)]
        selectors = {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}

        def read(query: dict[str, str]) -> Obj:
            match = {"resourceVersionMatch": "NotOlderThan"} if query else {}
            return self._pages(resource.path(space), what, {**selectors, **query, **match})

        answer = self._fresh(read, max([self._listed.get(kind, 0), *written]), what)
        self._saw(kind, _version(answer))
        items = answer.get("items") or []
        for item in items:
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", resource.api_version)
        return items, str(answer["metadata"].get("resourceVersion", ""))

    def wait(
        self,
        kind: str,
        until: Callable[[Objects], T | None],
        *,
        deadline: Deadline,
        awaited: str,
        labels: str = "",
        fields: str = "",
        namespace: str | None = None,
        on_tick: Callable[[], None] | None = None,
        seen: Callable[[Objects], str] | None = None,
    ) -> T:
        """Watch objects until ``until`` gives something other than ``None``, and return that.

        ``until`` gets the objects as they are, sorted by namespace and name, at first and after every change; what it
        raises ends the wait. ``on_tick`` is called at least every 0.25 s and may raise as well. At the deadline
        ``TimeoutExpiredError`` says what was ``awaited`` and, by ``seen``, what was there last. Survives dropped
        watches, expired versions, stale lists and a server that fails for a while.
        """
        selectors = {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}
        path = self._resource(kind).path(self._space(namespace))
        wait = Wait(
            what=f"watch {self._resource(kind).plural}",
            read=lambda: self.list_at(kind, labels, fields, namespace),
            open_watch=lambda query, read_timeout_s: self.transport.stream(
                path, f"watch {kind}", {**selectors, **query}, read_timeout_s
            ),
            policy=self.transport.policy,
            deadline=deadline,
            awaited=awaited,
            on_tick=on_tick,
            seen=seen,
        )
        try:
            return wait.run(until)
        finally:
            self._saw(kind, int(wait.version) if wait.version.isdigit() else 0)

    def logs(
        self,
        pod: str,
        container: str = "",
        previous: bool = False,
        tail_lines: int | None = 200,
        since_s: int | None = None,
    ) -> str:
        """What a pod's container printed; '' when there is nothing (yet)."""
        given = {"container": container, "tailLines": tail_lines, "sinceSeconds": since_s}
        query = {key: str(value) for key, value in given.items() if value not in ("", None)}
        if previous:
            query["previous"] = "true"
        path = self._resource("Pod").path(self.namespace, pod, "log")
        content = self.transport.request("GET", path, f"read the logs of pod {pod}", query=query, repeatable=True)
        return content.decode("utf-8", "replace")

    def events(self, name: str = "", namespace: str | None = None) -> Objects:
        """The events about an object (of the whole namespace without a name), oldest first."""
        found = self.list("Event", fields=f"involvedObject.name={name}" if name else "", namespace=namespace)
        return sorted(found, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))

    def pod_metrics(self, labels: str = "") -> dict[str, Obj]:
        """CPU and memory in use, by pod and container; nothing where the cluster measures none (metrics.k8s.io)."""
        try:
            measured = self.list("PodMetrics", labels=labels)
        except (NotFound, Unreachable):  # not installed; installed and without an answer
            return {}
        return {
            pod["metadata"]["name"]: {container["name"]: container["usage"] for container in pod["containers"]}
            for pod in measured
        }

    def can_i(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str | None = None, name: str = ""
    ) -> bool:
        """Whether this account may do something; ``group`` '' is the core API, ``namespace`` '' all namespaces."""
        wish = {"verb": verb, "group": group, "resource": resource, "subresource": subresource, "name": name}
        attributes = {k: v for k, v in {**wish, "namespace": self._space(namespace)}.items() if v}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.post_answer(self._resource("SelfSubjectAccessReview").path(""), review, "ask for permissions")
        return bool((answer.get("status") or {}).get("allowed"))

    def post_answer(self, path: str, body: Obj, what: str) -> Obj:
        """A POST that leaves nothing behind (a review, a token): repeated like a read."""
        return self._json("POST", path, what, body=body, repeatable=True)

    def raw(self, path: str, query: Mapping[str, str] | None = None) -> Obj:
        """Whatever JSON object a path answers, for reading what has no kind: ``/version``, ``/apis/…``."""
        return self._json("GET", path, f"read {path}", query=query, repeatable=True)

    def _space(self, namespace: str | None) -> str:
        return self.namespace if namespace is None else namespace

    def _resource(self, kind: str) -> Resource:
        return RESOURCES[kind]

    def _json(self, method: str, path: str, what: str, **how: Any) -> Obj:
        content = self.transport.request(method, path, what, **how)
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:  # a proxy's or a login page
            answer = None
        if not isinstance(answer, dict):
            said = content[:60].decode("utf-8", "replace").strip()
            sentence = f"Cannot {what}: the answer is no JSON object: {said!r}."
            raise KubeError(sentence, "Check that this is the address of a Kubernetes API.")
        return answer

    def _pages(self, path: str, what: str, query: dict[str, str]) -> Obj:
        """A whole list, page by page; all at once when the server let the pages expire."""
        answer = self._json("GET", path, what, query={**query, "limit": str(PAGE)}, repeatable=True)
        items = list(answer.get("items") or [])
        going_on = str((answer.get("metadata") or {}).get("continue") or "")
        while going_on:
            more = {**query, "limit": str(PAGE), "continue": going_on}
            try:
                answer = self._json("GET", path, what, query=more, repeatable=True)
            except Expired:
                return self._json("GET", path, what, query=query, repeatable=True)
            items += answer.get("items") or []
            going_on = str(answer["metadata"].get("continue") or "")
        return {**answer, "items": items}

    def _saw(self, kind: str, version: int) -> None:
        self._listed[kind] = max(version, self._listed.get(kind, 0))

    def _fresh(self, read: Callable[[dict[str, str]], Obj], at_least: int, what: str) -> Obj:
        """Read until the answer is no older than what this client knows: some servers answer from a cache.

        A 404 for an object that was there is believed once the server has said it of a state that is new enough.
        """
        policy, started_s, failures, query = self.transport.policy, clock.now_s(), 0, {}  # type: ignore[var-annotated]
        while True:
            with contextlib.suppress(*(() if query or not at_least else (NotFound,))):
                answer = read(query)
                if not 0 < _version(answer) < at_least:
                    return answer
            failures += 1
            pause_s = policy.pause_s(failures) if query else 0.0
            if policy.over(failures, clock.now_s() - started_s, pause_s):
                raise Stale(f"Cannot {what}: the server's answer is older than what it confirmed before.")
            clock.sleep_s(pause_s)
            query = {"resourceVersion": str(at_least)}


def _version(answer: Obj) -> int:
    """The resourceVersion of an object or a list; 0 where it states none that can be compared."""
    stated = str((answer.get("metadata") or {}).get("resourceVersion") or "")
    return int(stated) if stated.isdigit() else 0


def shown_name(kind: str, namespace: str, name: str) -> str:
    """How a sentence names an object."""
    return f"{kind} {namespace}/{name}" if namespace and kind not in _CLUSTER_WIDE else f"{kind} {name}"


_CLUSTER_WIDE = frozenset(kind for kind, resource in RESOURCES.items() if not resource.namespaced)
