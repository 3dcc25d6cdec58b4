"""Whom a resource server trusts: its issuers, each with its keys and with how a good token of it looks. Built once, from settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from m2mguard.clocks import Clocks
from m2mguard.configuration import one_or_more
from m2mguard.errors import ConfigurationError
from m2mguard.events import PlainHttpAllowed
from m2mguard.health import IssuerHealth, KeyHealth
from m2mguard.issuer import Issuer
from m2mguard.keys.caching import KeyCaching
from m2mguard.keys.fetching import KeyFetcher
from m2mguard.keys.snapshot import servable
from m2mguard.keys.source import KeySource
from m2mguard.net.protocol import Transport
from m2mguard.net.transport import plain_http_origins, transport_for
from m2mguard.reporting import Reporter
from m2mguard.token.claims import ORGANIZATION_AUDIENCE, TokenProfile

MAX_KNOWN_APPLICATIONS = 10_000

if TYPE_CHECKING:
    from pathlib import Path

    from m2mguard.keys.key_file import KeyFile


class KnownApplications:
    """The App IDs of one issuer whose tokens were verified before. Only verified tokens add to it. Safe to share between threads."""

    __slots__ = ("_app_ids",)

    def __init__(self) -> None:
        self._app_ids: set[str] = set()

    def add(self, app_id: str) -> None:
        """Remember an application. Where there are too many, all others are forgotten."""
        if app_id not in self._app_ids:
            if len(self._app_ids) >= MAX_KNOWN_APPLICATIONS:
                self._app_ids = set()
            self._app_ids.add(app_id)

    def __contains__(self, app_id: object) -> bool:
        return isinstance(app_id, str) and app_id in self._app_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """An issuer, its keys, and how its tokens for this API look."""

    issuer: Issuer
    source: KeySource
    profile: TokenProfile
    applications: KnownApplications

    def health(self, wall_clock_s: float) -> IssuerHealth:
        """How its keys stand, with times on the wall clock, which shows `wall_clock_s` now. No I/O."""
        status = self.source.status()
        snapshot, now, failure = status.snapshot, status.now, status.last_failure
        if snapshot is None:
            return IssuerHealth(
                issuer=self.issuer.url,
                ready=False,
                failures=status.attempts.failures,
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
            failures=status.attempts.failures,
            last_error=None if failure is None else failure.detail,
            last_problem=None if failure is None else failure.problem,
        )


def trusted_issuers(
    issuers: object,
    *,
    audiences: tuple[str, ...],
    leeway: float,
    machine_only: bool,
    caching: KeyCaching,
    key_directory: str | os.PathLike[str] | None,
    transport: Transport | None,
    clocks: Clocks,
    reporter: Reporter,
) -> dict[str, Trusted]:
    """Build the trust in each issuer, by each of its names. Arguments and errors as `ResourceServer`'s. Nothing is fetched."""
    checked = _checked_issuers(issuers)
    plain = {issuer.url: _http_origins(issuer) for issuer in checked}
    transport = transport_for(
        transport,
        http_origins=[origin for origins in plain.values() for origin in origins],
        connect_timeout=caching.connect_timeout,
    )
    for url, origins in plain.items():
        if origins:
            reporter.emit(PlainHttpAllowed(issuer=url, origins=origins))
    directory = None if key_directory is None else _directory(key_directory)

    def key_file(issuer: Issuer) -> KeyFile | None:
        if directory is None or issuer.jwks is not None:
            return None
        from m2mguard.keys.key_file import KeyFile

        return KeyFile(
            directory=directory,
            issuer=issuer.url,
            clock=clocks.wall,
            max_age_s=max(caching.ttl, caching.stale_for),
            max_bytes=2 * caching.max_bytes,
            max_keys=caching.max_keys,
        )

    trusted = [
        Trusted(
            issuer=issuer,
            source=_source(issuer, caching, transport, clocks, reporter, key_file(issuer)),
            profile=_profile(issuer, audiences, leeway, machine_only=machine_only),
            applications=KnownApplications(),
        )
        for issuer in checked
    ]
    return {name: one for one in trusted for name in one.issuer.names}


def _http_origins(issuer: Issuer) -> tuple[str, ...]:
    """The origins that `allow_http` lets us ask over plain http; none where nothing is fetched."""
    return () if issuer.jwks is not None else plain_http_origins(issuer.url, issuer.jwks_uri)


def checked_audiences(value: object) -> tuple[str, ...]:
    """Check the API identifiers of a resource server: a string or a list of them. Raises ConfigurationError."""
    audiences = one_or_more("audience", value, what="API identifiers")
    for audience in audiences:
        if len(audience.split()) > 1:
            raise ConfigurationError(
                "audience has white space in it; for several audiences give a list: audience=[...]."
            )
        if audience in (ORGANIZATION_AUDIENCE, "urn:logto:resource:organizations"):
            raise ConfigurationError(
                f"audience: {audience} is never an audience itself; "
                "give urn:logto:organization:<id>, or Issuer.logto(endpoint, organizations=True) for all of them."
            )
    return audiences


def own_organizations(audiences: tuple[str, ...]) -> dict[str, str]:
    """The organizations that a resource server stands for itself: their ids by the audience that names them."""
    return {
        name: name.removeprefix(ORGANIZATION_AUDIENCE) for name in audiences if name.startswith(ORGANIZATION_AUDIENCE)
    }


def _checked_issuers(value: object) -> list[Issuer]:
    given = [value] if isinstance(value, Issuer | str) else value
    if not isinstance(given, Sequence) or not given:
        raise ConfigurationError("issuers: give an Issuer, an issuer URL, or a non-empty list of either.")
    issuers = [_issuer_of_url(one) if isinstance(one, str) else one for one in given]
    if not all(isinstance(issuer, Issuer) for issuer in issuers):
        raise ConfigurationError("issuers must hold Issuer objects and issuer URLs only.")
    names = [name for issuer in issuers for name in issuer.names]
    if len(set(names)) < len(names):
        raise ConfigurationError("issuers: the same issuer URL is given twice; give each issuer, and each alias, once.")
    return issuers


def _issuer_of_url(url: str) -> Issuer:
    """A plain URL is an issuer of RFC 9068; one of Logto's own cloud is a Logto tenant, whose tokens may be limited to an organization."""
    issuer = Issuer(url=url)
    if (urlsplit(url).hostname or "").endswith(".logto.app") and url.endswith("/oidc"):
        return Issuer.logto(url.removesuffix("/oidc"))
    return issuer


def _directory(value: object) -> Path:
    from pathlib import Path

    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigurationError("key_directory must be the path of an existing directory.")
    return Path(os.fsdecode(value)).absolute()


def _source(
    issuer: Issuer,
    caching: KeyCaching,
    transport: Transport,
    clocks: Clocks,
    reporter: Reporter,
    key_file: KeyFile | None,
) -> KeySource:
    static = issuer.static_keys()
    fetcher = KeyFetcher(
        issuer=issuer.url, jwks_uri=issuer.jwks_uri, transport=transport, caching=caching, clocks=clocks
    )
    return KeySource(
        fetcher=fetcher if static is None else None,
        issuer=issuer.url,
        caching=caching,
        clocks=clocks,
        reporter=reporter,
        static=static,
        key_file=key_file,
    )


def _profile(issuer: Issuer, audiences: tuple[str, ...], leeway: float, *, machine_only: bool) -> TokenProfile:
    return TokenProfile(
        issuer=issuer.url,
        issuer_names=frozenset(issuer.names),
        audiences=audiences,
        any_organization=issuer.organizations,
        token_types=frozenset(issuer.token_types),
        required_claims=frozenset(issuer.required_claims),
        claim_values=tuple((name, frozenset(values)) for name, values in issuer.claim_values.items()),
        audience_in_scope=issuer.audience_in_scope,
        app_id_claim=issuer.app_id_claim,
        organization_claim=issuer.organization_claim,
        is_machine=issuer.is_machine,
        machine_only=machine_only,
        scope_lists=tuple(issuer.scope_lists),
        leeway=leeway,
    )
