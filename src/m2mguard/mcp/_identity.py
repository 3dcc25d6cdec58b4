"""Names the caller to the MCP SDK: its access token and its user, and the way back to our Caller."""

from __future__ import annotations

from typing import TypeVar

from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from pydantic import Field

from m2mguard.caller import Caller

Token = TypeVar("Token", bound=AccessToken)


def current_caller() -> Caller:
    """The application that sent the request that is being handled. For tools, resources and prompts.

    Raises:
        RuntimeError: no request is being handled, nothing protects it, or its path is public.
    """
    user = auth_context_var.get()
    if not isinstance(user, CallingApplication):
        raise RuntimeError(
            "there is no Caller: m2mguard.mcp.protect or M2MAuth is not above this server, or the path is public"
        )
    return user.caller


class BearerToken(AccessToken):
    """The SDK's access token, whose repr does not show the token."""

    token: str = Field(repr=False)


class CallingApplication(AuthenticatedUser):
    """The SDK's user, with our Caller. Its sessions are bound to application, issuer and subject."""

    def __init__(self, caller: Caller, credentials: bytes, token_type: type[AccessToken] = BearerToken) -> None:
        super().__init__(access_token_of(caller, credentials.rpartition(b" ")[2].decode(), token_type))
        self.caller = caller


def access_token_of(caller: Caller, token: str, token_type: type[Token]) -> Token:
    """What `get_access_token()` gives for a Caller."""
    return token_type(
        token=token,
        client_id=caller.app_id,
        scopes=sorted(caller.scopes),
        expires_at=int(caller.expires_at),
        resource=caller.audience,
        subject=caller.subject,
        claims=dict(caller.claims),
    )
