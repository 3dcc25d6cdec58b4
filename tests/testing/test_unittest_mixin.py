"""`M2MTestMixin`: what the fixtures give, in `unittest` and in Django's test cases; run by pytest and by unittest itself."""

# ruff: noqa: PT027 - this is how unittest is written
import subprocess
import sys
import unittest

from django.test import SimpleTestCase, override_settings

from m2mguard import InsufficientScope, InvalidToken, Issuer, Requirement, ResourceServer
from m2mguard.errors import MissingToken
from m2mguard.testing import M2MTestMixin, fake_caller
from tests import django_site

django_site.set_up()
READ = Requirement(scopes=["read"])


class Plain(M2MTestMixin, unittest.TestCase):
    m2m_audience = "https://mine.api"

    def setUp(self):  # without super(): the mixin needs no set-up
        self.own = ResourceServer(Issuer.logto("https://tenant.example"), audience="https://mine.api")

    def test_a_token_is_verified(self):
        caller = self.m2m_server.verify(self.m2m_token("app-mine", scopes=["read"]), READ)
        assert (caller.app_id, caller.audience) == ("app-mine", "https://mine.api")
        with self.assertRaises(InsufficientScope):
            self.m2m_server.verify(self.m2m_token(), READ)
        with self.assertRaises(InvalidToken):
            self.m2m_server.verify(self.m2m_token(audience="https://stock.api"))

    def test_an_hour_later_it_has_expired(self):
        fields = [self.m2m_headers()["Authorization"]]
        self.m2m_server.authenticate(fields)
        self.m2m_clock.advance(hours=1)
        with self.assertRaises(InvalidToken):
            self.m2m_server.authenticate(fields)

    def test_an_app_trusts_the_issuer_until_the_test_ends(self):
        self.m2m_trust(self.own)
        assert self.own.verify(self.m2m_token()).app_id == "app-orders"

    def test_a_caller_calls_until_the_test_ends(self):
        self.m2m_calling_as(self.own, fake_caller(scopes=["read"]))
        self.own.authenticate([], READ)
        with self.assertRaises(InsufficientScope):
            self.own.authenticate([], Requirement(scopes=["write"]))
        self.doCleanups()
        with self.assertRaises(MissingToken):
            self.own.authenticate([], READ)

    def test_the_issuer_is_of_this_test_alone(self):
        assert self.m2m_issuer.count() == 0
        assert self.m2m_issuer is self.m2m_issuer


class Async(M2MTestMixin, unittest.IsolatedAsyncioTestCase):
    async def test_a_token_is_verified(self):
        assert (await self.m2m_server.averify(self.m2m_token("app-mine"))).app_id == "app-mine"


class OfDjango(M2MTestMixin, SimpleTestCase):
    def test_a_token_is_verified(self):
        with override_settings(M2MGUARD={"SERVER": self.m2m_server}):
            assert self.m2m_server.verify(self.m2m_token("app-mine")).app_id == "app-mine"


def test_unittest_runs_them_too():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", __name__],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 7 tests" in done.stderr
