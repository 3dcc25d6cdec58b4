"""The settings of one resource server, checked: what `ResourceServer` was given, as one value. Nothing is fetched or opened here."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from m2mguard._keys.key_caching import KeyCaching
from m2mguard._token.audiences import ORGANIZATION_AUDIENCE
from m2mguard._token.name_patterns import name_pattern
from m2mguard._validation import number, one_or_more, whole_number
from m2mguard.blocklist._watched import Blocklist
from m2mguard.dpop._settings import Dpop
from m2mguard.errors import ConfigurationError
from m2mguard.events import Event
from m2mguard.issuer import Issuer, issuer_of_url
from m2mguard.net._protocol import Transport

MAX_LEEWAY_S = 300  # RFC 9068 section 4: "no more than a few minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What a `ResourceServer` was built from, with the meaning and the defaults of its arguments.

    The four that may be given in several forms are checked by the functions below.

    Raises:
        ConfigurationError: an invalid value; the message says what to change.
    """

    issuers: tuple[Issuer, ...]
    audience: tuple[str, ...]
    leeway: float = 30
    caching: KeyCaching
    verdict_cache_size: int = 1024
    key_directory: Path | None = None
    clock: Callable[[], float] | None = None
    monotonic: Callable[[], float] | None = None
    transport: Transport | None = None
    on_event: Callable[[Event], object] | None = None
    machine_only: bool = True
    realm: str | None = None
    resource_url: str | None = None
    scopes_supported: Collection[str] = ()
    resource_metadata_url: str | None = None
    dpop: Dpop | None = None
    blocklist: Blocklist | None = None

    def __post_init__(self) -> None:
        number("leeway", self.leeway, least=0, most=MAX_LEEWAY_S)
        if not isinstance(self.machine_only, bool):
            raise ConfigurationError("machine_only must be True or False.")
        if not isinstance(self.dpop, Dpop | None):
            raise ConfigurationError("dpop must be a Dpop of m2mguard.dpop, or None.")
        if not isinstance(self.blocklist, Blocklist | None):
            raise ConfigurationError(
                "blocklist must be a FileBlocklist or another list of m2mguard.blocklist, or None."
            )
        if self.on_event is not None and not callable(self.on_event):
            raise ConfigurationError("on_event must be callable.")
        for issuer in self.issuers:
            _check_own_audiences(self.audience, issuer)
            _check_unnamed_audience(self.audience, issuer)
        whole_number("verdict_cache_size", self.verdict_cache_size, least=0, most=1_000_000, unit="tokens")

    def arguments(self) -> dict[str, Any]:
        """The arguments that make `ResourceServer` another server with the same settings."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def own_organizations(audiences: tuple[str, ...]) -> dict[str, str]:
    """The organizations that a resource server's audiences name: their ids by audience."""
    return {
        name: name.removeprefix(ORGANIZATION_AUDIENCE) for name in audiences if name.startswith(ORGANIZATION_AUDIENCE)
    }


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


def _check_own_audiences(audiences: tuple[str, ...], issuer: Issuer) -> None:
    """Refuse an audience that tokens of the issuer have without anyone asking for it."""
    patterns = [name_pattern("default_audiences", text) for text in issuer.default_audiences]
    for audience in audiences:
        if any(pattern.fullmatch(audience) for pattern in patterns):
            raise ConfigurationError(
                f"audience: {audience} is what tokens of {issuer.url} have if their holder asks for none, so it says nothing "
                "about this API. Choose an identifier of its own, such as https://shopping.api, and let callers ask for that."
            )


def _check_unnamed_audience(audiences: tuple[str, ...], issuer: Issuer) -> None:
    """Refuse to take a token without an audience for one of an organization."""
    if issuer.introspection is None or issuer.introspection.audience_required:
        return
    if issuer.organizations or own_organizations(audiences):
        raise ConfigurationError(
            "audience_required=False takes a token without aud for this API's, which cannot be where the audience names an organization."
        )


def checked_issuers(value: object) -> tuple[Issuer, ...]:
    """Check the trusted issuers: an `Issuer`, an issuer URL, or a list of either. Raises ConfigurationError."""
    given = [value] if isinstance(value, Issuer | str) else value
    if not isinstance(given, Sequence) or not given:
        raise ConfigurationError("issuers: give an Issuer, an issuer URL, or a non-empty list of either.")
    issuers = [issuer_of_url(one) if isinstance(one, str) else one for one in given]
    if not all(isinstance(issuer, Issuer) for issuer in issuers):
        raise ConfigurationError("issuers must hold Issuer objects and issuer URLs only.")
    names = [name for issuer in issuers for name in issuer.names]
    if len(set(names)) < len(names):
        raise ConfigurationError("issuers: the same issuer URL is given twice; give each issuer, and each alias, once.")
    introspecting = [issuer.url for issuer in issuers if issuer.introspection is not None]
    if len(introspecting) > 1:
        raise ConfigurationError(
            f"issuers: {' and '.join(introspecting)} have introspection, and an opaque token does not say whose it is. "
            "One issuer can have it."
        )
    return tuple(issuers)


def checked_caching(value: object) -> KeyCaching:
    """Check the numbers of the key cache; None means the defaults. Raises ConfigurationError."""
    if not isinstance(value, KeyCaching | None):
        raise ConfigurationError("caching must be a KeyCaching.")
    return KeyCaching() if value is None else value


def checked_directory(value: object) -> Path | None:
    """Check the path of the key files, and make it absolute. Raises ConfigurationError."""
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigurationError("key_directory must be the path of an existing directory.")
    return Path(os.fsdecode(value)).absolute()
