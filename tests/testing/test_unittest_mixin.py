"""`M2MTestMixin`: what the fixtures give, in `unittest` and in Django's test cases; run by pytest and by unittest itself."""

# ruff: noqa: PT027 - this is how unittest is written
import functools
import subprocess
import sys
import unittest

from django.http import HttpResponse
from django.test import SimpleTestCase, override_settings
from django.urls import path

from m2mguard import InsufficientScope, InvalidToken, Issuer, Requirement, ResourceServer
from m2mguard.errors import MissingToken
from m2mguard.testing import LocalIssuer, M2MTestMixin, fake_caller
from tests import django_site

django_site.set_up()

from m2mguard.django import requires  # noqa: E402 - needs the settings

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

    async def test_a_caller_calls_until_the_test_ends(self):
        server = ResourceServer("https://tenant.example/oidc", audience="https://mine.api")
        with self.assertRaises(MissingToken):
            await server.aauthenticate([])
        self.m2m_calling_as(server, fake_caller("app-mine"))
        assert (await server.aauthenticate([])).app_id == "app-mine"


class WithAnIssuerOfMyOwn(M2MTestMixin, unittest.TestCase):
    @functools.cached_property
    def m2m_issuer(self):
        return self.enterContext(LocalIssuer(served=False, algorithm="RS256"))

    def test_an_issuer_of_my_own_is_that_of_all_parts(self):
        token = self.m2m_token()
        assert self.m2m_issuer.current_key.algorithm == "RS256"
        assert self.m2m_server.issuer is self.m2m_issuer
        self.m2m_server.verify(token)
        self.m2m_clock.advance(hours=1, minutes=1)
        with self.assertRaises(InvalidToken):
            self.m2m_server.verify(token)

    def test_a_wrong_keyword_is_named(self):
        for make in (self.m2m_token, self.m2m_headers, self.m2m_server.token, self.m2m_server.headers):
            with self.assertRaisesRegex(TypeError, "'scope': did you mean 'scopes'"):
                make(scope=["read"])
            make(scopes=["read"], audience="https://mine.api")


@requires("read")
def orders(request):
    return HttpResponse(request.auth.app_id)


class Urls:
    urlpatterns = (path("orders", orders),)


@override_settings(
    M2MGUARD={"ISSUER": "https://tenant.example/oidc", "AUDIENCE": "https://mine.api"}, ROOT_URLCONF=Urls
)
class OfDjango(M2MTestMixin, SimpleTestCase):
    m2m_audience = "https://mine.api"

    def test_the_site_trusts_the_issuer(self):
        assert self.client.get("/orders", headers=self.m2m_headers(scopes=["read"])).status_code == 401
        self.m2m_trust(self.client)
        assert self.client.get("/orders", headers=self.m2m_headers("app-mine", scopes=["read"])).content == b"app-mine"
        assert self.client.get("/orders", headers=self.m2m_headers()).status_code == 403
        assert self.client.get("/orders").status_code == 401

    def test_a_caller_calls_the_site(self):
        self.m2m_calling_as(self.client, fake_caller("app-mine", scopes=["read"]))
        assert self.client.get("/orders").content == b"app-mine"
        self.m2m_calling_as(self.client, fake_caller("app-mine"))
        assert self.client.get("/orders").status_code == 403
        self.doCleanups()
        assert self.client.get("/orders").status_code == 401

    async def test_an_async_client_does_too(self):
        self.m2m_trust(self.async_client)
        answer = await self.async_client.get("/orders", headers=self.m2m_headers("app-mine", scopes=["read"]))
        assert answer.content == b"app-mine"

    def test_a_server_of_the_settings_may_be_that_of_the_test(self):
        with override_settings(M2MGUARD={"SERVER": self.m2m_server}):
            assert self.client.get("/orders", headers=self.m2m_headers(scopes=["read"])).status_code == 200
            self.m2m_clock.advance(minutes=30)
            self.m2m_issuer.stop()
            assert self.client.get("/orders", headers=self.m2m_headers(scopes=["read"])).status_code == 200


def test_unittest_runs_them_too():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", __name__],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 13 tests" in done.stderr
