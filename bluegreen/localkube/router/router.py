"""The part of the cluster that routes HTTP: it follows the store, opens doors and writes what it did into statuses.

All Ingresses are served at one address, each Gateway at one of its own. Where a request goes is looked up when it
comes: endpoints and Services by the store's state of that moment, rules by the tables that the last change left.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from bluegreen.localkube import GATEWAY_CLASS
from bluegreen.localkube.forward import Target
from bluegreen.localkube.kinds import KINDS, Kind, Obj
from bluegreen.localkube.network import Network
from bluegreen.localkube.proxy import targets
from bluegreen.localkube.registry import Registry
from bluegreen.localkube.router import gateways, ingresses, statuses
from bluegreen.localkube.router.doors import Door, Place
from bluegreen.localkube.router.gateways import CONTROLLER, Found, Key, World
from bluegreen.localkube.router.relay import Relay
from bluegreen.localkube.router.rules import Backend, Rule, Table
from bluegreen.localkube.slices import Slices
from bluegreen.localkube.status import ApiError
from bluegreen.localkube.store import Change

_LOG = logging.getLogger(__name__)
GROUP = "gateway.networking.k8s.io"
MANAGER = "localkube-router"
HTTP_PORT = 80
RETRY_S = 5.0  # until a port that could not be opened is tried again

INGRESS, SERVICE, NAMESPACE = KINDS["Ingress"], KINDS["Service"], KINDS["Namespace"]
DEFINITION = KINDS["CustomResourceDefinition"]
CLASSES, GATEWAYS, ROUTES = f"gatewayclasses.{GROUP}", f"gateways.{GROUP}", f"httproutes.{GROUP}"


class Router:
    """Keeps doors, tables and statuses as the objects ask for. Each change is worked off at once, in one go."""

    def __init__(self, registry: Registry, network: Network) -> None:
        self._registry, self._network = registry, network
        self._doors: dict[Place, Door] = {}
        self._open: set[Place] = set()
        self._addresses: dict[Key, str] = {}
        self._unsubscribe: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._dirty = False
        self.lag_s = 0.0  # a fault on demand: how long changes take to be seen

    async def start(self) -> None:
        """Serve what there is and follow every change."""
        self._loop = asyncio.get_running_loop()
        self._relay = Relay()
        store = self._registry.store
        self._slices = Slices(store)
        self._unsubscribe = [
            self._slices.stop,
            store.subscribe(INGRESS, self._touch),
            store.subscribe(SERVICE, self._besides_changed),
            store.subscribe(NAMESPACE, self._besides_changed),
            store.subscribe(DEFINITION, self._definition_changed),
            store.subscribe_custom(self._custom_changed),
        ]
        self._work()

    async def stop(self) -> None:
        """Close every door."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(door.close() for door in self._doors.values()))
        self._doors.clear()
        await self._relay.stop()

    def set_lag(self, lag_s: float) -> None:
        """Follow changes so much later from now on; what has waited so far is followed at once."""
        self.lag_s = lag_s
        if self._dirty:
            self._work()

    # -- following ----------------------------------------------------------------------------------------------------

    def _touch(self, _: Change | None = None) -> None:
        if not self._dirty:
            self._dirty = True
            if self.lag_s:
                self._loop.call_later(self.lag_s, self._work)
            else:
                self._loop.call_soon(self._work)

    def _besides_changed(self, change: Change) -> None:
        """A Service or namespace: what is said of Gateways and their routes depends on them."""
        if self._addresses and _told_of(change.object) != _told_of(change.previous):
            self._touch()

    def _definition_changed(self, change: Change) -> None:
        if change.name.endswith(GROUP):
            self._touch()

    def _custom_changed(self, kind: Kind, _: Change) -> None:
        if kind.group == GROUP:
            self._touch()

    def _work(self) -> None:
        self._dirty = False
        ingress_objects = self._registry.store.list(INGRESS)
        rules = list(ingresses.rules(ingress_objects))
        wanted: dict[Place, list[Rule]] = {(self._network.ingress_address, HTTP_PORT): rules} if rules else {}
        found = gateways.resolve(self._world())
        self._addresses = {key: self._address(key) for key in found.rules}
        for key, by_port in found.rules.items():
            wanted |= {(self._addresses[key], port): listed for port, listed in by_port.items()}
        self._keep_doors(wanted)
        self._say(ingress_objects, found)

    def _world(self) -> World:
        store, kinds = self._registry.store, self._registry.store.kinds
        listed = {key: store.list(kind) if (kind := kinds.by_key(key)) else [] for key in (CLASSES, GATEWAYS, ROUTES)}
        classes = [each for each in listed[CLASSES] if each["spec"].get("controllerName") == CONTROLLER]
        return World(
            frozenset(each["metadata"]["name"] for each in classes),
            tuple(listed[GATEWAYS]),
            tuple(listed[ROUTES]),
            partial(store.get, SERVICE),
            {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in store.list(NAMESPACE)},
        )

    # -- doors --------------------------------------------------------------------------------------------------------

    def _address(self, key: Key) -> str:
        """A Gateway's address: the one it has, else the one that its status says, else the next free one."""
        if key in self._addresses:
            return self._addresses[key]
        kind = self._registry.store.kinds.by_key(GATEWAYS)
        stored = (self._registry.store.get(kind, *key) or {}) if kind else {}
        said = [each.get("value") for each in (stored.get("status") or {}).get("addresses") or ()]
        return self._network.gateway_address(said, self._addresses.values())

    def _keep_doors(self, wanted: dict[Place, list[Rule]]) -> None:
        for place in [place for place in self._doors if place not in wanted]:
            self._open.discard(place)
            door = self._doors.pop(place)
            door.table = Table()
            self._spawn(door.close())
        for place, rules in wanted.items():
            if place in self._doors:
                self._doors[place].table = Table(rules)
            else:
                door = self._doors[place] = Door(self._relay, self._targets, Table(rules))
                self._spawn(self._open_door(place, door))

    async def _open_door(self, place: Place, door: Door) -> None:
        while self._doors.get(place) is door:
            try:
                await door.open(place)
            except OSError as error:
                _LOG.warning("%s:%d cannot be opened: %s", *place, error.strerror)
                await asyncio.sleep(RETRY_S)
                continue
            self._open.add(place)
            self._touch()
            return

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _targets(self, backend: Backend) -> Sequence[Target]:
        """The endpoints behind a Service's port, as kube-proxy would take them."""
        service = self._registry.store.get(SERVICE, backend.namespace, backend.service)
        ports = service["spec"].get("ports") or () if service else ()
        name = next(
            (port.get("name") or "" for port in ports if backend.port in (port["port"], port.get("name"))), None
        )
        return () if name is None else targets(self._slices.of((backend.namespace, backend.service)), name)

    # -- statuses -----------------------------------------------------------------------------------------------------

    def _say(self, ingress_objects: Sequence[Obj], found: Found) -> None:
        address = self._network.ingress_address
        if (address, HTTP_PORT) in self._open:
            for each in ingress_objects:
                self._write(INGRESS, each, partial(statuses.ingress, address=address))
        kinds = self._registry.store.kinds
        if kind := kinds.by_key(CLASSES):
            self._say_classes(kind)
        if kind := kinds.by_key(GATEWAYS):
            for key, address in self._addresses.items():
                ports = {port for where, port in self._open if where == address}
                change = partial(statuses.gateway, found=found, address=address, open_ports=ports)
                self._write(kind, self._registry.store.get(kind, *key), change)
        if kind := kinds.by_key(ROUTES):
            for key, parents in found.parents.items():
                self._write(kind, self._registry.store.get(kind, *key), partial(statuses.route, parents=parents))

    def _say_classes(self, kind: Kind) -> None:
        """Accept every GatewayClass that names this router; make one where there is none."""
        classes = [each for each in self._registry.store.list(kind) if each["spec"].get("controllerName") == CONTROLLER]
        if not classes:
            made = {"metadata": {"name": GATEWAY_CLASS}, "spec": {"controllerName": CONTROLLER}}
            with contextlib.suppress(ApiError):  # somebody else's class has the name, or the kind is going
                self._registry.create(kind, "", made, manager=MANAGER)
        for each in classes:
            self._write(kind, each, statuses.gateway_class)

    def _write(self, kind: Kind, obj: Obj | None, change: Callable[[Obj], None]) -> None:
        if obj is None:
            return
        meta = obj["metadata"]
        try:
            self._registry.modify(kind, meta.get("namespace", ""), meta["name"], change, manager=MANAGER)
        except ApiError as error:  # a definition of the kind without these fields
            _LOG.warning("the status of %s %s cannot be written: %s", kind.kind, meta["name"], error)


def _told_of(obj: Obj | None) -> object:
    """What of a Service or namespace matters to Gateways: its being there, its ports or its labels."""
    if obj is None:
        return None
    return (obj.get("spec") or {}).get("ports"), obj["metadata"].get("labels"), obj["metadata"].get("deletionTimestamp")
