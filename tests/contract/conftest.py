"""One issuer for the whole table."""

from collections.abc import Iterator

import pytest

from m2mguard.testing.contract import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as world:
        yield world
