"""One row of ``kubectl get`` for each kind: pure functions from an object to the cells of its columns.

The rules are those of Kubernetes 1.34's own printers, which the API server applies before it answers with a Table.
"""

from __future__ import annotations

from collections.abc import Callable

from bluegreen import clock
from bluegreen.localkube import quantities
from bluegreen.localkube.cell_words import (
    NONE,
    UNKNOWN,
    UNSET,
    Cells,
    age,
    few,
    human_duration,
    label_text,
    moment,
    name,
    selector_text,
    since,
)
from bluegreen.localkube.kinds import Obj

Printer = Callable[[Obj], Cells]


def _template(obj: Obj) -> Cells:
    """The wide columns of everything that has a pod template: containers, images, selector."""
    containers = obj["spec"].get("template", {}).get("spec", {}).get("containers") or []
    names = ",".join(container.get("name", "") for container in containers)
    images = ",".join(container.get("image", "") for container in containers)
    return [names, images, selector_text(obj["spec"].get("selector"))]


def deployment(obj: Obj) -> Cells:
    """A Deployment: ready of desired, updated, available."""
    spec, status = obj["spec"], obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    counts = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [name(obj), ready, *counts, age(obj), *_template(obj)]


def replica_set(obj: Obj) -> Cells:
    """A ReplicaSet: desired, current, ready."""
    status = obj.get("status") or {}
    counts = [obj["spec"].get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name(obj), *counts, age(obj), *_template(obj)]


_JOB_CONDITIONS = {"Complete": "Complete", "Failed": "Failed"}
_JOB_ENDING = ("FailureTarget", "SuccessCriteriaMet")


def job(obj: Obj) -> Cells:
    """A Job: its state, how many pods completed, how long it took."""
    spec, status = obj["spec"], obj.get("status") or {}
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism", 1)
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    return [name(obj), _job_state(obj), completions, _job_duration(status), age(obj), *_template(obj)]


def _true_conditions(obj: Obj) -> set[str]:
    conditions = (obj.get("status") or {}).get("conditions") or []
    return {condition["type"] for condition in conditions if condition.get("status") == "True"}


def _job_state(obj: Obj) -> str:
    true = _true_conditions(obj)
    states = {
        "Complete": "Complete" in true,
        "Failed": "Failed" in true,
        "Terminating": "deletionTimestamp" in obj["metadata"],
        "Suspended": "Suspended" in true,
        **{condition: condition in true for condition in _JOB_ENDING},
    }
    return next((state for state, holds in states.items() if holds), "Running")


def _job_duration(status: Obj) -> str:
    if not status.get("startTime"):
        return ""
    end = moment(status["completionTime"]) if status.get("completionTime") else clock.utc()
    return human_duration((end - moment(status["startTime"])).total_seconds())


def service(obj: Obj) -> Cells:
    """A Service: type, addresses inside and outside, ports."""
    spec = obj["spec"]
    ports = ",".join(_service_port(port) for port in spec.get("ports") or []) or NONE
    row = [name(obj), spec.get("type", ""), spec.get("clusterIP") or NONE, _external(obj), ports, age(obj)]
    return [*row, label_text(spec.get("selector"))]


def _service_port(port: Obj) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def _external(obj: Obj) -> str:
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    addresses = list(spec.get("externalIPs") or [])
    if spec.get("type") == "LoadBalancer":
        addresses = _balancers(obj) + addresses
        return ",".join(addresses) or "<pending>"
    return ",".join(addresses) or NONE


def _balancers(obj: Obj) -> list[str]:
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [point.get("ip") or point.get("hostname", "") for point in ingress]


def ingress(obj: Obj) -> Cells:
    """An Ingress: class, hosts, addresses, ports."""
    spec = obj["spec"]
    hosts = [rule["host"] for rule in spec.get("rules") or [] if rule.get("host")]
    ports = "80, 443" if spec.get("tls") else "80"
    shown = few(hosts, empty="*")
    return [name(obj), spec.get("ingressClassName") or NONE, shown, ",".join(_balancers(obj)), ports, age(obj)]


def ingress_class(obj: Obj) -> Cells:
    """An IngressClass: its controller, and the object that holds its parameters."""
    spec = obj["spec"]
    parameters = spec.get("parameters") or {}
    kind = ".".join(part for part in (parameters.get("kind"), parameters.get("apiGroup")) if part)
    shown = f"{kind}/{parameters['name']}" if parameters else NONE
    return [name(obj), spec.get("controller", ""), shown, age(obj)]


def endpoints(obj: Obj) -> Cells:
    """An Endpoints: address:port pairs, of a Service without ports addresses alone."""
    subsets = obj.get("subsets") or []
    pairs = [
        f"{address['ip']}{port}"
        for subset in subsets
        for port in [f":{port['port']}" for port in subset.get("ports") or []] or [""]
        for address in subset.get("addresses") or []
    ]
    return [name(obj), few(pairs, empty="" if subsets else NONE), age(obj)]


def endpoint_slice(obj: Obj) -> Cells:
    """An EndpointSlice: ports and addresses."""
    ports = [str(port.get("port") or port.get("name", "*")) for port in obj.get("ports") or []]
    addresses = [address for endpoint in obj.get("endpoints") or [] for address in endpoint.get("addresses") or []]
    shown = [few(ports, empty=UNSET), few(addresses, empty=UNSET)]
    return [name(obj), obj.get("addressType", ""), *shown, age(obj)]


_ROLE_LABEL = "kubernetes.io/role"
_ROLE_PREFIX = "node-role.kubernetes.io/"


def node(obj: Obj) -> Cells:
    """A Node: readiness, roles, version, addresses, system."""
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    labels = obj["metadata"].get("labels") or {}
    named = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    roles = sorted((named | {labels.get(_ROLE_LABEL, "")}) - {""})
    info = status.get("nodeInfo") or {}
    system = [info.get(key) or UNKNOWN for key in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    addresses = [_node_address(status, kind) for kind in ("InternalIP", "ExternalIP")]
    state = _node_state(status) + (",SchedulingDisabled" if spec.get("unschedulable") else "")
    row = [name(obj), state, ",".join(roles) or NONE, age(obj), info.get("kubeletVersion", "")]
    return [*row, *addresses, *system]


def _node_state(status: Obj) -> str:
    ready = [condition["status"] for condition in status.get("conditions") or [] if condition["type"] == "Ready"]
    return {"True": "Ready"}.get(ready[0], "NotReady") if ready else "Unknown"


def _node_address(status: Obj, kind: str) -> str:
    found = (item["address"] for item in status.get("addresses") or [] if item["type"] == kind)
    return next(found, NONE)


def event(obj: Obj) -> Cells:
    """An Event: when, what, about which object, from whom, how often."""
    series = obj.get("series") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    about = obj.get("involvedObject") or {}
    target = "/".join(word for word in (about.get("kind", "").lower(), about.get("name", "")) if word)
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    told_by = f"{component}, {host}" if host else component
    row = [since(last), obj.get("type", ""), obj.get("reason", ""), target, about.get("fieldPath", ""), told_by]
    count = series.get("count") or obj.get("count") or 1
    return [*row, (obj.get("message") or "").strip(), since(first), count, name(obj)]


def namespace(obj: Obj) -> Cells:
    """A Namespace and its phase."""
    return [name(obj), (obj.get("status") or {}).get("phase", ""), age(obj)]


def secret(obj: Obj) -> Cells:
    """A Secret: its type and how many keys, never a value."""
    return [name(obj), obj.get("type", "Opaque"), len(obj.get("data") or {}), age(obj)]


def config_map(obj: Obj) -> Cells:
    """A ConfigMap and how many keys."""
    return [name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj)]


def service_account(obj: Obj) -> Cells:
    """A ServiceAccount and how many secrets it lists."""
    return [name(obj), len(obj.get("secrets") or []), age(obj)]


def resource_quota(obj: Obj) -> Cells:
    """A ResourceQuota: used of hard, requests and limits apart."""
    status = obj.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or {}
    words = {key: f"{key}: {used.get(key, '0')}/{limit}" for key, limit in sorted(hard.items())}
    limits = [text for key, text in words.items() if key.startswith("limits.")]
    requests = [text for key, text in words.items() if not key.startswith("limits.")]
    return [name(obj), ", ".join(requests), ", ".join(limits), age(obj)]


def priority_class(obj: Obj) -> Cells:
    """A PriorityClass: its number, whether pods without a class have it, and whether it preempts."""
    return [name(obj), obj.get("value", 0), obj.get("globalDefault", False), age(obj), obj.get("preemptionPolicy", "")]


def disruption_budget(obj: Obj) -> Cells:
    """A PodDisruptionBudget: its bounds and what it allows now."""
    bounds = [obj["spec"].get(key) for key in ("minAvailable", "maxUnavailable")]
    allowed = (obj.get("status") or {}).get("disruptionsAllowed", 0)
    return [name(obj), *("N/A" if bound is None else str(bound) for bound in bounds), allowed, age(obj)]


def autoscaler(obj: Obj) -> Cells:
    """A HorizontalPodAutoscaler: whom it scales, now against target, bounds, replicas."""
    spec, status = obj["spec"], obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    reference = f"{target.get('kind', '')}/{target.get('name', '')}"
    bounds = [str(spec.get("minReplicas", UNSET)), spec.get("maxReplicas", 0), status.get("currentReplicas", 0)]
    return [name(obj), reference, _metrics(spec, status), *bounds, age(obj)]


def _metrics(spec: Obj, status: Obj) -> str:
    """Each metric's present value and its target: the status names them in the same order."""
    wanted, now = spec.get("metrics") or [], status.get("currentMetrics") or []
    words = [_metric(metric, now[index] if index < len(now) else {}) for index, metric in enumerate(wanted)]
    more = f" + {len(words) - 2} more..." if len(words) > 2 else ""
    return ", ".join(words[:2]) + more if words else NONE


# metric's type -> its field, and whether a target per pod is marked as an average
_METRIC_SOURCES = {
    "Resource": ("resource", False),
    "ContainerResource": ("containerResource", False),
    "Pods": ("pods", False),
    "Object": ("object", True),
    "External": ("external", True),
}


def _metric(wanted: Obj, now: Obj) -> str:
    if wanted.get("type") not in _METRIC_SOURCES:
        return "<unknown type>"
    source, marked = _METRIC_SOURCES[wanted["type"]]
    target = wanted.get(source, {}).get("target") or {}
    current = (now.get(source) or {}).get("current") or {}
    named = source in ("resource", "containerResource")
    prefix = f"{wanted[source].get('name')}: " if named else ""
    if "averageValue" in target:
        average = " (avg)" if marked else ""
        return f"{prefix}{current.get('averageValue', UNKNOWN)}/{target['averageValue']}{average}"
    if not named:
        return f"{current.get('value', UNKNOWN)}/{target.get('value', '')}"
    shown = {key: f"{part['averageUtilization']}%" for key, part in (("now", current), ("wanted", target))
             if part.get("averageUtilization") is not None}  # fmt: skip
    return f"{prefix}{shown.get('now', UNKNOWN)}/{shown.get('wanted', '<auto>')}"


def network_policy(obj: Obj) -> Cells:
    """A NetworkPolicy and the pods it is about."""
    return [name(obj), selector_text((obj.get("spec") or {}).get("podSelector")), age(obj)]


def role(obj: Obj) -> Cells:
    """A Role or ClusterRole and when it was made."""
    return [name(obj), obj["metadata"].get("creationTimestamp", "")]


def role_binding(obj: Obj) -> Cells:
    """A RoleBinding or ClusterRoleBinding: the role and who has it."""
    reference = obj.get("roleRef") or {}
    by_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or []:
        namespaced = f"{subject['namespace']}/" if subject.get("namespace") else ""
        by_kind.setdefault(subject.get("kind", ""), []).append(f"{namespaced}{subject.get('name', '')}")
    subjects = [", ".join(by_kind[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [name(obj), f"{reference.get('kind', '')}/{reference.get('name', '')}", age(obj), *subjects]


def lease(obj: Obj) -> Cells:
    """A Lease and who holds it."""
    return [name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), age(obj)]


def scale(obj: Obj) -> Cells:
    """The scale of something: replicas desired and there."""
    return [name(obj), *((obj.get(part) or {}).get("replicas", 0) for part in ("spec", "status")), age(obj)]


def metrics(obj: Obj) -> Cells:
    """PodMetrics or NodeMetrics, as metrics-server prints them: what all containers use, and over how long."""
    used = [obj["usage"]] if "usage" in obj else [container["usage"] for container in obj["containers"]]
    cpu = sum(quantities.parse(usage["cpu"]) for usage in used)
    memory = sum(quantities.parse(usage["memory"]) for usage in used)
    return [name(obj), f"{cpu}n", f"{memory // quantities.NANO // 1024}Ki", obj["window"]]


def other(obj: Obj) -> Cells:
    """Any kind without columns of its own."""
    return [name(obj), obj["metadata"].get("creationTimestamp", "")]
