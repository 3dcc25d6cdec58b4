"""What a route asks of a Caller. Pure: looks at a Caller and at nothing else, and never at the token."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from m2mguard._validation import is_async, scope_names, strings
from m2mguard.caller import Caller
from m2mguard.errors import ConfigurationError, InsufficientScope

ANY_ORGANIZATION = "*"
_ORGANIZATION_ID = re.compile(r"[^\s:*]+")


@runtime_checkable
class HasUrl(Protocol):
    """An `Issuer`, of which a requirement needs the URL only."""

    @property
    def url(self) -> str:
        """The issuer's URL."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _OrganizationOfRequest:
    """An organization that came from a request: exactly this id, never a wildcard; None fits no token."""

    id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a route asks of the calling application. Checked on every request, also for a remembered token.

    Immutable; equal arguments give equal objects. `Requirement()` asks for a valid token that belongs to no organization.

    Args:
        scopes: every one of these must be granted. A list or tuple of scope names, default none.
        any_scope: at least one of these must be granted. Default none.
        app_ids: only these applications, by App ID; a person's token never meets this. Default: any.
        issuers: only tokens of these issuers: their URLs, or `Issuer` objects. Default: any that the server trusts. An id belongs to its
            issuer (RFC 7519 section 4.1.2), so a server that trusts several refuses a requirement that names App IDs or an
            organization without naming issuers.
        organization: None (the default) asks for a global token; `"*"` accepts a token of any organization, and a global one;
            another string asks for a token of exactly that organization; a callable takes the framework's request and returns the
            id of the organization the route is about. What a callable returns is compared whole (`"*"` is then no wildcard), and
            anything but a non-empty string refuses the request.

    Raises:
        ConfigurationError: a string instead of a list, a scope outside the grammar of RFC 6749 section 3.3, an empty id,
            or an `async def` given as callable.
    """

    scopes: Collection[str] = ()
    any_scope: Collection[str] = ()
    app_ids: Collection[str] = ()
    organization: str | Callable[[Any], str | None] | _OrganizationOfRequest | None = None
    issuers: Collection[str | HasUrl] = ()
    _accepted: frozenset[str] = field(init=False, repr=False, compare=False)  # `app_ids`, for a quick look-up

    def __post_init__(self) -> None:
        object.__setattr__(self, "issuers", _issuer_urls(self.issuers))
        for name in ("scopes", "any_scope"):
            object.__setattr__(self, name, scope_names(name, getattr(self, name)))
        object.__setattr__(self, "app_ids", strings("app_ids", self.app_ids, what="App IDs"))
        object.__setattr__(self, "_accepted", frozenset(self.app_ids))
        organization = self.organization
        if organization is None or isinstance(organization, _OrganizationOfRequest):
            return
        if isinstance(organization, str):
            if not _ORGANIZATION_ID.fullmatch(organization) and organization != ANY_ORGANIZATION:
                raise ConfigurationError(
                    'organization: give an organization id without "urn:…", "*" for any, or None for global tokens only.'
                )
        elif not callable(organization) or is_async(organization):
            raise ConfigurationError(
                "organization: give None, a string, or a plain (not async) callable that takes the request."
            )

    @property
    def names_ids(self) -> bool:
        """Whether it names an App ID or an organization, which mean something within one issuer only."""
        return bool(self._accepted) or self.organization not in (None, ANY_ORGANIZATION)

    def for_request(self, request: object) -> Requirement:
        """Resolve an organization that depends on the request. Returns self if it does not.

        Calls the callable given as `organization`, on the caller's thread; what that raises passes through.
        """
        organization = self.organization
        if not callable(organization):
            return self
        found = organization(request)
        if not isinstance(found, str) or not found:
            found = None
        return replace(self, organization=_OrganizationOfRequest(id=found))

    def check(self, caller: Caller, *, own_organization: str | None = None, issuer_names: Collection[str] = ()) -> None:
        """Refuse a Caller that does not meet this requirement.

        Args:
            caller: who called.
            issuer_names: further names of the caller's issuer, its aliases.
            own_organization: the id of this API's own organization, if its audience names one; such a token
                belongs to this API's own organization and passes the default `organization=None`.

        Raises:
            InsufficientScope: 403, for an issuer, organization, application or scope that does not fit (RFC 6750 section 3.1).
        """
        if self.issuers and caller.issuer not in self.issuers and set(self.issuers).isdisjoint(issuer_names):
            raise InsufficientScope("issuer", claim="iss", expected=tuple(map(str, self.issuers)), got=(caller.issuer,))
        in_question = self.organization is not None or caller.organization_id is not None
        if in_question and not self._fits_organization(caller.organization_id, own_organization):
            raise self._wrong_organization(caller.organization_id)
        if self._accepted and not caller.is_machine:
            raise InsufficientScope("not_a_machine")
        if self._accepted and caller.app_id not in self._accepted:
            raise InsufficientScope("application", expected=tuple(self.app_ids), got=(caller.app_id,))
        granted = caller.scopes
        for scope in self.scopes:
            if scope not in granted:
                raise self._lacks_scope(granted)
        if self.any_scope and granted.isdisjoint(self.any_scope):
            raise self._lacks_scope(granted)

    def _fits_organization(self, organization_id: str | None, own_organization: str | None) -> bool:
        wanted = self.organization
        if wanted is None:
            return organization_id is None or organization_id == own_organization
        if wanted == ANY_ORGANIZATION:
            return True
        if isinstance(wanted, _OrganizationOfRequest):
            return wanted.id is not None and organization_id == wanted.id
        if isinstance(wanted, str):
            return organization_id == wanted
        raise TypeError("an organization that depends on the request must be settled with for_request() first")

    def _wrong_organization(self, organization_id: str | None) -> InsufficientScope:
        wanted = self.organization
        if isinstance(wanted, _OrganizationOfRequest):
            wanted = wanted.id
        return InsufficientScope(
            "organization",
            claim="organization_id",
            expected=(wanted,) if isinstance(wanted, str) else ("no organization",),
            got=() if organization_id is None else (organization_id,),
        )

    def _lacks_scope(self, granted: Collection[str]) -> InsufficientScope:
        asked = tuple(dict.fromkeys((*self.scopes, *self.any_scope)))
        expected = (*self.scopes, *([f"one of {' '.join(self.any_scope)}"] if self.any_scope else []))
        return InsufficientScope("scope", scopes=asked, claim="scope", expected=expected, got=tuple(sorted(granted)))


def _issuer_urls(value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, HasUrl) else value
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigurationError("issuers must be a list of issuer URLs or Issuer objects: issuers=[...].")
    return strings("issuers", [one.url if isinstance(one, HasUrl) else one for one in given], what="issuer URLs")
