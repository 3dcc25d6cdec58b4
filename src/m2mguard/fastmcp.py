"""FastMCP's side: an auth provider that puts our middleware in front of the server. `FastMCP("orders", auth=M2MAuth(server))`.

Nothing is decided about tokens or answers here, and nothing that is not FastMCP's own: see `m2mguard.mcp`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from m2mguard._asgi.scope import no_application
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.asgi import OnError
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AuthError, KeysUnavailable

try:
    from fastmcp.server.auth import AccessToken, AuthProvider
    from fastmcp.server.auth.auth import TokenVerificationError
    from pydantic import Field
    from starlette.middleware import Middleware
except ImportError as _missing:
    raise ImportError('m2mguard.fastmcp needs FastMCP: pip install "m2mguard[fastmcp]"') from _missing

from m2mguard.mcp._identity import access_token_of, current_caller
from m2mguard.mcp._requirement import ScopesInChallenges, requirement_of
from m2mguard.mcp._tool_scopes import MAX_BODY_BYTES, ToolScopes

__all__ = ["M2MAuth", "current_caller"]


class BearerToken(AccessToken):
    """FastMCP's access token, whose repr does not show the token."""

    token: str = Field(repr=False)


class M2MAuth(AuthProvider):
    """Protects every path of a FastMCP server over HTTP, with the answers of `m2mguard.mcp.protect`; stdio has no tokens.

    FastMCP's `get_access_token()` and its `auth=require_scopes(...)` work, and `current_caller()` gives the Caller.

    Args:
        server: verifies tokens and words the answers.
        scopes: every request must be granted all of these. Default none.
        tools: as for `m2mguard.mcp.protect`, by the name that clients use, prefix of a mounted server included. FastMCP lets apps call
            their tools as `__<hash>_<name>`, too, and a proxy looks at the hash alone: this needs the scopes of all tools here, unless
            it is named here itself. A tool that calls other tools is checked by its own name only: there use FastMCP's `auth=` too.
        requires: as for `m2mguard.mcp.protect`.
        public: paths that need no token, such as those of `custom_route`; as for `BearerAuthMiddleware`. Default none.
        preflight: as for `BearerAuthMiddleware`.
        end_with_token: as for `BearerAuthMiddleware`.
        on_error: as for `BearerAuthMiddleware`.
        max_body: in bytes, default 4 MiB.
        certificate: as for `BearerAuthMiddleware`.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
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
    ) -> None:
        self._requirement = requirement_of(scopes, requires)
        self._server = server
        self._middleware = [
            Middleware(
                ScopesInChallenges,
                server=server,
                requires=self._requirement,
                public=tuple(public),
                preflight=preflight,
                end_with_token=end_with_token,
                on_error=on_error,
                certificate=certificate,
            ),
            Middleware(
                ToolScopes,
                server=server,
                requirement=self._requirement,
                tools=tools,
                on_error=on_error,
                max_body=max_body,
                token_type=BearerToken,
                certificate=certificate,
            ),
        ]
        for one in self._middleware:  # an invalid argument is found now, and not when the server starts
            one.cls(no_application, *one.args, **one.kwargs)
        super().__init__()

    def get_middleware(self) -> list[Middleware]:
        """What FastMCP puts around its application."""
        return self._middleware

    async def verify_token(self, token: str) -> AccessToken | None:
        """Verify a token alone, for code of FastMCP that has no request. None: it is bad. Waits as `ResourceServer.averify`.

        Raises:
            TokenVerificationError: keys are not available.
        """
        try:
            caller = await self._server.averify(token, self._requirement)
        except KeysUnavailable as error:
            raise TokenVerificationError(error.description) from error
        except AuthError:
            return None
        return access_token_of(caller, token, BearerToken)


async def _nothing(_scope: object, _receive: object, _send: object) -> None:
    """An application, to try arguments on."""


def __dir__() -> list[str]:
    return sorted(__all__)
