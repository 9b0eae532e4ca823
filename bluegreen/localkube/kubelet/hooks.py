"""Lifecycle hooks (postStart, preStop): what they do, and the kubelet's sentence when one fails.

The sentences are those of the kubelet's lifecycle handlers. Unlike a probe, an HTTP hook is content with any status,
and nothing but the pod's grace period limits how long a hook may take.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bluegreen.localkube.go_formats import quoted
from bluegreen.localkube.kubelet.answers import Answer
from bluegreen.localkube.kubelet.handlers import Place, exec_refusal, http_get, run
from bluegreen.localkube.kubelet.launch import StartError

Obj = dict[str, Any]
USER_AGENT = "kube-lifecycle/1.34"
_REFUSED = "rpc error: code = Unknown desc = failed to exec in container: failed to start exec: "


async def act(hook: Obj, place: Place, container: str, pod: str) -> Answer:
    """Carry out a hook of a container. ``pod``: the pod as the kubelet names it, name_namespace(uid)."""
    whose = f'lifecycle hook ({_what(hook)}) for Container "{container}" in Pod "{pod}" failed - error: '
    if "exec" in hook:
        return await _execute(hook["exec"].get("command") or [], place, f"Exec {whose}")
    if "httpGet" in hook:
        answer = await _get(hook["httpGet"], place)
        return Answer(answer.ok or answer.answered, "" if answer.ok else f"HTTP {whose}{answer.message}")
    if "sleep" in hook:
        await asyncio.sleep(hook["sleep"]["seconds"])
        return Answer(True)
    return Answer(False, "Cannot run handler: invalid handler")  # tcpSocket: accepted for old manifests, never run


def _what(hook: Obj) -> str:
    if "exec" in hook:
        return f"[{' '.join(hook['exec'].get('command') or ())}]"
    return str((hook.get("httpGet") or {}).get("path", ""))


async def _get(action: Obj, place: Place) -> Answer:
    try:
        return await http_get(action, place, None, USER_AGENT)
    except ValueError as error:
        return Answer(False, str(error))


async def _execute(argv: list[str], place: Place, whose: str) -> Answer:
    if place.container is None:
        return Answer(True)  # an image that runs nothing has nothing to run this in
    try:
        said = await run(place.container, argv, dict(place.env), None)
    except StartError as error:
        return Answer(False, f'{whose}{_REFUSED}{exec_refusal(error)}: unknown, message: ""')
    if said.code == 0:
        return Answer(True)
    why = f"command '{' '.join(argv)}' exited with {said.code}: {said.errors}"
    return Answer(False, f"{whose}{why}, message: {quoted(said.output + said.errors)}")
