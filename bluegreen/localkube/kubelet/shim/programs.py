"""From a forked process to a program of the container: user, directory, standard streams, execve."""

from __future__ import annotations

import os
import select

from .filesystem import own_proc
from .system import SetupError, libc, signal, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .supervisor import Shim

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38


def find(program: str, path: str) -> str:
    """The file that execve would run. Raises SetupError in the words of the OCI runtime."""
    if "/" in program:
        try:
            os.stat(program)
        except OSError as error:
            raise SetupError(f'exec: "{program}": stat {program}: {words(error)}') from error
        if os.path.isdir(program) or not os.access(program, os.X_OK):
            raise SetupError(f'exec: "{program}": permission denied')
        return program
    for directory in path.split(":"):
        candidate = f"{directory or '.'}/{program}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise SetupError(f'exec: "{program}": executable file not found in $PATH')


def become(shim: Shim, program: dict[str, Any], stdio: list[int], report: int) -> None:
    """Turn this forked process into a program of the container; never returns. Errors go to ``report``."""
    try:
        for descriptor in shim.cgroups:
            os.write(descriptor, b"0")
        if not shim.main and shim.spec["namespaces"]:
            own_proc()
        prepare(shim.spec, program, stdio)
        if supervisor_is_gone(report):
            return
        path = find(program["argv"][0], program["env"].get("PATH", os.defpath))
        os.execve(path, program["argv"], program["env"])
    except SetupError as error:
        os.write(report, str(error).encode()[:4096])
    except OSError as error:
        os.write(report, f'exec: "{program["argv"][0]}": {words(error)}'.encode()[:4096])
    finally:
        os._exit(128)


def supervisor_is_gone(report: int) -> bool:
    """Whether nobody reads this pipe any more: a parent that died before PR_SET_PDEATHSIG sends no signal."""
    poll = select.poll()
    poll.register(report, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def prepare(spec: dict[str, Any], program: dict[str, Any], stdio: list[int]) -> None:
    """What a new process of the container needs before it runs its program."""
    os.setsid()
    if program.get("tty"):
        import fcntl
        import termios

        fcntl.ioctl(stdio[0], termios.TIOCSCTTY, 0)
    for target, descriptor in enumerate(stdio):
        os.dup2(descriptor, target)
    for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    become_user(spec)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    enter_directory(program.get("cwd") or "/")


def become_user(spec: dict[str, Any]) -> None:
    """Give up root for the user the pod asked for."""
    if spec.get("gid") is not None:
        os.setgroups(spec.get("groups", []))
        os.setgid(spec["gid"])
    if spec.get("uid") is not None:
        os.setuid(spec["uid"])
    if spec.get("no_new_privileges"):
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def enter_directory(path: str) -> None:
    """Make ``path`` the working directory."""
    try:
        os.chdir(path)
    except OSError as error:
        raise SetupError(f'chdir to cwd ("{path}") set in config.json failed: {words(error)}') from error
