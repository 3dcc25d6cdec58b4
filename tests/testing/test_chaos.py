"""`chaos`: a stranger's test runs once in each trouble of the issuer, each trouble is real, and a server that cannot survive it fails."""

import base64
import json

import pytest

from m2mguard import KeyCaching, KeysUnavailable
from m2mguard.testing import TestServer, pytest_plugin
from m2mguard.testing._chaos import CLOCK_ERROR_S, TROUBLES
from tests.testing.test_fixtures import NO_ASYNCIO, run

pytest_plugins = ["pytester"]

CHAOS = """
    import pytest
    from m2mguard import KeyCaching
    from m2mguard.testing import TestServer

    {server}

    def test_orders(chaos, m2m_server, m2m_token):
        assert m2m_server.verify(m2m_token("app-mine")).app_id == "app-mine"
"""
NEVER_STALE = """
    @pytest.fixture
    def m2m_server(m2m_issuer):
        return TestServer(m2m_issuer, caching=KeyCaching(stale_for=0))
"""
OF_AN_APPLICATION = """
    from m2mguard import ResourceServer
    from m2mguard.testing import calling_as, trusting

    SERVER = ResourceServer("https://tenant.example/oidc", audience="https://mine.api")

    @pytest.fixture
    def m2m_audience():
        return "https://mine.api"

    @pytest.fixture
    def m2m_server(m2m_issuer):
        with trusting(SERVER, m2m_issuer):
            yield SERVER
"""


def test_chaos_runs_a_test_in_each_trouble(pytester):
    run(pytester, CHAOS.format(server=""), *NO_ASYNCIO).assert_outcomes(passed=8)


def test_chaos_fails_a_server_that_does_not_survive(pytester):
    suite = "\n".join([CHAOS.format(server=""), NEVER_STALE])
    result = run(pytester, suite, *NO_ASYNCIO)
    result.assert_outcomes(passed=7, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(["FAILED *[[]stale[]]*", "ERROR *[[]stale[]]*"])


def test_chaos_runs_for_the_server_of_an_application(pytester):
    run(pytester, CHAOS.format(server="") + OF_AN_APPLICATION, *NO_ASYNCIO).assert_outcomes(passed=8)


def test_a_good_server_survives_each_trouble():
    assert set(TROUBLES) == set(pytest_plugin._TROUBLES)
    for trouble in TROUBLES.values():
        with TestServer() as server:
            server.warm_up()
            trouble(server, server.issuer)
            server.verify(server.token())


@pytest.fixture
def server():
    with TestServer() as running:
        running.warm_up()
        yield running


def test_a_rotation_publishes_a_second_key(server):
    old = server.issuer.current_key
    TROUBLES["rotation"](server, server.issuer)
    assert [key["kid"] for key in server.issuer.jwks["keys"]] == [server.issuer.current_key.kid, old.kid]


def test_a_withdrawal_leaves_the_new_key_only(server):
    old = server.issuer.current_key
    TROUBLES["withdrawal"](server, server.issuer)
    assert [key["kid"] for key in server.issuer.jwks["keys"]] == [server.issuer.current_key.kid]
    assert old.kid != server.issuer.current_key.kid


@pytest.mark.parametrize("name", ["outage", "stale"])
def test_an_issuer_that_is_down_is_not_reached(server, name):
    TROUBLES[name](server, server.issuer)
    server.purge()
    with pytest.raises(KeysUnavailable):
        server.verify(server.token())
    assert server.health().issuers[0].last_problem == "no_connection"


def test_a_slow_issuer_is_too_slow_for_a_short_time_out():
    with TestServer(caching=KeyCaching(timeout=0.1)) as server:
        TROUBLES["slow"](server, server.issuer)
        with pytest.raises(KeysUnavailable):
            server.verify(server.token())


@pytest.mark.parametrize(("name", "error_s"), [("clock ahead", CLOCK_ERROR_S), ("clock behind", -CLOCK_ERROR_S)])
def test_a_wrong_clock_is_in_the_tokens(server, name, error_s):
    TROUBLES[name](server, server.issuer)
    assert issued_at(server.token()) == pytest.approx(server.clock() + error_s, abs=2)


def issued_at(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["iat"]
