"""What the command does about releases; each function is a command and gives its exit code."""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace as Arguments
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bluegreen.cli.exits import COULD_NOT_START, GATE_FAILED, OK
from bluegreen.errors import CannotStartError, HarnessError, InputError, Mistake

if TYPE_CHECKING:
    from bluegreen.kube import Kube
    from bluegreen.settings import Settings


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
    with _as_administrator():
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

    settings = _settings(arguments)
    try:
        kube, _ = _connect(arguments)
    except HarnessError as error:
        rows = checklist.unreached(error, settings)
    else:
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
    from bluegreen.clock import Deadline

    kube, settings = _connect(arguments)
    if arguments.wait:
        approval.await_request(kube, settings, Deadline(settings.approval_timeout))
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


def adopt(arguments: Arguments) -> int:
    """``adopt``."""
    from bluegreen import adoption

    kube, settings = _connect(arguments)
    print((adoption.undo if arguments.undo else adoption.adopt)(settings, kube))
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
    with _as_administrator():
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


@contextmanager
def _as_administrator() -> Iterator[None]:
    """What only an administrator may do says so."""
    from bluegreen.environment import ADMINISTRATOR
    from bluegreen.kube import Forbidden, Unauthorized

    try:
        yield
    except Unauthorized:
        raise
    except Forbidden as error:
        raise CannotStartError(error.sentence, ADMINISTRATOR) from error


def _confirm(namespace: str, given: str | None) -> None:
    if given is None:
        if not sys.stdin.isatty():
            why = "must be given where nobody can be asked."
            raise InputError([Mistake("--yes", None, why, f"Write --yes {namespace} to delete that namespace.")])
        given = input(f"This deletes namespace {namespace} with everything in it. Type its name: ").strip()
    if given != namespace:
        why = f"is not the namespace that would be deleted, {namespace}."
        raise InputError([Mistake("--yes", given, why, "Nothing was deleted.")])
