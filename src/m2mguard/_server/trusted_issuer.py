"""The issuers that a resource server trusts, each with its keys and with how a good token of it looks. Built once, from settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from m2mguard._keys.fetch import KeyFetcher
from m2mguard._keys.key_source import KeySource
from m2mguard._keys.snapshot import servable
from m2mguard._server.settings import ServerSettings
from m2mguard._token.name_patterns import Grants
from m2mguard._token.token_profile import TokenProfile
from m2mguard.health import IssuerHealth, KeyHealth
from m2mguard.issuer import Issuer
from m2mguard.net._protocol import Transport
from m2mguard.net._runtime import Runtime
from m2mguard.net._transport import plain_http_origins

MAX_KNOWN_APPLICATIONS = 10_000

if TYPE_CHECKING:
    from m2mguard._introspection.introspector import Introspector
    from m2mguard._keys.key_file import KeyFile


class KnownApplications:
    """The App IDs of one issuer whose tokens were verified before. Only verified tokens add to it. Safe to share between threads."""

    __slots__ = ("_app_ids",)

    def __init__(self) -> None:
        self._app_ids: set[str] = set()

    def add(self, app_id: str) -> None:
        """Remember an application. If there are too many, all others are forgotten."""
        if app_id not in self._app_ids:
            if len(self._app_ids) >= MAX_KNOWN_APPLICATIONS:
                self._app_ids = set()
            self._app_ids.add(app_id)

    def __contains__(self, app_id: object) -> bool:
        return isinstance(app_id, str) and app_id in self._app_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer, its keys, how its tokens for this API look, and who asks about its opaque ones, if anybody."""

    issuer: Issuer
    source: KeySource
    profile: TokenProfile
    applications: KnownApplications
    introspector: Introspector | None = None

    def health(self, wall_clock_s: float) -> IssuerHealth:
        """The state of its keys, with times on the wall clock, which shows `wall_clock_s` now, and of its introspection. No I/O."""
        keys = self._key_health(wall_clock_s)
        return keys if self.introspector is None else replace(keys, introspection=self.introspector.health())

    def purge(self) -> None:
        """Forget its keys, and what it said about opaque tokens."""
        self.source.purge()
        if self.introspector is not None:
            self.introspector.forget()

    def _key_health(self, wall_clock_s: float) -> IssuerHealth:
        status = self.source.status()
        snapshot, now, failure = status.snapshot, status.now, status.last_failure
        if snapshot is None:
            return IssuerHealth(
                issuer=self.issuer.url,
                ready=False,
                failures=status.history.failures,
                last_error=None if failure is None else failure.detail,
                last_problem=None if failure is None else failure.problem,
            )
        keys = tuple(
            KeyHealth(key_id=key.kid or "", thumbprint=key.thumbprint, algorithms=tuple(sorted(key.algorithms)))
            for key in snapshot.keys.keys
        )
        if self.issuer.jwks is not None:
            return IssuerHealth(issuer=self.issuer.url, ready=True, keys=keys)
        to_wall_clock = wall_clock_s - now
        return IssuerHealth(
            issuer=self.issuer.url,
            ready=servable(snapshot, now),
            keys=keys,
            fetched_at=snapshot.fetched_at + to_wall_clock,
            age=now - snapshot.fetched_at,
            stale=now >= snapshot.expires_at,
            stale_until=snapshot.stale_until + to_wall_clock,
            next_refresh=snapshot.refresh_at + to_wall_clock,
            failures=status.history.failures,
            last_error=None if failure is None else failure.detail,
            last_problem=None if failure is None else failure.problem,
        )


def trusted_issuers(settings: ServerSettings, runtime: Runtime) -> dict[str, TrustedIssuer]:
    """Build the trusted issuers, by each of their names. Nothing is fetched."""
    trusted = [_trusted(issuer, settings, runtime) for issuer in settings.issuers]
    return {name: one for one in trusted for name in one.issuer.names}


def http_origins(issuer: Issuer) -> tuple[str, ...]:
    """The origins that `allow_http` lets us ask over plain http; none where nothing is fetched."""
    urls = [] if issuer.jwks is not None else [issuer.url, issuer.jwks_uri]
    if issuer.introspection is not None:
        urls.append(issuer.introspection.endpoint or issuer.url)
    return plain_http_origins(*urls)


def _trusted(issuer: Issuer, settings: ServerSettings, runtime: Runtime) -> TrustedIssuer:
    source, profile = _source(issuer, settings, runtime), _profile(issuer, settings)
    return TrustedIssuer(
        issuer=issuer,
        source=source,
        profile=profile,
        applications=KnownApplications(),
        introspector=_introspector(issuer, settings, runtime, source, profile),
    )


def certificate_transport(issuer: Issuer) -> Transport | None:
    """The transport that shows the certificate by which the issuer knows us, if it introspects and knows us by one."""
    if issuer.introspection is None:
        return None
    from m2mguard._authentication.mutual_tls import MutualTls

    if not isinstance(issuer.introspection.authentication, MutualTls):
        return None
    return issuer.introspection.authentication.transport(http_origins=http_origins(issuer))


def _introspector(
    issuer: Issuer, settings: ServerSettings, runtime: Runtime, source: KeySource, profile: TokenProfile
) -> Introspector | None:
    ours = issuer.introspection
    if ours is None:
        return None
    from m2mguard._introspection.active_token import active_token_profile
    from m2mguard._introspection.introspector import Introspector
    from m2mguard._introspection.question import Asker
    from m2mguard._introspection.signed_answer import SignedAnswers

    transport = certificate_transport(issuer)
    if transport is not None and settings.transport is None:
        runtime = replace(runtime, transport=transport)
    signed = SignedAnswers(
        source=source,
        issuer_names=profile.issuer_names,
        algorithms=frozenset(issuer.algorithms),
        client_id=ours.client_id,
        leeway=settings.leeway,
        clocks=runtime.clocks,
    )
    return Introspector(
        asker=Asker(issuer=issuer.url, settings=ours, signed=signed if ours.jwt else None, runtime=runtime),
        profile=active_token_profile(profile, audience_required=ours.audience_required),
        max_cached=settings.verdict_cache_size,
    )


def _source(issuer: Issuer, settings: ServerSettings, runtime: Runtime) -> KeySource:
    return KeySource(
        fetcher=KeyFetcher(issuer=issuer.url, jwks_uri=issuer.jwks_uri, caching=settings.caching, runtime=runtime),
        issuer=issuer.url,
        caching=settings.caching,
        runtime=runtime,
        static=issuer.static_keys(),
        key_file=_key_file(issuer, settings, runtime),
    )


def _key_file(issuer: Issuer, settings: ServerSettings, runtime: Runtime) -> KeyFile | None:
    caching, directory = settings.caching, settings.key_directory
    if directory is None or issuer.jwks is not None:
        return None
    from m2mguard._keys.key_file import KeyFile

    return KeyFile(
        directory=directory,
        issuer=issuer.url,
        clock=runtime.clocks.wall,
        max_age_s=max(caching.ttl, caching.stale_for),
        max_bytes=2 * caching.max_bytes,
        max_keys=caching.max_keys,
    )


def _profile(issuer: Issuer, settings: ServerSettings) -> TokenProfile:
    return TokenProfile(
        issuer=issuer.url,
        issuer_names=frozenset(issuer.names),
        audiences=settings.audience,
        any_organization=issuer.organizations,
        token_types=frozenset(issuer.token_types),
        required_claims=frozenset(issuer.required_claims),
        claim_values=tuple((name, frozenset(values)) for name, values in issuer.claim_values.items()),
        audience_in_scope=issuer.audience_in_scope,
        app_id_claim=issuer.app_id_claim,
        organization_claim=issuer.organization_claim,
        is_machine=issuer.is_machine,
        machine_only=settings.machine_only,
        scope_lists=tuple(issuer.scope_lists),
        grants=None if issuer.grants is None else Grants(issuer.grants),
        leeway=settings.leeway,
    )
