"""MCP's side: protects an application of the MCP SDK. What a tool asks for is answered as HTTP 403, so that clients step up by themselves.

The body of a request decides which tools it calls, never a header. Nothing is decided about tokens or answers here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

try:
    import mcp.server  # noqa: F401 - so that one message names the extra
except ImportError as _missing:
    raise ImportError('m2mguard.mcp needs the MCP SDK: pip install "m2mguard[mcp]"') from _missing

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.asgi import ASGIApp, BearerAuthMiddleware, OnError
from m2mguard.certificates import CertificateReader
from m2mguard.mcp._identity import current_caller
from m2mguard.mcp._requirement import ScopesInChallenges, requirement_of
from m2mguard.mcp._tool_scopes import MAX_BODY_BYTES, ToolScopes

__all__ = ["current_caller", "protect"]


def protect(
    app: ASGIApp,
    server: ResourceServer,
    scopes: Collection[str] = (),
    tools: Mapping[str, Collection[str]] = MappingProxyType({}),
    *,
    requires: Requirement | None = None,
    public: Iterable[str] = (),
    preflight: Literal["protect", "exempt"] = "protect",
    end_with_token: bool = False,
    on_error: OnError | None = None,
    max_body: int = MAX_BODY_BYTES,
    certificate: CertificateReader | None = None,
) -> BearerAuthMiddleware:
    """Protect an MCP server over HTTP: `protect(mcp.streamable_http_app(), server, ["read:orders"], {"delete_order": ["delete:orders"]})`.

    Give the SDK's server no `auth` and no `token_verifier` of its own. A tool finds the Caller by `current_caller()`; the SDK's
    `get_access_token()` works, and a session answers the application that opened it and no other (404). A challenge of a 401 names
    `scopes`, that of a 403 those of the called tools as well (on a public path a 401, too), and both name the metadata of a server
    that has a `resource_url` (RFC 9728), which the MCP specification demands.

    Args:
        app: the ASGI application, stateful or stateless, of any version of the protocol.
        server: verifies tokens and words the answers.
        scopes: every request must be granted all of these. Default none.
        tools: tool to the scopes that a call of it needs beside `scopes`; "*" stands for every tool that is not named. A name that begins
            with "__" and is not named needs the scopes of all tools here, since it may be an address of FastMCP's. Default none. Once
            some are given, each POST is read before it passes: at most `max_body` bytes (else 413), every call of a batch, and JSON that
            two readers could understand differently is a 400. WebSockets are closed with 1008, as they carry calls unseen.
        requires: what every request must meet, instead of `scopes`.
        public: as for `BearerAuthMiddleware`. On a public path, a call of a tool that needs scopes needs a token as ever.
        preflight: as for `BearerAuthMiddleware`. A page in a browser also needs a CORS middleware above.
        end_with_token: as for `BearerAuthMiddleware`: ends the event streams of a session with the token that opened them.
        on_error: as for `BearerAuthMiddleware`.
        max_body: in bytes, default 4 MiB, the SDK's own limit.
        certificate: as for `BearerAuthMiddleware`.

    Raises:
        ConfigurationError: an invalid argument.
    """
    requirement = requirement_of(scopes, requires)
    below = ToolScopes(
        app,
        server=server,
        requirement=requirement,
        tools=tools,
        on_error=on_error,
        max_body=max_body,
        certificate=certificate,
    )
    return ScopesInChallenges(
        below,
        server,
        requires=requirement,
        public=public,
        preflight=preflight,
        end_with_token=end_with_token,
        on_error=on_error,
        certificate=certificate,
    )


def __dir__() -> list[str]:
    return sorted(__all__)
