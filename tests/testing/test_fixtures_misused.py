"""Mistakes with the fixtures: each is an error that says what was meant, and beside it what is right passes."""

import pytest

from tests.testing.test_fixtures import NO_ASYNCIO, run

pytest_plugins = ["pytester"]

MISTAKES = """
    import pytest
    from m2mguard import InsufficientScope, Requirement
    from m2mguard.testing import REMOVED, calling_as

    @pytest.mark.parametrize(
        ("keyword", "meant"), [("scope", "scopes"), ("audiance", "audience"), ("organization", "organization_id"), ("expires_at", "exp")]
    )
    def test_a_wrong_keyword_is_named(m2m_token, m2m_headers, m2m_session_token, m2m_session_headers, keyword, meant):
        for make in (m2m_token, m2m_headers, m2m_session_token, m2m_session_headers):
            with pytest.raises(TypeError, match=f"'{keyword}': did you mean '{meant}'"):
                make("app-mine", **{keyword: ["read"]})

    def test_a_wrong_keyword_of_a_fake_caller_is_named(fake_caller):
        with pytest.raises(TypeError, match="'scope': did you mean 'scopes'"):
            fake_caller("app-mine", scope=["read"])

    def test_one_string_is_no_list_of_scopes(m2m_token, m2m_headers, fake_caller):
        for make in (m2m_token, m2m_headers, fake_caller):
            with pytest.raises(TypeError, match="not one string"):
                make(scopes="read:orders")
            make(scopes=["read:orders"])

    def test_a_claim_is_given_once(m2m_token, m2m_headers):
        for make in (m2m_token, m2m_headers):
            with pytest.raises(TypeError, match="exp and lifetime"):
                make(exp=0, lifetime=60)
            with pytest.raises(TypeError, match="nbf is given twice"):
                make(nbf=0, claims={"nbf": 0})

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"exp": REMOVED}, "claim"), ({"exp": 0}, "expired"), ({"nbf": 9_999_999_999}, "not_yet_valid"),
            ({"aud": "https://stock.api"}, "audience"), ({"iss": "https://other.example"}, "unknown_issuer"),
            ({"lifetime": -60}, "expired"), ({"audience": "https://stock.api"}, "audience"),
        ],
    )
    def test_a_claim_is_a_keyword(m2m_server, m2m_token, claims, reason):
        with pytest.raises(Exception) as caught:
            m2m_server.verify(m2m_token(**claims))
        assert caught.value.reason == reason
        m2m_server.verify(m2m_token(nbf=0, jti="mine"))

    def test_nothing_is_granted_that_was_not_named(m2m_server, m2m_token, fake_caller):
        assert m2m_server.verify(m2m_token()).scopes == fake_caller().scopes == frozenset()
        assert m2m_server.verify(m2m_token()).organization_id is fake_caller().organization_id is None

    def test_to_move_the_clock_by_nothing_is_an_error(m2m_clock):
        with pytest.raises(ValueError, match="advance"):
            m2m_clock.advance()
"""
AUDIENCE_OF_ONE_TEST = """
    import pytest

    @pytest.fixture
    def m2m_audience():
        return "https://mine.api"

    def test_its_fixtures_have_it(m2m_server, m2m_served, m2m_token, m2m_headers):
        for server in (m2m_server, m2m_served):
            assert server.verify(m2m_token()).audience == "https://mine.api"
            assert server.authenticate([m2m_headers()["Authorization"]]).audience == "https://mine.api"

    def test_those_of_the_session_do_not(m2m_session_server, m2m_session_token):
        assert m2m_session_server.verify(m2m_session_token()).audience == "https://shopping.api"
"""
CLOCK_OF_ANOTHER_KIND = """
    import time

    import pytest
    from m2mguard.testing import LocalIssuer

    @pytest.fixture
    def m2m_issuer():
        with LocalIssuer(clock=time.time) as issuer:
            yield issuer

    def test_it_cannot_be_moved(request):
        for name in ("m2m_clock", "m2m_server"):
            with pytest.raises(ValueError, match="clock of another kind"):
                request.getfixturevalue(name)
"""
SESSION_WITHOUT_SOCKETS = """
    def test_of_the_session(m2m_session_server, m2m_session_token, m2m_session_issuer):
        assert m2m_session_server.verify(m2m_session_token("app-mine")).app_id == "app-mine"
        assert not m2m_session_issuer.is_served

    def test_in_trouble(chaos, m2m_server, m2m_token):
        m2m_server.verify(m2m_token())
"""
SERVED_WITHOUT_SOCKETS = """
    def test_over_http(m2m_served):
        pass
"""


@pytest.mark.parametrize(
    ("suite", "passed"),
    [(MISTAKES, 16), (AUDIENCE_OF_ONE_TEST, 2), (CLOCK_OF_ANOTHER_KIND, 1)],
    ids=["mistakes", "audience", "clock"],
)
def test_a_mistake_is_an_error_and_what_is_right_passes(pytester, suite, passed):
    run(pytester, suite, *NO_ASYNCIO).assert_outcomes(passed=passed)


def test_those_of_the_session_need_no_socket(pytester):
    run(pytester, SESSION_WITHOUT_SOCKETS, *NO_ASYNCIO, "--disable-socket").assert_outcomes(passed=9)


def test_what_needs_a_socket_says_so(pytester):
    result = run(pytester, SERVED_WITHOUT_SOCKETS, *NO_ASYNCIO, "--disable-socket")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pytest-socket blocks sockets: use the fixture m2m_server*"])
    run(pytester, SERVED_WITHOUT_SOCKETS, *NO_ASYNCIO, "--allow-hosts=127.0.0.1").assert_outcomes(passed=1)
