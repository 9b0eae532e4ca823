"""A fresh copy of the live release, for a comparison in which age and caches are equal. It serves nobody.

One Deployment ``$APP_NAME-baseline`` with the live one's template; its pods carry ``version: baseline``, which no
Service selects. It belongs to the candidate's Deployment, so that it goes with it whoever removes that; ``remove``
takes it away once it was used, and a revert does so again for a run that was killed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from bluegreen.clock import Deadline
from bluegreen.colour import Obj
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube
from bluegreen.traffic import pod_ready

VERSION = "baseline"
"""The ``version`` label of the copy's pods: no colour, so that nothing selects them."""


def name(app_name: str) -> str:
    """The name of the copy's Deployment."""
    return f"{app_name}-{VERSION}"


def copied(live: Obj, candidate: Obj, app_name: str, replicas: int) -> Obj:
    """The Deployment of the copy: the live one's template under other labels. Pure."""
    labels = {"app": app_name, "version": VERSION}
    spec = copy.deepcopy(live["spec"])
    spec["replicas"], spec["selector"] = replicas, {"matchLabels": labels}
    template = spec["template"]["metadata"]
    template["labels"] = {**(template.get("labels") or {}), **labels}
    metadata = {key: candidate["metadata"][key] for key in ("name", "uid")}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name(app_name),
            "labels": {**labels, "app.kubernetes.io/managed-by": "bluegreen"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", **metadata}],
        },
        "spec": spec,
    }


@contextmanager
def standing(kube: Kube, live: Obj, candidate: Obj, app_name: str, replicas: int, within_s: float) -> Iterator[str]:
    """The copy's pods, ready, for as long as they are wanted; the label selector that finds them.

    Raises HarnessError when the cluster refuses them and TimeoutExpiredError when they do not become ready.
    """
    remove(kube, app_name)
    try:
        kube.create(copied(live, candidate, app_name, replicas))
        selector = f"app={app_name},version={VERSION}"
        kube.wait(
            "Pod",
            lambda pods: True if sum(map(pod_ready, pods)) >= replicas else None,
            labels=selector,
            deadline=Deadline(within_s),
            awaited=f"{replicas} pods of Deployment {name(app_name)} ready",
        )
        yield selector
    finally:
        remove(kube, app_name)


def remove(kube: Kube, app_name: str) -> None:
    """Take the copy away, where there is one, and wait until it is gone."""
    if kube.get("Deployment", name(app_name)) is None:
        return
    kube.delete("Deployment", name(app_name))
    selector = f"app={app_name},version={VERSION}"
    for pod in kube.list("Pod", labels=selector):
        kube.delete("Pod", pod["metadata"]["name"], grace_s=1)  # nobody is served by it
    try:
        kube.wait(
            "Pod",
            lambda pods: None if pods else True,
            labels=selector,
            deadline=Deadline(GONE_WITHIN_S),
            awaited=f"the pods of Deployment {name(app_name)} are gone",
        )
    except HarnessError:
        return  # its Deployment is deleted: what is left of its pods ends by itself


GONE_WITHIN_S = 30.0
"""A choice: Kubernetes' default grace; a copy's pods get a second of it."""
