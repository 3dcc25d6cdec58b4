"""`TokenSource`: the one object that a calling service holds. Settings go in; access tokens come out, always fresh.

`_authentication` says who asks, `_token_request` what for, `_policy` when, `_fetch` how; here they are put together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from m2mguard._authentication.choice import ClientAuthentication, choose_authentication
from m2mguard._authentication.proof import Client
from m2mguard._authentication.secret import ClientSecret, SecretMethod
from m2mguard._clocks import Clock
from m2mguard._validation import endpoint_url
from m2mguard.client._access_token import AccessToken
from m2mguard.client._dpop import DpopKey, DpopSender, api_asks_for_nonce
from m2mguard.client._logto_refusals import read_logto_refusal
from m2mguard.client._token_pool import TokenPool, new_pool
from m2mguard.client._token_request import TokenTarget, token_target
from m2mguard.client._token_response import DPOP_TOKEN_TYPES, AnswerRules, bearer_token_types
from m2mguard.errors import ConfigurationError
from m2mguard.events import Event
from m2mguard.net._flight import run_async, run_sync
from m2mguard.net._protocol import Transport

TOKEN_TYPES = ("Bearer", "BearerToken", None)
UNAUTHORIZED = 401


class TokenSource:
    """Gets the access token of one application for one API, and keeps it fresh (RFC 6749 section 4.4, RFC 8707).

    Build one per process and share it. Safe to share between threads, event loops and greenlets, and across `fork`. Nothing is
    fetched before the first use. While the token is valid no call waits: from 10 % of its life (at least 30 s, at most half of it)
    before its end the next call starts one request in the background. Without a valid token a call waits for the one request that all
    callers share, at most `timeout` seconds. While a token that an API rejected is being replaced, a call waits for that, at most
    1 s. After a failure the endpoint is asked again in 1 to 60 s, doubling, spread by half, or when its `Retry-After` says (at most
    5 minutes); after a refusal in half a minute to a minute.

    A token's age counts by whichever clock has moved further, so that a machine that was suspended gives out no expired token.

    Args:
        issuer: the issuer's URL, whose metadata names the token endpoint (RFC 8414, OpenID Connect Discovery 1.0).
        client_id: the application's id; in Logto, the App ID.
        client_secret: its secret; in Logto, the App Secret. Or a callable that returns it, as for `ClientSecret`.
        authentication: another way to prove who asks, instead of `client_secret`: `PrivateKeyJwt`, `AssertionFile`, `Assertion`,
            `MutualTls`; or `TokenExchange`, which is another grant as well. Default None.
        token_endpoint: the token endpoint's URL, instead of discovery; then `issuer` may be left out. Default None.
        resource: the API identifier that the token is for (RFC 8707 section 2), compared whole by the issuer. Default None.
        scopes: the scopes to ask for, as a list. Default none.
        organization_id: the Logto organization to request the token for. Default None.
        parameters: further form parameters, such as `{"audience": …}` for issuers without RFC 8707. Default none.
        client_authentication: how the secret is sent: "client_secret_basic" (the default) or "client_secret_post".
        missing_scope: what an answer without `scope` says of the scopes asked for: "granted" (the default; RFC 6749 section 5.1) or
            "dropped" (Logto).
        token_types: the values of `token_type` that mean a bearer token, in any case of letters; None: it may be missing. The
            default takes what issuers say for "Bearer"; RFC 6749 section 5.1 alone would be `["Bearer"]`. A token of any other
            type is not used.
        dpop: a `DpopKey` that tokens are bound to (RFC 9449), so that a stolen one is worth nothing. A token that the issuer does not bind
            is not used, and `token_types` has no effect. Default None: bearer tokens.
        timeout: seconds for one token request in all, 0.1 to 60, default 10: a claims script of Logto's may take 5.
        allow_http: accept a plain http issuer or token_endpoint off loopback, such as `http://logto:3001/oidc/token` inside a cluster:
            anyone who listens there reads the secret and the token. Warned of in the log at every start. Default False.
        transport: makes the HTTP exchanges; default `HttpTransport()`. With `MutualTls`, one that shows the certificate itself.
        on_event: called with every `Event`, on any thread; it must be quick and must not block. Default None.
        clock: gives seconds since the epoch; default None, `time.time` as it is when it is called.
        monotonic: gives seconds on a clock that never steps; default None, `time.monotonic` as it is when it is called.

    Raises:
        ConfigurationError: an invalid value; the message says what to change, and never holds the secret.
    """

    def __init__(
        self,
        issuer: str | None = None,
        *,
        client_id: str,
        client_secret: str | Callable[[], str] | None = None,
        authentication: ClientAuthentication | None = None,
        token_endpoint: str | None = None,
        resource: str | None = None,
        scopes: Collection[str] = (),
        organization_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
        client_authentication: SecretMethod = "client_secret_basic",
        missing_scope: Literal["granted", "dropped"] = "granted",
        token_types: Collection[str | None] = TOKEN_TYPES,
        dpop: DpopKey | None = None,
        timeout: float = 10,
        allow_http: bool = False,
        transport: Transport | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Clock | None = None,
        monotonic: Clock | None = None,
    ) -> None:
        if missing_scope not in ("granted", "dropped"):
            raise ConfigurationError("missing_scope must be 'granted' or 'dropped'.")
        pool = new_pool(
            issuer,
            token_endpoint,
            Client(
                client_id=client_id,
                authentication=choose_authentication(client_secret, client_authentication, authentication),
            ),
            AnswerRules(
                token_types=bearer_token_types(token_types) if dpop is None else DPOP_TOKEN_TYPES,
                missing_scope_grants=missing_scope == "granted",
            ),
            timeout=timeout,
            allow_http=allow_http,
            transport=transport,
            on_event=on_event,
            clock=clock,
            monotonic=monotonic,
            dpop=dpop,
        )
        self._join(pool, token_target(resource, scopes, organization_id, parameters))

    def _join(self, pool: TokenPool, target: TokenTarget) -> None:
        self._pool = pool
        self._target = target
        self._cached = pool.cached_token(target)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> TokenSource:
        """Build one from `M2MGUARD_CLIENT_*`: `ISSUER` or `LOGTO_ENDPOINT`, `ID`, one way to authenticate, `RESOURCE`, and others.

        The ways: `SECRET`, `SECRET_FILE`, `KEY_FILE`, `ASSERTION_FILE`, `TLS_CERTIFICATE_FILE`. Without an issuer and a way, Entra's
        workload identity is recognised by what it sets: `AZURE_FEDERATED_TOKEN_FILE`, `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`.

        Args:
            environ: the variables. Default None: the process's own.
            **overrides: arguments of the constructor that take precedence.

        Raises:
            ConfigurationError: a variable that is missing, unknown or invalid.
        """
        from m2mguard.client._environment import source_arguments

        arguments = source_arguments(os.environ if environ is None else environ, overrides)
        endpoint = arguments.pop("logto_endpoint", None)
        if endpoint is None:
            return cls(**arguments)
        return cls.logto(endpoint, arguments.pop("client_id"), arguments.pop("client_secret"), **arguments)

    @classmethod
    def logto(
        cls,
        endpoint: str,
        app_id: str,
        app_secret: str | Callable[[], str],
        *,
        resource: str | None = None,
        scopes: Collection[str] = (),
        organization_id: str | None = None,
        timeout: float = 10,
        allow_http: bool = False,
        transport: Transport | None = None,
        on_event: Callable[[Event], object] | None = None,
        clock: Clock | None = None,
        monotonic: Clock | None = None,
    ) -> TokenSource:
        """A machine-to-machine application of a Logto tenant. Its refusals are read as Logto means them.

        Args:
            endpoint: the Logto endpoint, such as "https://tenant.logto.app".
            app_id: the App ID.
            app_secret: the App Secret, or a callable that returns it.
            resource: the API identifier. It may be left out only for an organization token, which carries organization permissions.
            scopes: the permissions to ask for. Logto leaves out, without a word, those that the application's roles do not grant;
                a `ScopesDropped` event then says so, once.
            organization_id: the organization to request the token for.
            timeout: as for `TokenSource`; the other arguments alike.
            allow_http: accept a plain http endpoint off loopback.
            transport: makes the HTTP exchanges.
            on_event: called with every `Event`.
            clock: gives seconds since the epoch.
            monotonic: gives seconds on a clock that never steps.

        Raises:
            ConfigurationError: an invalid value, or neither resource nor organization.
        """
        endpoint_url("endpoint", endpoint, allow_http=allow_http)
        base = endpoint.removesuffix("/")
        if base.endswith("/oidc"):
            raise ConfigurationError("endpoint is the issuer already; give the Logto endpoint without '/oidc'.")
        _require_either(resource, organization_id)
        source = object.__new__(cls)
        pool = new_pool(
            f"{base}/oidc",
            f"{base}/oidc/token",
            Client(client_id=app_id, authentication=ClientSecret(app_secret)),
            AnswerRules(
                token_types=bearer_token_types(TOKEN_TYPES), missing_scope_grants=False, read_refusal=read_logto_refusal
            ),
            timeout=timeout,
            allow_http=allow_http,
            transport=transport,
            on_event=on_event,
            clock=clock,
            monotonic=monotonic,
        )
        source._join(pool, token_target(resource, scopes, organization_id, None))
        return source

    def for_target(
        self,
        *,
        resource: str | None = None,
        scopes: Collection[str] = (),
        organization_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> TokenSource:
        """A source of another token of the same application, such as for another API or another organization. No I/O.

        What is left out is not taken over from this source. Equal arguments give sources that share one token and one request.
        Arguments and errors are those of `TokenSource`.
        """
        source = object.__new__(type(self))
        source._join(self._pool, token_target(resource, scopes, organization_id, parameters))
        return source

    def token(self) -> AccessToken:
        """The access token to send now.

        Blocks if no valid token is at hand, for at most `timeout` seconds, or if a rejected one is being replaced, for at most 1 s.

        Raises:
            TokenRequestRefused: the endpoint refuses; the message says what to change.
            TokenEndpointUnavailable: the endpoint cannot be asked, or not soon enough.
        """
        token = self._cached.fresh()
        return run_sync(self._cached.token()) if token is None else token

    async def atoken(self) -> AccessToken:
        """As `token`, awaiting instead of blocking. A caller that is cancelled ends its own wait only."""
        token = self._cached.fresh()
        return await run_async(self._cached.token()) if token is None else token

    def replace(self, rejected: AccessToken) -> AccessToken | None:
        """The token to try once more with, after an API has answered 401 to one of this source; for HTTP client plug-ins.

        None where another would not help: the rejected one is not the current one any more, or was fetched less than 30 s (or half
        its life) ago, or the endpoint failed a moment ago. All who met the same rejection share one request.

        Args:
            rejected: the token that the API was sent.

        Blocks for at most `timeout` seconds. Returns None instead of raising if no token is available: the API's 401 is then the
        better answer.
        """
        return run_sync(self._cached.replacement(rejected))

    async def areplace(self, rejected: AccessToken) -> AccessToken | None:
        """As `replace`, awaiting instead of blocking."""
        return await run_async(self._cached.replacement(rejected))

    def reject(self, rejected: AccessToken) -> None:
        """Report that an API has answered 401 to a token of this source, where the request cannot be repeated.

        Starts a request for another token, in the background, under the same conditions as `replace`; the next call for a token
        waits for it, at most 1 s. For HTTP client plug-ins, and for code that sees a gRPC call end with UNAUTHENTICATED.

        Args:
            rejected: the token that the API was sent.

        Never blocks and never raises; for sync and async code alike.
        """
        self._cached.reject(rejected)

    @property
    def uses_dpop(self) -> bool:
        """Whether the tokens are bound to a key, so that each request needs `request_fields`."""
        return self._dpop is not None

    def request_fields(self, token: AccessToken, method: str, url: str) -> dict[str, str]:
        """The fields of one request with a token of this source: `Authorization`, and a new `DPoP` proof if the token is bound to a key.

        Call it for each request, also for a repeated or redirected one; a server accepts a proof once. Pure CPU. Secrets.

        Args:
            token: as `token` has returned it.
            method: the request's HTTP method.
            url: its absolute URL.
        """
        fields = {"Authorization": token.authorization}
        if self._dpop is not None:
            fields["DPoP"] = self._dpop.proof(method, url, token.value)
        return fields

    def asks_for_nonce(self, url: str, status: int, *, challenge: str | None, nonce: str | None) -> bool:
        """Record the nonce of an API's answer, and tell whether the request is to be sent once more for it (RFC 9449 section 9).

        Args:
            url: of the request.
            status: of the answer.
            challenge: the answer's `WWW-Authenticate`; several such fields joined by commas.
            nonce: the answer's `DPoP-Nonce`.
        """
        dpop = self._dpop
        return (
            dpop is not None
            and dpop.note_nonce(url, nonce)
            and status == UNAUTHORIZED
            and api_asks_for_nonce(challenge)
        )

    @property
    def _dpop(self) -> DpopSender | None:
        """What makes proofs; None for bearer tokens."""
        return self._pool.dpop

    def __repr__(self) -> str:
        return f"TokenSource(resource={self._target.resource!r}, scopes={self._target.scopes!r})"


def _require_either(resource: str | None, organization_id: str | None) -> None:
    if resource is None and organization_id is None:
        raise ConfigurationError(
            "resource is missing: Logto gives no token without an API identifier, unless an organization_id is given."
        )
