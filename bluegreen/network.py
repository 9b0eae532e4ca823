"""Questions that only a process inside the cluster can answer: does a name resolve, does each port answer there.

A short-lived pod asks them and prints one line an answer; what it printed is read from its log. The pod needs nothing
but ``sh`` and one of python3, curl or wget, so that the application's own image usually serves.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bluegreen.clock import Deadline
from bluegreen.errors import HarnessError

if TYPE_CHECKING:
    from bluegreen.kube import Kube

Obj = dict[str, Any]

ATTEMPT_TIMEOUT_S = 5  # a choice: inside a cluster an answer takes milliseconds; of a new Service, up to 2 s

RELEASE_LABEL = "bluegreen/release"
"""The label that names the release which a pod, or a Job of a team's, was run for."""

AS_THE_APPLICATION = ("imagePullSecrets", "serviceAccountName", "securityContext", "nodeSelector", "tolerations")
"""What the pod that asks takes over from the application's pods."""

CANNOT_START = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerError")
"""Waiting reasons of a container that will not start by waiting longer."""

# Prints "name ADDRESS" and a line "port NAME CODE" each; 000 stands for no answer.
# Arguments: host, header, NAME=PORT/PATH...
SCRIPT = r"""
host=$1; header=$2; shift 2
if command -v python3 >/dev/null 2>&1; then tool=python3
elif command -v curl >/dev/null 2>&1; then tool=curl
elif command -v wget >/dev/null 2>&1; then tool=wget
else echo "missing python3, curl or wget"; exit 3; fi
resolve() {
  if command -v getent >/dev/null 2>&1; then getent hosts "$1" | awk '{print $1; exit}'
  else python3 -c 'import socket,sys; print(socket.gethostbyname(sys.argv[1]))' "$1"; fi
}
ask() {
  case $tool in
  python3) python3 - "$1" "$header" <<'PY'
import sys, urllib.error, urllib.request
url, header = sys.argv[1:]
name, _, value = header.partition(": ")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    print(opener.open(urllib.request.Request(url, headers={name: value}), timeout=TIMEOUT).status)
except urllib.error.HTTPError as error:
    print(error.code)
except Exception:
    print("000")
PY
    ;;
  curl) curl -s -o /dev/null -m TIMEOUT -H "$header" -w '%{http_code}\n' "$1" || true ;;
  wget) wget -q -O /dev/null -T TIMEOUT --header "$header" "$1" && echo 200 || echo 000 ;;
  esac
}
echo "name $(resolve "$host" 2>/dev/null)"
for entry in "$@"; do
  name=${entry%%=*}; rest=${entry#*=}
  echo "port $name $(ask "http://$host:$rest")"
done
""".replace("TIMEOUT", str(ATTEMPT_TIMEOUT_S))


class NetworkCheckError(HarnessError):
    """The pod that was to ask from inside the cluster could not; nothing is known."""


@dataclass(frozen=True)
class Seen:
    """What was seen from inside: the address a name resolved to (empty: it did not), and each port's status code."""

    address: str
    ports: Mapping[str, int]  # port name -> HTTP status; 0 stands for no answer


def parse(text: str) -> Seen:
    """Read what the pod printed.

    Raises:
        NetworkCheckError: the image has no tool to ask with, or nothing was printed.
    """
    address, ports = "", {}
    for line in text.splitlines():
        match line.split():
            case ["name", found]:
                address = found
            case ["port", name, code] if code.isdigit():
                ports[name] = int(code)
            case ["missing", *_]:
                raise NetworkCheckError(
                    f"The image for network tests has {line.strip().replace('missing', 'neither')}.",
                    "Set NETWORK_TEST_IMAGE to an image that has sh and one of them.",
                )
    if not address and not ports:
        raise NetworkCheckError("The pod for network tests printed nothing.", f"Its log: {text.strip()[:500]!r}")
    return Seen(address, ports)


def pod(
    name: str,
    image: str,
    app_name: str,
    arguments: Sequence[str],
    like: Mapping[str, Any] | None = None,
    release: str = "",
) -> Obj:
    """The pod that asks. Its labels are its own: no Service selects it, and it counts to no colour.

    ``like``: the specification of the application's pods. It is pulled, placed and confined as they are, or a private
    registry, or a namespace's rules, would keep it out; and it looks up names where they do.
    """
    kept = {key: like[key] for key in AS_THE_APPLICATION if key in like} if like else {}
    if (
        like and like.get("dnsPolicy", "Default") != "Default"
    ):  # who looks up nothing of the cluster's is left out of it
        kept |= {key: like[key] for key in ("dnsPolicy", "dnsConfig") if key in like}
    confined = ((like or {}).get("containers") or [{}])[0].get("securityContext")
    labels = {"app": f"{app_name}-network-test", **({RELEASE_LABEL: release} if release else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 60,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            **kept,
            "containers": [
                {
                    "name": "ask",
                    "image": image,
                    "command": ["sh", "-c", SCRIPT, "ask", *arguments],
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "32Mi"},
                        "limits": {"cpu": "500m", "memory": "128Mi"},
                    },
                    **({"securityContext": confined} if confined else {}),
                }
            ],
        },
    }


def look(
    kube: Kube,
    service: str,
    paths: Mapping[str, str],
    *,
    image: str,
    app_name: str,
    deadline: Deadline,
    like: Mapping[str, Any] | None = None,
    release: str = "",
) -> Seen:
    """Ask for a Service by its DNS name from inside the cluster, on each of its ports.

    ``paths`` maps a port's name to ``PORT/PATH`` as in ``{"http": "80/healthz"}``. The pod is removed in any case:
    here, or at the end of the ``release`` it was made for, when this process does not live to do it.

    Raises:
        NetworkCheckError: the pod did not come to an end; the reason it gave is in the sentence.
        TimeoutExpiredError: the deadline passed.
    """
    host = f"{service}.{kube.namespace}.svc"
    name = f"{app_name}-network-test-{uuid.uuid4().hex[:6]}"
    entries = [f"{port}={rest}" for port, rest in paths.items()]
    kube.create(pod(name, image, app_name, [host, "X-Bluegreen: gate", *entries], like, release))
    try:
        phase, why = kube.wait(
            "Pod",
            _ended,
            fields=f"metadata.name={name}",
            deadline=deadline,
            awaited=f"Pod {name} (asking from inside the cluster) has ended",
        )
        text = kube.logs(name)
        if phase != "Succeeded":
            parse(text)  # says so where the image lacks the tools
            raise NetworkCheckError(f"Pod {name}, asking from inside the cluster, failed: {why}.", text.strip()[:500])
        return parse(text)
    finally:
        kube.delete("Pod", name, grace_s=0)


def _ended(pods: list[Obj]) -> tuple[str, str] | None:
    """The phase and the reason once the pod has ended or cannot start."""
    for found in pods:
        status = found.get("status", {})
        if status.get("phase") in ("Succeeded", "Failed"):
            return str(status["phase"]), str(status.get("message") or status.get("reason") or "it exited with an error")
        for container in status.get("containerStatuses", []):
            waiting = container.get("state", {}).get("waiting", {})
            if waiting.get("reason") in CANNOT_START:
                return "Waiting", f"{waiting['reason']}: {waiting.get('message', '')}"
    return None
