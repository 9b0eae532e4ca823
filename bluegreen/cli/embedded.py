"""``bluegreen cluster``: the embedded cluster, or kind's."""

from __future__ import annotations

import os
from argparse import Namespace as Arguments
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen import clock
from bluegreen.cli import faults
from bluegreen.cli.exits import OK
from bluegreen.errors import CannotStartError, InputError, Mistake

if TYPE_CHECKING:
    from bluegreen.localkube import Cluster


def up(arguments: Arguments) -> int:
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


def status(arguments: Arguments) -> int:
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
    lines += faults.status(cluster)
    return "\n".join(lines)


def _state(name: str) -> str:
    from bluegreen import localkube

    return "runs" if localkube.find(name) else "down"


def down(arguments: Arguments) -> int:
    """``cluster down``."""
    if arguments.kind:
        from bluegreen import kindcluster

        print(f"The kind cluster {kindcluster.NAME} {'is deleted' if kindcluster.stop() else 'was not there'}.")
        return OK
    from bluegreen import localkube

    ran = localkube.stop(arguments.name)
    print(f"Embedded cluster {arguments.name!r} {'is down; its objects stay' if ran else 'did not run'}.")
    return OK


def kubeconfig(arguments: Arguments) -> int:
    """``cluster kubeconfig``."""
    if arguments.kind:
        from bluegreen import kindcluster

        print(kindcluster.kubeconfig())
        return OK
    print(_running(arguments.name).kubeconfig)
    return OK


def _running(name: str) -> Cluster:
    from bluegreen import localkube

    cluster = localkube.find(name)
    if cluster is None:
        start = f"bluegreen cluster up{_name_option(name)}"
        raise CannotStartError(f"Embedded cluster {name!r} does not run.", f"Start it: {start}")
    return cluster


def gateway_api(arguments: Arguments) -> int:
    """``cluster gateway-api``."""
    from bluegreen import localkube
    from bluegreen.kube import connect_handle

    cluster = _running(arguments.name)
    kube = connect_handle(str(cluster.kubeconfig), cluster.context, "default")
    definitions = localkube.gateway_api()
    for definition in definitions:
        kube.apply(definition)
    kinds = ", ".join(str(definition["spec"]["names"]["kind"]) for definition in definitions)
    print(f"{_title(cluster)} serves {kinds}. Gateways of class {localkube.GATEWAY_CLASS} get a loopback address.")
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
