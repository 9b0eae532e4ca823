"""The router at work: what it opens, hands on, and says in statuses, and that nobody feels a backend change."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bluegreen import localkube
from bluegreen.localkube import UNPRIVILEGED_OFFSET
from bluegreen.localkube.controllers import Manager, Options
from bluegreen.localkube.kinds import KINDS
from bluegreen.localkube.network import Network, claim_network
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.router.router import CLASSES, GATEWAYS, ROUTES, Router
from bluegreen.localkube.store import Store

Obj = dict[str, Any]
INGRESS, SERVICE, SLICE = KINDS["Ingress"], KINDS["Service"], KINDS["EndpointSlice"]
DEFINITION = KINDS["CustomResourceDefinition"]
PATIENCE_S = 10.0


class Backend:
    """An endpoint that says its name and what it was asked."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self._server = web.Server(self._serve, access_log=None)

    async def start(self) -> None:
        self._listening = await asyncio.get_running_loop().create_server(self._server, self.address, 8080)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.path == "/slow":
            response = web.StreamResponse(headers={"X-Name": self.name})
            await response.prepare(request)
            for _ in range(3):
                await response.write(b"piece ")
                await asyncio.sleep(0.05)
            return response
        headers = [("X-Name", self.name), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        seen = {"path": request.raw_path, "body": body.decode(), "headers": dict(request.headers)}
        answer = web.json_response({"name": self.name, **seen})
        answer.headers.extend(headers)
        return answer

    async def stop(self) -> None:
        self._listening.close()
        await self._server.shutdown(0)


class Place:
    """A router over a store, with a Service for each backend, and a client."""

    def __init__(self, registry: Registry, network: Network, session: aiohttp.ClientSession) -> None:
        self.registry, self.network, self.session = registry, network, session
        self.backends: dict[str, Backend] = {}

    async def backend(self, name: str, *, ready: bool = True) -> Backend:
        backend = self.backends[name] = Backend(name, self.network.take_pod_address())
        await backend.start()
        ports = [{"name": "http", "port": 80, "targetPort": 8080}]
        self.registry.create(SERVICE, "n", {"metadata": {"name": name}, "spec": {"ports": ports}})
        self.endpoints(name, backend.address, ready=ready)
        return backend

    def endpoints(self, service: str, *addresses: str, ready: bool = True) -> None:
        meta = {"name": service, "namespace": "n", "labels": {"kubernetes.io/service-name": service}}
        ends = [{"addresses": [address], "conditions": {"ready": ready}} for address in addresses]
        ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
        made = {"metadata": meta, "addressType": "IPv4", "endpoints": ends, "ports": ports}
        if self.registry.store.get(SLICE, "n", service) is None:
            self.registry.create(SLICE, "n", made)
        else:
            self.registry.modify(SLICE, "n", service, lambda obj: obj.update(endpoints=ends), subresource="")

    def ingress(self, service: str, name: str = "i", **backend: Any) -> None:
        """Make an Ingress that leads to a Service, or let it lead there."""
        leads = {"service": {"name": service, "port": {"name": "http"}}, **backend}
        paths = [{"path": "/", "pathType": "Prefix", "backend": leads}]
        spec = {"rules": [{"host": "a.test", "http": {"paths": paths}}]}
        if self.registry.store.get(INGRESS, "n", name) is None:
            self.registry.create(INGRESS, "n", {"metadata": {"name": name}, "spec": spec})
        else:
            self.registry.modify(INGRESS, "n", name, lambda obj: obj.update(spec=spec), subresource="")

    def status(self, key: str, name: str, namespace: str = "n") -> Obj:
        kind = self.registry.store.kinds.by_key(key)
        found = self.registry.store.get(kind, namespace, name) if kind else None
        return (found or {}).get("status") or {}

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - the store has no event for it
                await asyncio.sleep(0.005)

    async def until_refused(self, url: str) -> None:
        """Wait until nobody listens there; until then no rule matches."""
        with contextlib.suppress(aiohttp.ClientError):
            while True:
                assert (await self.ask(url))[0] == 404
                await asyncio.sleep(0.005)

    async def ingress_url(self) -> str:
        await self.until(lambda: bool(self.status("Ingress", "i").get("loadBalancer")))
        (entry,) = self.status("Ingress", "i")["loadBalancer"]["ingress"]
        assert entry == {"ip": self.network.ingress_address}
        for port in (80, 80 + UNPRIVILEGED_OFFSET):
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection(entry["ip"], port)
                writer.close()
                return f"http://{entry['ip']}:{port}"
        raise AssertionError("no door is open")

    async def ask(self, url: str, host: str = "a.test", method: str = "GET", **more: Any) -> tuple[int, str]:
        headers = {"Host": host, **more.pop("headers", {})}
        async with self.session.request(method, url, headers=headers, **more) as answer:
            await answer.read()
            return answer.status, answer.headers.get("X-Name", "")


@contextlib.asynccontextmanager
async def routed(path: Path) -> AsyncIterator[Place]:
    registry, network = Registry(Store()), claim_network(path / "network", str(path))
    registry.create(KINDS["Namespace"], "", {"metadata": {"name": "n"}})
    stop = network.follow(registry)
    controllers, router = Manager(registry, Options("")), Router(registry, network)
    await controllers.start()
    await router.start()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session:
            place = Place(registry, network, session)
            yield place
    finally:
        await router.stop()
        await controllers.stop()
        for backend in place.backends.values():
            await backend.stop()
        stop()
        network.release()
        await asyncio.sleep(0)


def with_router(path: Path, test: Callable[[Place], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with routed(path) as place:
            await test(place)

    asyncio.run(asyncio.wait_for(whole(), 30))


def test_a_request_is_handed_on_as_it_came_and_so_is_the_answer(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("blue")
        place.ingress("blue")
        url = await place.ingress_url()
        headers = {"Host": "a.test:80", "Authorization": "Bearer x", "Connection": "x-hop", "X-Hop": "1"}
        async with place.session.post(f"{url}/a%2Fb?c=%20d", data=b"the body", headers=headers) as answer:
            seen = await answer.json()
            assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert (seen["path"], seen["body"]) == ("/a%2Fb?c=%20d", "the body")
        got = seen["headers"]
        assert (got["Host"], got["Authorization"], got["Content-Length"]) == ("a.test:80", "Bearer x", "8")
        assert got["X-Forwarded-For"].startswith("127.")
        assert "X-Hop" not in got
        async with place.session.get(f"{url}/slow", headers={"Host": "a.test"}) as answer:
            assert await answer.read() == b"piece piece piece "
        async with place.session.head(url, headers={"Host": "a.test"}) as answer:
            assert int(answer.headers["Content-Length"]) > 0

    with_router(tmp_path, test)


def test_what_has_no_rule_no_endpoint_or_no_service_is_answered_so(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("blue")
        place.ingress("blue")
        url = await place.ingress_url()
        assert (await place.ask(url, host="b.test"))[0] == 404
        place.endpoints("blue", place.backends["blue"].address, ready=False)
        assert (await place.ask(url))[0] == 503
        place.ingress("missing")
        assert (await place.ask(url))[0] == 503
        place.registry.delete(INGRESS, "n", "i")
        await place.until_refused(url)

    with_router(tmp_path, test)


def test_an_endpoint_that_is_gone_is_passed_over(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        blue = await place.backend("blue")
        place.ingress("blue")
        url = await place.ingress_url()
        place.endpoints("blue", place.network.take_pod_address(), blue.address)
        answers = [await place.ask(url, method=method, data=b"x") for method in ("GET", "POST") for _ in range(4)]
        assert set(answers) == {(200, "blue")}
        place.endpoints("blue", place.network.take_pod_address())
        assert (await place.ask(url))[0] == 502

    with_router(tmp_path, test)


def test_nobody_feels_a_change_of_backend(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        for name in ("blue", "green"):
            await place.backend(name)
        place.ingress("blue")
        url, going, answers = await place.ingress_url(), True, Counter[tuple[int, str]]()

        async def user(*, keep_alive: bool) -> None:
            headers = {} if keep_alive else {"Connection": "close"}
            while going:
                answers[await place.ask(url, headers=headers)] += 1

        users = [asyncio.create_task(user(keep_alive=number % 2 == 0)) for number in range(6)]
        for turn in range(20):
            name = ("blue", "green")[turn % 2]
            place.ingress(name)
            before = answers[200, name]
            await place.until(lambda name=name, before=before: answers[200, name] >= before + 5)
        going = False
        await asyncio.gather(*users)
        assert set(answers) == {(200, "blue"), (200, "green")}

    with_router(tmp_path, test)


async def with_gateway(place: Place, *weights: tuple[str, int]) -> str:
    """Install the Gateway API, make a Gateway and a route with these backends; its URL once it is programmed."""
    for definition in localkube.gateway_api():
        place.registry.create(DEFINITION, "", definition)
    kinds = place.registry.store.kinds
    await place.until(lambda: bool(place.status(CLASSES, "localkube", "")))
    gateway, route = kinds.by_key(GATEWAYS), kinds.by_key(ROUTES)
    assert gateway
    assert route
    listeners = [{"name": "http", "port": 8080, "protocol": "HTTP"}, {"name": "tls", "port": 443, "protocol": "HTTPS"}]
    spec: Obj = {"gatewayClassName": "localkube", "listeners": listeners}
    place.registry.create(gateway, "n", {"metadata": {"name": "g"}, "spec": spec})
    place.registry.create(route, "n", {"metadata": {"name": "r"}, "spec": route_spec(*weights)})
    await place.until(lambda: truths(place.status(GATEWAYS, "g")).get("Programmed") == "True")
    (address,) = place.status(GATEWAYS, "g")["addresses"]
    return f"http://{address['value']}:8080"


def route_spec(*weights: tuple[str, int]) -> Obj:
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights]
    return {"parentRefs": [{"name": "g", "sectionName": "http"}], "rules": [{"backendRefs": backends}]}


def truths(status: Obj) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}


def test_a_gateway_shares_out_by_weight_and_says_what_it_does(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        for name in ("blue", "green"):
            await place.backend(name)
        url = await with_gateway(place, ("blue", 3), ("green", 1))
        assert Counter([await place.ask(url) for _ in range(40)]) == {(200, "blue"): 30, (200, "green"): 10}
        http, tls = place.status(GATEWAYS, "g")["listeners"]
        assert (http["attachedRoutes"], truths(http)["Programmed"]) == (1, "True")
        assert (tls["attachedRoutes"], truths(tls)["Accepted"]) == (0, "False")
        (parent,) = place.status(ROUTES, "r")["parents"]
        assert truths(parent) == {"Accepted": "True", "ResolvedRefs": "True"}
        before = {condition["type"]: condition for condition in parent["conditions"]}

        kind = place.registry.store.kinds.by_key(ROUTES)
        assert kind
        place.registry.modify(
            kind, "n", "r", lambda obj: obj.update(spec=route_spec(("blue", 0), ("gone", 1))), subresource=""
        )
        await place.until(lambda: truths(place.status(ROUTES, "r")["parents"][0])["ResolvedRefs"] == "False")
        (parent,) = place.status(ROUTES, "r")["parents"]
        after = {condition["type"]: condition for condition in parent["conditions"]}
        assert after["Accepted"]["observedGeneration"] == before["Accepted"]["observedGeneration"] + 1
        assert after["Accepted"]["lastTransitionTime"] == before["Accepted"]["lastTransitionTime"]
        assert (await place.ask(url))[0] == 500
        await place.backend("gone")
        await place.until(lambda: truths(place.status(ROUTES, "r")["parents"][0])["ResolvedRefs"] == "True")
        assert await place.ask(url) == (200, "gone")

    with_router(tmp_path, test)


def test_what_others_say_of_a_route_stays(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        await place.backend("blue")
        await with_gateway(place, ("blue", 1))
        kind = place.registry.store.kinds.by_key(ROUTES)
        assert kind
        theirs = {"parentRef": {"name": "far"}, "controllerName": "other.test/gateway", "conditions": []}
        place.registry.modify(kind, "n", "r", lambda obj: obj["status"]["parents"].insert(0, theirs))
        place.registry.modify(kind, "n", "r", lambda obj: obj.update(spec=route_spec(("none", 1))), subresource="")
        await place.until(lambda: truths(place.status(ROUTES, "r")["parents"][1])["ResolvedRefs"] == "False")
        names = [parent["controllerName"] for parent in place.status(ROUTES, "r")["parents"]]
        assert names == ["other.test/gateway", "localkube.local/gateway"]

    with_router(tmp_path, test)
