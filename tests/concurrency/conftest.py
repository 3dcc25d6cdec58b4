"""A running issuer that answers quickly but for what a test tells it."""

from collections.abc import Iterator

import pytest

from m2mguard.testing import LocalIssuer


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer(algorithm="ES256") as running:
        yield running
