"""The ServiceAccount that the documentation gives to whoever runs releases, as a user of a cluster of the tests."""

from __future__ import annotations

from pathlib import Path

import yaml

from bluegreen import environment, localkube
from bluegreen.kube import Kube
from bluegreen.settings import Settings


def set_up_for(kube: Kube, settings: Settings, cluster: localkube.Cluster, path: Path) -> Path:
    """Set an application up as an administrator, and write a kubeconfig of its release account; returns ``path``."""
    environment.set_up(kube, settings)
    asked = f"/api/v1/namespaces/{settings.namespace}/serviceaccounts/{settings.app_name}-release/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = kube.post_answer(asked, request, "get a token")["status"]["token"]
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path
