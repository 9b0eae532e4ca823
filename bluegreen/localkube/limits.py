"""LimitRanges at work: what they give to the containers of a new pod, and what they refuse (the LimitRanger plugin)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bluegreen.localkube import quantities
from bluegreen.localkube.defaults import qos_class
from bluegreen.localkube.kinds import KINDS, Obj
from bluegreen.localkube.status import forbidden
from bluegreen.localkube.store import Store

if TYPE_CHECKING:
    from bluegreen.localkube.admission import Admission

ANNOTATION = "kubernetes.io/limit-ranger"
_CONTAINERS = (("containers", "container"), ("initContainers", "init container"))
Amounts = dict[str, str]


def fill(store: Store, namespace: str, pod: Obj) -> None:
    """Give the containers of a new pod what the LimitRanges of its namespace say; an annotation tells what that was."""
    for limit_range in store.list(KINDS["LimitRange"], namespace):
        if said := list(_filled(limit_range, pod["spec"])):
            annotations = pod["metadata"].setdefault("annotations", {})
            annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(said)}"
            pod["status"]["qosClass"] = qos_class(pod["spec"])


def _filled(limit_range: Obj, spec: Obj) -> Iterator[str]:
    items = [item for item in limit_range["spec"].get("limits") or () if item["type"] == "Container"]
    requests: Amounts = {name: amount for item in items for name, amount in (item.get("defaultRequest") or {}).items()}
    limits: Amounts = {name: amount for item in items for name, amount in (item.get("default") or {}).items()}
    for key, word in _CONTAINERS:
        for container in spec.get(key) or ():
            for kind, amounts in (("request", requests), ("limit", limits)):
                given = container["resources"].get(f"{kind}s") or {}
                added = {name: amount for name, amount in amounts.items() if name not in given}
                if added:
                    container["resources"][f"{kind}s"] = given | added
                    yield f"{', '.join(sorted(added))} {kind} for {word} {container['name']}"


def admit(store: Store, request: Admission) -> None:
    """403 for a new pod that is outside the LimitRanges of its namespace; what one asks for does not change later."""
    if request.kind.key != "Pod" or request.operation != "CREATE":
        return
    for limit_range in store.list(KINDS["LimitRange"], request.namespace):
        if found := list(dict.fromkeys(_outside(limit_range, request.obj["spec"]))):
            why = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
            raise forbidden("pods", "", request.obj["metadata"].get("name") or "", why)


def _outside(limit_range: Obj, spec: Obj) -> Iterator[str]:
    for item in limit_range["spec"].get("limits") or ():
        if item["type"] == "Container":
            for key, _ in _CONTAINERS:
                for container in spec.get(key) or ():
                    given = container["resources"]
                    yield from _judged(item, given.get("requests") or {}, given.get("limits") or {})
        elif item["type"] == "Pod":
            yield from _judged(item, _of_pod(spec, "requests"), _of_pod(spec, "limits"))


def _judged(item: Obj, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in sorted((item.get("min") or {}).items()):
        yield from _below(
            f"minimum {name} usage per {item['type']} is {least}", least, requests.get(name), limits.get(name)
        )
    for name, most in sorted((item.get("max") or {}).items()):
        yield from _above(
            f"maximum {name} usage per {item['type']} is {most}", most, requests.get(name), limits.get(name)
        )
    for name, ratio in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        start = f"{name} max limit to request ratio per {item['type']} is {ratio}"
        yield from _ratio(start, ratio, requests.get(name), limits.get(name))


def _below(start: str, least: str, request: str | None, limit: str | None) -> Iterator[str]:
    if request is None:
        yield f"{start}.  No request is specified"
    elif quantities.compare(request, least) < 0:
        yield f"{start}, but request is {request}"
    elif limit is not None and quantities.compare(limit, least) < 0:
        yield f"{start}, but limit is {limit}"


def _above(start: str, most: str, request: str | None, limit: str | None) -> Iterator[str]:
    if limit is None:
        yield f"{start}.  No limit is specified"
    elif quantities.compare(limit, most) > 0:
        yield f"{start}, but limit is {limit}"
    elif request is not None and quantities.compare(request, most) > 0:
        yield f"{start}, but request is {request}"


def _ratio(start: str, most: str, request: str | None, limit: str | None) -> Iterator[str]:
    if request is None or not quantities.parse(request):
        yield f"{start}, but no request is specified or request is 0"
    elif limit is None or not quantities.parse(limit):
        yield f"{start}, but no limit is specified or limit is 0"
    else:
        ratio = quantities.parse(limit) / quantities.parse(request)
        if ratio > quantities.parse(most) / quantities.NANO:
            yield f"{start}, but provided ratio is {ratio:f}"


def _of_pod(spec: Obj, key: str) -> Amounts:
    """What the containers of a pod have at most at one time, or what the pod as a whole says."""
    forms: dict[str, str] = {}
    running, starting, sidecars = Counter[str](), Counter[str](), Counter[str]()
    for container in spec.get("initContainers") or ():
        own = _amounts(container, key, forms)
        if container.get("restartPolicy") == "Always":
            sidecars.update(own)
            own = Counter()
        starting |= sidecars + own
    for container in spec.get("containers") or ():
        running.update(_amounts(container, key, forms))
    running.update(sidecars)
    most = {name: max(running[name], starting[name]) for name in forms}
    total = {name: quantities.written(nano, forms[name]) for name, nano in most.items()}
    return total | ((spec.get("resources") or {}).get(key) or {})


def _amounts(container: Obj, key: str, forms: dict[str, str]) -> Counter[str]:
    amounts: Amounts = container["resources"].get(key) or {}
    for name, amount in amounts.items():
        forms.setdefault(name, quantities.form_of(amount))
    return Counter({name: quantities.parse(amount) for name, amount in amounts.items()})
