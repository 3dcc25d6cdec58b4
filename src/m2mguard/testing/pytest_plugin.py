"""Fixtures for the tests of an API that m2mguard protects; pytest finds them by itself (entry point `m2mguard`).

Loaded into every pytest run on the machine, so nothing but pytest is imported before a fixture is asked for.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from m2mguard import ResourceServer
    from m2mguard.testing import LocalIssuer

__all__ = ["m2m_audience", "m2m_issuer", "m2m_server", "m2m_token"]


@pytest.fixture
def m2m_audience() -> str:
    """The API identifier of the API under test; override it with your own."""
    return "https://shopping.api"


@pytest.fixture
def m2m_issuer() -> Iterator[LocalIssuer]:
    """A running `LocalIssuer`; override it for other keys, applications or resources."""
    from m2mguard.testing import LocalIssuer

    with LocalIssuer() as issuer:
        yield issuer


@pytest.fixture
def m2m_token(m2m_issuer: LocalIssuer, m2m_audience: str) -> Callable[..., str]:
    """Mint a token for `m2m_audience`: `LocalIssuer.mint` with that default."""
    return functools.partial(m2m_issuer.mint, audience=m2m_audience)


@pytest.fixture
def m2m_server(m2m_issuer: LocalIssuer, m2m_audience: str) -> ResourceServer:
    """A `ResourceServer` that trusts `m2m_issuer`, for the app under test."""
    from m2mguard import Issuer, ResourceServer

    return ResourceServer(Issuer.logto(m2m_issuer.endpoint), audience=m2m_audience)


def __dir__() -> list[str]:
    return sorted(__all__)
