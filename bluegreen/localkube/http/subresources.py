"""What the server does for subresources that are not a view of their object: tokens, bindings, evictions."""

from __future__ import annotations

from aiohttp import web

from bluegreen.localkube.controllers.disruption import evict
from bluegreen.localkube.controllers.scheduler import bind
from bluegreen.localkube.http import answers, channels, options, pods, proxied
from bluegreen.localkube.http.calls import Call
from bluegreen.localkube.http.objects import Handler
from bluegreen.localkube.status import bad_request, conflict

_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def token(call: Call) -> web.StreamResponse:
    """POST serviceaccounts/NAME/token: a token for the account."""
    asked = options.write_options("create", call.query, call.user_agent)
    request = await call.read_object(asked.validation)
    account = call.registry.get(call.kind, call.target.namespace, call.target.name)
    answer = call.authority.answer_token_request(call.target.namespace, account["metadata"]["name"], request)
    return answers.document(answer, 201, call.form)


async def binding(call: Call) -> web.StreamResponse:
    """POST pods/NAME/binding: put the pod on a node."""
    asked = options.write_options("create", call.query, call.user_agent)
    request = await call.read_object(asked.validation)
    if (request.get("metadata") or {}).get("name") != call.target.name:
        raise bad_request("name in URL does not match name in Binding object")
    node = (request.get("target") or {}).get("name") or ""
    pod = call.registry.get(call.kind, call.target.namespace, call.target.name)
    if not node:
        raise bad_request("binding.target.name: Required value")
    if pod["spec"].get("nodeName"):
        why = f'pod {pod["metadata"]["name"]} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise conflict("pods/binding", "", pod["metadata"]["name"], why)
    if not asked.dry_run:
        call.registry.modify(
            call.kind, call.target.namespace, call.target.name, lambda obj: bind(obj, node),
            manager=asked.manager, subresource="binding",
        )  # fmt: skip
    return answers.document(_CREATED, 201, call.form)


async def eviction(call: Call) -> web.StreamResponse:
    """POST pods/NAME/eviction: delete the pod if its disruption budgets allow it; 429 when they do not."""
    asked = options.write_options("create", call.query, call.user_agent)
    request = await call.read_object(asked.validation)
    if (request.get("metadata") or {}).get("name", call.target.name) != call.target.name:
        raise bad_request("name in URL does not match name in Eviction object")
    evict(call.registry, call.target.namespace, call.target.name, request.get("deleteOptions"), dry_run=asked.dry_run)
    return answers.document(_CREATED, 201, call.form)


SUBRESOURCES: dict[tuple[str, str], Handler] = {
    ("ServiceAccount", "token"): token,
    ("Pod", "attach"): channels.attach,
    ("Pod", "binding"): binding,
    ("Pod", "eviction"): eviction,
    ("Pod", "exec"): channels.exec_,
    ("Pod", "log"): pods.log,
    ("Pod", "portforward"): channels.portforward,
    ("Pod", "proxy"): proxied.proxy,
    ("Service", "proxy"): proxied.proxy,
}
"""(kind, subresource) -> handler; what is not here is a view that objects.VERBS reads and writes."""
