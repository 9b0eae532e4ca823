"""Who started a release, from which commit and in which CI job, as the environment says. No secret is among it."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping

COMMIT = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "BUILD_SOURCEVERSION", "CIRCLE_SHA1", "BITBUCKET_COMMIT")
JOB = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL", "BITBUCKET_BUILD_NUMBER", "BUILD_BUILDURI")
ACTOR = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILD_USER_ID",
    "BUILD_REQUESTEDFOR",
    "CIRCLE_USERNAME",
    "BUILDKITE_BUILD_CREATOR",
)


def origin(env: Mapping[str, str]) -> dict[str, str]:
    """Keys: user, host, pid, and commit, ci_job and ci_user where the environment names them."""
    found = {"user": _user(), "host": socket.gethostname(), "pid": str(os.getpid())}
    job = _github_run(env) or _first(env, JOB)
    stated = {"commit": _first(env, COMMIT), "ci_job": job, "ci_user": _first(env, ACTOR)}
    return {**found, **{key: value for key, value in stated.items() if value}}


def _first(env: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((env[name] for name in names if env.get(name)), "")


def _github_run(env: Mapping[str, str]) -> str:
    parts = [env.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    return "{}/{}/actions/runs/{}".format(*parts) if all(parts) else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an id without a name, as in many containers
        return str(os.getuid())
