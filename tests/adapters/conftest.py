"""A resource server with configured keys, so that the tests of adapters need no running issuer."""

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from m2mguard import Issuer, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests import django_site

django_site.set_up()  # before any module of Django REST framework is imported


@pytest.fixture(scope="session")
def issuer() -> LocalIssuer:
    """An issuer that only mints and never runs: the server has its keys."""
    return LocalIssuer()


@pytest.fixture
def server(issuer: LocalIssuer) -> ResourceServer:
    return ResourceServer(replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks), audience=SHOPPING_API)


@pytest.fixture
def bearer(issuer: LocalIssuer) -> Callable[..., dict[str, str]]:
    """Mint a token, by default with the scope `read:orders`; returns the headers of a request with it."""

    def header(app_id: str = "app-orders", *, scopes: Collection[str] = ("read:orders",), **options) -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer.mint(app_id, scopes=scopes, **options)}"}

    return header
