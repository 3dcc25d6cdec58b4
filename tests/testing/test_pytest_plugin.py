"""The plugin as a stranger's test suite sees it: found without any import, and idle until a fixture is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

A_STRANGERS_TESTS = """
    import pytest
    from m2mguard import InsufficientScope, InvalidToken, Requirement

    def test_a_token_of_the_issuer_is_verified(m2m_server, m2m_token):
        caller = m2m_server.verify(m2m_token("app-mine", scopes=("read:orders", "write:orders")))
        assert (caller.app_id, caller.scopes) == ("app-mine", {"read:orders", "write:orders"})

    def test_a_token_for_another_api_is_refused(m2m_server, m2m_token):
        with pytest.raises(InvalidToken) as caught:
            m2m_server.verify(m2m_token(audience="https://elsewhere.api"))
        assert caught.value.reason == "audience"

    def test_a_token_has_no_scope_that_was_not_named(m2m_server, m2m_token):
        requirement = Requirement(scopes=["read:orders"])
        m2m_server.authorize(m2m_server.verify(m2m_token(scopes=["read:orders"])), requirement)
        with pytest.raises(InsufficientScope):
            m2m_server.authorize(m2m_server.verify(m2m_token()), requirement)

    def test_the_issuer_rotates(m2m_server, m2m_token, m2m_issuer):
        m2m_server.verify(m2m_token())
        m2m_issuer.rotate()
        assert m2m_server.verify(m2m_token()).app_id == "app-orders"
        assert m2m_issuer.count("jwks") == 2
"""
OWN_AUDIENCE = """
    import pytest

    @pytest.fixture
    def m2m_audience():
        return "https://mine.api"

    def test_the_audience_is_mine(m2m_server, m2m_token):
        assert m2m_server.verify(m2m_token()).audience == "https://mine.api"
"""


@pytest.mark.parametrize(("tests", "passed"), [(A_STRANGERS_TESTS, 4), (OWN_AUDIENCE, 1)])
def test_the_fixtures_serve_a_suite_that_imports_nothing_of_ours(pytester, tests, passed):
    pytester.makepyfile(tests)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=passed)


def test_the_plugin_loads_no_issuer_before_a_fixture_is_asked_for():
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, m2mguard.testing.pytest_plugin; print([n for n in sys.modules if n.startswith('m2mguard.testing')])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "['m2mguard.testing', 'm2mguard.testing.pytest_plugin']"


def test_the_example_in_the_documentation_passes(pytester):
    page = (Path(__file__).parents[2] / "docs" / "guides" / "testing.md").read_text()
    example = page.split("```python\n")[1].split("```")[0]
    pytester.makepyfile(example)
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)
