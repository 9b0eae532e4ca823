"""The door: starting, finding and ending clusters, each test with state of its own."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegreen import clock, localkube
from bluegreen.errors import CannotStartError, InputError
from bluegreen.localkube import Cluster, Options, state

ROOT = Path(__file__).parents[2]
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """A directory for clusters; what still runs there at the end of a test is ended."""
    yield tmp_path
    for name in localkube.names(tmp_path):
        localkube.stop(name, base=tmp_path)


def start(base: Path, name: str = "default", **how: Any) -> Cluster:
    return localkube.start(name, base=base, options=Options(exit_with_pid=os.getpid()), **how)


def client(cluster: Cluster) -> httpx.Client:
    headers = {"Authorization": f"Bearer {cluster.token}"}
    return httpx.Client(base_url=cluster.server, headers=headers, verify=_context(cluster), timeout=10)


def _context(cluster: Cluster) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(cluster.authority))


def store_object(cluster: Cluster, name: str = "kept") -> None:
    with client(cluster) as http:
        assert http.post(CONFIG_MAPS, json={"metadata": {"name": name}}).status_code == 201


def has_object(cluster: Cluster, name: str = "kept") -> bool:
    with client(cluster) as http:
        return http.get(f"{CONFIG_MAPS}/{name}").status_code == 200


def await_end(pid: int, seconds: float = 20) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether the condition holds within so many seconds."""
    deadline = clock.Deadline(seconds)
    while not condition():
        if deadline.expired:
            return False
        clock.sleep_s(0.05)
    return True


def processes_naming(text: str) -> list[int]:
    """Processes whose command line or environment holds ``text``."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            shown = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in shown and int(directory.name) != os.getpid():
            found.append(int(directory.name))
    return found


def test_the_api_answers_once_start_returns(base: Path) -> None:
    cluster = start(base)
    with client(cluster) as http:
        assert http.get("/readyz").text == "ok"
        names = {item["metadata"]["name"] for item in http.get("/api/v1/namespaces").json()["items"]}
    assert {"default", "kube-system"} <= names


def test_starting_twice_gives_the_same_cluster(base: Path) -> None:
    first, second = start(base), start(base)
    assert first.pid == second.pid
    assert first.started_now
    assert not second.started_now


def test_two_starts_at_once_give_one_cluster(base: Path) -> None:
    found: list[Cluster] = []
    threads = [threading.Thread(target=lambda: found.append(start(base))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({cluster.pid for cluster in found}) == 1
    assert [cluster.started_now for cluster in found].count(True) == 1


def test_clusters_stand_side_by_side(base: Path) -> None:
    one, other = start(base, "one"), start(base, "other")
    store_object(one)
    assert not has_object(other)
    assert one.server != other.server
    assert (one.context, other.context) == ("bluegreen-local-one", "bluegreen-local-other")
    assert localkube.names(base) == ["one", "other"]


def test_down_keeps_objects_and_the_address_of_the_api(base: Path) -> None:
    cluster = start(base)
    store_object(cluster)
    cluster.stop()
    assert localkube.find(base=base) is None
    again = start(base)
    assert has_object(again)
    assert again.server == cluster.server
    assert again.token == cluster.token


def test_a_fresh_start_forgets_objects(base: Path) -> None:
    cluster = start(base)
    store_object(cluster)
    again = start(base, fresh=True)
    assert again.pid != cluster.pid
    assert not has_object(again)


def test_a_restart_keeps_objects(base: Path) -> None:
    cluster = start(base)
    store_object(cluster)
    again = start(base, restart=True)
    assert again.pid != cluster.pid
    assert has_object(again)


def test_killed_with_9_it_comes_back_with_every_acknowledged_write(base: Path) -> None:
    cluster = start(base)
    store_object(cluster)
    os.kill(cluster.pid, signal.SIGKILL)
    assert await_end(cluster.pid)
    assert localkube.find(base=base) is None
    assert has_object(start(base))


def test_a_cluster_belongs_to_no_terminal(base: Path) -> None:
    cluster = start(base)
    assert os.getsid(cluster.pid) == os.getpgid(cluster.pid)
    assert os.getsid(cluster.pid) not in (os.getsid(0), 0)
    assert os.readlink(f"/proc/{cluster.pid}/fd/0") == os.devnull
    os.kill(cluster.pid, signal.SIGHUP)  # what a closed terminal sends
    with client(cluster) as http:
        assert http.get("/readyz").text == "ok"


@pytest.mark.parametrize("ending", ["down", "killed"])
def test_no_process_of_a_pod_outlives_the_cluster(base: Path, ending: str) -> None:
    cluster, mark = start(base), f"mark-{uuid.uuid4().hex}"
    cluster.add_image("test/idle:v1", ["sh", "-c", "sleep 600 & setsid sleep 600 & wait"], {"MARK": mark})
    with client(cluster) as http:
        spec = {"containers": [{"name": "c", "image": "test/idle:v1"}]}
        body = {"metadata": {"name": "idle"}, "spec": spec}
        assert http.post("/api/v1/namespaces/default/pods", json=body).status_code == 201
    assert until(lambda: len(processes_naming(mark)) >= 3), "the pod's processes run"
    if ending == "down":
        cluster.stop()
        assert processes_naming(mark) == []
    else:
        os.kill(cluster.pid, signal.SIGKILL)
        assert until(lambda: not processes_naming(mark)), "the pod's processes end"


def test_secrets_are_readable_by_their_owner_only(base: Path) -> None:
    cluster = start(base)
    open_to_others = [
        path
        for path in [cluster.state.path, *cluster.state.path.rglob("*")]
        if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink() and not path.is_socket()
    ]
    assert open_to_others == []
    assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600


def test_the_token_is_on_no_command_line(base: Path) -> None:
    cluster = start(base)
    assert processes_naming(cluster.token) == []


def test_a_cluster_of_other_code_is_named(base: Path) -> None:
    cluster = start(base)
    assert not cluster.outdated
    cluster.state.update(fingerprint="of other code")
    found = localkube.find(base=base)
    assert found is not None
    assert found.outdated


def test_a_port_that_is_taken_is_left_to_who_has_it(base: Path) -> None:
    import socket

    cluster = start(base)
    cluster.stop()
    with socket.create_server(("127.0.0.1", cluster.record.port)):
        again = start(base)
        assert again.record.port != cluster.record.port
        assert str(again.record.port) in again.kubeconfig.read_text()


def test_a_daemon_that_cannot_start_says_why(base: Path) -> None:
    directory = state.directory("default", base)
    directory.prepare()
    directory.token.mkdir()
    with pytest.raises(CannotStartError, match=r"ended while it started.*Its log is"):
        start(base)
    assert directory.pid() is None


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "clusters").write_text("a file")
    with pytest.raises(CannotStartError, match="BLUEGREEN_HOME"):
        localkube.start(base=tmp_path)


@pytest.mark.parametrize("name", ["", "Upper", "../up", "a b", "-a", "x" * 33])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="--name"):
        localkube.find(name)


def test_a_record_that_cannot_be_read_is_named(base: Path) -> None:
    directory = state.directory("default", base)
    directory.prepare()
    directory.record_file.write_text("{")
    with pytest.raises(CannotStartError, match=r"cluster\.json"):
        start(base)


OWNER = """
import json, sys
from bluegreen import clock, localkube
with localkube.running() as cluster:
    print(json.dumps([cluster.pid, str(cluster.base)]), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, None], ids=["killed", "ended"])
def test_a_test_cluster_ends_with_its_test(ending: signal.Signals | None) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdin is not None
        pid, directory = json.loads(owner.stdout.readline())
        if ending:
            owner.send_signal(ending)
        owner.stdin.close()
        owner.wait(timeout=30)
    assert await_end(pid)
    assert not Path(directory).exists()


def test_a_stranger_is_not_let_in(base: Path) -> None:
    cluster = start(base)
    with httpx.Client(base_url=cluster.server, verify=_context(cluster)) as http:
        assert http.get("/api/v1/pods").status_code in (401, 403)
        assert http.get("/api/v1/pods", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_the_door_loads_neither_server_nor_cryptography() -> None:
    code = (
        "import sys, bluegreen.localkube; print([m for m in ('aiohttp', 'cryptography', 'yaml') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_nothing_listens_beyond_loopback(cluster: localkube.Cluster) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 18999}]}
    service = {"metadata": {"name": "listens"}, "spec": spec}
    ports = [{"port": 9, "name": "", "protocol": "TCP"}]
    labels = {"kubernetes.io/service-name": "listens"}
    endpoints = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
    meta = {"name": "listens", "labels": labels}
    slice_ = {"metadata": meta, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}
    with client(cluster) as http:
        services = "/api/v1/namespaces/default/services"
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        assert http.post(services, json=service).status_code == 201
        assert http.post(slices, json=slice_).status_code == 201
        try:
            assert until(lambda: 18999 in {port for _, port in _listening(cluster.pid)}), "the proxy listens"
            listening = list(_listening(cluster.pid))
        finally:
            http.delete(f"{services}/listens")
            http.delete(f"{slices}/listens")
    assert cluster.record.port in {port for _, port in listening}
    assert all(ipaddress.ip_address(address).is_loopback for address, _ in listening), listening


def _listening(pid: int) -> Iterator[tuple[str, int]]:
    """Addresses and ports of all sockets of a process that listen (TCP) or receive from anybody (UDP)."""
    inodes = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            link = os.readlink(each)
            inodes |= {link[8:-1]} if link.startswith("socket:[") else set()
    for table, wanted in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == wanted:
                address, port = fields[1].split(":")
                raw = bytes.fromhex(address)
                words = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
                yield str(ipaddress.ip_address(words)), int(port, 16)
