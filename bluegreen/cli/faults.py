"""The command ``bluegreen cluster fault``: set, list and clear faults of an embedded cluster that runs.

    bluegreen cluster fault set requests 0.2 client=bluegreen seed=1
    bluegreen cluster fault list
    bluegreen cluster fault clear

What can be set is a table of the embedded cluster's; here it becomes help, arguments and sentences.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from bluegreen.errors import CannotStartError
from bluegreen.localkube import faults as known

if TYPE_CHECKING:
    from bluegreen.localkube import Cluster

Add = Callable[..., argparse.ArgumentParser]
_COUNTED = ("seen", "struck")


def add(commands: Any, add_command: Add) -> None:
    """Add the commands below ``cluster fault``; ``add_command`` makes one that knows ``--name CLUSTER``."""
    verbs = commands.add_parser("fault", help="faults on demand: failing requests, frozen pods, …").add_subparsers(
        required=True, metavar="COMMAND"
    )
    set_ = add_command(verbs, "set", set_fault, "set a fault, in place of one of the same name")
    set_.formatter_class = argparse.RawDescriptionHelpFormatter
    set_.epilog = described()
    set_.add_argument("kind", metavar="FAULT", help="which; they are listed below")
    set_.add_argument("fields", metavar="FIELD=VALUE", nargs="*", help="the first needs no FIELD=")
    add_command(verbs, "list", list_faults, "what is set, and how many requests it struck")
    clear = add_command(verbs, "clear", clear_faults, "end one fault, or all of them")
    clear.add_argument("fault", metavar="FAULT", nargs="?", default="", help="its name, as `list` shows it")


def described() -> str:
    """Every fault with its fields, for --help."""
    lines = ["faults:"]
    for name, kind in known.KINDS.items():
        lines += [f"  {name:<10} {kind.meaning}", *_fields(kind.fields)]
    first = next(kind for kind in known.KINDS.values() if kind.selective)
    lines += ["", "fields of those that strike requests:", *_fields(first.all_fields[len(first.fields) :])]
    return "\n".join([*lines, "", "More: name=NAME, to set several of these at once. All end with the cluster."])


def _fields(fields: Iterable[known.Field]) -> list[str]:
    lines = []
    for each in fields:
        at_rest = each.default in (None, "", []) or each.name == "seed" or isinstance(each.default, list)
        usual = "" if at_rest else f" ({each.default:g})" if isinstance(each.default, float) else f" ({each.default})"
        lines += textwrap.wrap(
            f"{each.name}=".ljust(15) + f"{each.meaning}{usual}", 100, initial_indent=" " * 13,
            subsequent_indent=" " * 28,
        )  # fmt: skip
    return lines


def fields_of(kind: str, given: Iterable[str]) -> dict[str, str]:
    """``FIELD=VALUE`` as a dictionary; a value alone is the kind's first field."""
    listed = known.KINDS.get(kind)
    first = listed.fields[0].name if listed and listed.fields else "value"
    pairs = (text.partition("=") for text in given)
    return {(name if equals else first): (value if equals else name) for name, equals, value in pairs}


def sentence(fault: dict[str, Any]) -> str:
    """One fault on one line: its name, what is said of it, and what it struck."""
    values = {k: v for k, v in fault.items() if k not in ("name", "kind", "pod", *_COUNTED)}
    title = fault["name"] if fault["name"].partition(":")[0] == fault["kind"] else f"{fault['name']} ({fault['kind']})"
    said = "  ".join([title, *(f"{name}={_shown(value)}" for name, value in values.items())])
    return f"{said}  struck {fault['struck']} of {fault['seen']}" if fault.get("seen") else said


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else str(value)


def status(cluster: Cluster) -> list[str]:
    """What ``cluster status`` says of faults: nothing when none is set."""
    try:
        return [f"  {'fault:':<12} {sentence(fault)}" for fault in cluster.faults()]
    except known.FaultRefusedError:  # a cluster of other code, or one that just ends
        return []


# -- commands ----------------------------------------------------------------------------------------------------------
def set_fault(arguments: argparse.Namespace) -> int:
    """``cluster fault set``."""
    fields = fields_of(arguments.kind, arguments.fields)
    fault = _cluster(arguments.name).set_fault(arguments.kind, fields.pop("name", ""), **fields)
    lasting = known.KINDS[arguments.kind].lasting
    print(sentence(fault) if lasting else f"Done: {sentence(fault)}")
    if lasting:
        print(f"End it: bluegreen cluster fault clear {fault['name']}{_option(arguments.name)}")
    return 0


def list_faults(arguments: argparse.Namespace) -> int:
    """``cluster fault list``."""
    found = _cluster(arguments.name).faults()
    print("\n".join(sentence(fault) for fault in found) if found else "No fault is set.")
    return 0


def clear_faults(arguments: argparse.Namespace) -> int:
    """``cluster fault clear``."""
    ended = _cluster(arguments.name).clear_faults(arguments.fault)
    print("\n".join(f"Ended: {sentence(fault)}" for fault in ended) if ended else "No fault was set.")
    return 0


def _cluster(name: str) -> Cluster:
    from bluegreen import localkube

    cluster = localkube.find(name)
    if cluster is None:
        start = f"Start it: bluegreen cluster up{_option(name)}"
        raise CannotStartError(f"Embedded cluster {name!r} does not run, and no fault outlives it.", start)
    return cluster


def _option(name: str) -> str:
    return "" if name == "default" else f" --name {name}"
