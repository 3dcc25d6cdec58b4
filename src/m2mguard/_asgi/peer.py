"""The address of the other end of a connection, as far as an ASGI server tells it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

REPLACED: Final = "an address from X-Forwarded-For"
"""In place of an address that a header field may have chosen."""

_ADDRESSES: Final = (b"x-forwarded-for", b"forwarded")
_PORTS: Final = (b"x-forwarded-port",)
_NO_DIGIT: Final = re.compile("[^0-9]+")  # that of Python's `int` may be in between or around


def peer_of(scope: Mapping[str, Any]) -> str | None:
    """The connection's own address; None for a Unix socket; `REPLACED` where a field's address may be in its place.

    uvicorn, Hypercorn and others write the client's address from X-Forwarded-For into the scope. Its port is then 0, which no connection
    has, or it comes from a field, too.
    """
    client = scope.get("client")
    if not client:
        return None
    host, port = str(client[0]), client[1]
    if not host:  # Hypercorn takes it from an empty X-Forwarded-For, too
        return REPLACED if any(True for _ in _values(scope, _ADDRESSES)) else None
    return REPLACED if not port or _may_be_from_fields(scope, host, port) else host


def _may_be_from_fields(scope: Mapping[str, Any], host: str, port: object) -> bool:
    named = [value for value in _values(scope, _ADDRESSES) if host in value]
    if any(value.strip("[]") != host for value in named):
        return True  # with a port, or as Forwarded has it
    return bool(named) and any(_NO_DIGIT.sub("", value).lstrip("0") == str(port) for value in _values(scope, _PORTS))


def _values(scope: Mapping[str, Any], names: tuple[bytes, ...]) -> Iterator[str]:
    for name, value in scope["headers"]:
        if name.lower() in names:
            for one in value.decode("latin-1").split(","):
                yield one.strip()
