"""The command ``bluegreen``: the embedded cluster, and everything about releases that is not a test run.

Arguments come in, calls go to the library, sentences come out. Every error is a sentence on standard error and an
exit code, never a traceback; what a release's exit codes mean stands in ``verdict``.
"""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from bluegreen import __version__, clock, cluster_faults
from bluegreen.errors import CannotStartError, HarnessError, InputError, Mistake, NeedsPersonError

if TYPE_CHECKING:
    from bluegreen.kube import Kube
    from bluegreen.localkube import Cluster
    from bluegreen.settings import Settings

Arguments = argparse.Namespace
Command = Callable[[Arguments], int]

OK, GATE_FAILED, INTERRUPTED, HARNESS_FAILED, COULD_NOT_START, NEEDS_PERSON = 0, 1, 2, 3, 4, 7
# the first class an error is an instance of gives the exit code
EXIT_CODES: tuple[tuple[type[HarnessError], int], ...] = (
    (InputError, COULD_NOT_START),
    (CannotStartError, COULD_NOT_START),
    (NeedsPersonError, NEEDS_PERSON),
    (HarnessError, HARNESS_FAILED),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    parsed = _parser().parse_args(arguments)
    command: Command = parsed.command
    _interrupt_once()
    try:
        return command(parsed)
    except HarnessError as error:
        print(f"bluegreen: {error}", file=sys.stderr)
        return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    except KeyboardInterrupt:
        print("bluegreen: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        print(f"bluegreen: {error}", file=sys.stderr)
        return HARNESS_FAILED


def _interrupt_once() -> None:
    """SIGINT and SIGTERM end a command, which mends what it began; while it does so, further ones change nothing."""
    told: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt
        said = b"bluegreen: already ending; what was begun is being put in order.\n"
        os.write(2, said)  # no stream of Python's: what was interrupted may be writing to one just now

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
        atexit.register(signal.signal, number, signal.SIG_IGN)  # or Python's end makes its exit code the signal's


# -- arguments -------------------------------------------------------------------------------------------------------
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bluegreen", description="Blue-green releases on Kubernetes.")
    parser.add_argument("--version", action="version", version=f"bluegreen {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, help_) in RELEASE_COMMANDS.items():
        one = commands.add_parser(name, help=help_, description=help_)
        one.set_defaults(command=command)
        _add_settings(one)
        for option, more in OPTIONS.get(name, {}).items():
            one.add_argument(option, **more)
        if name == "reset":
            one.add_argument("--yes", metavar="NAMESPACE", help="the namespace's name, in place of being asked for it")
        if name == "selftest":
            one.add_argument("--suite", default="suites/release", metavar="DIR", help="the suite that is the gate")
        if name == "approve":
            one.add_argument("--refuse", action="store_true", help="say no: the release goes back")
            one.add_argument("--reason", default="", metavar="TEXT", help="why, for the release's output and log")
    init_help = "write suites, load tests and pytest's configuration into this folder, where they are missing"
    commands.add_parser("init", help=init_help, description=init_help).set_defaults(command=init)
    _add_cluster(
        commands.add_parser("cluster", help="the embedded cluster: up, status, down, kubeconfig, image, fault")
    )
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    from bluegreen.settings import SETTINGS

    group = parser.add_argument_group("settings", "each also an environment variable, or a line of .env, of that name")
    for setting in SETTINGS:
        if setting.option is None:
            continue
        help_ = setting.help.replace("%", "%%")
        destination = f"setting_{setting.name}"
        if setting.is_flag:
            group.add_argument(setting.option, dest=destination, action="store_const", const="true", help=help_)
        else:
            group.add_argument(setting.option, dest=destination, metavar=setting.metavar, help=help_)


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = _cluster_command(commands, "up", cluster_up, "start it, and return when its API answers")
    up.add_argument("--fresh", action="store_true", help="forget all its objects first; a running one is ended")
    up.add_argument("--restart", action="store_true", help="end a running one first; its objects stay")
    up.add_argument("--audit", action="store_true", help="write a line for each request to its audit log")
    up.add_argument("--allocatable-cpu", default="", metavar="QUANTITY", help="CPU its node offers to pods")
    up.add_argument("--allocatable-memory", default="", metavar="QUANTITY", help="memory its node offers to pods")
    status_ = _cluster_command(commands, "status", cluster_status, "what runs, where, and what it does not emulate")
    down = _cluster_command(commands, "down", cluster_down, "end it with all its pods; its objects stay")
    kubeconfig = _cluster_command(commands, "kubeconfig", cluster_kubeconfig, "print the path of its kubeconfig")
    for one in (up, status_, down, kubeconfig):
        one.add_argument("--kind", action="store_true", help="the kind cluster instead; down deletes all of it")
    images = commands.add_parser("image", help="its images: local programs").add_subparsers(required=True)
    add = _cluster_command(images, "add", image_add, "register a local program as an image")
    add.add_argument("ref", metavar="REF", help="the image's reference, for example team/service:v1")
    add.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of the image")
    add.add_argument("program", nargs="+", metavar="COMMAND", help="after --: the program and its arguments")
    _cluster_command(images, "list", image_list, "list the registered images")
    cluster_faults.add(commands, _cluster_command)


def _cluster_command(commands, name: str, command: Command, help_: str) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_, description=help_)
    parser.add_argument("--name", default="default", help="which embedded cluster; several may run side by side")
    parser.set_defaults(command=command)
    return parser


# -- the embedded cluster --------------------------------------------------------------------------------------------
def cluster_up(arguments: Arguments) -> int:
    """``cluster up``."""
    if arguments.kind:
        return kind_up()
    from bluegreen import localkube

    options = localkube.Options(arguments.allocatable_cpu, arguments.allocatable_memory, audit=arguments.audit)
    began_s = clock.now_s()
    cluster = localkube.start(arguments.name, fresh=arguments.fresh, restart=arguments.restart, options=options)
    if cluster.started_now:
        print(f"{_title(cluster)} is up after {clock.now_s() - began_s:.2f} s: {cluster.server}")
        if arguments.audit:
            print(f"Audit log: {cluster.audit_log}")
    else:
        print(f"{_title(cluster)} runs already: {cluster.server}")
        _tell_what_waits(cluster, arguments)
    for sentence in localkube.missing():
        print(f"Missing here: {sentence}")
    print(f"Use it:  export KUBECONFIG={cluster.kubeconfig}")
    print(f"Stop it: bluegreen cluster down{_name_option(cluster.name)}")
    return OK


def kind_up() -> int:
    """``cluster up --kind``: made as a release with CLUSTER=kind makes it."""
    from bluegreen import kindcluster, settings

    chosen = settings.load(os.environ, {"CLUSTER": settings.KIND}, Path(".env"))
    ports = [port for port in (chosen.node_port, chosen.preview_node_port) if port]
    cluster = kindcluster.start(ports, chosen.kind_node_image or "")
    print(cluster.note or kindcluster.status())
    print(f"Use it:  export KUBECONFIG={cluster.kubeconfig}")
    return OK


def _tell_what_waits(cluster: Cluster, arguments: Arguments) -> None:
    """Say what of the installed code, or of the options given, the running cluster does not have."""
    restart = f"bluegreen cluster up --restart{_name_option(cluster.name)}"
    if cluster.outdated:
        print(f"It was started by other code than is installed now. To restart it: {restart}")
    for option, given, has in (
        ("--allocatable-cpu", arguments.allocatable_cpu, cluster.record.allocatable_cpu),
        ("--allocatable-memory", arguments.allocatable_memory, cluster.record.allocatable_memory),
    ):
        if given and given != has:
            print(f"It was started without {option} {given}. To restart it: {restart} {option} {given}")
    if arguments.audit:
        print(f"To restart it with an audit log: {restart} --audit")


def _title(cluster: Cluster) -> str:
    return f"Embedded cluster {cluster.name!r}"


def _name_option(name: str) -> str:
    return "" if name == "default" else f" --name {name}"


def cluster_status(arguments: Arguments) -> int:
    """``cluster status``."""
    if arguments.kind:
        from bluegreen import kindcluster

        print(kindcluster.status())
        return OK
    from bluegreen import localkube

    cluster = localkube.find(arguments.name)
    others = [name for name in localkube.names() if name != arguments.name]
    if cluster is None:
        print(f"Embedded cluster {arguments.name!r} does not run. Start it: bluegreen cluster up")
    else:
        print(_described(cluster))
    if others:
        print(f"Others: {', '.join(f'{name} ({_state(name)})' for name in others)}")
    for sentence in localkube.missing():
        print(f"Missing here: {sentence}")
    print("Not emulated:")
    print("\n".join(f"  {gap}" for gap in localkube.NOT_EMULATED))
    return OK


def _described(cluster: Cluster) -> str:
    code = "other code than is installed now: restart it with `up --restart`" if cluster.outdated else "this code"
    facts = {
        "server": cluster.server,
        "context": cluster.context,
        "kubeconfig": cluster.kubeconfig,
        "process": f"{cluster.pid}, since {cluster.record.started}",
        "started by": code,
        "log": cluster.state.log,
    }
    lines = [f"{_title(cluster)} runs.", *(f"  {key + ':':<12} {value}" for key, value in facts.items())]
    lines += cluster_faults.status(cluster)
    return "\n".join(lines)


def _state(name: str) -> str:
    from bluegreen import localkube

    return "runs" if localkube.find(name) else "down"


def cluster_down(arguments: Arguments) -> int:
    """``cluster down``."""
    if arguments.kind:
        from bluegreen import kindcluster

        print(f"The kind cluster {kindcluster.NAME} {'is deleted' if kindcluster.stop() else 'was not there'}.")
        return OK
    from bluegreen import localkube

    ran = localkube.stop(arguments.name)
    print(f"Embedded cluster {arguments.name!r} {'is down; its objects stay' if ran else 'did not run'}.")
    return OK


def cluster_kubeconfig(arguments: Arguments) -> int:
    """``cluster kubeconfig``."""
    if arguments.kind:
        from bluegreen import kindcluster

        print(kindcluster.kubeconfig())
        return OK
    from bluegreen import localkube

    cluster = localkube.find(arguments.name)
    if cluster is None:
        start = f"bluegreen cluster up{_name_option(arguments.name)}"
        raise CannotStartError(f"Embedded cluster {arguments.name!r} does not run.", f"Start it: {start}")
    print(cluster.kubeconfig)
    return OK


def image_add(arguments: Arguments) -> int:
    """``cluster image add``."""
    from bluegreen import localkube

    env = dict(_variable(text) for text in arguments.env)
    image = localkube.add_image(arguments.name, arguments.ref, arguments.program, env)
    print(f"{image.name} runs: {' '.join(arguments.program)}")
    return OK


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError([Mistake("--env", text, "is no variable.", "Write NAME=VALUE.")])
    return name, value


def image_list(arguments: Arguments) -> int:
    """``cluster image list``."""
    from bluegreen import localkube

    print("gremlinsai/backend:VERSION[-bad-FAULT]  the bundled sample")
    for image in localkube.list_images(arguments.name):
        print(f"{image.name}  {' '.join(image.command)}")
    return OK


# -- releases --------------------------------------------------------------------------------------------------------
def _settings(arguments: Arguments) -> Settings:
    from bluegreen import settings

    return settings.load(os.environ, _given(arguments), Path(".env"), image_required=False)


def _given(arguments: Arguments) -> dict[str, str | None]:
    """What was given as options, by the settings' names."""
    return {key.removeprefix("setting_"): value for key, value in vars(arguments).items() if key.startswith("setting_")}


def _connect(arguments: Arguments) -> tuple[Kube, Settings]:
    from bluegreen import kube

    settings = _settings(arguments)
    connected = kube.connect(settings)
    for remark in connected.notes:
        print(f"bluegreen: {remark}", file=sys.stderr)
    return connected, settings


def setup(arguments: Arguments) -> int:
    """``setup``."""
    from bluegreen import environment

    kube, settings = _connect(arguments)
    for applied in environment.set_up(kube, settings):
        print(f"  {applied}")
    print(f"Namespace {settings.namespace} on {kube.context} is set up.")
    return OK


def status(arguments: Arguments) -> int:
    """``status``."""
    from bluegreen import overview

    kube, settings = _connect(arguments)
    print(overview.text(overview.read(kube, settings)))
    return OK


def preflight(arguments: Arguments) -> int:
    """``preflight``: 0 when nothing is missing, 4 otherwise."""
    from bluegreen import checklist

    kube, settings = _connect(arguments)
    rows = checklist.read(kube, settings)
    print(checklist.text(rows))
    return OK if checklist.passed(rows) else COULD_NOT_START


def history(arguments: Arguments) -> int:
    """``history``."""
    from bluegreen import history as past

    kube, settings = _connect(arguments)
    found = past.read(kube, settings)
    print(past.as_json(found) if arguments.json else past.text(found))
    return OK


def rollback(arguments: Arguments) -> int:
    """``rollback``: refused, with live traffic where it was, when the other colour does not serve."""
    from bluegreen import intent
    from bluegreen import rollback as rolling_back

    kube, settings = _connect(arguments)
    intent.intended(settings, kube, intent.Intent.ROLLBACK)  # that there is something to go back to
    proven = intent.may_return(settings, kube)
    if not (proven or arguments.no_gate):
        print("The colour that served before did so longer ago than ROLLBACK_WINDOW, or has changed: the whole gate.")
        return _suite(arguments, "--rollback")
    print(f"{proven or 'as asked with --no-gate'}: its health is confirmed, the gate is left out.")
    try:
        print(rolling_back.roll_back(settings, kube))
    except rolling_back.RefusedError as refused:
        print(f"bluegreen: {refused}", file=sys.stderr)
        return GATE_FAILED
    return OK


def approve(arguments: Arguments) -> int:
    """``approve``: answer the release that waits for a person."""
    from bluegreen import approval

    kube, settings = _connect(arguments)
    request = approval.answer(kube, settings, approved=not arguments.refuse, reason=arguments.reason)
    print(f"{'Refused' if arguments.refuse else 'Approved'}: {request.question} (release {request.release})")
    return OK


def retry(arguments: Arguments) -> int:
    """``retry``: the gate once more for what it refused last."""
    from bluegreen import intent

    kube, settings = _connect(arguments)
    print(f"Again: {intent.intended(settings, kube, intent.Intent.RETRY).docker_image}")
    return _suite(arguments, "--retry")


def _suite(arguments: Arguments, *options: str) -> int:
    """Run the gate, which is pytest's suite, with this command's settings; gives its exit code."""
    import subprocess

    suite = Path(arguments.suite)
    if not suite.is_dir():
        why = "is no directory, and the gate is the tests in it."
        remedy = "Start this where your suites are, or name them; `rollback --no-gate` goes back without one."
        raise InputError([Mistake("--suite", str(suite), why, remedy)])
    given = {name: str(value) for name, value in _given(arguments).items() if value is not None}
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", str(suite), *options]
    process = subprocess.Popen(command, env=os.environ | given)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the suite hears it too, and puts things in order
    signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
    return process.wait()


def retire(arguments: Arguments) -> int:
    """``retire``."""
    from bluegreen import recovery

    kube, settings = _connect(arguments)
    print(recovery.retire_kept(settings, kube, now=arguments.now, wait=arguments.wait))
    return OK


def recover(arguments: Arguments) -> int:
    """``recover``."""
    from bluegreen import recovery

    kube, settings = _connect(arguments)
    print(recovery.recover(settings, kube))
    return OK


def selftest(arguments: Arguments) -> int:
    """``selftest``: 0 when the gate refused the known-bad image, 1 when it let it through."""
    import tempfile

    from bluegreen import selftest as testing

    image = testing.image_of(_settings(arguments))
    with tempfile.TemporaryDirectory(prefix="bluegreen-selftest-") as folder:
        options = {name: value for name, value in _given(arguments).items() if value is not None}
        finding = testing.run(image, Path(arguments.suite), Path(folder), options)
    if not finding.refused:
        print(f"bluegreen: the gate let {image} through: {finding.sentence}. It proves nothing.", file=sys.stderr)
        return GATE_FAILED
    print(f"The gate works: {image} was refused; {finding.sentence}.")
    return OK


def reset(arguments: Arguments) -> int:
    """``reset``: only with the namespace's name, from the option or typed in."""
    settings = _settings(arguments)
    _confirm(settings.namespace, arguments.yes)
    from bluegreen import environment, kube

    connected = kube.connect(settings)
    environment.reset(connected, settings)
    print(f"Everything of {settings.app_name} in namespace {settings.namespace} on {connected.context} is gone.")
    return OK


def init(arguments: Arguments) -> int:  # noqa: ARG001
    """Make this folder a place from which a team releases."""
    from bluegreen import checkout

    here = Path.cwd()
    written = checkout.write(here)
    print(f"Written: {', '.join(written)}" if written else "Everything is there already; nothing was written.")
    if missing := checkout.configuration_of(here):
        print(f"Add this to pytest's configuration, in the form of your file:\n\n{missing}")
    print("Release:  pytest suites/release")
    return OK


def _confirm(namespace: str, given: str | None) -> None:
    if given is None:
        if not sys.stdin.isatty():
            why = "must be given where nobody can be asked."
            raise InputError([Mistake("--yes", None, why, f"Write --yes {namespace} to delete that namespace.")])
        given = input(f"This deletes namespace {namespace} with everything in it. Type its name: ").strip()
    if given != namespace:
        why = f"is not the namespace that would be deleted, {namespace}."
        raise InputError([Mistake("--yes", given, why, "Nothing was deleted.")])


RELEASE_COMMANDS: dict[str, tuple[Command, str]] = {
    "setup": (setup, "set up everything around a release; running it again moves no traffic"),
    "status": (status, "show colours, images, replicas, where traffic goes, and the last release"),
    "preflight": (preflight, "walk the checklist before a release and change nothing; 4 when something is missing"),
    "history": (history, "list the last releases: when, by whom, of what image and commit, and how each ended"),
    "rollback": (rollback, "return to the colour that served before: at once within ROLLBACK_WINDOW, else gated"),
    "retry": (retry, "run the gate again for what it refused last"),
    "retire": (retire, "retire an old colour that was kept (SCALE_DOWN_DELAY) once its time is up"),
    "approve": (approve, "answer a release that waits for an approval: yes, or no with --refuse"),
    "recover": (recover, "mend what a killed release left behind"),
    "selftest": (selftest, "release a known-bad image up to the switch, and fail if the gate lets it through"),
    "reset": (reset, "delete the namespace and everything in it; asks for its name"),
}

_SUITE = {"default": "suites/release", "metavar": "DIR", "help": "where the gate's tests are; suites/release"}
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "history": {"--json": {"action": "store_true", "help": "as JSON, with everything that is kept of each"}},
    "rollback": {
        "--suite": _SUITE,
        "--no-gate": {
            "action": "store_true",
            "help": "confirm nothing but its health, however long ago it served",
        },
    },
    "retry": {"--suite": _SUITE},
    "retire": {
        "--now": {"action": "store_true", "help": "before its time is up"},
        "--wait": {"action": "store_true", "help": "stay until its time is up; meanwhile others may release"},
    },
}
"""The options of single commands, as argparse takes them."""

if __name__ == "__main__":
    sys.exit(main())
