"""Tokens shaped as Logto's, of every kind it issues, and with any member overridden or removed.

Knows claims and headers; nothing of HTTP, applications or what was granted.
"""

import difflib
import enum
import inspect
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypedDict, Unpack

from m2mguard.testing._keyring import KeyRing
from m2mguard.testing._signing import SigningKey

SHOPPING_API: Final = "https://shopping.api"
"""The API identifier of every default and example."""


class Removed(enum.Enum):
    """The type of `REMOVED`."""

    REMOVED = "removed"


REMOVED: Final = Removed.REMOVED
"""As the value of a claim or a header member: leave that member out."""


class MintOptions(TypedDict, total=False):
    """What every `mint…` method takes besides its own arguments.

    Args:
        key: signs, and gives `alg` and `kid`; default the current key.
        header: header members to set or, with `REMOVED`, to leave out.
        claims: claims to set or, with `REMOVED`, to leave out.
        lifetime: seconds from `iat` to `exp`; default the issuer's. Negative: the token had the issuer's usual lifetime, and expired so
            many seconds ago. A server accepts it for its leeway (default 30 seconds) longer.
        issued_at: `iat` in seconds since the epoch; default the clock's whole second.
        exp: this claim, set or `REMOVED`, as in `claims`; so for `nbf`, `iat`, `jti`, `iss`, `sub`, `aud`, `client_id`, `cnf`, `act`.
    """

    key: SigningKey
    header: Mapping[str, object]
    claims: Mapping[str, object]
    lifetime: float
    issued_at: float
    exp: object
    nbf: object
    iat: object
    jti: object
    iss: object
    sub: object
    aud: object
    client_id: object
    cnf: object
    act: object


_CLAIMS: Final = ("exp", "nbf", "iat", "jti", "iss", "sub", "aud", "client_id", "cnf", "act")
_MEANT: Final = MappingProxyType(
    {"exp": "expires_at", "expires_at": "exp", "iss": "issuer", "aud": "audience", "sub": "app_id"}
)
"""Names of the same thing that differ too much to be taken for a misspelling: those of `mint` and of `fake_caller`."""


class TokenMint(KeyRing):
    """Mints tokens without asking who may have them. Any thread may call any method; none opens a connection.

    Args:
        issuer: the `iss` of every token.
        key: the first Current key.
        clock: seconds since the epoch.
        token_lifetime: seconds from `iat` to `exp`.

    Attributes:
        url: the `iss` of every token.
        clock: gives the time; may be replaced.
        clock_error: how many seconds the issuer's clock is wrong: ahead, or behind if negative; default 0.
    """

    def __init__(self, *, issuer: str, key: SigningKey, clock: Callable[[], float], token_lifetime: float) -> None:
        super().__init__(key=key)
        self.url: Final[str] = issuer
        self.token_lifetime: Final[float] = token_lifetime
        self.clock: Callable[[], float] = clock
        self.clock_error: float = 0.0

    def mint(
        self,
        app_id: str = "app-orders",
        *,
        audience: str | list[str] = SHOPPING_API,
        scopes: Iterable[str] = (),
        organization_id: str | None = None,
        **options: Unpack[MintOptions],
    ) -> str:
        """Return a machine's access token for an API resource (RFC 9068, with exactly Logto's members).

        Args:
            app_id: the `sub` and `client_id`.
            audience: the API identifier.
            scopes: what was granted, default nothing; the claim `scope` is then absent.
            organization_id: given, the token is an organization-level one of the same audience.
            options: see `MintOptions`.

        Raises:
            TypeError: a keyword that does not exist, one string as `scopes`, or two arguments for one claim; so for every `mint…` method.
            ValueError: an empty scope, or one with a space in it, or a negative lifetime with `issued_at`; so for every `mint…` method.
        """
        _check_keywords(self.mint, options)
        return self._access_token(app_id, app_id, audience, joined_scopes(scopes) or REMOVED, organization_id, options)

    def mint_organization_token(
        self,
        app_id: str = "app-orders",
        *,
        organization_id: str = "org-blue",
        scopes: Iterable[str] = (),
        **options: Unpack[MintOptions],
    ) -> str:
        """Return a machine's organization token: its audience is the organization, and `scope` may be empty."""
        _check_keywords(self.mint_organization_token, options)
        audience = f"urn:logto:organization:{organization_id}"
        return self._access_token(app_id, app_id, audience, joined_scopes(scopes), None, options)

    def mint_user_token(
        self,
        user_id: str = "user-alice",
        *,
        app_id: str = "app-web",
        audience: str | list[str] = SHOPPING_API,
        scopes: Iterable[str] = (),
        organization_id: str | None = None,
        **options: Unpack[MintOptions],
    ) -> str:
        """Return a person's access token: as a machine's, but `sub` is not the `client_id`."""
        _check_keywords(self.mint_user_token, options)
        return self._access_token(user_id, app_id, audience, joined_scopes(scopes) or REMOVED, organization_id, options)

    def mint_id_token(
        self, user_id: str = "user-alice", *, app_id: str = "app-web", **options: Unpack[MintOptions]
    ) -> str:
        """Return an ID token: no `typ`, no `client_id`, and the audience is the client."""
        _check_keywords(self.mint_id_token, options)
        claims = {"sub": user_id, "username": user_id, "aud": app_id, **self._times(options), "iss": self.url}
        return self._sign({"typ": REMOVED}, claims, options)

    def mint_opaque_token(self) -> str:
        """Return 43 characters that mean nothing: what Logto gives a person who asked for no resource."""
        return _identifier()

    def _access_token(
        self,
        subject: str,
        client_id: str,
        audience: str | list[str],
        scope: str | Removed,
        organization_id: str | None,
        options: MintOptions,
    ) -> str:
        checked_app_id(client_id)
        claims = {
            "organization_id": REMOVED if organization_id is None else organization_id,
            "jti": _identifier(),
            "sub": subject,
            **self._times(options),
            "scope": scope,
            "client_id": client_id,
            "iss": self.url,
            "aud": audience,
        }
        return self._sign({"typ": "at+jwt"}, claims, options)

    def _times(self, options: MintOptions) -> dict[str, object]:
        now, lifetime = int(self.clock() + self.clock_error), options.get("lifetime", self.token_lifetime)
        if lifetime >= 0:
            issued_at = options.get("issued_at", now)
            return {"iat": issued_at, "exp": issued_at + lifetime}
        if "issued_at" in options:
            raise ValueError(
                "with issued_at, a negative lifetime makes a token that was never valid: lifetime=-60 alone makes one that expired "
                "a minute ago; exp= sets any other end"
            )
        return {"iat": now + lifetime - self.token_lifetime, "exp": now + lifetime}

    def _sign(self, typ: Mapping[str, object], claims: Mapping[str, object], options: MintOptions) -> str:
        key = options.get("key", self.current_key)
        header = {"alg": key.algorithm, **typ, "kid": key.kid, **options.get("header", {})}
        return key.sign_compact(_present(header), _present({**claims, **_chosen_claims(options)}))


def _present(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not REMOVED}


def _chosen_claims(options: MintOptions) -> dict[str, object]:
    """The claims that an option sets or removes, whether in `claims` or by a keyword of its own."""
    named = {name: value for name, value in options.items() if name in _CLAIMS}
    claims = options.get("claims", {})
    for name in named:
        if name in claims:
            raise TypeError(f"{name} is given twice: as a keyword, and in claims={{...}}")
    chosen = {**claims, **named}
    for name, option in (("exp", "lifetime"), ("iat", "issued_at")):
        if name in chosen and option in options:
            raise TypeError(f"{name} and {option} say the same: give one of them")
    return chosen


def _check_keywords(method: Callable[..., str], options: MintOptions) -> None:
    unknown = next((name for name in options if name not in MintOptions.__annotations__), None)
    if unknown is None:
        return
    raise unknown_keyword(method, unknown, [*MintOptions.__annotations__])


def unknown_keyword(method: Callable[..., object], unknown: str, further: Sequence[str] = ()) -> TypeError:
    """The error of an argument that a function does not have. It names the one that was probably meant.

    Args:
        method: the function.
        unknown: the name that was given.
        further: what its `**` argument takes. Default nothing.
    """
    kinds = inspect.signature(method).parameters.values()
    known = [*(one.name for one in kinds if one.kind is not one.VAR_KEYWORD), *further]
    meant = _MEANT.get(unknown)
    near = [meant] if meant in known else difflib.get_close_matches(unknown, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}; other members go into claims={{…}}"
    return TypeError(f"{method.__name__}() got an unexpected keyword argument {unknown!r}: {hint}")


def joined_scopes(scopes: Iterable[str]) -> str:
    """The value of a `scope` claim. Raises TypeError for one string, ValueError for a scope that is empty or holds a space."""
    if isinstance(scopes, str | bytes):
        raise TypeError("scopes is a list of scopes, not one string")
    names = list(scopes)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"scopes is a list of strings, and {name!r} is none")
        if name.split() != [name]:
            raise ValueError(f"{name!r} is not one scope: give each scope as a string of its own")
    return " ".join(names)


def checked_app_id(app_id: str) -> str:
    """An App ID. Raises TypeError for a list, such as scopes that were given without their name."""
    if not isinstance(app_id, str):
        raise TypeError(f"app_id is one App ID, not {app_id!r}; scopes have to be named: scopes=[...]")
    return app_id


def _identifier() -> str:
    return secrets.token_urlsafe(32)
