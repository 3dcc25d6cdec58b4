"""A running issuer and a plain HTTP client for the tests of this folder."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import pytest
import urllib3

from m2mguard.testing import LocalIssuer, ThrowawayCA


class Http(Protocol):
    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> urllib3.BaseHTTPResponse: ...


@pytest.fixture
def http() -> Iterator[Http]:
    """Send one request and return the answer as it is: no retry, no redirect followed."""
    with urllib3.PoolManager(retries=False, timeout=10) as pool:

        def request(
            method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
        ) -> urllib3.BaseHTTPResponse:
            return pool.request(method, url, headers=headers, body=body, redirect=False)

        yield request


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayCA:
    return ThrowawayCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def issuer_with_tls(ca: ThrowawayCA) -> Iterator[LocalIssuer]:
    with LocalIssuer(host="localhost", ssl_context=ca.server_context()) as issuer:
        yield issuer
