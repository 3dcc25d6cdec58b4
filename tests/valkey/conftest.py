"""A Valkey server for the tests of a file, empty at the beginning of each."""

import pytest

from tests.blocklist.conftest import opened
from tests.valkey_servers import running_store

__all__ = ["opened"]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with running_store(tmp_path_factory.mktemp("valkey")) as store:
        yield store


@pytest.fixture
def valkey(running):
    running.client.flushall()
    return running
