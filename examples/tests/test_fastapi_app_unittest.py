"""The suite of examples/fastapi_app.py for unittest: `python -m unittest examples/tests/test_fastapi_app_unittest.py`."""

import os
import unittest

from fastapi.testclient import TestClient

from m2mguard import testing

os.environ |= {"M2MGUARD_LOGTO_ENDPOINT": "https://tenant.logto.app", "M2MGUARD_AUDIENCE": "https://shopping.api"}
from examples.fastapi_app import app  # it reads the environment


class OrdersTest(testing.M2MTestMixin, unittest.TestCase):
    def test_tokens(self) -> None:
        self.m2m_trust(app)
        client, good = TestClient(app), self.m2m_headers("app-mine", scopes=["read:orders"])
        self.assertEqual(client.get("/orders").status_code, 401)  # no token
        self.assertEqual(client.get("/orders", headers=good).json(), {"hello": "app-mine"})
        self.assertIn("insufficient_scope", client.get("/orders", headers=self.m2m_headers()).text)  # the 403
        self.assertEqual(client.get("/orders", headers=self.m2m_headers(audience="https://a.api")).status_code, 401)
        self.m2m_issuer.rotate()
        self.assertEqual(client.get("/orders", headers=self.m2m_headers(scopes=["read:orders"])).status_code, 200)
        self.m2m_clock.advance(hours=1)
        self.assertEqual(client.get("/orders", headers=good).status_code, 401)  # expired
        self.m2m_issuer.stop()
        self.assertEqual(client.get("/orders", headers=self.m2m_headers(scopes=["read:orders"])).status_code, 200)
        self.m2m_calling_as(app, testing.fake_caller(scopes=["write:orders"]))
        self.assertEqual(client.get("/orders").status_code, 403)  # without a token
        testing.assert_all_routes_protected(app, except_=["/healthz"])
