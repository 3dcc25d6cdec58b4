"""A resource server that knows its keys, so that the tests of an adapter need no issuer to run."""

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from m2mguard import Issuer, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests import django_site

django_site.set_up()  # before any module of Django REST framework is imported


@pytest.fixture(scope="session")
def issuer() -> LocalIssuer:
    return LocalIssuer()  # mints; never started


@pytest.fixture
def server(issuer: LocalIssuer) -> ResourceServer:
    return ResourceServer(replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks), audience=SHOPPING_API)


@pytest.fixture
def bearer(issuer: LocalIssuer) -> Callable[..., dict[str, str]]:
    """Mint a token, with the scope `read:orders` unless others are given, and make the header that carries it."""

    def header(app_id: str = "app-orders", *, scopes: Collection[str] = ("read:orders",), **options) -> dict[str, str]:
        return {"Authorization": f"Bearer {issuer.mint(app_id, scopes=scopes, **options)}"}

    return header
