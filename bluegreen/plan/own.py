"""The plan that a team's own YAML makes: its Deployments and Services as they are, once for each colour."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen import colour_services, manifests
from bluegreen.colour import Colour
from bluegreen.errors import InputError, Mistake
from bluegreen.manifest_rules import Finding
from bluegreen.plan import application, colouring, own_files, own_rules
from bluegreen.plan.application import Application, inner, key_of, name_of
from bluegreen.plan.protocol import Key, Obj, Scaling
from bluegreen.settings import Settings
from bluegreen.workload import main_container, marked, selector_text


@dataclass(frozen=True)
class Own:
    """An application that lies in MANIFESTS as it is."""

    settings: Settings

    @property
    def _application(self) -> Application:
        """Its objects. Raises InputError with everything in them that no release could work with."""
        directory = self.settings.manifests
        if directory is None:
            raise InputError([Mistake("MANIFESTS", None, "it is not set.", "Name the application's directory.")])
        return _application(self.settings, directory, own_files.stamp(directory))

    # --- Deployments -------------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """All of them; the main one is whose pods SERVICE_NAME selects."""
        return tuple(self._application.deployments)

    def source(self, name: str) -> str:
        """The file that it lies in."""
        return self._application.files["Deployment", name]

    def selector(self, name: str) -> str:
        """Its own, as a query."""
        return selector_text(inner(self._application.deployments[name], "spec", "selector"))

    def active_only(self, name: str) -> bool:
        """As its annotation says."""
        return marked(self._application.deployments[name])

    def first_size(self, name: str) -> int:
        """Its ``replicas``."""
        return int(self._application.deployments[name]["spec"].get("replicas", 1))

    def deployment(self, name: str, colour: Colour, replicas: int) -> Obj:
        """It, with the label of the colour, that selector, and the colour in its name."""
        found = self._application.deployments[name]
        return self._here(colouring.deployment(found, colour, replicas, self.settings.docker_image))

    def autoscalers(self, name: str, colour: Colour, least: int | None) -> list[Obj]:
        """Those that target it."""
        found = [one for one in self._application.autoscalers if application.target_of(one) == name]
        return [self._here(colouring.autoscaler(one, colour, least)) for one in found]

    def resources(self) -> Mapping[str, Mapping[str, str]]:
        """What the application's container asks for."""
        container = main_container(self._application.deployments[self.names[0]]["spec"]["template"])
        return {kind: {k: str(v) for k, v in inner(container, "resources", kind).items()} for kind in _RESOURCES}

    def scaling(self, colour: Colour) -> Scaling | None:
        """The first that targets the main Deployment."""
        found = self.autoscalers(self.names[0], colour, None)
        specs = [(name_of(one), one["spec"]) for one in found]
        return next((Scaling(name, s.get("minReplicas", 1), s["maxReplicas"]) for name, s in specs), None)

    def budget(self, colour: Colour) -> tuple[str, Mapping[str, str]] | None:
        """The first that counts the main Deployment's pods."""
        main = self._application.deployments[self.names[0]]
        found = (colouring.budget(one, colour) for one in self._application.budgets if application.covers(one, main))
        return next(((name_of(one), inner(one, "spec", "selector", "matchLabels")) for one in found), None)

    # --- Services ----------------------------------------------------------------------------------------------------

    @property
    def services(self) -> tuple[str, ...]:
        """Every Service that leads to pods of a Deployment that answers users."""
        return tuple(self._application.services)

    def service_selector(self, name: str) -> Mapping[str, str] | None:
        """Its own."""
        found = self._application.services.get(name)
        return application.uncoloured(inner(found, "spec", "selector")) if found is not None else None

    @property
    def service_port(self) -> str:
        """The one called http, else the one that leads to the port of HEALTH_CHECK_URL, else the first."""
        return own_rules.port_name(self._port_of(self.settings.service_name))

    def speaks_http(self, port: Mapping[str, Any]) -> bool:
        """The one that users ask, and those whose name or protocol says so."""
        return own_rules.port_name(port) == self.service_port or own_rules.speaks_http(port)

    def pod_port(self, labels: Mapping[str, str]) -> str:
        """What the port of the Service that leads to such pods leads to; of SERVICE_NAME's where none does."""
        known = self._application
        for name, service in known.services.items():
            if application.uncoloured(inner(service, "spec", "selector")).items() <= labels.items():
                port = self._port_of(name)
                break
        else:
            port = self._port_of(self.settings.service_name)
        return str(port.get("targetPort") or port["port"])

    def _port_of(self, service: str) -> Obj:
        """The port of a live Service that is asked over HTTP."""
        known = self._application
        led_to = next(obj for name, obj in known.deployments.items() if self.leads_to(service, name))
        return own_rules.main_port(known.services[service], led_to, self.settings.health_port)

    def shape(self, service: Mapping[str, Any]) -> Iterator[Finding]:
        """As of the manifests, where it is the one that users ask; its ports are the team's own."""
        if name_of(service) == self.settings.service_name:
            yield from own_rules.shape(inner(service, "spec"))

    # --- the rest ----------------------------------------------------------------------------------------------------

    def configuration(self) -> Mapping[Key, Obj]:
        """Those that its Deployments refer to, but for what all colours share."""
        found = self._application.configuration
        return {key: colouring.configuration(obj) for key, obj in found.items()}

    def around(self) -> list[tuple[str, Obj]]:
        """Namespace and Role for releases of the harness, and what else the team has, Services selecting nobody."""
        found = self._application
        pairs = [
            (str(manifests.source(self.settings, name)), obj)
            for name in ("namespace", "release-role")
            for obj in manifests.render(self.settings, name)
        ]
        pairs += [(found.files[key_of(obj)], self._here(obj)) for obj in found.around]
        for obj in found.services.values():
            made = [colouring.service(obj), colouring.preview(obj, self.settings, self.service_port)]
            if self.settings.routes:
                made += colour_services.beside(made[:1])
            pairs += [(found.files[key_of(obj)], self._here(one)) for one in made]
        for colour in Colour:
            scalers = [(one, colouring.autoscaler(one, colour, None)) for one in found.autoscalers]
            budgets = [(one, colouring.budget(one, colour)) for one in found.budgets]
            pairs += [(found.files[key_of(one)], self._here(made)) for one, made in [*scalers, *budgets]]
        return pairs

    # --- the application without colours: for whoever takes it over as it runs, or gives it back ----------------------

    def written(self, name: str) -> Obj:
        """A Deployment as the team wrote it. Not to be changed."""
        return self._application.deployments[name]

    def written_selector(self, service: str) -> dict[str, str]:
        """What a live Service selects as the team wrote it."""
        return {**inner(self._application.services[service], "spec", "selector")}

    def leads_to(self, service: str, name: str) -> bool:
        """Whether a live Service leads to the pods of a Deployment."""
        return application.selects(self._application.services[service], self._application.deployments[name])

    def plain_budgets(self) -> list[Obj]:
        """The PodDisruptionBudgets as the team wrote them: they count the pods of both colours."""
        return [self._here(one) for one in self._application.budgets]

    def plain_around(self) -> list[Obj]:
        """Those, and the autoscalers of the plain Deployments."""
        return [*(self._here(one) for one in self._application.autoscalers), *self.plain_budgets()]

    def coloured_around(self) -> list[Key]:
        """Kind and name of what stands for the colours besides Deployments: autoscalers, budgets, previews."""
        known = self._application
        scalers = [colouring.autoscaler(one, colour, None) for one in known.autoscalers for colour in Colour]
        budgets = [colouring.budget(one, colour) for one in known.budgets for colour in Colour]
        return [*map(key_of, [*scalers, *budgets]), *(("Service", f"{name}-preview") for name in known.services)]

    def _here(self, obj: Obj) -> Obj:
        """It, in the application's namespace."""
        return {**obj, "metadata": {**obj["metadata"], "namespace": self.settings.namespace}}


_RESOURCES = ("requests", "limits")


@functools.lru_cache(maxsize=16)
def _application(settings: Settings, directory: Path, _: own_files.Stamp) -> Application:
    pairs = own_files.read(directory)
    known = application.sorted_out(settings, pairs)
    if mistakes := own_rules.mistakes(settings, known, pairs):
        raise InputError(mistakes)
    return known
