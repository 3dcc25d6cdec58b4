"""ResourceServer: the one object that adapters hold. A header or token goes in; a Caller comes out, or one of the two families of error.

Everything here is pure CPU except the waits of a `KeySource`, which the sync methods block on and their `a` twins await.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from m2mguard._keys.key_caching import KeyCaching
from m2mguard._reporting.reporter import Route, refusal_event
from m2mguard._server.answers import DEFAULT_REALM, Answer, Challenge, readiness_answer
from m2mguard._server.dpop_check import DpopCheck
from m2mguard._server.requirement import Requirement
from m2mguard._server.settings import (
    ServerSettings,
    checked_audiences,
    checked_caching,
    checked_directory,
    checked_issuers,
    own_organizations,
)
from m2mguard._server.token_binding import Sender, check_binding
from m2mguard._server.trusted_issuer import http_origins, trusted_issuers
from m2mguard._server.verifier import Verifier
from m2mguard._token.bearer import is_dpop
from m2mguard.blocklist._watched import Blocklist
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.dpop._settings import Dpop
from m2mguard.errors import AnswerableError, AuthError, ConfigurationError
from m2mguard.events import Event
from m2mguard.exemptions import RequestHead
from m2mguard.health import Health
from m2mguard.issuer import Issuer
from m2mguard.net._flight import Flight, Resumable, Wait, run_async, run_sync
from m2mguard.net._protocol import Transport
from m2mguard.net._runtime import Runtime

if TYPE_CHECKING:
    from m2mguard._keys.key_source import KeySource
    from m2mguard._server.resource_metadata import ResourceMetadata

_GLOBAL = Requirement()
_NOBODY = Sender()  # there is a token alone, so that one that is bound is refused


class ResourceServer:
    """Verifies bearer tokens for one API (RFC 6750, RFC 9068). Build one per process and share it.

    Safe to share between threads, event loops and greenlets, and across `fork`. Nothing is fetched before the first use.
    The sync methods may block for as long as `KeyCaching` allows, when keys have to be fetched; their `a` twins await instead, on
    asyncio and trio. With fresh keys at hand neither waits.

    Args:
        issuers: whose tokens are accepted: an `Issuer`, an issuer URL, or a list of either.
        audience: the API identifier, or several; compared exactly with the token's `aud`. There is no default: it must be given.
        leeway: seconds of difference allowed between the clocks, 0 to 300, default 30.
        caching: the numbers of the key cache.
        verdict_cache_size: how many verified tokens are remembered, 0 to 1,000,000, default 1,024; 0 switches it off.
        key_directory: where each issuer's last good keys are kept on disk, so that a worker can start while the issuer is down;
            an existing directory of this process's user that others cannot write to. Default None: nothing is kept.
        clock: gives seconds since the epoch, for token times. Default None: `time.time`, looked up at each call.
        monotonic: gives seconds on a clock that never steps. The age of keys counts by it or by `clock`, whichever has moved further,
            since a monotonic clock stops while the machine is suspended. Default None: `time.monotonic`, looked up at each call.
        transport: makes the HTTP exchanges; default `HttpTransport()`.
        on_event: called with every `Event`, on any thread; it must be quick and must not block.
        machine_only: refuse a person's token with `InsufficientScope`, default True.
        realm: named in challenges, default "api".
        resource_url: the URL of this API, its resource identifier. Given, the adapters serve the API's metadata (RFC 9728), whose
            URL is then named in challenges. Default None: there is no metadata.
        scopes_supported: scopes that the metadata lists, default none.
        resource_metadata_url: named in challenges if another server serves the metadata, default None (RFC 9728 section 5.1).
        dpop: accept tokens that are bound to a key, each request with a proof of it (RFC 9449); needs `resource_url`. Default None: such
            tokens are refused.
        blocklist: what is refused although its token is good, such as a `FileBlocklist`: applications, tokens, keys, organizations.
            Default None: nothing.

    Attributes:
        settings: what it was built from, checked.
        resource_metadata: the metadata, for adapters to serve; None without a `resource_url`.

    Raises:
        ConfigurationError: an invalid value; the message says what to change.
    """

    def __init__(
        self,
        issuers: Issuer | str | Sequence[Issuer | str],
        audience: str | Sequence[str] = (),
        *,
        leeway: float = 30,
        caching: KeyCaching | None = None,
        verdict_cache_size: int = 1024,
        key_directory: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] | None = None,
        monotonic: Callable[[], float] | None = None,
        transport: Transport | None = None,
        on_event: Callable[[Event], object] | None = None,
        machine_only: bool = True,
        realm: str | None = None,
        resource_url: str | None = None,
        scopes_supported: Collection[str] = (),
        resource_metadata_url: str | None = None,
        dpop: Dpop | None = None,
        blocklist: Blocklist | None = None,
    ) -> None:
        self.settings: ServerSettings = ServerSettings(
            issuers=checked_issuers(issuers),
            audience=checked_audiences(audience),
            leeway=leeway,
            caching=checked_caching(caching),
            verdict_cache_size=verdict_cache_size,
            key_directory=checked_directory(key_directory),
            clock=clock,
            monotonic=monotonic,
            transport=transport,
            on_event=on_event,
            machine_only=machine_only,
            realm=realm,
            resource_url=resource_url,
            scopes_supported=scopes_supported,
            resource_metadata_url=resource_metadata_url,
            dpop=dpop,
            blocklist=blocklist,
        )
        self._own_organizations = own_organizations(self.settings.audience)
        self._runtime = Runtime.from_arguments(
            clock=clock,
            monotonic=monotonic,
            transport=transport,
            on_event=on_event,
            plain_http={issuer.url: http_origins(issuer) for issuer in self.settings.issuers},
            connect_timeout=self.settings.caching.connect_timeout,
        )
        self._trusted = trusted_issuers(self.settings, self._runtime)
        self._issuers = tuple({id(one): one for one in self._trusted.values()}.values())
        with_dpop: dict[str, Any] = {
            "dpop_algorithms": () if dpop is None else tuple(dpop.algorithms),
            "dpop_required": dpop is not None and dpop.required,
        }
        self.resource_metadata: ResourceMetadata | None = None
        if resource_url is not None or scopes_supported:
            from m2mguard._server.resource_metadata import configured_metadata

            self.resource_metadata = configured_metadata(
                resource_url, [one.issuer.url for one in self._issuers], scopes_supported, **with_dpop
            )
        if self.resource_metadata is not None:
            if resource_metadata_url is not None:
                raise ConfigurationError("Give resource_url or resource_metadata_url: the one makes the other.")
            resource_metadata_url = self.resource_metadata.url
        self._dpop = None
        if dpop is not None:
            self._dpop = DpopCheck(dpop, resource_url, leeway_s=leeway, clock=self._runtime.clocks.wall)
        self._challenge = Challenge(
            realm=DEFAULT_REALM if realm is None else realm,
            resource_metadata_url=resource_metadata_url,
            **with_dpop,
        )
        self._verifier = Verifier(
            self._trusted,
            max_cached=verdict_cache_size,
            runtime=self._runtime,
            blocklist=blocklist,
            accepts_dpop=dpop is not None,
        )
        if blocklist is not None:
            blocklist.tell(self._runtime.reporter)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> ResourceServer:
        """Build one from `M2MGUARD_AUDIENCE`, one of `M2MGUARD_ISSUER`, `M2MGUARD_LOGTO_ENDPOINT` and `M2MGUARD_PRESET`, and others.

        There is a variable for every setting that text can say.

        Args:
            environ: the variables. Default None: the process's own.
            **overrides: arguments of the constructor that take precedence.

        Raises:
            ConfigurationError: a variable that is missing, unknown or invalid.
        """
        from m2mguard._server.environment import from_environment

        return cls(**from_environment(os.environ if environ is None else environ) | overrides)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], *, prefix: str = "", others: Collection[str] = ()
    ) -> ResourceServer:
        """Build one from settings named as in `from_env`; values may be text or objects. Raises alike.

        Args:
            settings: names to values.
            prefix: the prefix of our names, such as "M2MGUARD_"; other names are ignored. Default: no prefix.
            others: further names that the caller reads itself, for messages about a misspelt one. Default none.
        """
        from m2mguard._server.environment import server_arguments

        given = {name.removeprefix(prefix): value for name, value in settings.items() if name.startswith(prefix)}
        return cls(**server_arguments(given, prefix=prefix, others=others))

    def verify(
        self,
        token: str | bytes,
        requirement: Requirement | None = None,
        *,
        request: object = None,
        route: Route | None = None,
    ) -> Caller:
        """Check a token: signature, issuer, audience, times, type, that it belongs to a machine, and what the route asks for.

        Args:
            token: the token alone, without "Bearer ".
            requirement: what the route asks for; None means `Requirement()`, which refuses tokens of an organization.
            request: passed to a requirement whose organization is a callable.
            route: the request's method and path, for the log. Default None: the log names no route.

        Raises:
            InvalidToken: 401, the token is bad; `reason` says why.
            InsufficientScope: 403, the token is a person's and `machine_only` is on, or the requirement is not met.
            InsufficientUserAuthentication: 401, the person must sign in again, see `Requirement(max_age=..., acr=...)`.
            KeysUnavailable: 503, the issuer's keys are not available.
            ConfigurationError: as `check_requirement`.
        """
        return self._accept(self._verifier.verify, token, requirement, request, route)

    async def averify(
        self,
        token: str | bytes,
        requirement: Requirement | None = None,
        *,
        request: object = None,
        route: Route | None = None,
    ) -> Caller:
        """As `verify`, awaiting instead of blocking."""
        return await self._accept_async(self._verifier.verify, token, requirement, request, route)

    def authenticate(
        self,
        headers: Sequence[str | bytes],
        requirement: Requirement | None = None,
        *,
        request: object = None,
        route: Route | None = None,
        head: RequestHead | None = None,
        certificate: CertificateReader | None = None,
        is_open: bool = False,
    ) -> Caller:
        """Take the bearer token out of a request, verify it, and check what the route asks for.

        Args:
            headers: the values of the request's Authorization fields, each a str or bytes; an empty list where there are none.
            requirement: what the route asks for; None means `Requirement()`, which refuses tokens of an organization.
            request: passed to a requirement whose organization is a callable.
            route: the request's method and path, for the log. Default None: the log names no route.
            head: the head of the request, looked at only if the token is bound to a certificate (RFC 8705) or to a key (RFC 9449). Default
                None: a bound token is refused.
            certificate: reads the client's certificate from the head, such as `m2mguard.certificates.from_nginx()`; it must not block.
                Default None: a bound token is refused.
            is_open: the request was accepted before, and is looked at again while it is being answered, such as a stream: then a DPoP
                proof may be older and is not marked as used. Default False.

        Raises:
            MissingToken: 401, no bearer token was sent.
            InvalidRequest: 400, the field is malformed or there are several.
            InvalidDpopProof: 401, the token is bound to a key, and there is no good proof of it.
            UseDpopNonce: 401, the proof has no nonce of this server, and `Dpop(nonce=True)` asks for it.
            InvalidToken, InsufficientScope, InsufficientUserAuthentication, KeysUnavailable, ConfigurationError: as `verify`.
        """
        sender = Sender(headers, head, certificate, is_open)
        return self._accept(self._verifier.authenticate, headers, requirement, request, route, sender)

    async def aauthenticate(
        self,
        headers: Sequence[str | bytes],
        requirement: Requirement | None = None,
        *,
        request: object = None,
        route: Route | None = None,
        head: RequestHead | None = None,
        certificate: CertificateReader | None = None,
        is_open: bool = False,
    ) -> Caller:
        """As `authenticate`, awaiting instead of blocking."""
        sender = Sender(headers, head, certificate, is_open)
        return await self._accept_async(self._verifier.authenticate, headers, requirement, request, route, sender)

    def authorize(
        self,
        caller: Caller,
        requirement: Requirement | None = None,
        *,
        request: object = None,
        route: Route | None = None,
    ) -> None:
        """Check a Caller of this server against a requirement, as `authenticate` does. Pure CPU.

        Raises:
            InsufficientScope: 403, the requirement is not met.
            InsufficientUserAuthentication: 401, the person must sign in again.
        """
        self._accept(lambda caller: caller, caller, requirement, request, route, None)

    def remaining(self, caller: Caller) -> float:
        """For how many seconds the token of a Caller is still accepted, the leeway included; negative once it has expired. Pure CPU.

        For connections that outlive a request. Only the time is looked at: to notice a withdrawn key, authenticate again.

        Args:
            caller: of a token that this server has verified.
        """
        return caller.expires_at + self.settings.leeway - self._runtime.clocks.wall()

    def check_requirement(self, requirement: Requirement) -> None:
        """Check that a requirement names its issuer if it must. For adapters, as early as possible. Pure CPU.

        Raises:
            ConfigurationError: it names App IDs or an organization, several issuers are trusted, and it does not name `issuers`; or it
                names an issuer that is not trusted; or it is for persons (`max_age`, `acr`), and this server is `machine_only`.
        """
        if requirement.asks_for_person and self.settings.machine_only:
            raise ConfigurationError(
                "max_age and acr ask how a person signed in, and this server refuses persons: build it with machine_only=False "
                "(M2MGUARD_MACHINE_ONLY=false), or leave them out."
            )
        for name in requirement.issuers:
            if name not in self._trusted:
                raise ConfigurationError(f"issuers: {name} is none of the issuers that this server trusts.")
        if len(self._issuers) > 1 and requirement.names_ids and not requirement.issuers:
            raise ConfigurationError(
                "this server trusts several issuers, and an App ID or organization id means something within one issuer only: "
                "name it, Requirement(..., issuers=[...]). For one tenant with several names use Issuer(aliases=[...])."
            )

    def answer(self, error: AnswerableError, *, scopes: Collection[str] = ()) -> Answer:
        """The answer to the caller for an error of this library: status, headers, JSON body. Nothing in it comes from the token.

        Args:
            error: the refusal, or that keys are not available.
            scopes: named in the challenge of a 401, for clients that then ask for them, as those of MCP do. Default none.
        """
        return self._challenge.answer(error, scopes)

    def warm_up(self, timeout: float = 5) -> Health:
        """Fetch keys now, unless they are fresh. Blocks for at most `timeout` seconds; a failure is reported and logged, never raised."""
        run_sync(self._finished(lambda source: source.warm_up(), timeout))
        return self.health()

    async def awarm_up(self, timeout: float = 5) -> Health:
        """As `warm_up`, awaiting instead of blocking."""
        await run_async(self._finished(lambda source: source.warm_up(), timeout))
        return self.health()

    def refresh(self) -> Health:
        """Fetch keys now, whatever their age. Blocks for at most the time-out of `KeyCaching`; a failure is reported, never raised."""
        run_sync(self._finished(lambda source: source.refresh(), self.settings.caching.timeout))
        return self.health()

    async def arefresh(self) -> Health:
        """As `refresh`, awaiting instead of blocking."""
        await run_async(self._finished(lambda source: source.refresh(), self.settings.caching.timeout))
        return self.health()

    def purge(self) -> None:
        """Forget all keys and all remembered tokens now, for an emergency withdrawal at the issuer. The next request fetches keys."""
        for trusted in self._issuers:
            trusted.purge()
        self._verifier.forget()

    def health(self) -> Health:
        """The state of the keys. No I/O, no waiting."""
        now = self._runtime.clocks.wall()
        issuers = tuple(trusted.health(now) for trusted in self._issuers)
        blocklist = None if self.settings.blocklist is None else self.settings.blocklist.health()
        return Health(
            ready=any(issuer.ready for issuer in issuers) and (blocklist is None or blocklist.ready),
            issuers=issuers,
            verdicts=self._verifier.health(),
            blocklist=blocklist,
        )

    def readiness(self) -> Answer:
        """The answer to a readiness probe: 200 when the tokens of at least one issuer can be checked, else 503. No waiting.

        One issuer's outage must not take an API out of service for all others; `health()` says which issuer is not ready. Where
        there are no usable keys of an issuer, also on the very first probe, a fetch is started in the background, as soon as the
        back-off is over: without traffic nothing else would start one.
        """
        for trusted in self._issuers:
            trusted.source.fetch_if_unusable()
        self._begin_blocklist()
        return readiness_answer(ready=self.health().ready)

    def _accept(
        self,
        verify: Callable[[Any], Caller | Resumable[Caller]],
        credentials: object,
        requirement: Requirement | None,
        request: object,
        route: Route | None,
        sender: Sender | None = _NOBODY,
    ) -> Caller:
        """Verify credentials, who sent them if they are bound to that, and the requirement; report a refusal."""
        try:
            caller = run_sync(verify(credentials))
            if sender is not None and ("cnf" in caller.claims or self._dpop is not None):
                proof = check_binding(caller, sender, self._dpop)
                if proof is not None and self._dpop is not None:
                    self._dpop.use(caller, proof, sender.head)
            self._check(caller, requirement, request)
        except AnswerableError as error:
            self._report(error, route, sender)
            raise
        return caller

    async def _accept_async(
        self,
        verify: Callable[[Any], Caller | Resumable[Caller]],
        credentials: object,
        requirement: Requirement | None,
        request: object,
        route: Route | None,
        sender: Sender | None = _NOBODY,
    ) -> Caller:
        """As `_accept`, awaiting instead of blocking."""
        try:
            caller = await run_async(verify(credentials))
            if sender is not None and ("cnf" in caller.claims or self._dpop is not None):
                proof = check_binding(caller, sender, self._dpop)
                if proof is not None and self._dpop is not None:
                    await self._dpop.ause(caller, proof, sender.head)
            self._check(caller, requirement, request)
        except AnswerableError as error:
            self._report(error, route, sender)
            raise
        return caller

    def _check(self, caller: Caller, requirement: Requirement | None, request: object) -> None:
        own = self._own_organizations
        own_organization = own[caller.audience] if caller.audience in own else None  # noqa: SIM401 - `get` can make threads wait
        if own_organization is not None and len(self._issuers) > 1 and (requirement is None or not requirement.issuers):
            own_organization = None  # an organization's id means something within one issuer only
        try:
            if requirement is None:
                _GLOBAL.check(caller, own_organization=own_organization)
                return
            if requirement.issuers or requirement.asks_for_person or len(self._issuers) > 1:
                self.check_requirement(requirement)
            names = self._trusted[caller.issuer].issuer.aliases if caller.issuer in self._trusted else ()
            requirement.for_request(request).check(
                caller,
                own_organization=own_organization,
                issuer_names=names,
                now=0.0 if requirement.max_age is None else self._runtime.clocks.wall(),
                leeway=self.settings.leeway,
            )
        except AuthError as error:
            error.app_id, error.issuer = caller.app_id, caller.issuer
            raise

    def _report(self, error: AnswerableError, route: Route | None, sender: Sender | None) -> None:
        if self._dpop is not None and sender is not None and is_dpop(sender.fields):
            error.scheme = "DPoP"
        event = refusal_event(error, route)
        if event is not None:
            self._runtime.reporter.emit(event)

    def _begin_blocklist(self) -> Flight | None:
        """Start the thread of the block list; returns what its first look ends."""
        return None if self.settings.blocklist is None else self.settings.blocklist.begin()

    def _finished(self, begin: Callable[[KeySource], Flight | None], timeout_s: float) -> Resumable[None]:
        flights = [begin(trusted.source) for trusted in self._issuers]
        flights.append(self._begin_blocklist())
        deadline = time.monotonic() + timeout_s
        for flight in filter(None, flights):
            yield Wait(flight, max(0.0, deadline - time.monotonic()))
