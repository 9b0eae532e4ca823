"""By which way a release would reach the application from here, and where its load would be made."""

from __future__ import annotations

from bluegreen import load, load_pods
from bluegreen.access import PORT_FORWARD, Access, Address
from bluegreen.checklist.rows import Answer, Row
from bluegreen.errors import HarnessError
from bluegreen.kube import Kube, KubeError
from bluegreen.settings import Settings

WHAT = "reach"


def row(kube: Kube, settings: Settings) -> Row:
    """One row: the ways that would be taken now."""
    access = Access(kube, settings)
    try:
        if kube.get("Service", settings.service_name) is None:
            return Row(WHAT, Answer.UNKNOWN, f"there is no Service {settings.service_name} yet")
        live, preview = access.live(), access.preview()
    except KubeError as error:
        return Row(WHAT, Answer.UNKNOWN, error.sentence, error.remedy)
    except HarnessError as error:
        return Row(WHAT, Answer.MISSING, error.sentence, error.remedy)
    finally:
        access.close()
    return Row(WHAT, Answer.OK, said(settings, live, preview))


def said(settings: Settings, live: Address, preview: Address) -> str:
    """The ways in words, and the pods that make the load where there are any. Pure."""
    text = f"live {_way(live)}, preview {_way(preview)}"
    number = load_pods.workers(settings, preview.via)
    if not number:
        return text
    rate, pods = load.rate_rps(settings), f"{number} pod{'s' if number != 1 else ''}"
    return f"{text}; {rate:g} requests/s are made in the cluster, by {pods} of {load_pods.image(settings)}"


def _way(address: Address) -> str:
    return "by a port-forward" if address.via == PORT_FORWARD else f"at {address}"
