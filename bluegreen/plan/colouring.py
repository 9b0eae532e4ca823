"""A team's objects in a colour: the label ``version``, selectors by it, the colour in names, nothing else. Pure."""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from typing import Any

from bluegreen import grammar
from bluegreen.colour import NOBODY, Colour
from bluegreen.plan.application import LABEL, inner
from bluegreen.settings import Settings

Obj = dict[str, Any]

_OF_ITS_OWN = (
    "clusterIP",
    "clusterIPs",
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "internalTrafficPolicy",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "sessionAffinity",
    "sessionAffinityConfig",
)
"""What of a Service's spec is how users come in, and not its preview's."""


def deployment(found: Obj, colour: Colour, replicas: int, image: str) -> Obj:
    """A Deployment in a colour, at a size; containers of the released image's repository run exactly that image."""
    made = copy.deepcopy(found)
    metadata, spec = made["metadata"], made["spec"]
    metadata["name"] = f"{metadata['name']}-{colour}"
    metadata["labels"] = {**inner(metadata, "labels"), LABEL: colour.value}
    spec["replicas"] = replicas
    spec["selector"] = with_colour(inner(spec, "selector"), colour.value)
    template = spec["template"]
    template["metadata"] = {
        **inner(template, "metadata"),
        "labels": {**inner(template, "metadata", "labels"), LABEL: colour.value},
    }
    for container in [*(template["spec"].get("initContainers") or []), *(template["spec"].get("containers") or [])]:
        if runs(container, image):
            container["image"] = image
    return made


def with_colour(selector: Mapping[str, Any], colour: str) -> Obj:
    """A selector of labels and expressions that takes pods of one colour only."""
    return {**selector, "matchLabels": {**inner(selector, "matchLabels"), LABEL: colour}}


def runs(container: Obj, image: str) -> bool:
    """Whether a container runs an image of this repository, whatever its tag."""
    return bool(image) and repository(str(container.get("image", ""))) == repository(image)


def repository(image: str) -> str:
    """The repository of an image reference; of text that is none, the text."""
    try:
        return grammar.parse_image(image).repository
    except grammar.Refused:
        return image


def autoscaler(found: Obj, colour: Colour, least: int | None) -> Obj:
    """An autoscaler for the Deployment of a colour; ``least``: the least number of pods, where it is to be pinned."""
    made = copy.deepcopy(found)
    made["metadata"]["name"] = f"{made['metadata']['name']}-{colour}"
    made["metadata"]["labels"] = {**inner(made, "metadata", "labels"), LABEL: colour.value}
    spec = made["spec"]
    spec["scaleTargetRef"] = {**spec["scaleTargetRef"], "name": f"{spec['scaleTargetRef']['name']}-{colour}"}
    if least is not None:
        spec["minReplicas"] = max(1, least)
        spec["maxReplicas"] = max(spec["minReplicas"], int(spec.get("maxReplicas", 1)))
    return made


def budget(found: Obj, colour: Colour) -> Obj:
    """A PodDisruptionBudget for one colour's pods."""
    made = copy.deepcopy(found)
    made["metadata"]["name"] = f"{made['metadata']['name']}-{colour}"
    made["metadata"]["labels"] = {**inner(made, "metadata", "labels"), LABEL: colour.value}
    made["spec"]["selector"] = with_colour(inner(made, "spec", "selector"), colour.value)
    return made


def service(found: Obj) -> Obj:
    """A live Service as it is made: it selects nobody until a release moves it."""
    made = copy.deepcopy(found)
    made["spec"]["selector"] = {**inner(made, "spec", "selector"), LABEL: NOBODY}
    return made


def preview(found: Obj, settings: Settings, port: str) -> Obj:
    """The preview of a live Service: the same ports and pods, inside the cluster only; ``port``: what users ask."""
    made = service(found)
    metadata, spec = made["metadata"], made["spec"]
    metadata["name"] = f"{metadata['name']}-preview"
    metadata.pop("annotations", None)  # they tell load balancers and DNS what to do with the live one
    kept = {key: value for key, value in spec.items() if key not in _OF_ITS_OWN}
    ports = [{key: value for key, value in one.items() if key != "nodePort"} for one in spec.get("ports") or []]
    main = metadata["name"] == settings.preview_service_name
    if main and settings.preview_node_port:
        ports = [{**one, "nodePort": settings.preview_node_port} if is_port(one, port) else one for one in ports]
    made["spec"] = {**kept, "type": settings.preview_service_type if main else "ClusterIP", "ports": ports}
    if spec.get("clusterIP") == "None":
        made["spec"]["clusterIP"] = "None"
    return made


def is_port(port: Obj, name: str) -> bool:
    """Whether a Service's port is the one of that name, or of that number in digits."""
    return name in (port.get("name"), str(port.get("port")))


def configuration(found: Obj) -> Obj:
    """A ConfigMap or Secret as a server keeps it: texts of a Secret among its data, and its type."""
    if found["kind"] != "Secret":
        return found
    texts = {key: base64.b64encode(str(v).encode()).decode() for key, v in inner(found, "stringData").items()}
    kept = {key: value for key, value in found.items() if key != "stringData"}
    return {"type": "Opaque", **kept, "data": {**inner(found, "data"), **texts}}
