"""Setting up and resetting everything around a release: namespace, access, secrets, configuration, Services, policy.

In come settings and a cluster; out comes an environment in which a release can run. Setting up is idempotent, by
server-side apply. It owns nothing that moves by itself: no Service's selector after its first, no
``replicas``, no autoscaler's bounds while a release holds them. So running it again moves no traffic, and changes
nothing that is as it should be. Deployments are not made here: a release makes its candidate's.

Everything is tried first (a server-side dry run), so that a manifest the server refuses is known before any change.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from bluegreen import config_copies
from bluegreen.applying import RELEASE, bring_about, dry_run, fits
from bluegreen.clock import Deadline
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError, InputError, Mistake, TimeoutExpiredError
from bluegreen.kube import Forbidden, Invalid, Kube, Unauthorized
from bluegreen.plan import plan_of
from bluegreen.settings import Settings

Obj = dict[str, Any]
Key = tuple[str, str]

ADMINISTRATIVE = frozenset({"Namespace", "Secret", "ServiceAccount", "Role", "RoleBinding"})
"""Kinds that only ``bluegreen setup`` writes: a release writes no access rights, no secret, no namespace."""

MADE_BY_RELEASES = frozenset({"HorizontalPodAutoscaler", "PodDisruptionBudget"})
"""Kinds that a release makes anew with its candidate: that they are not there stops none."""

GONE_WITHIN_S = 120.0
"""How long deleting a namespace may take: a choice, four times the longest grace of a default pod."""


def set_up(kube: Kube, settings: Settings, *, full: bool = True) -> list[str]:
    """Make or bring up to date everything around the releases of one application; returns what was applied.

    ``full``: with namespace, secrets and access rights; a release without those rights leaves them out.
    Raises ``InputError`` for manifests that the server refuses and ``CannotStartError`` for a namespace that is being
    deleted or fields that belong to somebody else; in both cases nothing was changed.
    """
    namespace = _living_namespace(kube, settings)
    wanted = [(path, obj) for path, obj in plan_of(settings).around() if full or obj["kind"] not in ADMINISTRATIVE]
    _try_out(kube, settings, wanted, namespace)
    _require_secrets(kube, settings, known={_key(obj): True for _, obj in wanted})
    return bring_all_about(kube, [obj for _, obj in wanted])


def bring_all_about(kube: Kube, wanted: list[Obj]) -> list[str]:
    """Apply what ``check`` found fit to be applied; returns what it was."""
    for obj in wanted:
        bring_about(kube, obj)
    return [f"{obj['kind']} {obj['metadata']['name']}" for obj in wanted]


def ensure(kube: Kube, settings: Settings) -> None:
    """What a release needs before it starts: on a cluster of the harness' own it is set up, elsewhere it must be there.

    On a named cluster this writes nothing at all. Raises ``CannotStartError`` with what is missing.
    """
    bring_all_about(kube, check(kube, settings))


def check(kube: Kube, settings: Settings) -> list[Obj]:
    """Find out, without changing anything, whether a release can start; returns what has to be applied first.

    That is nothing on a named cluster, and on the harness' own ones nothing when all is as it should be. Raises
    ``InputError`` for manifests that will not do and ``CannotStartError`` with what is missing.
    """
    namespace = _living_namespace(kube, settings)
    pairs = plan_of(settings).around()
    wanted = [obj for _, obj in pairs]
    live = _live(kube, wanted, namespace)
    if settings.own_cluster and not all(_key(obj) in live and fits(obj, live[_key(obj)]) for obj in wanted):
        _try_out(kube, settings, pairs, namespace)
        _require_secrets(kube, settings, known={_key(obj): True for obj in wanted})
        return wanted
    _require(kube, settings, wanted, live)
    _require_secrets(kube, settings, known={key: obj is not None for key, obj in live.items()})
    _try_deployment(kube, settings, "")
    return []


def _require(kube: Kube, settings: Settings, wanted: list[Obj], live: dict[Key, Obj | None]) -> None:
    """Everything that a release does not make itself is there; what this account may not see is taken to be."""
    missing = [
        f"{obj['kind']} {obj['metadata']['name']}"
        for obj in wanted
        if obj["kind"] not in MADE_BY_RELEASES and live.get(_key(obj), obj) is None
    ]
    if missing:
        raise CannotStartError(
            f"{settings.namespace} on {kube.context} is not set up: no {', no '.join(missing)}.",
            "Run `bluegreen setup` with the same settings, as an account that may.",
        )


def reset(kube: Kube, settings: Settings) -> None:
    """Delete all of it, and wait until it is gone: the namespace with everything in it.

    The namespace ``default`` cannot be deleted: there, what setting up and releases made is deleted one by one.
    """
    if settings.namespace == "default":
        _delete_one_by_one(kube, settings)
        return
    kube.delete("Namespace", settings.namespace)
    for pod in kube.list("Pod"):
        kube.delete("Pod", pod["metadata"]["name"], grace_s=1)
    try:
        kube.wait(
            "Namespace",
            lambda found: True if not found else None,
            fields=f"metadata.name={settings.namespace}",
            deadline=Deadline(GONE_WITHIN_S),
            awaited=f"Namespace {settings.namespace} gone",
            seen=_namespace_conditions,
        )
    except TimeoutExpiredError as late:
        late.remedy = "Look for finalizers that nobody removes: kubectl get namespace -o yaml."
        raise


# --- what there is -------------------------------------------------------------------------------------


def _live(kube: Kube, wanted: list[Obj], namespace: Obj | None) -> dict[Key, Obj | None]:
    """The objects as they are now, by few requests; without those that this account may not look at."""
    live: dict[Key, Obj | None] = {}
    for kind in dict.fromkeys(obj["kind"] for obj in wanted):
        names = [obj["metadata"]["name"] for obj in wanted if obj["kind"] == kind]
        with contextlib.suppress(
            Forbidden, KeyError
        ):  # KeyError: a kind of the team's own, known to their cluster only
            if namespace is None:
                found: list[Obj] = []
            elif kind == "Namespace":
                found = [namespace]
            else:
                found = kube.list(kind) if len(names) > 1 else [o for o in [kube.get(kind, names[0])] if o]
            live |= {(kind, name): next((o for o in found if o["metadata"]["name"] == name), None) for name in names}
    return live


def _living_namespace(kube: Kube, settings: Settings) -> Obj | None:
    """The namespace, ``None`` when there is none yet; refuses one that is being deleted."""
    try:
        namespace = kube.get("Namespace", settings.namespace)
    except Forbidden:
        return {"metadata": {"name": settings.namespace}}
    if namespace and namespace["metadata"].get("deletionTimestamp"):
        since = namespace["metadata"]["deletionTimestamp"]
        raise CannotStartError(
            f"NAMESPACE={settings.namespace}: it is being deleted, since {since}.",
            "Wait until it is gone, or name another one.",
        )
    return namespace


ADMINISTRATOR = "It takes an account that may write namespaces, Roles and Secrets: an administrator's, once."
"""What to do where this account may not set up or reset: the one for releases may not, and is not meant to."""

TRIED = "-tried"
"""What the name of a Deployment that is only tried ends with."""


# --- trying out -----------------------------------------------------------------------------------------------


def _try_out(kube: Kube, settings: Settings, wanted: list[tuple[str, Obj]], namespace: Obj | None) -> None:
    """Let the server check everything without keeping it; raises all refusals together.

    Objects of a namespace that does not exist yet are tried in ``default``, which always does.
    """
    mistakes: list[Mistake] = []
    live = _live(kube, [obj for _, obj in wanted], namespace)
    stand_in = "" if namespace else "default"
    for path, obj in wanted:
        elsewhere = stand_in if obj["kind"] != "Namespace" else ""
        try:
            dry_run(kube, obj, live.get(_key(obj)), elsewhere)
        except Invalid as refusal:
            why = f"the server refuses {obj['kind']} {obj['metadata']['name']}: {refusal.message or refusal.sentence}"
            mistakes.append(Mistake(path, None, why.rstrip(".") + ".", "Correct the manifest, or the setting in it."))
        except Unauthorized as refusal:
            raise CannotStartError(refusal.sentence, refusal.remedy) from None
        except Forbidden as refusal:
            raise CannotStartError(refusal.sentence, ADMINISTRATOR) from None
    try:
        _try_deployment(kube, settings, stand_in)
    except InputError as problem:
        mistakes += problem.mistakes
    if mistakes:
        raise InputError(mistakes)


def _try_deployment(kube: Kube, settings: Settings, elsewhere: str) -> None:
    """Let the server check the candidate's Deployment; the image may not be known yet when setting up.

    Under a name of its own: tried on a colour that stands, it would be merged with what others wrote there.
    """
    if not settings.docker_image:
        return
    mistakes, plan = [], plan_of(settings)
    for own in plan.names:
        obj, path = plan.deployment(own, Colour.BLUE, plan.first_size(own)), plan.source(own)
        name = obj["metadata"]["name"]
        tried = {**obj, "metadata": {**obj["metadata"], "name": f"{name}{TRIED}"}}
        try:
            kube.apply(tried, manager=RELEASE, force=True, dry_run=True, namespace=elsewhere)
        except Invalid as refusal:
            said = (refusal.message or refusal.sentence).replace(f"{name}{TRIED}", name)
            why = f"the server refuses {obj['kind']} {name}: {said}"
            mistakes.append(Mistake(path, None, why.rstrip(".") + ".", "Correct the manifest, or the setting in it."))
    if mistakes:
        raise InputError(mistakes)


def _require_secrets(kube: Kube, settings: Settings, known: dict[Key, bool]) -> None:
    """Every Secret that pods or the Ingress need is there; ``known``: what has been looked at, or will be made."""
    plan = plan_of(settings)
    known = {**known, **dict.fromkeys(plan.configuration(), True)}
    needed = {
        secret: "the Deployment refers to it"
        for name in plan.names
        for secret in _secrets_in(plan.deployment(name, Colour.BLUE, 1))
    }
    if settings.tls_secret:
        needed[settings.tls_secret] = "TLS_SECRET names it"
    mistakes = [
        Mistake(
            f"Secret {name}", None, f"it is not in namespace {settings.namespace}, and {why}.", _create(settings, name)
        )
        for name, why in needed.items()
        if not known.get(("Secret", name)) and not _has_secret(kube, name)
    ]
    if mistakes:
        raise InputError(mistakes)


def _create(settings: Settings, name: str) -> str:
    return f"Create it first: kubectl --namespace {settings.namespace} create secret … {name}."


def _has_secret(kube: Kube, name: str) -> bool:
    """Whether a Secret is there; one that this account may not look at is taken to be."""
    try:
        return kube.get("Secret", name) is not None
    except Forbidden:
        return True


def _secrets_in(node: Any) -> Iterator[str]:
    """The names of the Secrets that a pod cannot start without, wherever a manifest refers to them."""
    if isinstance(node, list):
        for child in node:
            yield from _secrets_in(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key in ("secretRef", "secretKeyRef", "secret") and isinstance(child, dict) and not child.get("optional"):
                name = child.get("name") or child.get("secretName")
                yield from [str(name)] if name else []
            yield from _secrets_in(child)


# --- taking away ----------------------------------------------------------------------------------------------


def _delete_one_by_one(kube: Kube, settings: Settings) -> None:
    for name in plan_of(settings).names:
        for colour in Colour:
            kube.delete("Deployment", f"{name}-{colour}", propagation="Foreground")
    config_copies.collect(kube, settings.app_name, lambda: None)
    for kind, name in (("Lease", "release"), ("ConfigMap", "release-journal")):
        kube.delete(kind, f"{settings.app_name}-{name}")
    for _, obj in reversed(plan_of(settings).around()):
        if obj["kind"] != "Namespace":
            kube.delete(obj["kind"], obj["metadata"]["name"])


def _namespace_conditions(found: list[Obj]) -> str:
    conditions = [c for ns in found for c in (ns.get("status") or {}).get("conditions") or []]
    return "; ".join(str(c.get("message")) for c in conditions if c.get("status") == "True") or "still terminating"


def _key(obj: Obj) -> Key:
    return str(obj["kind"]), str(obj["metadata"]["name"])
