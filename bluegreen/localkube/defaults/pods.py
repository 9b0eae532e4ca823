"""What the server fills into pods and pod templates (Kubernetes: pkg/apis/core/v1/defaults.go)."""

from __future__ import annotations

from typing import Any

from bluegreen.localkube import quantities
from bluegreen.localkube.pod_resources import effective_requests

Obj = dict[str, Any]
MODE = 0o644  # of files in projected volumes
_SPEC = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
}
_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_MILLI = 10**6  # nano-units: resources are kept in thousandths
_OF_PODS = ("cpu", "memory")  # what a pod as a whole may ask for
CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")


def pod(obj: Obj) -> None:
    """A Pod: as a template, and requests from limits, host ports, service links and a first status."""
    spec = obj["spec"]
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for name in ("containers", "initContainers"):
        for container in spec.get(name) or ():
            _requests_from_limits(container["resources"])
            if spec.get("hostNetwork"):
                for port in container.get("ports") or ():
                    port.setdefault("hostPort", port["containerPort"])
    if "resources" in spec:
        _requests_of_pod(spec)
    status = obj["status"]
    status.setdefault("phase", "Pending")
    if "qosClass" not in status:
        status["qosClass"] = qos_class(spec)


def _requests_from_limits(resources: Obj) -> None:
    if resources.get("limits"):
        requests = resources.setdefault("requests", {})
        for name, quantity in resources["limits"].items():
            requests.setdefault(name, quantity)


def _requests_of_pod(spec: Obj) -> None:
    """What a pod as a whole requests where it says so in part: as its containers do together, else as its limits."""
    given = spec["resources"]
    requests = dict(given.get("requests") or {})
    for name, amount in effective_requests(spec).items():
        if name in _OF_PODS:
            requests.setdefault(name, amount)
    for name, amount in (given.get("limits") or {}).items():
        requests.setdefault(name, amount)
    if requests:
        given["requests"] = requests


def pod_spec(spec: Obj) -> None:
    """The spec of a Pod or of a template."""
    for key, value in _SPEC.items():
        if key not in spec:
            spec[key] = value
    if "securityContext" not in spec:
        spec["securityContext"] = {}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:  # the server keeps the old name of the field in step
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for name in CONTAINER_LISTS:
        for container in spec.get(name) or ():
            _drop_disabled(container, first=name == "initContainers")
            _container(container)
    for volume in spec.get("volumes") or ():
        _volume(volume)
    if "overhead" in spec:
        resource_list(spec["overhead"])


def resource_list(resources: Obj) -> None:
    """Quantities of resources, rounded up to thousandths."""
    for name, quantity in resources.items():
        if quantity[-1] in "nu":
            nano = quantities.parse(quantity)
            resources[name] = quantities.written(-(-nano // _MILLI) * _MILLI, quantities.form_of(quantity))


def _drop_disabled(container: Obj, *, first: bool) -> None:
    """Take out what features of Kubernetes 1.34 that are off by default would have meant (dropDisabledFields)."""
    if container.get("restartPolicy") != "Always" or not first:
        container.pop("restartPolicy", None)
    container.pop("restartPolicyRules", None)
    lifecycle = container.get("lifecycle")
    if lifecycle and lifecycle.pop("stopSignal", None) and not lifecycle:
        del container["lifecycle"]


def _container(container: Obj) -> None:
    for key, value in _CONTAINER.items():
        if key not in container:
            container[key] = value
    if "imagePullPolicy" not in container:
        latest = image_tag(container.get("image", "")) == "latest"
        container["imagePullPolicy"] = "Always" if latest else "IfNotPresent"
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for name in _PROBES:
        if name in container:
            _probe(container[name])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _http_get(handler.get("httpGet"))
    for variable in container.get("env") or ():
        _field_ref((variable.get("valueFrom") or {}).get("fieldRef"))
    for resources in (container["resources"].get("limits"), container["resources"].get("requests")):
        if resources:
            resource_list(resources)


def _probe(probe: Obj) -> None:
    for key, value in _PROBE.items():
        if key not in probe:
            probe[key] = value
    _http_get(probe.get("httpGet"))
    if "grpc" in probe and probe["grpc"].get("service") is None:
        probe["grpc"]["service"] = ""


def _http_get(action: Obj | None) -> None:
    if action is not None:
        action.setdefault("path", "/")
        action.setdefault("scheme", "HTTP")


def _field_ref(ref: Obj | None) -> None:
    if ref is not None:
        ref.setdefault("apiVersion", "v1")


def image_tag(image: str) -> str:
    """The tag an image reference means: "latest" when it gives neither tag nor digest, "" when it cannot be read."""
    name, _, digest = image.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    path = repository.partition("/")[2] if "/" in repository else repository
    if not repository or path != path.lower() or (colon and not tag and "/" not in name.rpartition(":")[2]):
        return ""
    return tag if tag or digest else "latest"


def _volume(volume: Obj) -> None:
    sources = [key for key in volume if key != "name"]
    if not sources:
        volume["emptyDir"] = {}
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        if name in volume:
            volume[name].setdefault("defaultMode", MODE)
            _volume_items(name, volume[name])
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    if "image" in volume and "pullPolicy" not in volume["image"]:
        latest = image_tag(volume["image"].get("reference", "")) == "latest"
        volume["image"]["pullPolicy"] = "Always" if latest else "IfNotPresent"
    if "ephemeral" in volume:
        template = volume["ephemeral"].get("volumeClaimTemplate")
        if template is not None:
            template["spec"].setdefault("volumeMode", "Filesystem")


def _volume_items(name: str, source: Obj) -> None:
    if name == "downwardAPI":
        for item in source.get("items") or ():
            _field_ref(item.get("fieldRef"))
    for part in source.get("sources") or () if name == "projected" else ():
        if "serviceAccountToken" in part:
            part["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        for item in (part.get("downwardAPI") or {}).get("items") or ():
            _field_ref(item.get("fieldRef"))


def qos_class(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort, by the requests and limits for CPU and memory of all containers."""
    if spec.get("resources"):  # of the pod as a whole: they say it alone
        return qos_class({"containers": [{"resources": spec["resources"]}]})
    guaranteed, anything = True, False
    for name in ("containers", "initContainers"):
        for container in spec.get(name) or ():
            resources = container.get("resources") or {}
            requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
            asked = [(requests.get(resource), limits.get(resource)) for resource in ("cpu", "memory")]
            positive = [(r, li) for r, li in asked if _positive(r) or _positive(li)]
            anything = anything or bool(positive)
            full = len(positive) == 2 and all(_positive(li) and (r is None or r == li) for r, li in positive)
            guaranteed = guaranteed and full
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(quantity: Any) -> bool:
    return quantity is not None and quantities.parse(quantity) > 0
