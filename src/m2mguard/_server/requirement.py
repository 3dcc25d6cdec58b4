"""What a route asks of a Caller. Pure: looks at a Caller and, where it matters, at the time it is given; never at the token."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from m2mguard._server.user_authentication import AskedSignIn, shortfall
from m2mguard._validation import acr_values, is_async, scope_names, strings, whole_number
from m2mguard.caller import Caller
from m2mguard.errors import ConfigurationError, InsufficientScope

ANY_ORGANIZATION = "*"
_LONGEST_AGE_S = 2**31 - 1
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
        max_age: for how many seconds at most a person's sign-in counts here, a whole number from 0; the server's leeway is added. It is
            compared with the token's `auth_time` whenever a request comes, also for a remembered token. Default None: any age.
        acr: the accepted values of the token's `acr`, which names how the person signed in: one, or a list with the preferred one
            first; compared exactly. Default none: any.

    With `max_age` or `acr` the requirement is one for persons (RFC 9470): a person who does not meet it is asked to sign in again (401),
    and an application's token is refused (403), since nobody has signed in for it. It needs a server with `machine_only=False`.

    Raises:
        ConfigurationError: a string instead of a list, a scope outside the grammar of RFC 6749 section 3.3, an empty id,
            an `async def` given as callable, an invalid `max_age` or `acr`, or one of them together with `app_ids`, which no caller
            could meet.
    """

    scopes: Collection[str] = ()
    any_scope: Collection[str] = ()
    app_ids: Collection[str] = ()
    organization: str | Callable[[Any], str | None] | _OrganizationOfRequest | None = None
    issuers: Collection[str | HasUrl] = ()
    max_age: int | None = None
    acr: str | Collection[str] = ()
    _accepted: frozenset[str] = field(init=False, repr=False, compare=False)  # `app_ids`, for a quick look-up
    _for_persons: bool = field(init=False, repr=False, compare=False)  # whether `max_age` or `acr` is given

    def __post_init__(self) -> None:
        object.__setattr__(self, "issuers", _issuer_urls(self.issuers))
        for name in ("scopes", "any_scope"):
            object.__setattr__(self, name, scope_names(name, getattr(self, name)))
        object.__setattr__(self, "app_ids", strings("app_ids", self.app_ids, what="App IDs"))
        object.__setattr__(self, "_accepted", frozenset(self.app_ids))
        object.__setattr__(self, "acr", acr_values("acr", self.acr))
        if self.max_age is not None:
            whole_number("max_age", self.max_age, least=0, most=_LONGEST_AGE_S, unit="seconds")
        object.__setattr__(self, "_for_persons", self.max_age is not None or bool(self.acr))
        if self._for_persons and self.app_ids:
            raise ConfigurationError(
                "app_ids lets applications in, and max_age and acr let persons in: no caller is both. Give two routes, or leave one out."
            )
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

    @property
    def asks_for_person(self) -> bool:
        """Whether it asks how a person signed in, by `max_age` or `acr`."""
        return self._for_persons

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

    def for_open_connection(self) -> Requirement:
        """What a connection must still meet that was let in earlier: all but `max_age`, which counts when a request comes."""
        return self if self.max_age is None else replace(self, max_age=None)

    def check(
        self,
        caller: Caller,
        *,
        own_organization: str | None = None,
        issuer_names: Collection[str] = (),
        now: float = math.inf,
        leeway: float = 0,
    ) -> None:
        """Refuse a Caller that does not meet this requirement.

        Args:
            caller: who called.
            issuer_names: further names of the caller's issuer, its aliases.
            own_organization: the id of this API's own organization, if its audience names one; such a token
                belongs to this API's own organization and passes the default `organization=None`.
            now: seconds since the epoch, for `max_age`.
            leeway: seconds of difference between the clocks, for `max_age`.

        What no new sign-in can change comes first, so that nobody signs in for nothing; a missing scope comes last, since the same sign-in
        can bring it (RFC 9470 section 3).

        Raises:
            InsufficientScope: 403, for an issuer, organization, application or scope that does not fit (RFC 6750 section 3.1).
            InsufficientUserAuthentication: 401, the person must sign in again.
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
        if self._for_persons:
            if caller.is_machine:
                raise InsufficientScope("not_a_person")
            self._check_sign_in(caller, now, leeway)
        granted = caller.scopes
        for scope in self.scopes:
            if scope not in granted:
                raise self._lacks_scope(granted)
        if self.any_scope and granted.isdisjoint(self.any_scope):
            raise self._lacks_scope(granted)

    def _check_sign_in(self, caller: Caller, now: float, leeway: float) -> None:
        granted = caller.scopes
        lacks = not granted.issuperset(self.scopes) or (self.any_scope and granted.isdisjoint(self.any_scope))
        asked = AskedSignIn(self.max_age, tuple(self.acr), self._named_scopes() if lacks else ())
        error = shortfall(caller, asked, now=now, leeway=leeway)
        if error is not None:
            raise error

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
        asked = self._named_scopes()
        expected = (*self.scopes, *([f"one of {' '.join(self.any_scope)}"] if self.any_scope else []))
        return InsufficientScope("scope", scopes=asked, claim="scope", expected=expected, got=tuple(sorted(granted)))

    def _named_scopes(self) -> tuple[str, ...]:
        """The scopes that a challenge names."""
        return tuple(dict.fromkeys((*self.scopes, *self.any_scope)))


def _issuer_urls(value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, HasUrl) else value
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigurationError("issuers must be a list of issuer URLs or Issuer objects: issuers=[...].")
    return strings("issuers", [one.url if isinstance(one, HasUrl) else one for one in given], what="issuer URLs")
