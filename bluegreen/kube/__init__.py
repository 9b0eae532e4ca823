"""The one door to a Kubernetes API, over the official client: apply, read, watch, patch with a precondition, logs,
events; time-outs and retries live here and nowhere else.

Objects are plain dicts as in JSON. ``connect`` finds the cluster; ``Kube`` does the rest. The official client gives
configuration, credentials of every kind and connections; it is imported when a cluster is connected to, not before.
"""

from bluegreen.kube.client import MANAGER, WRITE_ID, Kube
from bluegreen.kube.connect import connect, connect_handle
from bluegreen.kube.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    OutcomeUnknown,
    Stale,
    Unauthorized,
    Unreachable,
)
from bluegreen.kube.retry import RetryPolicy

__all__ = [
    "MANAGER",
    "WRITE_ID",
    "AlreadyExists",
    "Conflict",
    "Expired",
    "Forbidden",
    "Invalid",
    "Kube",
    "KubeError",
    "NotFound",
    "OutcomeUnknown",
    "RetryPolicy",
    "Stale",
    "Unauthorized",
    "Unreachable",
    "connect",
    "connect_handle",
]
