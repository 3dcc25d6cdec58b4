"""The Caller: the one small object that a route gets. No HTTP, keys or settings here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["Caller"]

_MUTABLE = frozenset((dict, list))  # what a JSON parser makes of objects and arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The application that sent a verified access token.

    Immutable, and shared between the requests that carry the same token. Its repr shows the App ID and nothing else.

    Attributes:
        app_id: the App ID: always an application's. Of a machine's token it is the `sub`, which equals `client_id` (RFC 9068 section
            2.2); of a person's token the application the person signed in with. It belongs to its `issuer` (RFC 7519 section 4.1.2).
        subject: the token's `sub`: of a machine's token the application, of a person's token the person. Default: the App ID.
        scopes: what the token grants, from the space-separated `scope` (RFC 9068 section 2.2.3) and the issuer's `scope_lists`.
        organization_id: the organization the token is limited to, or None for a global token.
        issuer: the URL of the issuer whose key signed the token, as it is configured, also where the token names it by an alias.
        audience: the configured audience that the token was accepted for.
        expires_at: `exp`, in seconds since the epoch.
        token_id: `jti`, or None where the issuer is trusted without one.
        is_machine: whether the token belongs to a machine. Always True unless the server was built with `machine_only=False`.
        claims: every claim, read-only at every depth (objects are mappings, arrays are tuples).
    """

    app_id: str
    subject: str = field(default="", repr=False)
    scopes: frozenset[str] = field(repr=False)
    organization_id: str | None = field(default=None, repr=False)
    issuer: str = field(repr=False)
    audience: str = field(repr=False)
    expires_at: float = field(repr=False)
    token_id: str | None = field(default=None, repr=False)
    is_machine: bool = field(default=True, repr=False)
    claims: Mapping[str, object] = field(repr=False, hash=False)

    def __post_init__(self) -> None:
        if not self.subject:
            object.__setattr__(self, "subject", self.app_id)

    @property
    def is_authenticated(self) -> bool:
        """Always True: a Caller exists only for a verified token. So a Caller can be Starlette's user."""
        return True

    @property
    def identity(self) -> str:
        """The subject: the App ID of a machine, the id of a person. So Starlette's `BaseUser` names it."""
        return self.subject

    @property
    def display_name(self) -> str:
        """The App ID, under the name Starlette's `BaseUser` gives it."""
        return self.app_id

    def __copy__(self) -> Caller:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Caller:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        members = {name: getattr(self, name) for name in self.__slots__}
        return _restore, (members | {"claims": thaw(self.claims)},)


_new = object.__new__
(
    _set_app_id,
    _set_subject,
    _set_scopes,
    _set_organization_id,
    _set_issuer,
    _set_audience,
    _set_expires_at,
    _set_token_id,
    _set_is_machine,
    _set_claims,
) = (getattr(Caller, name).__set__ for name in Caller.__slots__)


def verified_caller(
    *,
    app_id: str,
    subject: str,
    scopes: frozenset[str],
    organization_id: str | None,
    issuer: str,
    audience: str,
    expires_at: float,
    token_id: str | None,
    is_machine: bool,
    claims: Mapping[str, object],
) -> Caller:
    """A faster constructor: it bypasses `object.__setattr__`, which a frozen dataclass calls for each field."""
    caller = _new(Caller)
    _set_app_id(caller, app_id)
    _set_subject(caller, subject)
    _set_scopes(caller, scopes)
    _set_organization_id(caller, organization_id)
    _set_issuer(caller, issuer)
    _set_audience(caller, audience)
    _set_expires_at(caller, expires_at)
    _set_token_id(caller, token_id)
    _set_is_machine(caller, is_machine)
    _set_claims(caller, claims)
    return caller


def freeze(value: object) -> object:
    """Make a parsed JSON value read-only at every depth: objects become mapping proxies, arrays tuples."""
    if isinstance(value, dict):
        return MappingProxyType({name: freeze(member) for name, member in value.items()})
    if isinstance(value, list):
        return tuple(freeze(item) for item in value)
    return value


def freeze_claims(claims: dict[str, object]) -> Mapping[str, object]:
    """Make verified claims read-only at every depth. The dict must not be used by the giver afterwards."""
    if not _MUTABLE.isdisjoint(map(type, claims.values())):
        for name, value in claims.items():
            claims[name] = freeze(value)
    return MappingProxyType(claims)


def thaw(value: object) -> object:
    """Undo `freeze`: plain dicts and lists, as `json.dumps` takes them."""
    if isinstance(value, Mapping):
        return {name: thaw(member) for name, member in value.items()}
    if isinstance(value, tuple):
        return [thaw(item) for item in value]
    return value


def _restore(members: dict[str, Any]) -> Caller:
    return Caller(**members | {"claims": freeze_claims(members["claims"])})


def __dir__() -> list[str]:
    return sorted(__all__)
