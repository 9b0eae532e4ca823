"""``bluegreen preflight`` as it is typed, by the account for releases: a table whose every row can fail."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bluegreen import cli, settings
from bluegreen.kube import Kube, connect_handle
from bluegreen.localkube import Cluster
from tests import account, oci

ROWS = (
    "API",
    "permissions",
    "image",
    "settings, objects",
    "capacity",
    "reach",
    "migrations",
    "dashboards",
    "rollback plan",
)


@pytest.fixture
def kube(cluster: Cluster) -> Iterator[Kube]:
    """An administrator of a namespace of the test's own."""
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, f"preflight-{uuid.uuid4().hex[:6]}")
    yield kube
    kube.delete("Namespace", kube.namespace)
    kube.close()


def table(printed: str) -> dict[str, str]:
    """What each row of the table says first: its answer."""
    found = {}
    for line in printed.splitlines():
        answer, rest = line[:11].strip(), line[11:]
        what = next((row for row in ROWS if rest.startswith(f"{row} ")), "")
        if answer and what:
            found[what] = answer
    return found


def test_every_row_can_be_missing(
    kube: Kube, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"CLUSTER": cluster.context, "NAMESPACE": kube.namespace, "REPLICAS": "2", "DOCKER_IMAGE": "team/shop:v1"}
    chosen = settings.load(given)
    kubeconfig = account.set_up_for(kube, chosen, cluster, tmp_path / "kubeconfig")
    (tmp_path / "plan.md").write_text("go back")
    with oci.running(tmp_path / "registry") as registry:
        registry.push("team/shop", "v1")
        found = {
            "KUBECONFIG": str(kubeconfig),
            "MIGRATION_COMMAND": "true",
            "DASHBOARDS": str(tmp_path / "plan.md"),
            "ROLLBACK_PLAN": str(tmp_path / "plan.md"),
            "PIN_IMAGE": "require",
        }
        for name, value in {**given, **found, "DOCKER_IMAGE": f"{registry.host}/team/shop:v1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        code = cli.main(["preflight"])
        printed = capsys.readouterr().out
        assert table(printed) == dict.fromkeys(ROWS, "ok"), printed
        assert code == 0

        _spoil(kube, chosen.app_name)
        spoilt = {
            "DOCKER_IMAGE": f"{registry.host}/team/shop:v2",
            "MIGRATION_COMMAND": "false",
            "DASHBOARDS": str(tmp_path / "none"),
            "ROLLBACK_PLAN": str(tmp_path / "none.md"),
            "ACCESS": "node-port",
        }
        for name, value in spoilt.items():
            monkeypatch.setenv(name, value)
        code = cli.main(["preflight"])
        printed = capsys.readouterr().out
    assert table(printed) == {**dict.fromkeys(ROWS, "missing"), "API": "ok"}, printed
    assert code == 4
    for said in (
        "ACCESS=node-port: Service gremlinsai-service has no such address",
        "may not patch services",
        "team/shop:v2",
        "ResourceQuota small allows",
        "MIGRATION_COMMAND=false",
    ):
        assert said in printed


def _spoil(kube: Kube, app_name: str) -> None:
    """Take the right to switch away, and the room."""
    role = kube.get("Role", f"{app_name}-release")
    assert role is not None
    at = next(i for i, rule in enumerate(role["rules"]) if rule["resources"] == ["services"])
    ops = [{"op": "replace", "path": f"/rules/{at}/verbs", "value": ["get", "list"]}]
    kube.json_patch("Role", role["metadata"]["name"], ops, manager="test")
    hard = {"requests.cpu": "100m"}
    kube.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": hard}})


def test_a_cluster_that_does_not_answer_is_a_row_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {
        "clusters": [{"name": "far", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "far", "context": {"cluster": "far", "user": "me"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    (tmp_path / "plan.md").write_text("go back")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    code = cli.main(["preflight", "--cluster", "far", "--rollback-plan", "plan.md"])
    printed = capsys.readouterr().out
    assert code == 4
    assert "no answer from https://127.0.0.1:1" in printed
    assert table(printed) == {
        **dict.fromkeys(ROWS, "not asked"),
        "API": "missing",
        "dashboards": "unknown",
        "rollback plan": "ok",
    }, printed


@pytest.mark.parametrize("command", [["setup"], ["reset", "--yes"]], ids=["setup", "reset"])
def test_what_takes_an_administrator_says_so_to_the_account_for_releases(
    kube: Kube,
    cluster: Cluster,
    tmp_path: Path,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"CLUSTER": cluster.context, "NAMESPACE": kube.namespace, "DOCKER_IMAGE": "team/shop:v1"}
    kubeconfig = account.set_up_for(kube, settings.load(given), cluster, tmp_path / "kubeconfig")
    monkeypatch.chdir(tmp_path)
    for name, value in {**given, "KUBECONFIG": str(kubeconfig)}.items():
        monkeypatch.setenv(name, value)
    assert cli.main([*command, *([kube.namespace] if command[-1] == "--yes" else [])]) == 4
    said = capsys.readouterr().err
    assert "forbidden" in said
    assert "an administrator's, once" in said
    assert kube.get("Service", "gremlinsai-service") is not None
