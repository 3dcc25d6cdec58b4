"""A certification authority, an issuer with TLS, and a record of connections."""

import os
import sys
from collections.abc import Callable, Iterator

import pytest

from m2mguard.net import HttpTransport, Response
from m2mguard.testing import LocalIssuer, ThrowawayCA


@pytest.fixture(autouse=True)
def without_proxy_environment(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def ca(tmp_path_factory) -> ThrowawayCA:
    return ThrowawayCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_issuer(ca) -> Iterator[LocalIssuer]:
    """An issuer whose certificate is valid for loopback and for `issuer.example`, which only a proxy can resolve."""
    context = ca.server_context("127.0.0.1", "localhost", "issuer.example")
    with LocalIssuer(algorithm="ES256", host="localhost", ssl_context=context) as running:
        yield running


@pytest.fixture
def get(ca) -> Callable[..., Response]:
    """Make one exchange with the default transport, which trusts the throwaway authority."""
    transport = HttpTransport(str(ca.ca_file), connect_timeout=1)

    def get(url: str, *, timeout_s: float = 5, max_bytes: int = 100_000, headers: dict[str, str] | None = None):
        return transport.request("GET", url, headers=headers or {}, body=None, timeout_s=timeout_s, max_bytes=max_bytes)

    return get


class Connects:
    """The addresses that sockets connected to, from CPython's audit events."""

    def __init__(self) -> None:
        self.addresses: list[object] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if event == "socket.connect":
            self.addresses.append(args[1])


@pytest.fixture(scope="session")
def every_connect() -> Connects:
    return Connects()


@pytest.fixture
def connects(every_connect) -> list[object]:
    every_connect.addresses.clear()
    return every_connect.addresses
