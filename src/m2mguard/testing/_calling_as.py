"""`calling_as`: requests without tokens, and still with every check of what the route asks for. And `fake_caller`, who calls.

Only the verification of the token is replaced: the adapter, the requirement, the answer and the log are those of production.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Never, Self

from m2mguard._routes import servers_of
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller, freeze_claims
from m2mguard.errors import InsufficientScope
from m2mguard.health import IssuerHealth, VerdictHealth
from m2mguard.testing._block import as_block
from m2mguard.testing._minting import SHOPPING_API, checked_app_id, joined_scopes, unknown_keyword
from m2mguard.testing._replaced_parts import replacing

UNNAMED_ISSUER: Final = "https://issuer.test/oidc"
"""The issuer of a `fake_caller` for which none was named."""
_HOUR_S = 3600.0


def fake_caller(
    app_id: str = "app-orders",
    *,
    scopes: Iterable[str] = (),
    organization_id: str | None = None,
    user_id: str | None = None,
    issuer: str = UNNAMED_ISSUER,
    audience: str = SHOPPING_API,
    expires_at: float | None = None,
    claims: Mapping[str, object] | None = None,
    **unknown: Never,
) -> Caller:
    """Make a Caller without a token. It has no scope unless you name some.

    Args:
        app_id: the application.
        scopes: the scopes it has, as a list; default none.
        organization_id: the organization that its token would be limited to; default None, a global token.
        user_id: given, the Caller is this person, signed in with the application. Default None: a machine.
        issuer: the issuer's URL; default: `calling_as` takes that of the server.
        audience: the API identifier.
        expires_at: seconds since the epoch; default an hour from now.
        claims: further claims, beside those that the arguments above give. Default none.
        **unknown: none; the error names the argument that was meant.

    Raises:
        TypeError: an argument that does not exist, one string as `scopes`, or a claim that another argument gives.
        ValueError: an empty scope, or one with a space in it.
    """
    for name in unknown:
        raise unknown_keyword(fake_caller, name)
    checked_app_id(app_id)
    scope = joined_scopes(scopes)
    ends = time.time() + _HOUR_S if expires_at is None else expires_at
    named = {
        "iss": issuer, "sub": user_id or app_id, "client_id": app_id, "aud": audience, "exp": ends, "scope": scope,
        "organization_id": organization_id,
    }  # fmt: skip
    for name in claims or ():
        if name in named:
            raise TypeError(f"{name} in claims={{...}}: fake_caller() has an argument for it, and takes it from there")
    return Caller(
        app_id=app_id,
        subject=user_id or app_id,
        is_machine=user_id is None,
        scopes=frozenset(scope.split()),
        organization_id=organization_id,
        issuer=issuer,
        audience=audience,
        expires_at=ends,
        claims=freeze_claims({name: value for name, value in named.items() if value} | dict(claims or {})),
    )


@as_block
def calling_as(target: object, caller: Caller) -> Iterator[Caller]:
    """Inside the block, every request comes from this Caller, whatever token it carries or lacks; what the route asks for is enforced.

    `with calling_as(app, caller):`, or `@calling_as(app, caller)` above a test or fixture, which may be an `async def`.

    A Caller without the scope, organization or App ID that the route asks for gets the real 403, and a person gets it from a server with
    `machine_only`. Public paths stay public. It applies to all threads and tasks; of several blocks the last to begin counts.

    Args:
        target: a ResourceServer; an application (ASGI, FastAPI, Starlette, Litestar, WSGI, Flask, Django, Ninja) or its test client; an
            adapter's dependency or guard, such as FastAPI's `auth`; for Django also a RequestFactory or the settings module;
            a list of these.
        caller: who calls, such as `fake_caller("app-orders", scopes=["read:orders"])`.

    Nothing is fetched inside the block: a lifespan that fetches keys goes on at once, and a readiness probe is answered 200.

    Yields:
        The Caller as the route sees it: of the server's issuer if it names none, and of the server's audience if it has another.

    Raises:
        TypeError: no ResourceServer protects the target, so that the block would change nothing; or `caller` is no Caller.
    """
    if not isinstance(caller, Caller):
        raise TypeError(f"caller must be a Caller, such as fake_caller('app-orders'), not {type(caller).__name__}")
    servers = protecting(target)
    with contextlib.ExitStack() as replaced:
        for server in servers:
            issuers = tuple(_NeverAsked(url=issuer.url) for issuer in server.settings.issuers)
            verifier = _AlwaysThisCaller(server, _as_seen_by(server, caller))
            replaced.enter_context(replacing(server, {"_verifier": verifier, "_issuers": issuers, "_dpop": None}))
        yield _as_seen_by(servers[0], caller)


def _as_seen_by(server: ResourceServer, caller: Caller) -> Caller:
    issuer, audience = caller.issuer, caller.audience
    if issuer == UNNAMED_ISSUER:
        issuer = server.settings.issuers[0].url
    if audience not in server.settings.audience:
        audience = server.settings.audience[0]
    claims = {**caller.claims, "iss": issuer, "aud": audience}
    return dataclasses.replace(caller, issuer=issuer, audience=audience, claims=freeze_claims(claims))


def protecting(target: object) -> list[ResourceServer]:
    """The ResourceServers behind a target, or behind each target of a list. Raises TypeError if there is none."""
    if isinstance(target, list | tuple) and target:
        return list(dict.fromkeys(server for one in target for server in protecting(one)))
    servers: list[ResourceServer] = []
    if not _has_any_attribute(target):
        servers = servers_of(target) or servers_of(getattr(target, "application", None))  # that of Flask's test client
    if not servers:
        raise TypeError(
            f"nothing of m2mguard was found in {type(target).__name__}: give the ResourceServer, the application, or the adapter's object"
        )
    return servers


def _has_any_attribute(target: object) -> bool:
    """Whether an object makes up what it is asked for, as a Mock does: a search through what it wraps would not end."""
    return hasattr(target, "m2mguard_is_not_in_here")


class _AlwaysThisCaller:
    """A server's verifier while the block runs: every credential, and none, is the Caller's."""

    def __init__(self, server: ResourceServer, caller: Caller) -> None:
        self._machine_only = server.settings.machine_only
        self._caller = caller

    def authenticate(self, _fields: Sequence[str | bytes]) -> Caller:
        if self._machine_only and not self._caller.is_machine:
            error = InsufficientScope("not_a_machine")
            error.app_id, error.issuer = self._caller.app_id, self._caller.issuer
            raise error
        return self._caller

    def verify(self, _token: str | bytes) -> Caller:
        return self.authenticate(())

    def forget(self) -> None:
        """There is nothing to forget."""

    def health(self) -> VerdictHealth:
        return VerdictHealth()


@dataclass(frozen=True, slots=True, kw_only=True)
class _NeverAsked:
    """A server's issuer while the block runs, and its own key source: always ready, and nothing is fetched."""

    url: str

    @property
    def source(self) -> Self:
        return self

    def health(self, _now: float) -> IssuerHealth:
        return IssuerHealth(issuer=self.url, ready=True)

    def fetch_if_unusable(self) -> None:
        """Fetch nothing; so `warm_up` and `refresh`."""

    warm_up = refresh = fetch_if_unusable

    def purge(self) -> None:
        """Forget nothing."""
