"""MCP's side: protects an application of the MCP SDK. What a tool asks for is answered as HTTP 403, so that clients step up by themselves.

The body of a request decides which tools it calls, never a header. Nothing is decided about tokens or answers here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, TypeVar

try:
    from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, auth_context_var
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken
    from pydantic import Field
except ImportError as _missing:
    raise ImportError('m2mguard.mcp needs the MCP SDK: pip install "m2mguard[mcp]"') from _missing

from m2mguard._json_rpc import NotJsonRpc, called_tools
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement, scope_names
from m2mguard._server.resource_server import ResourceServer
from m2mguard.asgi import (
    ASGIApp,
    BearerAuthMiddleware,
    Message,
    OnError,
    Receive,
    Scope,
    Send,
    authorization_fields,
    route_of,
    send_answer,
)
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError, ConfigurationError

__all__ = ["current_caller", "protect"]

MAX_BODY = 4_194_304
Token = TypeVar("Token", bound=AccessToken)
_NO_TOKEN = b"Bearer none"  # of a test that uses `calling_as`: FastMCP looks for the field itself
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1
_INVALID_REQUEST, _PARSE_ERROR = -32600, -32700  # JSON-RPC 2.0 section 5.1


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
    max_body: int = MAX_BODY,
) -> BearerAuthMiddleware:
    """Protect an MCP server over HTTP: `protect(mcp.streamable_http_app(), server, ["read:orders"], {"delete_order": ["delete:orders"]})`.

    Give the SDK's server no `auth` and no `token_verifier` of its own. A tool finds the Caller by `current_caller()`; the SDK's
    `get_access_token()` works, and a session answers the application that opened it and no other (404). A challenge of a 401 names
    `scopes`, that of a 403 those of the called tools as well, and both name the metadata of a server that has a `resource_url`
    (RFC 9728), which the MCP specification demands.

    Args:
        app: the ASGI application, stateful or stateless, of any version of the protocol.
        server: verifies tokens and words the answers.
        scopes: every request must be granted all of these. Default none.
        tools: tool to the scopes that a call of it needs beside `scopes`; "*" stands for every tool that is not named. Default none. Once
            some are given, each POST is read before it passes: at most `max_body` bytes (else 413), every call of a batch, and JSON that
            two readers could understand differently is a 400. WebSockets are closed with 1008, as they carry calls unseen.
        requires: what every request must meet, instead of `scopes`.
        public: as for `BearerAuthMiddleware`. On a public path, a call of a tool that needs scopes needs a token as ever.
        preflight: as for `BearerAuthMiddleware`. A page in a browser also needs a CORS middleware above.
        end_with_token: as for `BearerAuthMiddleware`: ends the event streams of a session with the token that opened them.
        on_error: as for `BearerAuthMiddleware`.
        max_body: in bytes, default 4 MiB, the SDK's own limit.

    Raises:
        ConfigurationError: an invalid argument.
    """
    requirement = requirement_of(scopes, requires)
    below = ToolScopes(app, server=server, requirement=requirement, tools=tools, on_error=on_error, max_body=max_body)
    return ScopesInChallenges(
        below,
        server,
        requires=requirement,
        public=public,
        preflight=preflight,
        end_with_token=end_with_token,
        on_error=on_error,
    )


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


class ScopesInChallenges(BearerAuthMiddleware):
    """The middleware, with the scopes in the challenge of a 401 as well, as the MCP specification asks."""

    def _answer(self, error: AnswerableError) -> Answer:
        requires = self._requires or Requirement()
        return self._server.answer(error, scopes=(*requires.scopes, *requires.any_scope))


class ToolScopes:
    """ASGI middleware, below `BearerAuthMiddleware`: names the caller to the SDK, and checks the scopes of the tools that a body calls.

    Args:
        app: the ASGI application of the SDK or of FastMCP.
        server: verifies tokens and words the answers.
        requirement: what every request must meet.
        tools: tool to scopes; "*" for any other.
        on_error: as for `BearerAuthMiddleware`.
        max_body: in bytes.
        scopes_of: finds the scopes of a tool by its name, in `tools` unless another way is given.
        token_type: the class of what `get_access_token()` gives.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        server: ResourceServer,
        requirement: Requirement,
        tools: Mapping[str, Collection[str]],
        on_error: OnError | None = None,
        max_body: int = MAX_BODY,
        scopes_of: Callable[[Mapping[str, tuple[str, ...]], str], tuple[str, ...]] | None = None,
        token_type: type[AccessToken] = BearerToken,
    ) -> None:
        if not isinstance(tools, Mapping):
            raise ConfigurationError('tools must be a mapping, such as {"delete_order": ["delete:orders"]}.')
        if not isinstance(max_body, int) or isinstance(max_body, bool) or max_body < 1:
            raise ConfigurationError("max_body must be a positive number of bytes.")
        self._app = AuthContextMiddleware(app)
        self._server = server
        self._requirement = requirement
        self._tools = {tool: scope_names(f"tools[{tool!r}]", scopes) for tool, scopes in tools.items()}
        self._on_error = on_error
        self._max_body = max_body
        self._scopes_of = scopes_of or scopes_by_name
        self._token_type = token_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        caller = scope.get("auth")
        if self._tools and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
            return
        if self._tools and scope["type"] == "http" and scope["method"] == "POST":
            try:
                body = await _read(receive, self._max_body) if _declared_size(scope) <= self._max_body else None
                if body is None:
                    await send_answer(_json_rpc_error(413, _INVALID_REQUEST, "the request is too large"), scope, send)
                    return
                caller = await self._checked(caller, body, scope)
            except NotJsonRpc:
                await send_answer(_json_rpc_error(400, _PARSE_ERROR, "the request is not valid JSON-RPC"), scope, send)
                return
            except AnswerableError as error:
                answer = None if self._on_error is None else self._on_error(error, scope)
                await send_answer(answer or self._server.answer(error), scope, send)
                return
            receive = _replayed(body, receive)
        if isinstance(caller, Caller):
            fields = authorization_fields(scope) or [_NO_TOKEN]
            user = CallingApplication(caller, fields[0], self._token_type)
            scope = {**scope, "auth": caller, "user": user}
            if fields == [_NO_TOKEN]:
                scope["headers"] = [*scope["headers"], (b"authorization", _NO_TOKEN)]
        await self._app(scope, receive, send)

    async def _checked(self, caller: object, body: bytes, scope: Scope) -> object:
        """Check what the called tools ask for, all together. Where the path is public, the token is verified now."""
        needed = self._needed(body, scope)
        if not needed:
            return caller
        requirement = replace(self._requirement, scopes=(*self._requirement.scopes, *needed))
        if not isinstance(caller, Caller):
            return await self._server.aauthenticate(
                authorization_fields(scope), requirement, request=scope, route=route_of(scope)
            )
        self._server.authorize(caller, requirement, request=scope, route=route_of(scope))
        return caller

    def _needed(self, body: bytes, scope: Scope) -> list[str]:
        try:
            names = called_tools(body)
        except NotJsonRpc:
            if _claims_to_be_json(scope):
                raise
            return []  # a form for a route of the application's own, which no MCP server reads
        return list(dict.fromkeys(one for name in names for one in self._scopes_of(self._tools, name)))


def scopes_by_name(tools: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """The scopes of a tool, or those of "*"."""
    return tools[name] if name in tools else tools.get("*", ())


def requirement_of(scopes: Collection[str], requires: Requirement | None) -> Requirement:
    """What every request must meet. Raises ConfigurationError if both are given."""
    if requires is None:
        return Requirement(scopes=scopes)
    if scopes:
        raise ConfigurationError(
            "give scopes, or requires=Requirement(scopes=[...]) with more conditions, and not both."
        )
    if not isinstance(requires, Requirement):
        raise ConfigurationError('requires must be a Requirement, such as Requirement(scopes=["read:orders"]).')
    return requires


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


def _declared_size(scope: Scope) -> int:
    declared = next((value for name, value in scope["headers"] if name.lower() == b"content-length"), b"0")
    return int(declared) if declared.isdigit() else 0


def _claims_to_be_json(scope: Scope) -> bool:
    return any(name.lower() == b"content-type" and b"json" in value.lower() for name, value in scope["headers"])


async def _read(receive: Receive, limit: int) -> bytes | None:
    """Read a whole body; None if it is longer than the limit. Raises NotJsonRpc if the client went away."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise NotJsonRpc("the client went away")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The messages of a request whose body was read."""
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _json_rpc_error(status: int, code: int, message: str) -> Answer:
    detail: dict[str, Any] = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    body = json.dumps(detail).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return Answer(status=status, headers=MappingProxyType(headers), body=body, detail=MappingProxyType(detail))


def __dir__() -> list[str]:
    return sorted(__all__)
