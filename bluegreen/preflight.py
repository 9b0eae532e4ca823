"""Looking before anything is changed: what would stop a release half-way is refused while nothing has happened yet.

Comes in: a cluster and settings. Goes out: what has to be applied first (see ``environment.check``), or an
``InputError`` or ``CannotStartError`` that names the object, what was found and what to do. Everything here reads, asks
for permissions, or tries on the server without keeping it.

What an unfinished release of an earlier run may still put right (both colours standing, room) is left alone here: it
is judged after that release was mended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bluegreen import capacity, environment, foreign_autoscalers, jobs, manifests, route_rules, thresholds
from bluegreen.colour import Colour, Obj, live_colour
from bluegreen.deployments import Deployments
from bluegreen.errors import CannotStartError, HarnessError
from bluegreen.journal import Journal, Record
from bluegreen.kube import Conflict, Forbidden, Invalid, Kube, KubeError
from bluegreen.lock import observation_s
from bluegreen.plan import Plan
from bluegreen.roster import Found, roster
from bluegreen.settings import Settings
from bluegreen.workload import Workload

RULES_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
MANAGED_BY = "app.kubernetes.io/managed-by"


def check(kube: Kube, settings: Settings, epoch: str) -> list[Obj]:
    """Refuse what cannot be released onto; returns what has to be applied before a release can begin.

    ``epoch`` is the id of the release that asks. Raises ``InputError`` and ``CannotStartError``; nothing was changed.
    """
    thresholds.load(settings)
    if not settings.own_cluster:
        _require_permissions(kube, settings)
    deployments = Deployments(kube, settings, epoch)
    for name in deployments.plan.names:
        for colour in Colour:
            _require_selector(kube, deployments.plan, name, colour)
    foreign_autoscalers.refuse(kube, [f"{name}-{colour}" for name in deployments.plan.names for colour in Colour])
    wanted = environment.check(kube, settings)
    _require_migration(kube, settings, try_it=not wanted)
    _require_lease(kube, settings)
    record = _journal(kube, settings)
    route_rules.require(kube, settings, wanted, settled=record is None or not record.unfinished)
    service = kube.get("Service", settings.service_name)
    if service is None:
        return wanted
    _require_service(service, settings.service_name, deployments.plan, settings)
    names = [(name, f"{name}{suffix}") for name in deployments.plan.services for suffix in ("", "-preview")]
    for name, called in names[1:]:
        if (other := kube.get("Service", called)) is not None:
            _require_service(other, name, deployments.plan, settings)
    if record is not None and record.unfinished:
        return wanted
    live, found = live_colour(service), deployments.found()
    require_live(settings, live, deployments, found)
    candidate = live.other if live is not None else Colour.BLUE
    workloads = roster(deployments, candidate, live, found)
    require_room(kube, deployments, candidate, workloads)
    if not wanted:  # else what the pod refers to may not be there yet
        for workload in (workload for workload in workloads if workload.released):
            made = deployments.of(workload).rendered(candidate, workload.replicas)
            _try_pod(kube, deployments.plan.source(workload.name), made)
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


def _require_service(found: Obj, live: str, plan: Plan, settings: Settings) -> None:
    """That a live Service, or its preview, is one that traffic can be moved by; ``live``: the live one's name."""
    name = found["metadata"]["name"]
    for what, value, why, remedy in plan.shape(found):
        raise CannotStartError(f"Service {name}: {what} is {value}: {why}", remedy)
    selector, own = found["spec"].get("selector") or {}, plan.service_selector(live) or {}
    told = " and ".join(f"{key}: {value}" for key, value in own.items())
    if not own.items() <= selector.items():
        which = f" APP_NAME={settings.app_name}" if [*own] == ["app"] else ""
        raise CannotStartError(
            f"Service {name} selects {selector or 'nothing'}: its `{'`, `'.join(own)}` is not{which or f' {told}'}.",
            "It belongs to something else: set SERVICE_NAME or APP_NAME to this application's, or give the Service "
            f"the selector {told} and the colour that serves.",
        )
    if foreign := {key: value for key, value in selector.items() if key not in (*own, "version")}:
        raise CannotStartError(
            f"Service {name} selects by more than {', '.join(own)} and version: {foreign}.",
            "A colour's pods may not carry those labels: take them out of the selector.",
        )
    if name == live:
        live_colour(found)


def _require_selector(kube: Kube, plan: Plan, name: str, colour: Colour) -> None:
    """A Deployment's selector cannot be changed: one that is not a release's own stops it before it begins."""
    found = kube.get("Deployment", f"{name}-{colour}")
    if found is None:
        return
    wanted = plan.deployment(name, colour, 1)["spec"]["selector"]
    selector = (found.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in (wanted.get("matchLabels") or {}).items()):
        raise CannotStartError(
            f"Deployment {name}-{colour} selects {labels or 'by expressions'}, and a release needs "
            f"{wanted.get('matchLabels')}; a Deployment's selector cannot be changed.",
            f"Delete Deployment {name}-{colour} when it serves nobody, or choose another APP_NAME.",
        )


def require_live(settings: Settings, live: Colour | None, deployments: Deployments, found: Found) -> None:
    """The colour that the live Service selects has a Deployment."""
    if live is not None and deployments.workload not in found[live]:
        raise CannotStartError(
            f"Service {settings.service_name} selects {live}, but there is no Deployment {deployments.name(live)}.",
            "Bring that Deployment back, or move traffic with `bluegreen rollback`; see `bluegreen status`.",
        )


def require_room(kube: Kube, deployments: Deployments, candidate: Colour, workloads: Iterable[Workload]) -> None:
    """Refuse, before anything is created, what a quota would refuse; of pods that are kept nothing more is needed."""
    try:
        quotas = kube.list("ResourceQuota")
    except Forbidden:  # then the cluster will tell, by pods that do not come
        return
    if not quotas:
        return
    need: Counter[str] = Counter()
    for workload in (workload for workload in workloads if workload.released):
        one = deployments.of(workload)
        more = max(0, workload.replicas - workload.given_up - one.size(candidate))
        need.update(capacity.needed(one.rendered(candidate, workload.replicas), more))
    if short := list(capacity.shortages(quotas, dict(need))):
        raise CannotStartError(
            f"There is no room for a second colour: {'; '.join(short)}.", "Raise the quota, or free some of it."
        )


def _require_migration(kube: Kube, settings: Settings, *, try_it: bool) -> None:
    """Refuse a migration that is no Job or Pod, or that the server would not take: it runs first of all."""
    if settings.migration is None:
        return
    job = jobs.read(settings, settings.migration)
    if not try_it:  # the namespace may not be there yet
        return
    try:
        kube.create(job, dry_run=True)
    except (Invalid, Forbidden) as refusal:
        said = (refusal.message or refusal.sentence).rstrip(".")
        raise CannotStartError(
            f"MIGRATION={settings.migration}: the cluster refuses it: {said}.", "Correct it."
        ) from None
    except Conflict:  # one of its name is there; it will run under a name of its own
        return


def _try_pod(kube: Kube, path: str, deployment: Obj) -> None:
    """Let the server check one pod of the candidate without keeping it: a Deployment is accepted whose pods never are.

    LimitRange, Pod Security admission, webhooks, a ServiceAccount or a priority class that is not there: all of them
    refuse pods only.
    """
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "generateName": f"{deployment['metadata']['name']}-"}
    try:
        kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, dry_run=True)
    except (Invalid, Forbidden) as refusal:
        said = (refusal.message or refusal.sentence).rstrip(".")
        raise CannotStartError(
            f"The cluster refuses a pod of {Path(path).name}: {said}.",
            "Correct the manifest or the setting in it, or ask whoever keeps the namespace's rules.",
        ) from None
