"""``CLUSTER=kind``: what is decided, and the argument lists that kind, docker and podman are given.

The programs here are recorders: they note their arguments and say what the real ones print. That a real kind does what
it is asked is checked by ``test_kind.py``, where there is one, and is not checked where there is none.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
import yaml

from bluegreen import kindcluster, pinning
from bluegreen.cli import main
from bluegreen.errors import CannotStartError
from bluegreen.kindcluster import decisions
from bluegreen.kindcluster.decisions import Bring
from bluegreen.kube.connect import OLDEST
from bluegreen.settings import load

RECORDER = """#!{python}
import json, os, pathlib, sys
home, command = pathlib.Path({home!r}), [os.path.basename(sys.argv[0]), *sys.argv[1:]]
with open(home / "log", "a") as log:
    log.write(json.dumps([*command, os.environ.get("KIND_EXPERIMENTAL_PROVIDER", "")]) + "\\n")
answers = json.loads((home / "answers.json").read_text())
text = " ".join(command)
if text.startswith("kind create"):
    (home / "answers.json").write_text(json.dumps({{**answers, "kind get clusters": [0, "other\\nbluegreen\\n", ""]}}))
code, out, err = next((answers[key] for key in answers if text.startswith(key)), [0, "", ""])
print(out, end="")
print(err, end="", file=sys.stderr)
sys.exit(code)
"""


class Recorders:
    """Programs on PATH that note how they were called."""

    def __init__(self, home: Path, bin_: Path) -> None:
        self.home, self.bin = home, bin_
        self.say({"kind get clusters": [0, "other\n", ""], "docker port": [0, "30080/tcp -> 127.0.0.1:30080\n", ""]})

    def say(self, answers: dict[str, list[object]]) -> None:
        """From now on: exit code, standard output and standard error by how a command line begins."""
        (self.home / "answers.json").write_text(json.dumps(answers))

    def install(self, *names: str) -> None:
        for name in names:
            path = self.bin / name
            path.write_text(RECORDER.format(python=sys.executable, home=str(self.home)))
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    @property
    def calls(self) -> list[list[str]]:
        """The commands so far, without the provider."""
        return [line[:-1] for line in self._log()]

    @property
    def providers(self) -> set[str]:
        """What kind was told to use."""
        return {line[-1] for line in self._log() if line[0] == "kind"}

    def _log(self) -> list[list[str]]:
        log = self.home / "log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorders:
    """A PATH with nothing on it but what a test installs; a state directory of its own."""
    home, bin_ = tmp_path / "recorded", tmp_path / "bin"
    home.mkdir()
    bin_.mkdir()
    monkeypatch.setenv("PATH", str(bin_))
    monkeypatch.setenv("BLUEGREEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KIND_EXPERIMENTAL_PROVIDER", raising=False)
    return Recorders(home, bin_)


# --- decisions --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("has_kind", "engine", "refusals", "said", "remedy"),
    [
        (False, "", {}, "no program kind on PATH", "https://kind.sigs.k8s.io"),
        (False, "docker", {}, "no program kind on PATH", "CLUSTER=local"),
        (True, "", {}, "neither docker nor podman", "Install one of them"),
        (True, "", {"docker": "Cannot connect"}, "no container engine answers (docker: Cannot connect)", "Start it"),
    ],
)
def test_what_is_absent_is_one_sentence(
    has_kind: bool, engine: str, refusals: dict[str, str], said: str, remedy: str
) -> None:
    problem = decisions.missing(has_kind, engine, refusals)
    assert problem is not None
    assert said in problem[0]
    assert remedy in problem[1]


def test_nothing_is_missing_where_an_engine_answers() -> None:
    assert decisions.missing(True, "podman", {"docker": "Cannot connect"}) is None


def test_the_configuration_publishes_on_loopback_only() -> None:
    found = yaml.safe_load(decisions.configuration({30080: 30080, 30081: 0}))
    assert (found["kind"], found["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    mappings = found["nodes"][0]["extraPortMappings"]
    assert [(m["containerPort"], m["hostPort"]) for m in mappings] == [(30080, 30080), (30081, 0)]
    assert {m["listenAddress"] for m in mappings} == {"127.0.0.1"}


def test_published_ports_are_read() -> None:
    text = "6443/tcp -> 127.0.0.1:41234\n30080/tcp -> 127.0.0.1:30080\n30081/tcp -> 127.0.0.1:49153\n"
    assert decisions.published(text) == {30080: ("127.0.0.1", 30080), 30081: ("127.0.0.1", 49153)}
    assert decisions.published("30080/tcp -> 0.0.0.0:30080\n") == {}


@pytest.mark.parametrize(
    ("reference", "here", "how"),
    [
        ("gremlinsai/backend:v1.0.0", False, Bring.BUILD),
        ("docker.io/gremlinsai/backend:v1.2.0-bad-http-500", True, Bring.BUILD),
        ("gremlinsai/backend:v1.2.0-bad-nonsense", False, Bring.PULL),
        ("gremlinsai/backend:v1.0.0@sha256:" + "0" * 64, False, Bring.PULL),
        ("ghcr.io/gremlinsai/backend:v1.0.0", False, Bring.PULL),
        ("team/app:v1", True, Bring.LOAD),
        ("team/app:v1", False, Bring.PULL),
        ("team/app@sha256:" + "0" * 64, True, Bring.PULL),
    ],
)
def test_how_an_image_gets_onto_the_node(reference: str, here: bool, how: Bring) -> None:
    assert decisions.bring(reference, here=here) is how


def test_the_sample_is_built_with_its_version_and_fault(tmp_path: Path) -> None:
    command = decisions.build("docker", "gremlinsai/backend:v1.2.0-bad-http-500", tmp_path)
    assert command[:2] == ["docker", "build"]
    assert "VERSION=v1.2.0-bad-http-500" in command
    assert "FAULT=http-500" in command
    assert command[-3:] == ["--tag", "docker.io/gremlinsai/backend:v1.2.0-bad-http-500", str(tmp_path)]


def test_podman_loads_by_an_archive() -> None:
    save, put = decisions.load("podman", "team/app:v1", Path("/t/image.tar"))
    assert save[0] == "podman"
    assert save[-2:] == ["/t/image.tar", "docker.io/team/app:v1"]
    assert put == ["kind", "load", "image-archive", "/t/image.tar", "--name", "bluegreen"]


def test_kind_answers_at_ports_of_its_own() -> None:
    assert (load({"CLUSTER": "kind"}).node_port, load({"CLUSTER": "kind"}).preview_node_port) == (30080, 30081)
    assert load({"CLUSTER": "kind", "NODE_PORT": "31000"}).node_port == 31000
    assert load({}).node_port is None


# --- argument lists, by recorders -------------------------------------------------------------------------------------
def test_a_cluster_that_is_not_there_is_made(programs: Recorders) -> None:
    programs.install("kind", "docker")
    cluster = kindcluster.start([30080], "kindest/node:v1.31.0")
    folder = cluster.kubeconfig.parent
    assert programs.calls[:3] == [
        ["docker", "version"],
        ["kind", "get", "clusters"],
        [
            *("kind", "create", "cluster", "--name", "bluegreen", "--config", str(folder / "cluster.yaml")),
            *("--kubeconfig", str(folder / "kubeconfig"), "--wait", "120s", "--image", "kindest/node:v1.31.0"),
        ],
    ]
    assert programs.calls[3] == ["docker", "port", "bluegreen-control-plane"]
    assert programs.providers == {"docker"}
    assert cluster.published == {30080: ("127.0.0.1", 30080)}
    assert "was made in" in cluster.note
    assert yaml.safe_load((folder / "cluster.yaml").read_text())["nodes"][0]["extraPortMappings"]


def test_one_that_is_there_is_used(programs: Recorders) -> None:
    programs.install("kind", "docker")
    programs.say({"kind get clusters": [0, "bluegreen\n", ""]})
    cluster = kindcluster.start([30080])
    assert ["kind", "create"] not in [call[:2] for call in programs.calls]
    assert ["kind", "export", "kubeconfig", "--name", "bluegreen", "--kubeconfig", str(cluster.kubeconfig)] in (
        programs.calls
    )
    assert not cluster.note


def test_one_that_could_not_be_made_is_taken_away(programs: Recorders) -> None:
    programs.install("kind", "docker")
    programs.say({"kind get clusters": [0, "", ""], "kind create": [1, "", "ERROR: no space left on device"]})
    with pytest.raises(CannotStartError, match="no space left on device"):
        kindcluster.start([30080])
    assert programs.calls[-1][:5] == ["kind", "delete", "cluster", "--name", "bluegreen"]


def test_it_is_removed_when_asked(programs: Recorders, capsys: pytest.CaptureFixture[str]) -> None:
    programs.install("kind", "docker")
    assert main(["cluster", "down", "--kind"]) == 0
    assert "was not there" in capsys.readouterr().out
    programs.say({"kind get clusters": [0, "bluegreen\n", ""]})
    assert main(["cluster", "down", "--kind"]) == 0
    assert "is deleted" in capsys.readouterr().out
    assert programs.calls[-1][:5] == ["kind", "delete", "cluster", "--name", "bluegreen"]


def test_the_sample_is_built_from_what_its_dockerfile_needs(programs: Recorders) -> None:
    programs.install("kind", "docker")
    assert "built and loaded" in kindcluster.bring_image("gremlinsai/backend:v1.0.0")
    build, put = programs.calls[-2:]
    assert build[:2] == ["docker", "build"]
    assert build[3] == f"{build[-1]}/bluegreen/sample/Dockerfile"
    assert put == ["kind", "load", "docker-image", "docker.io/gremlinsai/backend:v1.0.0", "--name", "bluegreen"]
    assert not Path(build[-1]).exists(), "the build's folder is not left behind"


def test_the_build_context_holds_what_the_dockerfile_copies(tmp_path: Path) -> None:
    context = kindcluster._build_context(tmp_path / "context")
    copied = [
        source
        for line in (context / "bluegreen/sample/Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for source in line.split()[1:-1]
    ]
    assert copied
    assert all(list(context.glob(source)) for source in copied)


def test_podman_is_taken_where_docker_does_not_answer(programs: Recorders) -> None:
    programs.install("kind", "docker", "podman")
    programs.say({"docker version": [1, "Client:", "Cannot connect to the Docker daemon"], "kind get": [0, "", ""]})
    kindcluster.stop()
    assert programs.providers == {"podman"}


@pytest.mark.parametrize(
    ("installed", "said"),
    [((), "no program kind"), (("docker",), "no program kind"), (("kind",), "neither docker nor podman")],
)
def test_a_command_without_the_programs_says_so(
    programs: Recorders, capsys: pytest.CaptureFixture[str], installed: tuple[str, ...], said: str
) -> None:
    programs.install(*installed)
    assert main(["status", "--cluster", "kind"]) == 4
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_no_registry_is_asked_for_what_this_machine_brings(programs: Recorders) -> None:
    programs.install("kind", "docker")

    class Server:
        def raw(self, path: str) -> dict[str, str]:
            assert path == "/version"
            return {"gitVersion": "v1.34.0"}

    found = pinning.look(Server(), load({"CLUSTER": "kind"}))  # type: ignore[arg-type]
    assert found.state is pinning.State.NOT_ASKED
    assert os.environ["PATH"] == str(programs.bin)


def test_the_workflow_covers_every_version_from_the_oldest() -> None:
    workflow = yaml.safe_load((Path(__file__).parents[1] / ".github/workflows/kind.yml").read_text())
    versions = workflow["jobs"]["suites"]["strategy"]["matrix"]["kubernetes"]
    minors = [tuple(map(int, version.removeprefix("v").split(".")[:2])) for version in versions]
    assert minors == [(1, minor) for minor in range(OLDEST[1], OLDEST[1] + len(minors))]
    assert len(minors) >= 6
