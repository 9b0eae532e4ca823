"""Looking before anything is changed: what would stop a release half-way is refused while nothing has happened yet.

Comes in: a cluster and settings. Goes out: what has to be applied first (see ``environment.check``), or an
``InputError`` or ``CannotStartError`` that names the object, what was found and what to do. Everything here reads, asks
for permissions, or tries on the server without keeping it.

What an unfinished release of an earlier run may still put right (both colours standing, room) is left alone here: it
is judged after that release was mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bluegreen import capacity, environment, foreign_autoscalers, manifest_rules, manifests, thresholds
from bluegreen.colour import Colour, Obj, live_colour
from bluegreen.deployments import Deployments
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.journal import Journal, Record
from bluegreen.kube import Forbidden, Invalid, Kube, KubeError
from bluegreen.lock import observation_s
from bluegreen.settings import Settings

RULES_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
MANAGED_BY = "app.kubernetes.io/managed-by"


def check(kube: Kube, settings: Settings, epoch: str) -> list[Obj]:
    """Refuse what cannot be released onto; returns what has to be applied before a release can begin.

    ``epoch`` is the id of the release that asks. Raises ``InputError`` and ``CannotStartError``; nothing was changed.
    """
    thresholds.load(settings)
    if not settings.embedded:
        _require_permissions(kube, settings)
    deployments = Deployments(kube, settings, epoch)
    found = {colour: deployments.get(colour) for colour in Colour}
    for colour, deployment in found.items():
        _require_selector(settings, colour, deployment)
    foreign_autoscalers.refuse(kube, [deployments.name(colour) for colour in Colour])
    wanted = environment.check(kube, settings)
    _require_lease(kube, settings)
    record = _journal(kube, settings)
    service = kube.get("Service", settings.service_name)
    if service is None:
        return wanted
    _require_services(service, kube.get("Service", settings.preview_service_name), settings)
    for name in settings.live_services[1:]:
        for found_service in filter(None, (kube.get("Service", name), kube.get("Service", f"{name}-preview"))):
            _require_services(found_service, None, settings)
    if record is not None and record.unfinished:
        return wanted
    live = live_colour(service)
    require_live(settings, live, found)
    candidate = live.other if live is not None else Colour.BLUE
    size = (deployments.size(live) if live is not None else 0) or settings.replicas
    rendered = deployments.rendered(candidate, size)
    require_room(kube, rendered, max(0, size - deployments.size(candidate)))  # what is kept is counted already
    if not wanted:  # else what the pod refers to may not be there yet
        _try_pod(kube, settings, rendered)
    return wanted


# --- what is written down ---------------------------------------------------------------------------------------------


def _require_lease(kube: Kube, settings: Settings) -> None:
    """Refuse a Lease that is no release's lock. One that a release holds is the lock's own business."""
    lease = kube.get("Lease", f"{settings.app_name}-release")
    owner = ((lease or {}).get("metadata", {}).get("labels") or {}).get(MANAGED_BY)
    if lease is not None and owner != "bluegreen" and observation_s(lease) != 0:
        holder = lease.get("spec", {}).get("holderIdentity")
        raise CannotStartError(
            f"Lease {lease['metadata']['name']} in namespace {settings.namespace} is held by {holder} and is no "
            f"release's lock: its label {MANAGED_BY} is {owner or 'not set'}.",
            "Choose another APP_NAME, or let whoever uses that Lease take another name.",
        )


def _journal(kube: Kube, settings: Settings) -> Record | None:
    """The last release's record. Raises CannotStartError when the journal cannot be understood."""
    journal = Journal(kube, settings)
    try:
        return journal.read()
    except KubeError:
        raise
    except HarnessError as error:
        raise CannotStartError(f"ConfigMap {journal.name}: {error.sentence}", error.remedy) from None


# --- permissions ------------------------------------------------------------------------------------------------------


def _require_permissions(kube: Kube, settings: Settings) -> None:
    """Everything that the documented Role grants is granted to this account, whichever way it got it.

    One question; where the cluster says that its answer is incomplete (its authorizer cannot list rules), what is
    missing shows when it is used.
    """
    request = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": settings.namespace},
    }
    try:
        status = kube.post_answer(RULES_REVIEW, request, "ask for permissions").get("status") or {}
    except KubeError:
        return
    role = next(obj for obj in manifests.render(settings, "release-role") if obj["kind"] == "Role")
    missing = list(lacking(role.get("rules") or [], status.get("resourceRules") or []))
    if missing and not status.get("incomplete"):
        raise CannotStartError(
            f"This account may not {', may not '.join(missing)} in namespace {settings.namespace}.",
            f"Bind it to Role {role['metadata']['name']}, which `bluegreen setup` makes, or use another account.",
        )


def lacking(needed: Iterable[Mapping[str, Any]], granted: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the first rules grant and the second do not, as ``patch services``. Pure."""
    rules = list(granted)
    for rule in needed:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                names = set(rule.get("resourceNames") or [])
                verbs = [v for v in rule["verbs"] if not any(_grants(r, group, resource, v, names) for r in rules)]
                if verbs:
                    yield f"{'/'.join(verbs)} {resource}"


def _grants(rule: Mapping[str, Any], group: str, resource: str, verb: str, names: set[str]) -> bool:
    own = set(rule.get("resourceNames") or [])
    wildcard = {"*", f"*/{resource.partition('/')[2]}"} if "/" in resource else {"*"}
    return (
        bool({"*", group} & set(rule.get("apiGroups") or []))
        and bool({resource, *wildcard} & set(rule.get("resources") or []))
        and bool({"*", verb} & set(rule.get("verbs") or []))
        and (not own or (bool(names) and names <= own))
    )


# --- what stands in the cluster ---------------------------------------------------------------------------------------


def _require_services(service: Obj, preview: Obj | None, settings: Settings) -> None:
    for found in filter(None, (service, preview)):
        name = found["metadata"]["name"]
        for what, value, why, remedy in manifest_rules.shape(found["spec"]):
            raise CannotStartError(f"Service {name}: {what} is {value}: {why}", remedy)
        selector = found["spec"].get("selector") or {}
        if selector.get("app") != settings.app_name:
            raise CannotStartError(
                f"Service {name} selects {selector or 'nothing'}: its `app` is not APP_NAME={settings.app_name}.",
                "It belongs to something else: set SERVICE_NAME or APP_NAME to this application's, or give the Service "
                f"the selector app: {settings.app_name} and the colour that serves.",
            )
        if foreign := {key: value for key, value in selector.items() if key not in ("app", "version")}:
            raise CannotStartError(
                f"Service {name} selects by more than app and version: {foreign}.",
                "A colour's pods may not carry those labels: take them out of the selector.",
            )
    live_colour(service)


def _require_selector(settings: Settings, colour: Colour, deployment: Obj | None) -> None:
    """A Deployment's selector cannot be changed: one that is not a release's own stops it before it begins."""
    wanted = {"app": settings.app_name, "version": colour.value}
    labels = ((deployment or {}).get("spec", {}).get("selector") or {}).get("matchLabels") or {}
    if deployment is not None and any(labels.get(key) != value for key, value in wanted.items()):
        name = deployment["metadata"]["name"]
        raise CannotStartError(
            f"Deployment {name} selects {labels or 'by expressions'}, and a release needs {wanted}; a Deployment's "
            "selector cannot be changed.",
            f"Delete Deployment {name} when it serves nobody, or choose another APP_NAME.",
        )


def require_live(settings: Settings, live: Colour | None, deployments: Mapping[Colour, Obj | None]) -> None:
    """The colour that the live Service selects has a Deployment."""
    if live is not None and deployments[live] is None:
        raise CannotStartError(
            f"Service {settings.service_name} selects {live}, but there is no Deployment {settings.app_name}-{live}.",
            "Bring that Deployment back, or move traffic with `bluegreen rollback`; see `bluegreen status`.",
        )


def require_room(kube: Kube, deployment: Obj, replicas: int) -> None:
    """Refuse, before anything is created, what a quota would refuse."""
    try:
        quotas = kube.list("ResourceQuota")
    except Forbidden:  # then the cluster will tell, by pods that do not come
        return
    if short := list(capacity.shortages(quotas, capacity.needed(deployment, replicas))):
        raise CannotStartError(
            f"There is no room for a second colour: {'; '.join(short)}.", "Raise the quota, or free some of it."
        )


def _try_pod(kube: Kube, settings: Settings, deployment: Obj) -> None:
    """Let the server check one pod of the candidate without keeping it: a Deployment is accepted whose pods never are.

    LimitRange, Pod Security admission, webhooks, a ServiceAccount or a priority class that is not there: all of them
    refuse pods only.
    """
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "generateName": f"{deployment['metadata']['name']}-"}
    try:
        kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, dry_run=True)
    except (Invalid, Forbidden) as refusal:
        path = manifests.source(settings, "deployment")
        said = (refusal.message or refusal.sentence).rstrip(".")
        raise CannotStartError(
            f"The cluster refuses a pod of {path.name}: {said}.",
            "Correct the manifest or the setting in it, or ask whoever keeps the namespace's rules.",
        ) from None
