"""What ``bluegreen preflight`` shows: the checklist before a release, a verdict a row. Changes nothing.

``read`` asks the cluster, ``text`` writes it down, ``passed`` judges; in between stands plain data. What a release
itself looks at before it begins is asked of ``preflight.check``, so that both say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bluegreen import manifests, preflight
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube, KubeError
from bluegreen.settings import Settings


class Answer(StrEnum):
    """What was found; only ``MISSING`` fails the checklist."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """One line of the checklist; ``remedy`` is empty where nothing is to be done."""

    what: str
    answer: Answer
    found: str
    remedy: str = ""


def passed(rows: Iterable[Row]) -> bool:
    """Whether nothing is missing."""
    return all(row.answer is not Answer.MISSING for row in rows)


def text(rows: Iterable[Row]) -> str:
    """The checklist as a person reads it."""
    return "\n".join(_lines(list(rows)))


def _lines(rows: list[Row]) -> Iterator[str]:
    width = max(len(row.what) for row in rows)
    for row in rows:
        yield f"{row.answer:<8} {row.what:<{width}}  {row.found}"
        if row.remedy:
            yield f"{'':<8} {'':<{width}}  -> {row.remedy}"


def read(kube: Kube, settings: Settings) -> list[Row]:
    """Ask the cluster. A version that is too old was refused when it was connected to."""
    api = Row("API", Answer.OK, f"{kube.context} answers with Kubernetes {kube.raw('/version')['gitVersion']}")
    return [api, _permissions(kube, settings), image(settings.docker_image or ""), _ready(kube, settings)]


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


def image(reference: str) -> Row:
    """Whether the reference names one content. The registry is not asked. Pure."""
    if not reference:
        return Row("image", Answer.UNKNOWN, "DOCKER_IMAGE is not set", "Name the image that will be released.")
    if re.search(r"@sha256:[0-9a-f]{64}$", reference):
        return Row("image", Answer.UNKNOWN, f"{reference} is pinned to a digest; its registry was not asked")
    remedy = "Name it by digest, as NAME@sha256:..., so that what was tested is what runs."
    return Row("image", Answer.UNKNOWN, f"{reference} is a tag, which can move; its registry was not asked", remedy)


def _ready(kube: Kube, settings: Settings) -> Row:
    """What a release looks at before it begins: settings, objects, the lock, quotas, one pod tried on the server."""
    what = "settings, objects, quotas"
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
    return Row(what, Answer.OK, "nothing stands against a release")
