"""The address of the other end of a connection, as far as an ASGI server tells it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

REPLACED: Final = "an address from X-Forwarded-For"
"""In place of an address that a header field may have chosen."""

_ADDRESSES: Final = (b"x-forwarded-for", b"forwarded")
_PORTS: Final = (b"x-forwarded-port",)


def peer_of(scope: Mapping[str, Any]) -> str | None:
    """The connection's own address; None for a Unix socket; `REPLACED` where a field's address may be in its place.

    uvicorn, Hypercorn and others write the client's address from X-Forwarded-For into the scope. Its port is then 0, which no connection
    has, or it comes from a field, too.
    """
    client = scope.get("client")
    if not client or not client[0]:
        return None
    host, port = str(client[0]), client[1]
    return REPLACED if not port or _may_be_from_fields(scope, host, port) else host


def _may_be_from_fields(scope: Mapping[str, Any], host: str, port: object) -> bool:
    named = [value for value in _values(scope, _ADDRESSES) if host in value]
    if any(value.strip("[]") != host for value in named):
        return True  # with a port, or as Forwarded has it
    return bool(named) and str(port) in _values(scope, _PORTS)


def _values(scope: Mapping[str, Any], names: tuple[bytes, ...]) -> Iterator[str]:
    for name, value in scope["headers"]:
        if name.lower() in names:
            for one in value.decode("latin-1").split(","):
                yield one.strip()
