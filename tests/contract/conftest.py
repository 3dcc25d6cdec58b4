"""One environment, with an issuer, for all cases."""

from collections.abc import Iterator

import pytest

from m2mguard.testing.contract import Environment
from tests import django_site

django_site.set_up()  # before any module of Django REST framework is imported


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with Environment() as environment:
        yield environment
