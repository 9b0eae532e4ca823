"""What the containers of a pod ask for together."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bluegreen.localkube import quantities

Obj = dict[str, Any]


def effective_requests(spec: Obj) -> dict[str, str]:
    """What the containers of a pod request at most at one time: sidecars beside whatever else runs."""
    forms: dict[str, str] = {}
    running, starting, sidecars = Counter[str](), Counter[str](), Counter[str]()
    for container in spec.get("initContainers") or ():
        own = _requests(container, forms)
        if container.get("restartPolicy") == "Always":
            sidecars += own
            own = Counter()
        starting |= sidecars + own
    for container in spec.get("containers") or ():
        running += _requests(container, forms)
    return {name: quantities.written(nano, forms[name]) for name, nano in ((running + sidecars) | starting).items()}


def _requests(container: Obj, forms: dict[str, str]) -> Counter[str]:
    requests: dict[str, str] = (container.get("resources") or {}).get("requests") or {}
    for name, amount in requests.items():
        forms.setdefault(name, quantities.form_of(amount))
    return Counter({name: quantities.parse(amount) for name, amount in requests.items()})
