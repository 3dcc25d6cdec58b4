"""Protects any ASGI application, framework or not: what reaches it carries a verified Caller, or asked for a public path.

No framework is imported here, and nothing is decided about tokens or answers: that is the ResourceServer's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from m2mguard._asgi.preflights import without_answer_body, without_body
from m2mguard._asgi.scope import (
    ASGIApp,
    Message,
    Receive,
    RequestHead,
    Scope,
    Send,
    arguments_of,
    without_caller,
)
from m2mguard._asgi.sending import send_answer
from m2mguard._asgi.streams import run_while_token_is_good
from m2mguard._server.adapter_arguments import check_arguments
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AnswerableError, ConfigurationError
from m2mguard.exemptions import Exemptions

__all__ = [
    "ASGIApp",
    "BearerAuthMiddleware",
    "Message",
    "OnError",
    "Receive",
    "Scope",
    "Send",
    "caller_of",
    "readiness",
]

OnError = Callable[[AnswerableError, Scope], Answer | None]


class BearerAuthMiddleware:
    """ASGI middleware that lets a request pass with a good bearer token, and answers any other itself (RFC 6750).

    The application below finds the `Caller` at `scope["auth"]` and `scope["user"]`, which Starlette and Litestar show as
    `request.auth` and `request.user`. On a public path both are absent, and a value that was there before is removed. The scope given from
    above is not changed.

    The metadata of a server that has a `resource_url` is served here, to anybody (RFC 9728).

    `http` and `websocket` are protected and `lifespan` passes; a scope of any other type is an error, since it is not known
    who is calling. A refused WebSocket is answered by the denial response extension where the server offers it, else it is
    closed with 1008 before it was accepted. With keys at hand nothing is awaited; else at most what `KeyCaching` allows.
    Safe to share between tasks and event loops.

    Args:
        app: the ASGI application to protect.
        server: verifies tokens and words the answers.
        requires: what every protected request must meet; None, the default, is `Requirement()`. A callable organization is
            given the ASGI scope.
        public: the paths below `root_path` that need no token, default none. An entry that ends in "/" opens all paths below it,
            any other one exact path; methods may come before it, as in "GET /reports/". See `PublicPaths`.
        preflight: "protect", the default, asks for a token on OPTIONS as on any method; "exempt" passes CORS preflights on as
            browsers send them (Fetch standard, section 3.3.2), without a body, and the status and fields of their answers.
            Needless where a CORS middleware is above this one.
        end_with_token: True ends what outlives its token, within a second of `exp` and the leeway: a WebSocket is closed with 1008, an
            event stream ends, any other streaming answer breaks off. So does a withdrawn key, within 15 seconds of the server's
            knowing it (`KeyCaching.ttl`). An outage ends nothing, nor does `max_age`, which counts when a connection is opened. Default
            False: the application looks at `Caller.expires_at` itself.
        on_error: called with the refusal and the ASGI scope, on the event loop, so it must be quick. It may return another
            `Answer` to be sent instead; None sends the standard one. What it raises passes through, and nothing is let in.
        certificate: reads the client's certificate, for tokens that are bound to one (RFC 8705): `certificates.from_nginx("X-Client-Cert")`
            and the like. Default None: such tokens are refused.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        app: ASGIApp,
        server: ResourceServer,
        *,
        requires: Requirement | None = None,
        public: Iterable[str] = (),
        preflight: Literal["protect", "exempt"] = "protect",
        end_with_token: bool = False,
        on_error: OnError | None = None,
        certificate: CertificateReader | None = None,
    ) -> None:
        if not callable(app):
            raise ConfigurationError("app must be an ASGI application.")
        check_arguments(server, requires=requires, on_error=on_error, certificate=certificate)
        exemptions = Exemptions(public=public, preflight=preflight)
        self.app = app
        self._server = server
        self._metadata = server.resource_metadata
        self._requires = requires
        self._exemptions = exemptions
        mark(
            self,
            RouteGuard(requirement=requires, server=server, public=exemptions.public, preflights=exemptions.preflights),
        )
        self._on_error = on_error
        self._certificate = certificate
        self._end_with_token = end_with_token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await self.app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise ValueError("m2mguard protects ASGI scopes of type http and websocket, and no other type")
        head = RequestHead(scope)
        metadata = self._metadata
        if metadata is not None and metadata.is_asked_for(head.method, **head.path_as_text):
            await send_answer(metadata.answer, scope, send)
            return
        if self._exemptions.is_public(head):
            await self.app(without_caller(scope), receive, send)
            return
        if self._exemptions.is_exempt_preflight(head):
            await self.app(without_caller(scope), without_body(receive), without_answer_body(send))
            return
        try:
            caller = await self._authenticate(scope, self._requires)
        except AnswerableError as error:
            await self._refuse(error, scope, send)
            return
        authenticated = {**scope, "auth": caller, "user": caller}
        if self._end_with_token:
            await self._run_while_token_is_good(caller, authenticated, receive, send)
        else:
            await self.app(authenticated, receive, send)

    async def _authenticate(self, scope: Scope, requirement: Requirement | None, *, is_open: bool = False) -> Caller:
        return await self._server.aauthenticate(
            requirement=requirement,
            is_open=is_open,
            **arguments_of(scope, request=scope, certificate=self._certificate),
        )

    async def _run_while_token_is_good(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        await run_while_token_is_good(
            lambda watched: self.app(scope, receive, watched),
            send,
            kind=scope["type"],
            remaining_s=lambda: self._server.remaining(caller),
            authenticate=lambda: self._authenticate(
                scope, self._requires and self._requires.for_open_connection(), is_open=True
            ),
        )

    async def _refuse(self, error: AnswerableError, scope: Scope, send: Send) -> None:
        answer = None if self._on_error is None else self._on_error(error, scope)
        await send_answer(answer or self._answer(error), scope, send)

    def _answer(self, error: AnswerableError) -> Answer:
        return self._server.answer(error)


def caller_of(scope: Mapping[str, object]) -> Caller:
    """The application that sent this request or opened this WebSocket: `scope["auth"]`, typed.

    Args:
        scope: the ASGI scope that the application below the middleware was given.

    Raises:
        RuntimeError: nothing protects this request, or its path is public.
    """
    caller = scope.get("auth")
    if not isinstance(caller, Caller):
        raise RuntimeError("this request has no Caller: no adapter of m2mguard protects it, or its path is public")
    return caller


def readiness(server: ResourceServer) -> ASGIApp:
    """A tiny ASGI app for readiness probes, to be mounted where no token is asked for.

    It never waits; where there are no usable keys it starts a fetch in the background.

    Args:
        server: says whether tokens can be checked; see `ResourceServer.readiness`.
    """
    return _Readiness(server)


class _Readiness:
    """A class, since frameworks take a plain function for an endpoint of their own kind."""

    def __init__(self, server: ResourceServer) -> None:
        self._server = server

    async def __call__(self, scope: Scope, _receive: object, send: Send) -> None:
        await send_answer(self._server.readiness(), scope, send)


def __dir__() -> list[str]:
    return sorted(__all__)
