"""What can be typed after ``bluegreen``: commands, their options, and the settings as options of each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from bluegreen import __version__
from bluegreen.cli import embedded, faults, releases

Arguments = argparse.Namespace
Command = Callable[[Arguments], int]

RELEASE_COMMANDS: dict[str, tuple[Command, str]] = {
    "setup": (releases.setup, "set up everything around a release; running it again moves no traffic"),
    "status": (releases.status, "show colours, images, replicas, where traffic goes, and the last release"),
    "preflight": (
        releases.preflight,
        "walk the checklist before a release and change nothing; 4 when something is missing",
    ),
    "history": (
        releases.history,
        "list the last releases: when, by whom, of what image and commit, and how each ended",
    ),
    "rollback": (
        releases.rollback,
        "return to the colour that served before: at once within ROLLBACK_WINDOW, else gated",
    ),
    "retry": (releases.retry, "run the gate again for what it refused last"),
    "retire": (releases.retire, "retire an old colour that was kept (SCALE_DOWN_DELAY) once its time is up"),
    "approve": (releases.approve, "answer a release that waits for an approval: yes, or no with --refuse"),
    "recover": (releases.recover, "mend what a killed release left behind"),
    "adopt": (releases.adopt, "take over an application that runs as a plain Deployment behind a Service"),
    "selftest": (releases.selftest, "release a known-bad image up to the switch, and fail if the gate lets it through"),
    "reset": (releases.reset, "delete the namespace and everything in it; asks for its name"),
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
    "adopt": {"--undo": {"action": "store_true", "help": "go back to plain Deployments that run what is live"}},
    "retire": {
        "--now": {"action": "store_true", "help": "before its time is up"},
        "--wait": {"action": "store_true", "help": "stay until its time is up; meanwhile others may release"},
    },
}
"""The options of single commands, as argparse takes them."""


def parser() -> argparse.ArgumentParser:
    """Every command with its options; ``command`` of what it parses is the function to call."""
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
            one.add_argument("--wait", action="store_true", help="until a release asks, for APPROVAL_TIMEOUT at most")
            one.add_argument("--refuse", action="store_true", help="say no: the release goes back")
            one.add_argument("--reason", default="", metavar="TEXT", help="why, for the release's output and log")
    init_help = "write suites, load tests, conftest.py and pytest's configuration into this folder, where missing"
    commands.add_parser("init", help=init_help, description=init_help).set_defaults(command=releases.init)
    _add_cluster(
        commands.add_parser(
            "cluster", help="the embedded cluster: up, status, down, kubeconfig, gateway-api, image, fault"
        )
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
    up = _cluster_command(commands, "up", embedded.up, "start it, and return when its API answers")
    up.add_argument("--fresh", action="store_true", help="forget all its objects first; a running one is ended")
    up.add_argument("--restart", action="store_true", help="end a running one first; its objects stay")
    up.add_argument("--audit", action="store_true", help="write a line for each request to its audit log")
    up.add_argument("--allocatable-cpu", default="", metavar="QUANTITY", help="CPU its node offers to pods")
    up.add_argument("--allocatable-memory", default="", metavar="QUANTITY", help="memory its node offers to pods")
    status_ = _cluster_command(commands, "status", embedded.status, "what runs, where, and what it does not emulate")
    down = _cluster_command(commands, "down", embedded.down, "end it with all its pods; its objects stay")
    kubeconfig = _cluster_command(commands, "kubeconfig", embedded.kubeconfig, "print the path of its kubeconfig")
    for one in (up, status_, down, kubeconfig):
        one.add_argument("--kind", action="store_true", help="the kind cluster instead; down deletes all of it")
    gateway_help = "serve the Gateway API: GatewayClass, Gateway, HTTPRoute"
    _cluster_command(commands, "gateway-api", embedded.gateway_api, gateway_help)
    images = commands.add_parser("image", help="its images: local programs").add_subparsers(required=True)
    add = _cluster_command(images, "add", embedded.image_add, "register a local program as an image")
    add.add_argument("ref", metavar="REF", help="the image's reference, for example team/service:v1")
    add.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of the image")
    add.add_argument("program", nargs="+", metavar="COMMAND", help="after --: the program and its arguments")
    _cluster_command(images, "list", embedded.image_list, "list the registered images")
    faults.add(commands, _cluster_command)


def _cluster_command(commands, name: str, command: Command, help_: str) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_, description=help_)
    parser.add_argument("--name", default="default", help="which embedded cluster; several may run side by side")
    parser.set_defaults(command=command)
    return parser
