"""Headers that concern one connection only (RFC 9110, 7.6.1): whoever hands a message on keeps them back."""

from __future__ import annotations

from collections.abc import Collection

from multidict import CIMultiDict, MultiMapping

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def kept(headers: MultiMapping[str], besides: Collection[str] = ()) -> CIMultiDict[str]:
    """The headers that go with a message, those that are named twice included; ``besides``: what else stays back."""
    named = {word.strip().lower() for value in headers.getall("Connection", ()) for word in value.split(",")}
    back = HOP_BY_HOP | named | set(besides)
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in back)
