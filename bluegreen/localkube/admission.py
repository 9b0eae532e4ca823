"""What the server does to an object between decoding and validation, as Kubernetes' admission plugins do.

``Admission`` is the request as a hook sees it. The hooks here are always on; the rest of the cluster adds its
own (addresses of Services, quotas) to ``Registry.admission``, which run after validation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bluegreen.localkube import limits, metadata, priorities
from bluegreen.localkube.kinds import KINDS, Kind, Obj
from bluegreen.localkube.status import ApiError, forbidden, not_found
from bluegreen.localkube.store import Store

TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its service account's token, as in every cluster."""
_TOKEN_SECONDS = 3607  # what the ServiceAccount plugin asks for: an hour, and a few seconds to tell it apart
_FILE_MODE = 0o644
_NOT_READY_SECONDS = 300  # DefaultTolerationSeconds' own default


@dataclass
class Admission:
    """One write: ``operation`` is CREATE, UPDATE or DELETE; a hook may change ``obj`` or raise an ApiError."""

    operation: str
    kind: Kind
    namespace: str
    obj: Obj
    old: Obj | None = None
    dry_run: bool = False
    subresource: str = ""


Hook = Callable[[Admission], None]


def shown_name(meta: Obj) -> str:
    """What a refusal calls an object whose name may still have to be generated."""
    return meta.get("name") or meta.get("generateName") or "Unknown"


def check_namespace(store: Store, kind: Kind, namespace: str, name: str) -> None:
    """404 for a create in a namespace that does not exist, 403 in one that is being deleted (NamespaceLifecycle)."""
    found = store.get(KINDS["Namespace"], "", namespace)
    if found is None:
        raise not_found("namespaces", "", namespace)
    if not found["metadata"].get("deletionTimestamp"):
        return
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    refusal = forbidden(kind.plural, kind.group, name, why)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    raise ApiError(403, "Forbidden", refusal.message, {**(refusal.details or {}), "causes": [cause]})


def check_definition(kind: Kind, name: str) -> None:
    """403 for a create of a kind whose CustomResourceDefinition is being deleted."""
    if kind.custom and kind.custom.fixed:
        why = "create not allowed while custom resource definition is terminating"
        raise forbidden(kind.plural, kind.group, name, why)


def prepare_namespace(obj: Obj) -> None:
    """A new namespace is active, and held by the finalizer of its controller."""
    finalizers = (obj.get("spec") or {}).get("finalizers") or []
    obj["spec"] = {"finalizers": finalizers if "kubernetes" in finalizers else [*finalizers, "kubernetes"]}
    obj["status"] = {"phase": "Active"}


def prepare_pod(store: Store, namespace: str, name: str, pod: Obj) -> None:
    """A new pod's limits, service account and its token's volume, priority, tolerations. 403 for what is not there."""
    spec = pod["spec"]
    limits.fill(store, namespace, pod)
    _give_account(store, namespace, name, spec)
    priorities.give(store, name, spec)
    _tolerate(spec)
    if spec.get("overhead"):
        why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        raise forbidden("pods", "", name, why)
    if spec.get("runtimeClassName"):  # there are none to choose from
        raise forbidden("pods", "", name, f'pod rejected: RuntimeClass "{spec["runtimeClassName"]}" not found')


def prepare_pod_update(pod: Obj, live: Obj) -> None:
    """A pod that is changed: what the server gave it, it keeps where the change leaves it out."""
    spec, before = pod["spec"], live["spec"]
    for key in ("priority", "preemptionPolicy"):
        if key in before:
            spec.setdefault(key, before[key])
    _tolerate(spec)


def _give_account(store: Store, namespace: str, name: str, spec: Obj) -> None:
    account_name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    account = store.get(KINDS["ServiceAccount"], namespace, account_name)
    if account is None:
        missing = f'serviceaccount "{account_name}" not found'
        why = f"error looking up service account {namespace}/{account_name}: {missing}"
        raise forbidden("pods", "", name, why)
    spec["serviceAccountName"] = spec["serviceAccount"] = account_name
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(each) for each in account["imagePullSecrets"]]
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken", True)
    if wanted:
        _mount_token(spec)


def _mount_token(spec: Obj) -> None:
    """Mount the token in every container that has nothing else at its place."""
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    bare = [each for each in containers if not _mounts(each, TOKEN_DIRECTORY)]
    if not bare:
        return
    name = f"kube-api-access-{metadata.random_suffix()}"
    for container in bare:
        mount = {"name": name, "readOnly": True, "mountPath": TOKEN_DIRECTORY}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
    spec["volumes"] = [*(spec.get("volumes") or ()), _token_volume(name)]


def _mounts(container: Obj, path: str) -> bool:
    return any(mount.get("mountPath") == path for mount in container.get("volumeMounts") or ())


def _token_volume(name: str) -> Obj:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": _FILE_MODE}}


def _tolerate(spec: Obj) -> None:
    """A pod stays five minutes on a node that is not ready or cannot be reached, unless it says otherwise."""
    tolerations = list(spec.get("tolerations") or ())
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(_covers(each, key) for each in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _NOT_READY_SECONDS}
            )
    spec["tolerations"] = tolerations


def _covers(toleration: Obj, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")
