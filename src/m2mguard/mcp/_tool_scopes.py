"""Checks the scopes of the tools that the body of a request calls. The body decides, never a header."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.provider import AccessToken

from m2mguard._asgi.bodies import Disconnected, declared_size, read_body, replayed_body
from m2mguard._asgi.scope import (
    ASGIApp,
    Receive,
    Scope,
    Send,
    arguments_of,
    authorization_fields,
    route_of,
)
from m2mguard._asgi.sending import close_websocket, send_answer
from m2mguard._server.answers import Answer, json_answer
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._validation import scope_names
from m2mguard.asgi import OnError
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AnswerableError, ConfigurationError
from m2mguard.mcp._identity import BearerToken, CallingApplication
from m2mguard.mcp._json_rpc import NotJsonRpc, called_tools, is_json
from m2mguard.mcp._requirement import answer_with_scopes

MAX_BODY_BYTES: Final = 4_194_304  # the SDK's own limit
_NO_TOKEN = b"Bearer none"  # of a test that uses `calling_as`: FastMCP looks for the field itself
_ADDRESS = "__"  # FastMCP's `__<hash>_<name>`, whose name it does not always look at
_INVALID_REQUEST, _PARSE_ERROR = -32600, -32700  # JSON-RPC 2.0 section 5.1


def scopes_of(tools: Mapping[str, tuple[str, ...]], name: str) -> tuple[str, ...]:
    """The scopes of a tool: its own, or those of "*". Of an address that is not named, those of all tools, since it may lead to any."""
    if name in tools:
        return tools[name]
    if name.startswith(_ADDRESS):
        return tuple(dict.fromkeys(scope for scopes in tools.values() for scope in scopes))
    return tools.get("*", ())


class ToolScopes:
    """ASGI middleware, below `BearerAuthMiddleware`: names the caller to the SDK, and checks the scopes of the tools that a body calls.

    Args:
        app: the ASGI application of the SDK or of FastMCP.
        server: verifies tokens and words the answers.
        requirement: what every request must meet.
        tools: tool to scopes; "*" for any other.
        on_error: as for `BearerAuthMiddleware`.
        max_body: in bytes.
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
        max_body: int = MAX_BODY_BYTES,
        token_type: type[AccessToken] = BearerToken,
        certificate: CertificateReader | None = None,
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
        self._token_type = token_type
        self._certificate = certificate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        caller = scope.get("auth")
        if self._tools and scope["type"] == "websocket":
            await close_websocket(send)
            return
        if self._tools and scope["type"] == "http" and scope["method"] == "POST":
            requirement = self._requirement
            try:
                body = await read_body(receive, self._max_body) if declared_size(scope) <= self._max_body else None
                if body is None:
                    await send_answer(_json_rpc_error(413, _INVALID_REQUEST, "the request is too large"), scope, send)
                    return
                requirement = self._requirement_of(body, scope)
                if requirement is not self._requirement:
                    caller = await self._authorized(caller, requirement, scope)
            except (NotJsonRpc, Disconnected):
                await send_answer(_json_rpc_error(400, _PARSE_ERROR, "the request is not valid JSON-RPC"), scope, send)
                return
            except AnswerableError as error:
                answer = None if self._on_error is None else self._on_error(error, scope)
                await send_answer(answer or answer_with_scopes(self._server, error, requirement), scope, send)
                return
            receive = replayed_body(body, receive)
        if isinstance(caller, Caller):
            fields = authorization_fields(scope) or [_NO_TOKEN]
            user = CallingApplication(caller, fields[0], self._token_type)
            scope = {**scope, "auth": caller, "user": user}
            if fields == [_NO_TOKEN]:
                scope["headers"] = [*scope["headers"], (b"authorization", _NO_TOKEN)]
        await self._app(scope, receive, send)

    async def _authorized(self, caller: object, requirement: Requirement, scope: Scope) -> Caller:
        """The Caller, who meets the requirement. Where the path is public, the token is verified now."""
        if not isinstance(caller, Caller):
            return await self._server.aauthenticate(
                requirement=requirement,
                **arguments_of(scope, request=scope, certificate=self._certificate),
            )
        self._server.authorize(caller, requirement, request=scope, route=route_of(scope))
        return caller

    def _requirement_of(self, body: bytes, scope: Scope) -> Requirement:
        """What every request must meet, and the scopes of all tools that the body calls."""
        try:
            names = called_tools(body)
        except NotJsonRpc:
            if _claims_to_be_json(scope) or is_json(body):
                raise
            return self._requirement  # a form for a route of the application's own, which no MCP server reads
        needed = dict.fromkeys(one for name in names for one in scopes_of(self._tools, name))
        return replace(self._requirement, scopes=(*self._requirement.scopes, *needed)) if needed else self._requirement


def _claims_to_be_json(scope: Scope) -> bool:
    return any(name.lower() == b"content-type" and b"json" in value.lower() for name, value in scope["headers"])


def _json_rpc_error(status: int, code: int, message: str) -> Answer:
    return json_answer(status, {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}, {})
