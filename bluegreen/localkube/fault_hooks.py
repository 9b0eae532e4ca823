"""How faults are put into the parts of a running cluster: the kubelet, the proxy, the router and the controllers."""

from __future__ import annotations

from bluegreen.localkube.controllers import Manager
from bluegreen.localkube.fault_board import Hook
from bluegreen.localkube.faults import Values
from bluegreen.localkube.kubelet.kubelet import Kubelet
from bluegreen.localkube.proxy import Proxy
from bluegreen.localkube.router.router import Router

SLICES = "endpoint-slice-controller"
"""The controller that lags when EndpointSlices are to follow late."""


def hooks(kubelet: Kubelet, proxy: Proxy, router: Router, controllers: Manager) -> dict[str, Hook]:
    """What puts each kind of fault in, and takes it out."""

    def pulls(values: Values, on: bool) -> None:
        kubelet.faults.pull_delay_s = values["delay_s"] if on else 0.0

    def endpoints(values: Values, on: bool) -> None:
        proxy.set_lag(values["proxy_s"] if on else 0.0)
        router.set_lag(values["router_s"] if on else 0.0)
        controllers.set_lag(SLICES, values["slices_s"] if on else 0.0)

    def node(_values: Values, on: bool) -> None:
        kubelet.faults.ready = not on
        kubelet.register_node()

    def freeze(values: Values, on: bool) -> None:
        kubelet.freeze(*_pod(values), on)

    def kill(values: Values, _on: bool) -> None:
        kubelet.kill(*_pod(values))

    return {"pulls": pulls, "endpoints": endpoints, "node": node, "freeze": freeze, "kill": kill}


def _pod(values: Values) -> tuple[str, str]:
    namespace, _, name = values["pod"].partition("/")
    return namespace, name
