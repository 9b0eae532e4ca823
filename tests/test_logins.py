"""The ways to log in that a kubeconfig can hold, against a cluster that checks them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen import settings
from bluegreen.kube import Forbidden, connect_handle
from bluegreen.localkube import Cluster
from tests import account


def _exec(token: str, folder: Path) -> dict[str, Any]:
    api = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": api, "kind": "ExecCredential", "status": {"token": token}}
    plugin = folder / "plugin.py"
    plugin.write_text(f"print({json.dumps(json.dumps(credential))})\n")
    return {"exec": {"apiVersion": api, "command": sys.executable, "args": [str(plugin)], "interactiveMode": "Never"}}


def _file(token: str, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text(token)
    return {"tokenFile": str(folder / "token")}


@pytest.mark.parametrize("login", [_exec, _file], ids=["exec plugin", "token file"])
def test_a_login_is_the_account_it_stands_for(cluster: Cluster, tmp_path: Path, login: Any) -> None:
    namespace = f"login{login.__name__.replace('_', '-')}"
    admin = connect_handle(str(cluster.kubeconfig), cluster.context, namespace)
    try:
        path = account.set_up_for(admin, settings.load({"NAMESPACE": namespace}), cluster, tmp_path / "config")
        config = yaml.safe_load(path.read_text())
        for user in config["users"]:
            user["user"] = login(user["user"]["token"], tmp_path)
        path.write_text(yaml.safe_dump(config))
        kube = connect_handle(str(path), cluster.context, namespace)
        try:
            assert kube.get("Namespace", namespace) is not None
            with pytest.raises(Forbidden, match="gremlinsai-backend-release"):
                kube.get("Namespace", "default")
        finally:
            kube.close()
    finally:
        admin.delete("Namespace", namespace)
        admin.close()
