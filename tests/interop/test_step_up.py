"""A person of a real OpenID Connect provider is asked to sign in again, does so, and is let in: RFC 9470 from end to end.

The client knows of the API's demands only what its challenge says.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import urllib3
from fastapi import Depends, FastAPI, Security

from m2mguard import Caller, Issuer, ResourceServer
from m2mguard.fastapi import M2MAuth

REDIRECT_URI = "https://web.example/callback"


class Client:
    """A web application, and the browser of the person who uses it, with its cookies."""

    def __init__(self, provider: Any) -> None:
        self.provider = provider
        self.cookies: SimpleCookie = SimpleCookie()

    def token(self, scope: str = "read:orders", **parameters: str) -> str:
        """Let the person authorize this application, and exchange the code for an access token."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": "web", "redirect_uri": REDIRECT_URI, "response_type": "code", "scope": f"openid {scope}",
            "resource": self.provider.resource, "code_challenge": challenge, "code_challenge_method": "S256", **parameters,
        }  # fmt: skip
        code = self._browse(f"{self.provider.issuer}/auth?{urlencode(query)}")
        answer = urllib3.request(
            "POST",
            f"{self.provider.issuer}/token",
            headers={
                **urllib3.make_headers(basic_auth=f"web:{self.provider.clients['web']}"),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode({
                "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI,
                "resource": self.provider.resource, "code_verifier": verifier,
            }),
            timeout=20,
        )  # fmt: skip
        assert answer.status == 200, answer.data
        return answer.json()["access_token"]

    def _browse(self, url: str) -> str:
        for _ in range(12):
            sent = "; ".join(f"{name}={one.value}" for name, one in self.cookies.items())
            answer = urllib3.request("GET", url, headers={"Cookie": sent} if sent else {}, redirect=False, timeout=20)
            assert answer.status in (302, 303), answer.data
            for field in answer.headers.getlist("set-cookie"):
                self.cookies.load(field)
            self.cookies = SimpleCookie({name: one.value for name, one in self.cookies.items() if one.value})
            url = urljoin(url, answer.headers["location"])
            if url.startswith(REDIRECT_URI):
                found = parse_qs(urlsplit(url).query)
                assert "code" in found, found
                return found["code"][0]
        raise AssertionError("the provider redirects without end")


def shop(server: ResourceServer) -> FastAPI:
    auth = M2MAuth(server)
    app = FastAPI()

    @app.get("/orders")
    def orders(caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]) -> str:
        return caller.subject

    @app.get("/refunds")
    def refunds(caller: Annotated[Caller, Depends(auth.requires(max_age=300, scopes=["write:orders"]))]) -> str:
        return caller.subject

    @app.get("/keys")
    def keys(caller: Annotated[Caller, Depends(auth.requires(acr=["mfa"]))]) -> str:
        return caller.subject

    return app


@pytest.fixture
def call(oidc_provider, serve) -> Callable[[str, str], tuple[int, dict[str, str]]]:
    """Call the API: the status, and the parameters of the challenge."""
    server = ResourceServer(Issuer(url=oidc_provider.issuer), audience=oidc_provider.resource, machine_only=False)
    url = serve(shop(server))

    def call(path: str, token: str) -> tuple[int, dict[str, str]]:
        answer = urllib3.request("GET", url + path, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        return answer.status, dict(re.findall(r'(\w+)="([^"]*)"', answer.headers.get("www-authenticate", "")))

    return call


def test_an_old_sign_in_is_renewed_by_what_the_challenge_says(oidc_provider, call):
    client = Client(oidc_provider)
    token = client.token(login_hint=str(int(time.time()) - 3600))
    assert call("/orders", token) == (200, {})

    status, challenge = call("/refunds", token)
    assert (status, challenge["error"]) == (401, "insufficient_user_authentication")
    assert (challenge["max_age"], challenge["scope"], "acr_values" in challenge) == ("300", "write:orders", False)

    unchanged = client.token(scope=challenge["scope"])  # without max_age the provider asks the person for nothing
    status, challenge = call("/refunds", unchanged)
    assert (status, "scope" in challenge) == (401, False)
    renewed = client.token(scope="write:orders", max_age=challenge["max_age"])
    assert call("/refunds", renewed) == (200, {})


def test_a_weak_sign_in_is_followed_by_a_strong_one(oidc_provider, call):
    client = Client(oidc_provider)
    token = client.token()
    status, challenge = call("/keys", token)
    assert (status, challenge["error"]) == (401, "insufficient_user_authentication")
    assert (challenge["acr_values"], "max_age" in challenge) == ("mfa", False)
    assert call("/keys", client.token())[0] == 401
    assert call("/keys", client.token(acr_values=challenge["acr_values"])) == (200, {})


def test_an_application_of_the_same_provider_cannot_step_up(oidc_provider, call):
    token = oidc_provider.token("orders-es384", scope="read:orders write:orders")
    assert call("/orders", token)[0] == 200
    for path in ("/refunds", "/keys"):
        status, challenge = call(path, token)
        assert (status, challenge["error"]) == (403, "insufficient_scope")
        assert challenge.keys() <= {"realm", "error", "error_description"}
