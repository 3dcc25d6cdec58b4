"""The fixtures in suites of strangers: each in a pytest process of its own, with the plugins that people use beside ours."""

import pytest

from tests.processes import WITHOUT_PLUGINS

pytest_plugins = ["pytester"]

EVERY_FIXTURE = """
    import pytest
    from m2mguard import InsufficientScope, InvalidToken, Requirement
    from m2mguard.testing import calling_as

    READ = Requirement(scopes=["read:orders"])

    def test_the_server_asks_the_issuer_without_http(m2m_server, m2m_token, m2m_issuer):
        assert m2m_server.verify(m2m_token("app-mine", scopes=["read:orders"]), READ).app_id == "app-mine"
        assert [record.headers["host"] for record in m2m_issuer.requests] == [f"127.0.0.1:{m2m_issuer.port}"]
        assert "user-agent" not in m2m_issuer.requests[0].headers  # which every HTTP client sends

    def test_the_served_one_asks_over_http(m2m_served, m2m_token, m2m_issuer):
        assert m2m_served.verify(m2m_token()).app_id == "app-orders"
        assert m2m_issuer.requests[0].headers["user-agent"].startswith("m2mguard/")

    def test_headers_carry_a_token(m2m_server, m2m_headers):
        fields = [m2m_headers("app-mine", scopes=["read:orders"])["Authorization"]]
        assert m2m_server.authenticate(fields, READ).app_id == "app-mine"

    def test_a_token_grants_nothing_that_was_not_named(m2m_server, m2m_token):
        with pytest.raises(InsufficientScope):
            m2m_server.verify(m2m_token(), READ)

    def test_an_hour_later_a_token_has_expired(m2m_server, m2m_token, m2m_clock):
        token = m2m_token()
        m2m_clock.advance(minutes=58)
        m2m_server.verify(token)
        m2m_clock.advance(minutes=2)
        with pytest.raises(InvalidToken) as caught:
            m2m_server.verify(token)
        assert caught.value.reason == "expired"
        m2m_server.verify(m2m_token())

    def test_a_fake_caller_needs_no_token(m2m_server, fake_caller):
        with calling_as(m2m_server, fake_caller("app-mine", scopes=["read:orders"])):
            assert m2m_server.authenticate([], READ).app_id == "app-mine"

    def test_the_session_has_the_same(
        m2m_session_server, m2m_session_served, m2m_session_token, m2m_session_headers, m2m_session_clock, m2m_session_issuer,
        m2m_session_audience,
    ):
        assert m2m_session_server.issuer is m2m_session_served.issuer is m2m_session_issuer
        token = m2m_session_token(scopes=["read:orders"])
        for server in (m2m_session_server, m2m_session_served):
            assert server.verify(token, READ).audience == m2m_session_audience
        with m2m_session_clock.moved(hours=1), pytest.raises(InvalidToken):
            m2m_session_server.verify(token)
        m2m_session_server.authenticate([m2m_session_headers()["Authorization"]])

    def test_the_test_has_an_issuer_of_its_own(m2m_issuer, m2m_session_issuer):
        assert m2m_issuer is not m2m_session_issuer
"""
OVERRIDES = """
    import pytest
    from m2mguard import InvalidToken
    from m2mguard.testing import Application, LocalIssuer

    @pytest.fixture(scope="session")
    def m2m_session_audience():
        return "https://mine.api"

    @pytest.fixture
    def m2m_issuer():
        with LocalIssuer(algorithm="RS256", applications={"app-mine": Application(secret="s")}) as issuer:
            yield issuer

    def test_the_audience_is_mine(m2m_server, m2m_token, m2m_session_server, m2m_session_token):
        assert m2m_server.verify(m2m_token()).audience == "https://mine.api"
        assert m2m_session_server.verify(m2m_session_token()).audience == "https://mine.api"

    def test_the_clock_is_that_of_my_issuer(m2m_server, m2m_token, m2m_clock, m2m_issuer):
        assert m2m_issuer.current_key.algorithm == "RS256"
        token = m2m_token()
        m2m_clock.advance(hours=1, minutes=1)
        with pytest.raises(InvalidToken):
            m2m_server.verify(token)
        m2m_server.verify(m2m_token())
"""
ASYNC = """
    import pytest

    {mark}
    async def test_a_token_is_verified(m2m_server, m2m_served, m2m_token, m2m_clock):
        assert (await m2m_server.averify(m2m_token("app-mine"))).app_id == "app-mine"
        assert (await m2m_served.averify(m2m_token("app-mine"))).app_id == "app-mine"
        m2m_clock.advance(minutes=30)
        assert (await m2m_server.averify(m2m_token("app-mine"))).app_id == "app-mine"
"""


def run(pytester, suite, *options):
    pytester.makepyfile(suite)
    return pytester.runpytest_subprocess("-W", "error", *WITHOUT_PLUGINS, *options)


NO_ASYNCIO = ("-p", "no:asyncio")


@pytest.mark.parametrize(
    ("suite", "options", "passed"),
    [(EVERY_FIXTURE, (), 8), (EVERY_FIXTURE, ("-n", "2"), 8), (OVERRIDES, (), 2)],
    ids=["every fixture", "xdist", "overrides"],
)
def test_a_suite_uses_the_fixtures_without_an_import(pytester, suite, options, passed):
    run(pytester, suite, *NO_ASYNCIO, *options).assert_outcomes(passed=passed)


def test_the_fixtures_need_no_socket(pytester):
    suite = EVERY_FIXTURE.replace('f"127.0.0.1:{m2m_issuer.port}"', "'issuer.test'")
    chosen = "not served and not session"
    run(pytester, suite, *NO_ASYNCIO, "--disable-socket", "-k", chosen).assert_outcomes(passed=6, deselected=2)


@pytest.mark.parametrize(
    ("mark", "options", "passed"),
    [
        ("@pytest.mark.anyio", NO_ASYNCIO, 2),
        ("@pytest.mark.asyncio", ("-o", "asyncio_default_fixture_loop_scope=function"), 1),
        ("", ("-o", "asyncio_default_fixture_loop_scope=function", "-o", "asyncio_mode=auto"), 1),
    ],
    ids=["anyio on asyncio and trio", "pytest-asyncio strict", "pytest-asyncio auto"],
)
def test_the_fixtures_serve_async_tests(pytester, mark, options, passed):
    run(pytester, ASYNC.format(mark=mark), *options).assert_outcomes(passed=passed)
