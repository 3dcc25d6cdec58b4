"""`FakeTokenSource`: a `TokenSource` for the tests of a calling service, which asks no issuer."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final, Self

from m2mguard.client import AccessToken, TokenRequestError, TokenSource

UNACCEPTED: Final = "a-token-of-the-test"
_LIFETIME_S = 3600.0


class FakeTokenSource(TokenSource):
    """Gives the tokens that the test says. Nothing is fetched, nothing is kept, and nothing blocks.

    Args:
        token: the token to give, default a text that no API accepts; or a function that makes a new one at each call, such as
            `lambda: server.token("app-orders", scopes=["read:stock"])`.
        scopes: what the token is said to grant, default nothing.

    Attributes:
        error: set it to a `TokenRequestError`, and every call for a token raises it; None, the default, ends that.
        rejected: the tokens that an API has answered 401 to, in order.
        targets: what `for_target` was asked for, in order.
    """

    def __init__(self, token: str | Callable[[], str] = UNACCEPTED, *, scopes: Collection[str] = ()) -> None:
        self._make = token
        self._scopes = frozenset(scopes)
        self.error: TokenRequestError | None = None
        self.rejected: list[AccessToken] = []
        self.targets: list[Mapping[str, object]] = []

    @property
    def _dpop(self) -> None:
        """Its tokens are bearer tokens."""

    def token(self) -> AccessToken:
        """The token. Raises `error` if it is set."""
        if self.error is not None:
            raise self.error
        value = self._make if isinstance(self._make, str) else self._make()
        return AccessToken(value=value, scopes=self._scopes, expires_at=time.time() + _LIFETIME_S)

    async def atoken(self) -> AccessToken:
        """As `token`."""
        return self.token()

    def replace(self, rejected: AccessToken) -> AccessToken | None:
        """Another token, if the source makes new ones; None if it has one only, or while `error` is set."""
        self.rejected.append(rejected)
        return None if isinstance(self._make, str) or self.error is not None else self.token()

    async def areplace(self, rejected: AccessToken) -> AccessToken | None:
        """As `replace`."""
        return self.replace(rejected)

    def reject(self, rejected: AccessToken) -> None:
        """Note that an API has answered 401 to a token."""
        self.rejected.append(rejected)

    def for_target(
        self,
        *,
        resource: str | None = None,
        scopes: Collection[str] = (),
        organization_id: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Self:
        """This source, whatever it is asked for; `targets` notes that."""
        asked = {"resource": resource, "scopes": scopes, "organization_id": organization_id, "parameters": parameters}
        self.targets.append(asked)
        return self

    def __repr__(self) -> str:
        return "FakeTokenSource()"
