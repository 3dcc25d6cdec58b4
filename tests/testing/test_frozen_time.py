"""The fixtures in suites that freeze the time, with freezegun and with time-machine, as decorator, block or fixture."""

import pytest

from tests.testing.test_fixtures import NO_ASYNCIO, run

pytest_plugins = ["pytester"]

FREEZEGUN = "import freezegun\nfreeze = freezegun.freeze_time"
TIME_MACHINE = "import time_machine\nfreeze = lambda moment: time_machine.travel(moment, tick=False)"
SUITE = """
{imports}
import pytest
from m2mguard import InvalidToken
from m2mguard.testing import TestServer

@pytest.fixture
def new_year():
    with freeze("2030-01-01T00:00:00+00:00"):
        yield

def expires_in_an_hour(server, token, clock):
    first = token()
    before = server.verify(first).expires_at
    clock.advance(minutes=59)
    server.verify(first)
    clock.advance(minutes=1)
    with pytest.raises(InvalidToken) as caught:
        server.verify(first)
    assert caught.value.reason == "expired"
    server.verify(token())
    return before

@freeze("2020-01-01T00:00:00+00:00")
def test_frozen_by_a_decorator(m2m_server, m2m_served, m2m_token, m2m_clock):
    assert expires_in_an_hour(m2m_server, m2m_token, m2m_clock) == 1577836800 + 3540
    assert expires_in_an_hour(m2m_served, m2m_token, m2m_clock) == 1577836800 + 3600 + 3540

def test_frozen_by_a_fixture(new_year, m2m_server, m2m_served, m2m_token, m2m_clock):
    assert expires_in_an_hour(m2m_server, m2m_token, m2m_clock) == 1893456000 + 3540
    assert expires_in_an_hour(m2m_served, m2m_token, m2m_clock) == 1893456000 + 3600 + 3540

def test_frozen_in_a_block_that_ends(m2m_server, m2m_token):
    m2m_server.verify(m2m_token())
    with freeze("2040-01-01T00:00:00+00:00"):
        of_the_future = m2m_token()
        m2m_server.verify(of_the_future)
    with pytest.raises(InvalidToken) as caught:
        m2m_server.verify(of_the_future)
    assert caught.value.reason == "not_yet_valid"
    m2m_server.verify(m2m_token())

@pytest.mark.parametrize("year", [2020, 2040])
def test_the_server_of_the_session_is_used_in_another_year(m2m_session_server, m2m_session_served, m2m_session_token, year):
    for server in (m2m_session_server, m2m_session_served):
        server.verify(m2m_session_token())
        with freeze(f"{{year}}-01-01"):
            server.verify(m2m_session_token())
        server.verify(m2m_session_token())

def test_frozen_trouble(new_year, chaos, m2m_server, m2m_token):
    m2m_server.verify(m2m_token())
"""


@pytest.mark.parametrize("imports", [FREEZEGUN, TIME_MACHINE], ids=["freezegun", "time-machine"])
def test_frozen_time_and_the_movable_clock_go_together(pytester, imports):
    run(pytester, SUITE.format(imports=imports), *NO_ASYNCIO).assert_outcomes(passed=13)
