"""Queries with thresholds, asked of a real Prometheus that scrapes the pods through the cluster's API."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from bluegreen import clock, localkube
from bluegreen.clock import Deadline
from bluegreen.kube import connect_handle
from tests.release.conftest import App
from tests.release.test_team_gate import Team, examples

PROMETHEUS = shutil.which("prometheus")

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="there is no prometheus here (Debian's package has it)")


@dataclass
class Server:
    """A Prometheus that scrapes every second."""

    url: str


@pytest.fixture(scope="module")
def prometheus(release_cluster: localkube.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(release_cluster, folder)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert PROMETHEUS is not None
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=log,
    )
    server = Server(f"http://127.0.0.1:{port}")
    discovery = Discovery(release_cluster, folder / "targets.json")
    discovery.start()
    try:
        _await(server, process, folder / "log")
        yield server
    finally:
        discovery.over.set()
        discovery.join(30)
        process.terminate()
        process.wait(30)
        log.close()


def _configuration(cluster: localkube.Cluster, folder: Path) -> dict[str, Any]:
    """Scrape what the file of targets names, through the cluster's API and as its administrator."""
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    api, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
    (folder / "ca.pem").write_bytes(base64.b64decode(api["certificate-authority-data"]))
    job: dict[str, Any] = {
        "job_name": "pods",
        "scheme": "https",
        "tls_config": {"ca_file": str(folder / "ca.pem")},
        "authorization": {"credentials": user["token"]},
        "file_sd_configs": [{"files": [str(folder / "targets.json")], "refresh_interval": "1s"}],
    }
    return {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}


class Discovery(threading.Thread):
    """Names the annotated pods of all namespaces in Prometheus' file of targets, as they come and go."""

    def __init__(self, cluster: localkube.Cluster, file: Path) -> None:
        super().__init__(daemon=True)
        self.kube = connect_handle(str(cluster.kubeconfig), cluster.context, "default")
        self.file, self.over = file, threading.Event()
        self.address = urlsplit(cluster.server).netloc

    def run(self) -> None:
        while not self.over.wait(0.5):
            pods = self.kube.raw("/api/v1/pods").get("items", [])
            draft = self.file.with_suffix(".new")
            draft.write_text(json.dumps([self._entry(pod) for pod in pods if self._scraped(pod)]))
            draft.replace(self.file)

    @staticmethod
    def _scraped(pod: dict[str, Any]) -> bool:
        told = pod["metadata"].get("annotations", {})
        return told.get("prometheus.io/scrape") == "true" and pod["status"].get("phase") == "Running"

    def _entry(self, pod: dict[str, Any]) -> dict[str, Any]:
        metadata = pod["metadata"]
        told, place = metadata["annotations"], f"{metadata['namespace']}/pods/{metadata['name']}"
        path = f"/api/v1/namespaces/{place}:{told['prometheus.io/port']}/proxy{told['prometheus.io/path']}"
        labels = {"namespace": metadata["namespace"], "pod": metadata["name"], "version": metadata["labels"]["version"]}
        return {"targets": [self.address], "labels": {"__metrics_path__": path, **labels}}


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = Deadline(60)
    while True:
        assert process.poll() is None, log.read_text()
        assert not deadline.expired, log.read_text()
        try:
            if httpx.get(f"{server.url}/-/ready", trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        clock.sleep_s(0.1)


@pytest.fixture
def team(release_cluster: localkube.Cluster, tmp_path: Path) -> Iterator[Team]:
    team = Team(release_cluster, tmp_path)
    (team.folder / "suites/release/queries").mkdir()
    team.take("queries/checks.yaml")
    yield team
    team.kube.delete("Namespace", team.namespace)


def test_queries_before_and_after_the_switch(team: Team, prometheus: Server) -> None:
    more = {"PROMETHEUS_URL": prometheus.url, "POST_SWITCH_WATCH": "3"}
    first = team.release("", **more)
    assert first.code == 0, first.output
    second = team.release("gremlinsai/backend:v1.1.0", **more)
    assert second.code == 0, second.output
    ran = [(test["name"], test["outcome"]) for stage in second.record["stages"].values() for test in stage["tests"]]
    for name in ("every pod is scraped", "the memory is within reason", "users get no errors"):
        assert [outcome for said, outcome in ran if name in said] == ["passed"], ran

    text = examples()["suites/release/queries/checks.yaml"].replace("max: 1000000000", "max: 1000")
    absent = "- {name: a metric of ours, timeout_s: 2, prometheus: 'no_such_metric_total', min: 0}\n"
    team.write("queries/checks.yaml", text + absent)
    refused = team.release("gremlinsai/backend:v1.2.0", **more)
    assert refused.code == 1, refused.output
    assert "and 1000 is allowed" in refused.output
    assert "a metric of ours: Prometheus has no data." in refused.output
    assert team.live_colour() == "green"


def test_without_a_prometheus_there_is_no_pass(team: Team) -> None:
    result = team.release("")
    assert result.code == 1, result.output
    assert "PROMETHEUS_URL is not set" in result.output


def test_a_prometheus_that_cannot_be_reached_is_no_pass(team: App) -> None:
    result = team.release("", PROMETHEUS_URL="http://127.0.0.1:9")
    assert result.code != 0
    assert "Prometheus at http://127.0.0.1:9 was not reached" in result.output
