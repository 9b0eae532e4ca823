"""The kubelet: pods as local processes. ``Kubelet`` is its door."""

from bluegreen.localkube.kubelet.capabilities import missing
from bluegreen.localkube.kubelet.kubelet import Kubelet
from bluegreen.localkube.kubelet.logs import LogOptions

__all__ = ["Kubelet", "LogOptions", "missing"]
