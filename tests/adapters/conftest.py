"""A resource server that knows its keys, so that the tests of an adapter need no issuer to run."""

from collections.abc import Callable

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
    return ResourceServer(Issuer(url=issuer.url, jwks=issuer.jwks), audience=SHOPPING_API)


@pytest.fixture
def bearer(issuer: LocalIssuer) -> Callable[..., dict[str, str]]:
    """Mint a token and make the header that carries it: `bearer(scopes=["read:orders"])`."""
    return lambda *args, **kwargs: {"Authorization": f"Bearer {issuer.mint(*args, **kwargs)}"}
