"""The built-in kinds: a table of names, scope, verbs, subresources and what differs by kind.

Data only: what a row means for a request is decided by the registry and the server. Kinds that a
CustomResourceDefinition adds come from ``catalogue``, in rows of the same form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluegreen.localkube.custom.resource import CustomResource
    from bluegreen.localkube.schema import Struct

Obj = dict[str, Any]
"""An object as it stands in JSON. What the store hands out is frozen by convention: copy before changing."""

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_READ_WRITE = ("get", "patch", "update")


@dataclass(frozen=True)
class Subresource:
    """A path below an object. ``kind``/``group``/``version`` are of its body where that is not the object itself."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


STATUS = Subresource("status", _READ_WRITE)
SCALE = Subresource("scale", _READ_WRITE, "Scale", "autoscaling", "v1")


@dataclass(frozen=True)
class Kind:
    """One kind. ``group`` is "" for the core group; ``plural`` is the resource's name in paths.

    ``generation``: the server counts changes of the spec in metadata.generation.
    ``stored``: False for reviews, which are answered and forgotten, and for what is measured when asked for.
    ``fields``: field selectors beside metadata.name and metadata.namespace.
    ``field_refusal``: how an unknown field selector is refused; "" is the general sentence.
    ``create_on_update``: a PUT of an absent object creates it.
    ``blind_update``: a PUT without resourceVersion is accepted and overwrites.
    ``returns_deleted``: a DELETE answers with the object that went, not with a Status.
    ``dependents``: what a DELETE that says nothing about it does to dependents: "delete", "orphan", or "ignore"
    for a kind that has none, whatever a DELETE says.
    ``key``: what tables and the store know it by: the kind's name, or the resource's full name for a custom kind,
    which may share its name with a built-in one.
    ``custom``: what its CustomResourceDefinition says of a custom kind's objects.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str = ""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    generation: bool = False
    stored: bool = True
    fields: tuple[str, ...] = ()
    field_refusal: str = ""
    create_on_update: bool = False
    blind_update: bool = True
    returns_deleted: bool = False
    dependents: str = "delete"
    list_kind: str = ""
    key: str = ""
    custom: CustomResource | None = field(default=None, compare=False)
    # derived once: these stand on the hot path of every request
    api_version: str = field(init=False)
    resource: str = field(init=False)
    json_prefix: bytes = field(init=False)  # how every stored object's JSON begins
    has_status: bool = field(init=False)
    schema: str | Struct = field(init=False, compare=False)  # what its objects consist of, see ``schema.of_kind``

    def __post_init__(self) -> None:
        api_version = f"{self.group}/{self.version}" if self.group else self.version
        derived = {
            "singular": self.singular or self.kind.lower(),
            "api_version": api_version,
            "json_prefix": f'{{"kind":"{self.kind}","apiVersion":"{api_version}",'.encode(),
            "resource": self.plural,
            "list_kind": self.list_kind or f"{self.kind}List",
            "key": self.key or self.kind,
            "schema": self.custom.struct if self.custom else self.kind,
            "has_status": any(sub.name == "status" for sub in self.subresources),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __hash__(self) -> int:
        return hash(self.key)

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, if the kind has it."""
        return next((sub for sub in self.subresources if sub.name == name), None)

    @property
    def qualified(self) -> str:
        """The resource as Kubernetes writes it in sentences: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")
_POD_SUBRESOURCES = (
    Subresource("attach", _CONNECT, "PodAttachOptions", "", "v1"),
    Subresource("binding", ("create",), "Binding", "", "v1"),
    Subresource("ephemeralcontainers", _READ_WRITE),
    Subresource("eviction", ("create",), "Eviction", "policy", "v1"),
    Subresource("exec", _CONNECT, "PodExecOptions", "", "v1"),
    Subresource("log", ("get",)),
    Subresource("portforward", _CONNECT, "PodPortForwardOptions", "", "v1"),
    Subresource("proxy", _PROXY, "PodProxyOptions", "", "v1"),
    Subresource("resize", _READ_WRITE),
    STATUS,
)
_NO_COLLECTION_DELETE = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
_PLAIN_REFUSAL = "field label not supported: {field}"
_RBAC = "rbac.authorization.k8s.io"
_AUTHORIZATION = "authorization.k8s.io"
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
)
_EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)


def _core() -> list[Kind]:
    return [
        Kind(
            "",
            "v1",
            "Namespace",
            "namespaces",
            namespaced=False,
            short_names=("ns",),
            verbs=_NO_COLLECTION_DELETE,
            subresources=(Subresource("finalize", ("update",)), STATUS),
            fields=("status.phase",),
            field_refusal=_PLAIN_REFUSAL,
            returns_deleted=True,
        ),
        Kind(
            "",
            "v1",
            "Node",
            "nodes",
            namespaced=False,
            short_names=("no",),
            subresources=(STATUS,),
            fields=("spec.unschedulable",),
            field_refusal=_PLAIN_REFUSAL,
        ),
        Kind(
            "",
            "v1",
            "Pod",
            "pods",
            short_names=("po",),
            categories=("all",),
            subresources=_POD_SUBRESOURCES,
            generation=True,
            fields=_POD_FIELDS,
            field_refusal=_PLAIN_REFUSAL,
            returns_deleted=True,
        ),
        Kind(
            "",
            "v1",
            "Service",
            "services",
            short_names=("svc",),
            categories=("all",),
            subresources=(Subresource("proxy", _PROXY, "ServiceProxyOptions", "", "v1"), STATUS),
            fields=("spec.clusterIP", "spec.type"),
            field_refusal=_PLAIN_REFUSAL,
            create_on_update=True,
            returns_deleted=True,
        ),
        Kind("", "v1", "Endpoints", "endpoints", short_names=("ep",), create_on_update=True),
        Kind("", "v1", "ConfigMap", "configmaps", short_names=("cm",)),
        Kind("", "v1", "Secret", "secrets", fields=("type",), field_refusal=_PLAIN_REFUSAL),
        Kind(
            "",
            "v1",
            "ServiceAccount",
            "serviceaccounts",
            short_names=("sa",),
            subresources=(Subresource("token", ("create",), "TokenRequest", "authentication.k8s.io", "v1"),),
            returns_deleted=True,
        ),
        Kind(
            "",
            "v1",
            "Event",
            "events",
            short_names=("ev",),
            fields=_EVENT_FIELDS,
            field_refusal=_PLAIN_REFUSAL,
            create_on_update=True,
            dependents="ignore",
        ),
        Kind(
            "",
            "v1",
            "ResourceQuota",
            "resourcequotas",
            short_names=("quota",),
            subresources=(STATUS,),
            returns_deleted=True,
        ),
        Kind("", "v1", "LimitRange", "limitranges", short_names=("limits",), create_on_update=True),
    ]


def _workloads() -> list[Kind]:
    return [
        Kind(
            "apps",
            "v1",
            "Deployment",
            "deployments",
            short_names=("deploy",),
            categories=("all",),
            subresources=(SCALE, STATUS),
            generation=True,
        ),
        Kind(
            "apps",
            "v1",
            "ReplicaSet",
            "replicasets",
            short_names=("rs",),
            categories=("all",),
            subresources=(SCALE, STATUS),
            generation=True,
        ),
        Kind(
            "batch",
            "v1",
            "Job",
            "jobs",
            categories=("all",),
            subresources=(STATUS,),
            generation=True,
            fields=("status.successful",),
            dependents="orphan",
            field_refusal='field label "{field}" not supported for Job',
        ),
        Kind(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            short_names=("pdb",),
            subresources=(STATUS,),
            generation=True,
            blind_update=False,
        ),
        Kind(
            "autoscaling",
            "v2",
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
            short_names=("hpa",),
            categories=("all",),
            subresources=(STATUS,),
        ),
    ]


def _scheduling() -> list[Kind]:
    return [
        Kind(
            "scheduling.k8s.io",
            "v1",
            "PriorityClass",
            "priorityclasses",
            namespaced=False,
            short_names=("pc",),
            generation=True,
        )
    ]


def _networking() -> list[Kind]:
    return [
        Kind(
            "networking.k8s.io",
            "v1",
            "Ingress",
            "ingresses",
            short_names=("ing",),
            subresources=(STATUS,),
            generation=True,
        ),
        Kind(
            "networking.k8s.io",
            "v1",
            "NetworkPolicy",
            "networkpolicies",
            short_names=("netpol",),
            generation=True,
        ),
        Kind(
            "networking.k8s.io",
            "v1",
            "IngressClass",
            "ingressclasses",
            namespaced=False,
            generation=True,
        ),
        Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", generation=True),
        Kind("coordination.k8s.io", "v1", "Lease", "leases", create_on_update=True, blind_update=False),
    ]


def _access() -> list[Kind]:
    reviews = [
        ("SelfSubjectAccessReview", False),
        ("SelfSubjectRulesReview", False),
        ("SubjectAccessReview", False),
        ("LocalSubjectAccessReview", True),
    ]
    return [
        Kind(_RBAC, "v1", "Role", "roles", create_on_update=True),
        Kind(_RBAC, "v1", "RoleBinding", "rolebindings", create_on_update=True),
        Kind(_RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False, create_on_update=True),
        Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False, create_on_update=True),
        *(
            Kind(_AUTHORIZATION, "v1", name, f"{name.lower()}s", namespaced=namespaced, verbs=("create",), stored=False)
            for name, namespaced in reviews
        ),
        Kind(
            "authentication.k8s.io",
            "v1",
            "SelfSubjectReview",
            "selfsubjectreviews",
            namespaced=False,
            verbs=("create",),
            stored=False,
        ),
        Kind(
            "authentication.k8s.io",
            "v1",
            "TokenReview",
            "tokenreviews",
            namespaced=False,
            verbs=("create",),
            stored=False,
        ),
    ]


def _extensions() -> list[Kind]:
    return [
        Kind(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            namespaced=False,
            short_names=("crd", "crds"),
            categories=("api-extensions",),
            subresources=(STATUS,),
            generation=True,
            blind_update=False,
        )
    ]


def _measured() -> list[Kind]:
    return [
        Kind(
            "metrics.k8s.io", "v1beta1", name, plural, singular="", namespaced=namespaced, verbs=("get", "list"),
            stored=False,
        )
        for name, plural, namespaced in (("NodeMetrics", "nodes", False), ("PodMetrics", "pods", True))
    ]  # fmt: skip


KINDS: dict[str, Kind] = {
    kind.kind: kind
    for kind in [*_core(), *_workloads(), *_scheduling(), *_networking(), *_access(), *_extensions(), *_measured()]
}
"""Every kind by its CamelCase name."""

GROUP_VERSIONS = frozenset((kind.group, kind.version) for kind in KINDS.values())
"""(group, version) of every built-in kind."""
_BY_TYPE = {(kind.api_version, kind.kind): kind for kind in KINDS.values()}


def by_type(api_version: str, kind: str) -> Kind | None:
    """The built-in kind an object or a reference names by apiVersion and kind."""
    return _BY_TYPE.get((api_version, kind))
