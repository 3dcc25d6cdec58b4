"""`LocalIssuer`: Logto's machine side, served over real HTTP on loopback, which rotates and misbehaves on demand.

Ties the parts of `m2mguard.testing` together; each behaviour has its own module.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, Self

from m2mguard._introspection.introspection import Introspection
from m2mguard._server.resource_server import ResourceServer
from m2mguard.client import ClientSecret
from m2mguard.issuer import Issuer
from m2mguard.net import Transport
from m2mguard.testing import _metadata_documents as documents
from m2mguard.testing._fault_control import FaultControl, Gate
from m2mguard.testing._in_process import InProcessTransport
from m2mguard.testing._loopback_server import LoopbackServer
from m2mguard.testing._management_api import ManagementApi
from m2mguard.testing._messages import Reply, Request
from m2mguard.testing._minting import SHOPPING_API, TokenMint, checked_app_id, joined_scopes
from m2mguard.testing._movable_clock import MovableClock
from m2mguard.testing._opaque_tokens import OpaqueTokens
from m2mguard.testing._request_log import AnyEndpoint, Endpoint, RequestLog, RequestRecord
from m2mguard.testing._signing import SigningKey
from m2mguard.testing._tenant import DEFAULT_APPLICATIONS, DEFAULT_RESOURCES, Application, Resource
from m2mguard.testing._token_endpoint import TokenEndpoint
from m2mguard.testing.faults import Fault

UNSERVED_ENDPOINT: Final = "https://issuer.test"  # a name that nobody has (RFC 6761 section 6.2)


class LocalIssuer(TokenMint):
    """A local Logto for tests and demonstrations: a context manager that serves while its block runs.

    It has its port, and can mint, from construction on; before `start` and after `stop` connections are refused.
    All of it runs in one daemon thread, however many requests wait.
    Every method may be called from any thread, also while requests run, but `start` and `stop` by one at a time.

    Attributes:
        endpoint: the Logto endpoint; `jwks_uri`, `token_endpoint` and `introspection_endpoint` are below it.
        transport: reaches the issuer without HTTP: `ResourceServer(issuer.trusted, audience=..., transport=issuer.transport)`.
        trouble: what the fixture `chaos` does to the issuer, or None.

    Args:
        algorithm: of the first key; a member of `ALGORITHMS`, default ES384.
        key: the first key itself, instead of a new one.
        host: the name of this machine in URLs; default `127.0.0.1`.
        listen: the address to listen on; default `127.0.0.1`. Any other lets other machines reach the issuer, whose secrets are published.
        port: default 0, a free one.
        path: of the issuer below the endpoint; default `/oidc`, may be empty.
        issuer: the issuer's name in tokens and metadata; default endpoint and path, as a custom domain differs from it.
        metadata_form: `appended`: the well-known name after the path, as Logto; `inserted`: only RFC 8414's form;
            `inserted_openid`: only that form with OpenID Connect's name (RFC 8414 section 5).
        clock: seconds since the epoch, for the times in tokens; default a `MovableClock`, which is right until it is moved.
        applications: App ID → what was registered; default `app-orders` and `app-admin`.
        resources: API identifier → what was registered; default the shopping API and the Management API.
        token_lifetime: seconds, default 3600.
        ssl_context: a server's; given, everything is https.
        served: False: no socket is opened, and only `transport` reaches the issuer, whose endpoint is then `https://issuer.test`.
            Default True.

    Raises:
        ValueError: an unknown algorithm, or an application has a scope that its API does not have.
        OSError: the port is taken.
    """

    def __init__(
        self,
        *,
        algorithm: str = "ES384",
        key: SigningKey | None = None,
        host: str = "127.0.0.1",
        listen: str = "127.0.0.1",
        port: int = 0,
        path: str = "/oidc",
        issuer: str | None = None,
        metadata_form: Literal["appended", "inserted", "inserted_openid"] = "appended",
        clock: Callable[[], float] | None = None,
        applications: Mapping[str, Application] = DEFAULT_APPLICATIONS,
        resources: Mapping[str, Resource] = DEFAULT_RESOURCES,
        token_lifetime: float = 3600,
        ssl_context: ssl.SSLContext | None = None,
        served: bool = True,
    ) -> None:
        self._server: LoopbackServer | None = None
        self.endpoint: Final = UNSERVED_ENDPOINT if not served else self._bind(port, listen, host, ssl_context)
        self.jwks_uri: Final = f"{self.endpoint}{path}/jwks"
        self.token_endpoint: Final = f"{self.endpoint}{path}/token"
        self.introspection_endpoint: Final = f"{self.token_endpoint}/introspection"
        super().__init__(
            issuer=issuer or self.endpoint + path,
            key=key or SigningKey.generate(algorithm),
            clock=MovableClock() if clock is None else clock,
            token_lifetime=token_lifetime,
        )
        self._path = path
        self._metadata_paths = {
            "appended": (f"{path}/.well-known/openid-configuration", f"{path}/.well-known/oauth-authorization-server"),
            "inserted": (f"/.well-known/oauth-authorization-server{path}",),
            "inserted_openid": (f"/.well-known/openid-configuration{path}",),
        }[metadata_form]
        self._tokens = TokenEndpoint(mint=self, applications=applications, resources=resources)
        self._opaque = OpaqueTokens(self)
        self._applications = applications
        self._management = ManagementApi(mint=self, applications=applications)
        self._faults = FaultControl()
        self._log = RequestLog()
        self._is_running = False
        self.trouble: Callable[[ResourceServer], None] | None = None
        self.transport: Final[Transport] = InProcessTransport(self._answer, lambda: self._is_running)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_running = False
        self.behave()  # a request that hangs ends now
        if self._server is not None:
            self._server.close()

    def _bind(self, port: int, listen: str, host: str, ssl_context: ssl.SSLContext | None) -> str:
        self._server = LoopbackServer(handler=self._handle, port=port, listen=listen, ssl_context=ssl_context)
        return f"{'http' if ssl_context is None else 'https'}://{host}:{self._server.port}"

    @property
    def port(self) -> int:
        """The port of this issuer, the same for all its life.

        Raises:
            RuntimeError: it was made with `served=False`.
        """
        if self._server is None:
            raise RuntimeError("this issuer has no port: it was made with served=False")
        return self._server.port

    @property
    def is_served(self) -> bool:
        """Whether it answers over HTTP, too."""
        return self._server is not None

    @property
    def trusted(self) -> Issuer:
        """This issuer as a resource server's setting: `ResourceServer(issuer.trusted, audience=..., transport=issuer.transport)`.

        It accepts Logto's algorithms and that of the current key. Without the transport, a server fetches the keys over HTTP.
        """
        logto = Issuer.logto(UNSERVED_ENDPOINT)
        algorithms = {*logto.algorithms, self.current_key.algorithm}
        return dataclasses.replace(logto, url=self.url, jwks_uri=self.jwks_uri, algorithms=algorithms)

    def introspecting(self, client_id: str | None = None, **options: Any) -> Issuer:
        """This issuer as `trusted`, which is also asked about opaque tokens, by one of its applications.

        Args:
            client_id: the App ID of the application that asks; default the first one.
            options: of `Introspection`.
        """
        client_id = next(iter(self._applications)) if client_id is None else client_id
        secret = self._applications[client_id].secret
        options = {"endpoint": self.introspection_endpoint, "authentication": ClientSecret(secret), **options}
        return dataclasses.replace(self.trusted, introspection=Introspection(client_id=client_id, **options))

    def mint_opaque(
        self,
        app_id: str = "app-orders",
        *,
        audience: str | list[str] = SHOPPING_API,
        scopes: Iterable[str] = (),
        user_id: str | None = None,
        lifetime: float | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """Return an opaque access token that this issuer calls active when it is asked, see `introspecting`.

        Args:
            app_id: the `client_id`.
            audience: the API identifier.
            scopes: what was granted, default nothing.
            user_id: given, the token is a person's.
            lifetime: seconds until it expires; default the issuer's.
            claims: members of the answer to set or, with `REMOVED`, to leave out.

        Raises:
            TypeError, ValueError: as `mint`, for scopes and the App ID.
        """
        token = self.mint_opaque_token()
        self._opaque.add(
            token,
            checked_app_id(app_id),
            audience=audience,
            scope=joined_scopes(scopes),
            user_id=user_id,
            lifetime=lifetime,
            claims={} if claims is None else claims,
        )
        return token

    def revoke(self, token: str) -> None:
        """Revoke a token of `mint_opaque`: from now on this issuer says that it is not active."""
        self._opaque.revoke(token)

    def start(self) -> None:
        """Answer from now on; blocks until it does. After a `stop`, on the same port."""
        if self._server is not None:
            self._server.start()
        self._is_running = True

    def stop(self) -> None:
        """Close every connection and refuse new ones; blocks until it is so. Keys, faults and counts stay."""
        self._is_running = False
        if self._server is not None:
            self._server.stop()

    def misbehave(self, endpoint: AnyEndpoint, fault: Fault, *, times: int | None = None) -> None:
        """Answer wrongly until `behave`, or `times` times; replaces an earlier fault of the same endpoint.

        Args:
            endpoint: `discovery`, `jwks`, `token`, `introspection`, `applications`, `other`, or `all`.
            fault: see `m2mguard.testing.faults`.
            times: how many requests of each endpoint it applies to, 1 or more; default all.

        Raises:
            ValueError: there is no such endpoint (so for every method that takes one), or `times` is less than 1.
        """
        self._faults.misbehave(endpoint, fault, times)

    def behave(self, endpoint: AnyEndpoint = "all") -> None:
        """Lift the fault of this endpoint, or all of them; requests that hang are answered now."""
        self._faults.behave(endpoint)

    def slow(self, seconds: float) -> None:
        """Answer rightly, but this late, until `behave`."""
        self.misbehave("all", Fault(delay_s=seconds))

    def outage(self) -> None:
        """End every connection without an answer, until `behave`. `stop` refuses connections instead."""
        self.misbehave("all", Fault(disconnect=True))

    def recover(self) -> None:
        """Answer rightly and at once from now on: ends an outage, a stop, every fault and a wrong clock. Keys stay as they are."""
        self.behave()
        self.clock_error: float = 0.0
        self.start()

    def hold(self, endpoint: AnyEndpoint = "all") -> contextlib.AbstractContextManager[Gate]:
        """Make requests that arrive inside the block wait behind the gate it yields, until released or its end."""
        return self._faults.hold(endpoint)

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request received since construction or `reset_counts`, in order of arrival."""
        return self._log.records

    def count(self, endpoint: AnyEndpoint = "all") -> int:
        """How many requests were received, whatever they were answered."""
        return self._log.count(endpoint)

    def wait_for_requests(self, endpoint: AnyEndpoint, count: int, *, timeout: float = 10.0) -> None:
        """Block until `count` reaches this number.

        Raises:
            TimeoutError: it had not after `timeout` seconds.
        """
        self._log.wait_for(endpoint, count, timeout)

    def reset_counts(self) -> None:
        """Forget the requests received so far."""
        self._log.reset()

    async def _handle(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        endpoint = self._note(request)
        fault = await self._faults.wait_turn(endpoint)
        return await (fault or Fault()).send(self._reply(endpoint, request, fault), writer)

    def _answer(self, request: Request, *, timeout_s: float) -> tuple[Reply, Fault | None]:
        endpoint = self._note(request)
        fault = self._faults.wait_turn_blocking(endpoint, timeout_s)
        return self._reply(endpoint, request, fault), fault

    def _note(self, request: Request) -> Endpoint:
        endpoint = self._endpoint(request.path)
        self._log.add(endpoint, request)
        return endpoint

    def _reply(self, endpoint: Endpoint, request: Request, fault: Fault | None) -> Reply:
        reply = self._right_reply(endpoint, request)
        if request.method == "HEAD":
            reply = dataclasses.replace(reply, body=b"")
        if fault is None or fault.only_waits:
            return documents.revalidated(request, reply)
        return fault.alter(reply)

    def _endpoint(self, path: str) -> Endpoint:
        if "/.well-known/" in path:
            return "discovery"
        known: dict[str, Endpoint] = {
            f"{self._path}/jwks": "jwks",
            f"{self._path}/token": "token",
            f"{self._path}/token/introspection": "introspection",
            "/api/applications": "applications",
        }
        return known.get(path, "other")

    def _right_reply(self, endpoint: Endpoint, request: Request) -> Reply:
        match endpoint, request.method:
            case "discovery", "GET" if request.path in self._metadata_paths:
                base = f"{request.scheme}://{request.headers.get('host', '')}{self._path}"
                return documents.metadata_document(issuer=self.url, base=base, algorithm=self.current_key.algorithm)
            case "jwks", "GET":
                return documents.key_set_document(self.jwks)
            case "token", "POST":
                return self._tokens.answer(request)
            case "introspection", "POST":
                return self._tokens.authenticated(
                    request, lambda app_id, form: self._opaque.answer(app_id, form, request)
                )
            case "applications", "GET":
                return self._management.answer(request)
            case _:
                return documents.not_found()


def movable_clock_of(issuer: LocalIssuer) -> MovableClock:
    """The issuer's clock. Raises ValueError if it was given one that cannot be moved."""
    if not isinstance(issuer.clock, MovableClock):
        raise ValueError(
            "this issuer was given a clock of another kind: leave clock= out, or give LocalIssuer a MovableClock()"
        )
    return issuer.clock
