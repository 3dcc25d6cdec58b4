"""Fixtures for the tests of an API that m2mguard protects; pytest finds them by itself (entry point `m2mguard`).

Each has a twin of session scope: `m2m_issuer` and `m2m_session_issuer`. Loaded into every pytest run on the machine, so nothing but pytest
is imported before a fixture is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from m2mguard.testing import (
        CallerFactory,
        HeadersFactory,
        LocalIssuer,
        MovableClock,
        TestServer,
        TokenFactory,
    )

__all__ = [
    "chaos",
    "fake_caller",
    "m2m_audience",
    "m2m_clock",
    "m2m_headers",
    "m2m_issuer",
    "m2m_served",
    "m2m_server",
    "m2m_session_audience",
    "m2m_session_clock",
    "m2m_session_headers",
    "m2m_session_issuer",
    "m2m_session_served",
    "m2m_session_server",
    "m2m_session_token",
    "m2m_token",
]

_TROUBLES = ("nothing", "rotation", "withdrawal", "outage", "slow", "stale", "clock ahead", "clock behind")


@pytest.fixture
def m2m_audience(m2m_session_audience: str) -> str:
    """The API identifier of the API under test; override it, or `m2m_session_audience` for both, with your own."""
    return m2m_session_audience


@pytest.fixture(scope="session")
def m2m_session_audience() -> str:
    """As `m2m_audience`, for the fixtures of session scope; override it with your own."""
    return "https://shopping.api"


@pytest.fixture
def m2m_issuer() -> Iterator[LocalIssuer]:
    """A running `LocalIssuer`, new for each test; override it for other keys, applications or resources.

    Where pytest-socket blocks sockets it has none: `served=False`.
    """
    yield from _issuer()


@pytest.fixture(scope="session")
def m2m_session_issuer() -> Iterator[LocalIssuer]:
    """A running `LocalIssuer` for the whole run. A test that rotates its keys or stops it does so for all others."""
    yield from _issuer()


@pytest.fixture
def m2m_clock(m2m_issuer: LocalIssuer) -> MovableClock:
    """The clock of the issuer, which `m2m_server` and `m2m_served` share: `m2m_clock.advance(hours=1)`. Give it to a client, too."""
    return _clock(m2m_issuer)


@pytest.fixture(scope="session")
def m2m_session_clock(m2m_session_issuer: LocalIssuer) -> MovableClock:
    """As `m2m_clock`, of the session's issuer: use `with m2m_session_clock.moved(hours=1):`, which moves it back."""
    return _clock(m2m_session_issuer)


@pytest.fixture
def m2m_server(m2m_issuer: LocalIssuer, m2m_audience: str) -> TestServer:
    """A ResourceServer that trusts `m2m_issuer`, for the app under test. No HTTP: it asks the issuer in the process."""
    return _server(m2m_issuer, m2m_audience, http=False)


@pytest.fixture(scope="session")
def m2m_session_server(m2m_session_issuer: LocalIssuer, m2m_session_audience: str) -> TestServer:
    """As `m2m_server`, for the whole run."""
    return _server(m2m_session_issuer, m2m_session_audience, http=False)


@pytest.fixture
def m2m_served(m2m_issuer: LocalIssuer, m2m_audience: str) -> TestServer:
    """As `m2m_server`, but keys are fetched over real HTTP on loopback, from `m2m_issuer.endpoint`."""
    return _server(m2m_issuer, m2m_audience, http=True)


@pytest.fixture(scope="session")
def m2m_session_served(m2m_session_issuer: LocalIssuer, m2m_session_audience: str) -> TestServer:
    """As `m2m_served`, for the whole run."""
    return _server(m2m_session_issuer, m2m_session_audience, http=True)


@pytest.fixture
def m2m_token(m2m_issuer: LocalIssuer, m2m_audience: str) -> TokenFactory:
    """Mint a token for `m2m_audience`: `m2m_token("app-orders", scopes=["read:orders"])`. It grants nothing that is not named.

    Takes what `LocalIssuer.mint` takes, claims such as `exp=0` too; a keyword that does not exist is a TypeError.
    """
    return _token(m2m_issuer, m2m_audience)


@pytest.fixture(scope="session")
def m2m_session_token(m2m_session_issuer: LocalIssuer, m2m_session_audience: str) -> TokenFactory:
    """As `m2m_token`, from `m2m_session_issuer`."""
    return _token(m2m_session_issuer, m2m_session_audience)


@pytest.fixture
def m2m_headers(m2m_token: TokenFactory) -> HeadersFactory:
    """The header fields of a request with such a token: `client.get("/orders", headers=m2m_headers(scopes=["read:orders"]))`."""
    return _headers(m2m_token)


@pytest.fixture(scope="session")
def m2m_session_headers(m2m_session_token: TokenFactory) -> HeadersFactory:
    """As `m2m_headers`, from `m2m_session_issuer`."""
    return _headers(m2m_session_token)


@pytest.fixture(scope="session")
def fake_caller() -> CallerFactory:
    """Make a Caller without a token, for `calling_as`: `fake_caller("app-orders", scopes=["read:orders"])`. Keeps nothing."""
    from m2mguard.testing import fake_caller

    return fake_caller


@pytest.fixture(params=_TROUBLES)
def chaos(request: pytest.FixtureRequest, m2m_server: TestServer) -> Iterator[str]:
    """Run the test once for each trouble of `m2m_issuer`; the test gets its name. A good token must pass in each.

    `m2m_server`, `m2m_served` and what `trusting` prepares have fetched keys before the trouble begins. When the test has ended, a new
    token is verified by `m2m_server`: if it is refused, the test fails. An `m2m_server` of your own may be your application's, which
    trusts `m2m_issuer` inside `trusting`.
    """
    from m2mguard.testing import TestServer
    from m2mguard.testing._chaos import begin

    is_ours = isinstance(m2m_server, TestServer)
    issuer: LocalIssuer = m2m_server.issuer if is_ours else request.getfixturevalue("m2m_issuer")
    m2m_server.warm_up()
    begin(request.param, m2m_server, issuer)
    yield request.param
    m2m_server.verify(issuer.mint(audience=m2m_server.settings.audience[0]))


def _issuer() -> Iterator[LocalIssuer]:
    import socket

    from m2mguard.testing import LocalIssuer
    from m2mguard.testing._test_server import TOKEN_LIFETIME_S

    is_blocked = socket.socket.__module__ == "pytest_socket"  # whose class warns of every attempt
    with LocalIssuer(token_lifetime=TOKEN_LIFETIME_S, served=not is_blocked) as issuer:
        yield issuer


def _clock(issuer: LocalIssuer) -> MovableClock:
    from m2mguard.testing._local_issuer import movable_clock_of

    return movable_clock_of(issuer)


def _server(issuer: LocalIssuer, audience: str, *, http: bool) -> TestServer:
    from m2mguard.testing import TestServer
    from m2mguard.testing._chaos import fetch_keys_before_trouble

    server = TestServer(issuer, audience=audience, http=http)
    fetch_keys_before_trouble(server, issuer)
    return server


def _token(issuer: LocalIssuer, audience: str) -> TokenFactory:
    import functools

    return functools.partial(issuer.mint, audience=audience)


def _headers(token: TokenFactory) -> HeadersFactory:
    from m2mguard.testing._test_server import bearer

    def headers(*arguments, **options):  # type: ignore[no-untyped-def]  # those of `token`
        return bearer(token(*arguments, **options))

    return headers


def __dir__() -> list[str]:
    return sorted(__all__)
