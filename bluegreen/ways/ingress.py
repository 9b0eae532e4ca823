"""Switching by an Ingress: each of its backends that leads to the application names the Service of one colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bluegreen.ways.backends import Backends
from bluegreen.ways.protocol import Obj, Op, Part, Split, UnclearError
from bluegreen.ways.splits import wholly


@dataclass(frozen=True)
class IngressBackends:
    """All of the application's backends in one patch; those of others stay as they are."""

    backends: Backends

    kind = "Ingress"

    def parts(self, obj: Obj) -> list[Part]:
        """The default backend and each path that leads to the application."""
        found = [
            Part(_dotted(path), wholly(place[1])) for path, name in _named(obj) if (place := self.backends.place(name))
        ]
        if not found:
            others = ", ".join(dict.fromkeys(name for _, name in _named(obj))) or "none"
            raise UnclearError(
                f"Ingress {obj['metadata']['name']} has no backend of this application; its backends: {others}.",
                f"Let it lead to {self.backends.told()}.",
            )
        return found

    def operations(self, obj: Obj, split: Split) -> list[Op]:
        """A name replaced for each backend, tested against the one that was read."""
        if len(split) != 1:
            raise UnclearError(
                f"Ingress {obj['metadata']['name']} cannot share traffic out: a backend names one Service.",
                "Leave TRAFFIC_STEPS out, or switch by an HTTPRoute.",
            )
        place = next(iter(split))
        ops: list[Op] = []
        for path, name in _named(obj):
            if (own := self.backends.place(name)) and own[1] is not place:
                ops += [
                    {"op": "test", "path": path, "value": name},
                    {"op": "replace", "path": path, "value": self.backends.name(own[0], place)},
                ]
        return ops

    def owners(self, obj: Obj) -> list[Obj]:
        """Whoever wrote the rules, which are one value to the API server, or the default backend."""
        steering = {"f:rules", "f:defaultBackend"}
        entries = obj["metadata"].get("managedFields") or []
        return [entry for entry in entries if steering & set((entry.get("fieldsV1") or {}).get("f:spec") or {})]

    def pending(self, _: Obj, /) -> str:
        """Nothing: an Ingress states nowhere whether it is followed, so that only asking tells."""
        return ""


def backends(obj: Obj) -> Iterator[tuple[str, Obj]]:
    """Each backend of an Ingress that is a Service, with its place as a JSON pointer."""
    spec = obj.get("spec") or {}
    if service := (spec.get("defaultBackend") or {}).get("service"):
        yield "/spec/defaultBackend/service", service
    for number, rule in enumerate(spec.get("rules") or []):
        for place, path in enumerate((rule.get("http") or {}).get("paths") or []):
            if service := (path.get("backend") or {}).get("service"):
                yield f"/spec/rules/{number}/http/paths/{place}/backend/service", service


def _named(obj: Obj) -> Iterator[tuple[str, str]]:
    yield from ((f"{path}/name", str(service.get("name", ""))) for path, service in backends(obj))


def _dotted(pointer: str) -> str:
    """A JSON pointer as people write places: ``rules[0].http.paths[1]``."""
    words = pointer.removeprefix("/spec/").removesuffix("/service/name").removesuffix("/backend").split("/")
    return "".join(f"[{word}]" if word.isdecimal() else f".{word}" for word in words).removeprefix(".")
