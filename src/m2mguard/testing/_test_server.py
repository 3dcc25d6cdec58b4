"""`TestServer`: a ResourceServer with an issuer of its own, and the clock that both share. And `trusting`: the same for an existing app."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Self, Unpack

from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller
from m2mguard.issuer import Issuer
from m2mguard.testing._block import Block, as_block
from m2mguard.testing._calling_as import calling_as, protecting
from m2mguard.testing._chaos import fetch_keys_before_trouble, make_keys_stale
from m2mguard.testing._local_issuer import LocalIssuer, movable_clock_of
from m2mguard.testing._minting import SHOPPING_API, MintOptions
from m2mguard.testing._movable_clock import MovableClock
from m2mguard.testing._replaced_parts import replacing

TOKEN_LIFETIME_S: Final = 3540.0
"""Of the tokens of a `TestServer` and of the fixtures: an hour later they have expired, also with the server's leeway."""


class TestServer(ResourceServer):
    """A ResourceServer for tests: it trusts one local issuer, and nothing is asked over HTTP unless you say so.

    A context manager, which runs the issuer if it made it. Tokens come from `token()` and `headers()`; `clock.advance(hours=1)` moves
    the clock of the server and of the issuer.

    Args:
        issuer: whose tokens are accepted. Default: one of its own, without a socket, or on loopback with `http=True`.
        audience: the API identifier, or several; tokens are for the first. Default "https://shopping.api".
        http: fetch keys from the issuer over HTTP, as in production. Default False: the issuer is asked in the process.
        **settings: any other argument of `ResourceServer`.

    Attributes:
        issuer: the local issuer, which mints tokens and misbehaves on demand.
        clock: the issuer's clock, which is the server's, too.

    Raises:
        ConfigurationError: as `ResourceServer`.
        ValueError: `http` and an issuer that is not served; or an issuer that was given another kind of clock.
    """

    __test__ = False  # pytest must not take it for a class of tests

    def __init__(
        self,
        issuer: LocalIssuer | None = None,
        *,
        audience: str | Sequence[str] = SHOPPING_API,
        http: bool = False,
        **settings: Any,
    ) -> None:
        self._own_issuer = None if issuer else LocalIssuer(served=http, token_lifetime=TOKEN_LIFETIME_S)
        self.issuer: Final[LocalIssuer] = issuer or self._own_issuer  # type: ignore[assignment]
        if http and not self.issuer.is_served:
            raise ValueError(
                "http=True needs an issuer that is served, and this one was made with served=False, as the fixtures make it where "
                "pytest-socket blocks sockets: use the fixture m2m_server, or allow sockets on loopback"
            )
        self.clock: Final[MovableClock] = movable_clock_of(self.issuer)
        transport = {} if http else {"transport": self.issuer.transport}
        super().__init__(self.issuer.trusted, audience, **{"clock": self.clock} | transport | settings)

    def __enter__(self) -> Self:
        if self._own_issuer is not None:
            self._own_issuer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._own_issuer is not None:
            self._own_issuer.__exit__()

    def token(
        self,
        app_id: str = "app-orders",
        *,
        scopes: Iterable[str] = (),
        audience: str | list[str] | None = None,
        organization_id: str | None = None,
        **options: Unpack[MintOptions],
    ) -> str:
        """Mint an application's token for this API; it grants nothing unless you name scopes. Arguments as `LocalIssuer.mint`."""
        return self.issuer.mint(
            app_id,
            audience=audience or self.settings.audience[0],
            scopes=scopes,
            organization_id=organization_id,
            **options,
        )

    def headers(
        self,
        app_id: str = "app-orders",
        *,
        scopes: Iterable[str] = (),
        audience: str | list[str] | None = None,
        organization_id: str | None = None,
        **options: Unpack[MintOptions],
    ) -> dict[str, str]:
        """The header fields of a request with such a token: `client.get("/orders", headers=server.headers(scopes=[...]))`."""
        return bearer(self.token(app_id, scopes=scopes, audience=audience, organization_id=organization_id, **options))

    def calling_as(self, caller: Caller) -> Block[Caller]:
        """`calling_as` for whatever this server protects."""
        return calling_as(self, caller)

    def make_keys_stale(self) -> None:
        """Stop the issuer, and move the clock until the keys are older than their `ttl`: they are then served stale.

        Call `issuer.start()` to end it. Keys that were not fetched yet are fetched first.
        """
        make_keys_stale(self, self.issuer)


@as_block
def trusting(target: object, issuer: LocalIssuer) -> Iterator[None]:
    """Inside the block, an application trusts this local issuer and no other; everything else about it stays as it is.

    `with trusting(app, issuer):`, or `@trusting(app, issuer)`, as `calling_as`.

    For an application that has its ResourceServer already: its audience, leeway and requirements are kept, keys come from the local
    issuer without HTTP, and its clock is that of the issuer. A requirement that names the application's own issuer is met by the local one.
    If the application asks its issuer about opaque tokens, the local one is asked instead (`mint_opaque`).

    Args:
        target: as for `calling_as`.
        issuer: whose tokens are accepted.

    Raises:
        TypeError: no ResourceServer protects the target.
    """
    with contextlib.ExitStack() as replaced:
        for server in protecting(target):
            names = [name for one in server.settings.issuers for name in one.names if name != issuer.url]
            local = {
                "issuers": dataclasses.replace(_standing_in(issuer, server), aliases=names),
                "transport": issuer.transport,
                "clock": issuer.clock,
                "monotonic": None,
                "key_directory": None,
            }
            replacement = ResourceServer(**server.settings.arguments() | local)
            fetch_keys_before_trouble(replacement, issuer)
            parts = {name: value for name, value in vars(replacement).items() if name in vars(server)}
            replaced.enter_context(replacing(server, parts))
        yield


def _standing_in(issuer: LocalIssuer, server: ResourceServer) -> Issuer:
    """A local issuer as a setting; asked about opaque tokens if one of the server's issuers is, under the same rules."""
    for one in server.settings.issuers:
        if one.introspection is not None:
            ours = one.introspection
            return issuer.introspecting(ttl=ours.ttl, audience_required=ours.audience_required, jwt=ours.jwt)
    return issuer.trusted


def bearer(token: str) -> dict[str, str]:
    """The header fields that carry a token (RFC 6750 section 2.1)."""
    return {"Authorization": f"Bearer {token}"}
