"""`M2MTestMixin`: what the pytest fixtures give, for `unittest.TestCase` and Django's test cases. Each part is made at its first use."""

from __future__ import annotations

import functools
import unittest
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Unpack

from m2mguard.testing._calling_as import calling_as
from m2mguard.testing._local_issuer import LocalIssuer, movable_clock_of
from m2mguard.testing._minting import SHOPPING_API, MintOptions
from m2mguard.testing._movable_clock import MovableClock
from m2mguard.testing._test_server import TOKEN_LIFETIME_S, TestServer, bearer, trusting

if TYPE_CHECKING:
    from m2mguard.caller import Caller

    _Case = unittest.TestCase
else:
    _Case = object


class M2MTestMixin(_Case):
    """Put it before the test case: `class OrdersTest(M2MTestMixin, unittest.TestCase)`. It needs no `setUp`, and cleans up by itself.

    Attributes:
        m2m_audience: the API identifier of the API under test; override it with your own.
    """

    m2m_audience: ClassVar[str] = SHOPPING_API

    @functools.cached_property
    def m2m_issuer(self) -> LocalIssuer:
        """A running `LocalIssuer`, new for each test. Without a socket: only this process reaches it."""
        return self.enterContext(LocalIssuer(served=False, token_lifetime=TOKEN_LIFETIME_S))

    @functools.cached_property
    def m2m_server(self) -> TestServer:
        """A `TestServer` that trusts `m2m_issuer`, without HTTP."""
        return TestServer(self.m2m_issuer, audience=self.m2m_audience)

    @property
    def m2m_clock(self) -> MovableClock:
        """The clock of the issuer and of the server."""
        return movable_clock_of(self.m2m_issuer)

    def m2m_trust(self, target: object) -> None:
        """Have an application trust `m2m_issuer` until the test ends. Arguments and errors as `trusting`."""
        self.enterContext(trusting(target, self.m2m_issuer))

    def m2m_calling_as(self, target: object, caller: Caller) -> Caller:
        """Have every request to an application come from this Caller until the test ends. Arguments and errors as `calling_as`."""
        return self.enterContext(calling_as(target, caller))

    def m2m_token(
        self,
        app_id: str = "app-orders",
        *,
        scopes: Iterable[str] = (),
        audience: str | list[str] | None = None,
        organization_id: str | None = None,
        **options: Unpack[MintOptions],
    ) -> str:
        """Mint a token for `m2m_audience`; it grants nothing unless you name scopes. Arguments as `LocalIssuer.mint`."""
        return self.m2m_issuer.mint(
            app_id, audience=audience or self.m2m_audience, scopes=scopes, organization_id=organization_id, **options
        )

    def m2m_headers(
        self,
        app_id: str = "app-orders",
        *,
        scopes: Iterable[str] = (),
        audience: str | list[str] | None = None,
        organization_id: str | None = None,
        **options: Unpack[MintOptions],
    ) -> dict[str, str]:
        """The header fields of a request with such a token."""
        return bearer(
            self.m2m_token(app_id, scopes=scopes, audience=audience, organization_id=organization_id, **options)
        )
