"""The image to release as its registry knows it: is it there, for these nodes, and which content does its tag mean now.

A tag can move between the test and a pod that is started next week; a digest cannot. So a release deploys the digest
that the tag meant when it began (PIN_IMAGE). The registry is asked as the nodes will ask it: with the pull secrets of
the pod template, or else those of its ServiceAccount. Nodes may have credentials of their own, which nobody here has:
a registry that wants some we do not have is unknown, and no proof against the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bluegreen import grammar, kindcluster, localkube, registry
from bluegreen.colour import Colour
from bluegreen.errors import CannotStartError
from bluegreen.kube import Kube, KubeError
from bluegreen.plan import plan_of
from bluegreen.registry import AccessRefusedError, Credential, Found, RegistryError, UnansweredError
from bluegreen.settings import KIND, Settings

Obj = dict[str, Any]

OFF, AUTO, REQUIRE = "off", "auto", "require"
"""The values of PIN_IMAGE."""


class State(StrEnum):
    """What is known of an image."""

    KNOWN = "known"  # the registry says what it is
    NOT_ASKED = "not asked"
    UNKNOWN = "unknown"  # the registry could not be asked, or not as the nodes can
    MISSING = "missing"  # nodes could not run it


@dataclass(frozen=True)
class Image:
    """What was found out about an image."""

    reference: str
    state: State
    sentence: str
    remedy: str = ""
    found: Found | None = None


def look(kube: Kube, settings: Settings, reference: str = "", pod: Obj | None = None) -> Image:
    """Ask the registry for an image of the candidate's pods, DOCKER_IMAGE unless another is named; reads only."""
    reference = reference or settings.docker_image
    if settings.pin_image == OFF:
        return Image(reference, State.NOT_ASKED, f"{reference}: its registry was not asked (PIN_IMAGE=off)")
    if settings.pin_image == AUTO and localkube.is_embedded(kube.raw("/version").get("gitVersion", "")):
        return Image(reference, State.NOT_ASKED, f"{reference}: not asked, the embedded cluster's images have none")
    if settings.pin_image == AUTO and settings.cluster == KIND and kindcluster.brings(reference):
        return Image(reference, State.NOT_ASKED, f"{reference}: not asked, kind's node gets it from this machine")
    location = registry.locate(grammar.parse_image(reference))
    credentials, remarks = pull_secrets(kube, pod if pod is not None else pods_of(settings)[0])
    try:
        found = registry.resolve(location, registry.for_image(credentials, location))
    except RegistryError as error:
        return judged(reference, error, remarks, strict=settings.pin_image == REQUIRE)
    return fitting(reference, found, node_platforms(kube))


def judged(reference: str, error: RegistryError, remarks: Iterable[str] = (), *, strict: bool) -> Image:
    """What a registry's refusal means: ``strict`` takes what is not known for missing. Pure."""
    own_secret_refused = isinstance(error, AccessRefusedError) and bool(error.secrets)
    open_question = isinstance(error, AccessRefusedError | UnansweredError) and not own_secret_refused
    state = State.UNKNOWN if open_question and not strict else State.MISSING
    sentence = " ".join([error.sentence, *(f"{remark}." for remark in remarks)])
    return Image(reference, state, sentence, error.remedy)


def fitting(reference: str, found: Found, nodes: frozenset[str]) -> Image:
    """What a registry's answer means for nodes of these platforms; none where they may not be listed. Pure."""
    offered = {"/".join(one.split("/")[:2]) for one in found.platforms}
    if offered and nodes and not offered & nodes:
        return Image(
            reference,
            State.MISSING,
            f"{reference} is there for {', '.join(sorted(offered))}, and the nodes are {', '.join(sorted(nodes))}",
            "Build it for the nodes' platform.",
            found,
        )
    way = f", opened by pull secret {found.secret}" if found.secret else ""
    where = f" for {', '.join(found.platforms)}" if found.platforms else ""
    sentence = f"{reference} is {found.digest}{where}{way}"
    if lacking := sorted(nodes - offered) if offered else []:
        sentence += f"; nodes that are {', '.join(lacking)} cannot run it"
    return Image(reference, State.KNOWN, sentence, found=found)


def pinned(kube: Kube, settings: Settings) -> tuple[Settings, str]:
    """The settings of a release, its image named by digest where the registry says which; and what was done, in words.

    Raises CannotStartError for an image that nodes could not run; nothing was changed.
    """
    image = look(kube, settings)
    if image.state is State.MISSING:
        raise CannotStartError(image.sentence, image.remedy)
    if image.found is None:
        return settings, f"the image is not pinned to a digest: {image.sentence}"
    parsed = grammar.parse_image(settings.docker_image)
    reference = settings.docker_image if parsed.digest else registry.locate(parsed).pinned(image.found.digest)
    chosen = settings.releasing(reference, settings.expected_version)
    if reference not in images_in(pods_of(chosen)):
        return settings, f"the image is not pinned: the manifest names it itself; {image.sentence}"
    return chosen, image.sentence


# --- as the nodes ask -------------------------------------------------------------------------------------------------


def pods_of(settings: Settings) -> list[Obj]:
    """The specifications of a candidate's pods, one a Deployment; the main one's first."""
    plan = plan_of(settings)
    made = [plan.deployment(name, Colour.BLUE, settings.replicas) for name in plan.names]
    return [dict(deployment["spec"]["template"]["spec"]) for deployment in made]


def images_in(pods: Iterable[Mapping[str, Any]]) -> dict[str, Obj]:
    """The images of pods, init containers' too, each with the first pod that runs it. Pure."""
    found: dict[str, Obj] = {}
    for pod in pods:
        for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
            found.setdefault(str(container.get("image", "")), dict(pod))
    return found


def pull_secrets(kube: Kube, pod: Obj) -> tuple[list[Credential], list[str]]:
    """The credentials that pods are pulled with, and a remark for each pull secret that is of no use.

    A pod's own imagePullSecrets, or those of its ServiceAccount where it has none: admission adds them only then.
    """
    names, remarks = [str(entry.get("name")) for entry in pod.get("imagePullSecrets") or []], []
    try:
        names = names or _of_account(kube, str(pod.get("serviceAccountName") or "default"))
    except KubeError as error:
        remarks.append(f"the ServiceAccount's pull secrets are not known: {error.sentence.rstrip('.')}")
    credentials: list[Credential] = []
    for name in names:
        try:
            secret = kube.get("Secret", name)
            if secret is None:
                remarks.append(f"the pull secret {name} is not there")
            else:
                credentials += registry.read_pull_secret(secret)
        except KubeError as error:
            remarks.append(f"the pull secret {name} is not known: {error.sentence.rstrip('.')}")
        except ValueError as problem:
            remarks.append(str(problem))
    return credentials, remarks


def _of_account(kube: Kube, name: str) -> list[str]:
    """The pull secrets of a ServiceAccount; listed, for releases may list and not get."""
    accounts = kube.list("ServiceAccount", fields=f"metadata.name={name}")
    return [str(entry.get("name")) for account in accounts for entry in account.get("imagePullSecrets") or []]


def node_platforms(kube: Kube) -> frozenset[str]:
    """The platforms of the cluster's nodes; empty where this account may not list nodes, as it usually may not."""
    try:
        nodes = kube.list("Node", namespace="")
    except KubeError:
        return frozenset()
    infos = [(node.get("status") or {}).get("nodeInfo") or {} for node in nodes]
    stated = [f"{info.get('operatingSystem')}/{info.get('architecture')}" for info in infos]
    return frozenset(one for one in stated if "None" not in one)
