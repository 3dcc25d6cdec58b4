"""The types of the functions that fixtures give, for annotations: `def test_orders(m2m_headers: HeadersFactory)`. Types only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, Unpack

from m2mguard.caller import Caller
from m2mguard.testing._minting import MintOptions


class TokenFactory(Protocol):
    """The fixture `m2m_token`: mints an application's token. Arguments as `LocalIssuer.mint`."""

    def __call__(
        self,
        app_id: str = ...,
        *,
        audience: str | list[str] = ...,
        scopes: Iterable[str] = ...,
        organization_id: str | None = ...,
        **options: Unpack[MintOptions],
    ) -> str: ...


class HeadersFactory(Protocol):
    """The fixture `m2m_headers`: the header fields that carry such a token."""

    def __call__(
        self,
        app_id: str = ...,
        *,
        audience: str | list[str] = ...,
        scopes: Iterable[str] = ...,
        organization_id: str | None = ...,
        **options: Unpack[MintOptions],
    ) -> dict[str, str]: ...


class CallerFactory(Protocol):
    """The fixture `fake_caller`: makes a Caller. Arguments as `m2mguard.testing.fake_caller`."""

    def __call__(
        self,
        app_id: str = ...,
        *,
        scopes: Iterable[str] = ...,
        organization_id: str | None = ...,
        user_id: str | None = ...,
        issuer: str = ...,
        audience: str = ...,
        expires_at: float | None = ...,
        claims: Mapping[str, object] | None = ...,
    ) -> Caller: ...
