"""The faults' API of a running cluster, from outside: one request and its answer. Loads no library of the server's."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from bluegreen.localkube.faults import FaultRefusedError

PATH = "/localkube/faults"
TIMEOUT_S = 10.0  # a choice: the daemon is on this machine and answers at once


def ask(
    server: str, authority: Path, token: str, method: str, body: dict[str, Any] | None = None, name: str = ""
) -> Any:
    """The answer's object. ``authority``: the certificate that signed the server's. Raises FaultRefusedError."""
    address = urlsplit(server)
    context = ssl.create_default_context(cafile=str(authority))
    host = str(address.hostname)
    connection = http.client.HTTPSConnection(host, address.port, timeout=TIMEOUT_S, context=context)
    path = f"{PATH}?name={quote(name)}" if name else PATH
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        status, content = response.status, response.read()
    except (OSError, http.client.HTTPException) as problem:
        raise FaultRefusedError(f"The embedded cluster did not answer: {problem}.") from None
    finally:
        connection.close()
    try:
        answer = json.loads(content)
    except ValueError:
        raise FaultRefusedError("The embedded cluster knows no faults: it was started by other code.") from None
    if status != 200:
        raise FaultRefusedError(f"The embedded cluster refused: {str(answer.get('message')).rstrip('.')}.", status)
    return answer
