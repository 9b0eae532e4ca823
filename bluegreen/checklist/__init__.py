"""What ``bluegreen preflight`` shows: the checklist before a release, a verdict a row. Changes nothing.

``read`` asks, ``text`` writes it down, ``passed`` judges; in between stands plain data. What a release itself looks at
before it begins is asked of the same modules, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bluegreen import manifests, migrations, pinning, preflight
from bluegreen.checklist import papers, reach, room
from bluegreen.checklist.rows import Answer, Row, passed, text
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube, KubeError
from bluegreen.pinning import State
from bluegreen.settings import Settings

__all__ = ["Answer", "Row", "images", "passed", "read", "text", "unreached", "wishes"]

ANSWERS = {
    State.KNOWN: Answer.OK,
    State.NOT_ASKED: Answer.NOT_ASKED,
    State.UNKNOWN: Answer.UNKNOWN,
    State.MISSING: Answer.MISSING,
}


def read(kube: Kube, settings: Settings) -> list[Row]:
    """Ask the cluster, and whatever settings name. A version that is too old was refused when it was connected to."""
    api = Row("API", Answer.OK, f"{kube.context} answers with Kubernetes {kube.raw('/version')['gitVersion']}")
    return [
        api,
        _permissions(kube, settings),
        *images(kube, settings),
        _ready(kube, settings),
        room.row(kube, settings),
        reach.row(kube, settings),
        _migrations(kube, settings),
        *papers.rows(settings),
    ]


def unreached(error: HarnessError, settings: Settings) -> list[Row]:
    """The checklist where the cluster cannot be asked: why, and what can be looked at all the same."""
    unasked = ("permissions", "image", "settings, objects", "capacity", "reach", "migrations")
    return [
        Row("API", Answer.MISSING, error.sentence, error.remedy),
        *(Row(what, Answer.NOT_ASKED, "the cluster was not reached") for what in unasked),
        *papers.rows(settings),
    ]


def wishes(rules: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str, str]]:
    """Each (verb, group, resource, subresource, name) that rules of a Role grant. Pure."""
    for rule in rules:
        for group in rule["apiGroups"]:
            for path in rule["resources"]:
                resource, _, subresource = path.partition("/")
                for name in rule.get("resourceNames") or [""]:
                    yield from ((verb, group, resource, subresource, name) for verb in rule["verbs"])


def _permissions(kube: Kube, settings: Settings) -> Row:
    """Every verb of the documented Role, one SelfSubjectAccessReview each."""
    role = next(obj for obj in manifests.render(settings, "release-role") if obj["kind"] == "Role")
    asked = list(wishes(role["rules"]))
    try:
        refused = [
            f"{verb} {resource}{f'/{subresource}' if subresource else ''}"
            for verb, group, resource, subresource, name in asked
            if not kube.can_i(verb, group, resource, subresource, name=name)
        ]
    except KubeError as error:
        return Row("permissions", Answer.UNKNOWN, error.sentence, error.remedy)
    if refused:
        remedy = f"Bind this account to Role {role['metadata']['name']}, which `bluegreen setup` makes."
        return Row("permissions", Answer.MISSING, f"may not {', '.join(refused)}", remedy)
    return Row("permissions", Answer.OK, f"all {len(asked)} that Role {role['metadata']['name']} lists")


def images(kube: Kube, settings: Settings) -> list[Row]:
    """A row for the image to release, and one for each other image of its pods."""
    if not settings.docker_image:
        remedy = "Name the image that will be released."
        return [Row("image", Answer.UNKNOWN, "DOCKER_IMAGE is not set", remedy)]
    try:
        found = pinning.images_in(pinning.pods_of(settings))
    except HarnessError as error:
        return [Row("image", Answer.UNKNOWN, f"the pods are not known: {error.sentence}")]
    wanted = {settings.docker_image: found.get(settings.docker_image) or {}, **found}
    return [_image(kube, settings, image, pod) for image, pod in wanted.items()]


def _image(kube: Kube, settings: Settings, reference: str, pod: dict[str, Any]) -> Row:
    what = "image" if reference == settings.docker_image else "image beside it"
    try:
        image = pinning.look(kube, settings, reference, pod)
    except HarnessError as error:
        return Row(what, Answer.UNKNOWN, error.sentence, error.remedy)
    return Row(what, ANSWERS[image.state], image.sentence, image.remedy)


def _ready(kube: Kube, settings: Settings) -> Row:
    """What a release looks at before it begins: settings, Secrets, objects, the lock, one pod tried on the server."""
    what = "settings, objects"
    if not settings.docker_image:
        return Row(what, Answer.UNKNOWN, "not looked at: DOCKER_IMAGE is not set", "Name the image to be released.")
    try:
        lacking = preflight.check(kube, settings, "preflight")
    except KubeError as error:
        return Row(what, Answer.UNKNOWN, error.sentence, error.remedy)
    except HarnessError as error:
        return Row(what, Answer.MISSING, error.sentence, error.remedy)
    if lacking:
        return Row(what, Answer.OK, f"a release sets up {len(lacking)} objects first, or `bluegreen setup` does")
    return Row(what, Answer.OK, "settings, Secrets and objects are there; nothing stands against a release")


def _migrations(kube: Kube, settings: Settings) -> Row:
    what = "migrations"
    if settings.migration:
        return Row(what, Answer.OK, f"the release runs {settings.migration} itself (MIGRATION)")
    try:
        said = migrations.require(kube, settings)
    except KubeError as error:
        return Row(what, Answer.UNKNOWN, error.sentence, error.remedy)
    except HarnessError as error:
        return Row(what, Answer.MISSING, error.sentence, error.remedy)
    if said:
        return Row(what, Answer.OK, said)
    remedy = "Name what knows: MIGRATION_JOB, MIGRATION_COMMAND, or MIGRATION for the release to run it."
    return Row(what, Answer.UNKNOWN, "no setting says how to tell whether they are done", remedy)
