"""Real proxies with the configurations of examples/forward_auth: what the client gets, and what the API behind them sees."""

import contextlib
import http.client
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets.sync.client

from m2mguard import Issuer, KeyCaching, Requirement, ResourceServer
from m2mguard._server.signed_identity import IdentitySigner
from m2mguard.errors import AuthError
from m2mguard.forward_auth import ForwardAuth, identity_issuer
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.conftest import under_uvicorn
from tests.contract.forward_auth_harness import IDENTITY_KEY
from tests.forward_auth.proxies import PROXIES, running_proxy

pytestmark = pytest.mark.slow
PUBLIC = ("/healthz", "/docs/", "GET /reports/")
PATHS = {
    "/admin/": Requirement(scopes=["admin"]),
    "/orders/": Requirement(),
    "DELETE /orders/": Requirement(scopes=["write:orders"]),
}
FIELDS = ("X-M2M-App-Id", "X-M2M-Subject", "X-M2M-Issuer", "X-M2M-Organization-Id", "X-M2M-Scopes", "X-M2M-Identity")


@dataclass
class Application:
    """An ASGI application that a test replaces while the proxies run."""

    app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def seen(self) -> Any:
        """What the API saw."""
        assert self.status == 200, self.body
        return json.loads(self.body)

    def identity(self, name: str) -> str:
        """The one field of this name that reached the API, read as WSGI reads it; empty if there is none."""
        (value,) = self._folded(name) or [""]
        return value

    def _folded(self, name: str) -> list[str]:
        return [value for field, value in self.seen["headers"] if field.replace("_", "-").lower() == name.lower()]


class Setup:
    """A proxy, the service that it asks, the API behind it, and a client."""

    def __init__(self, url: str, service: Application, issuer: LocalIssuer) -> None:
        self.url = url
        self.issuer = issuer
        self._service = service
        self.server = ResourceServer(replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks), audience=SHOPPING_API)
        self.protect(self.server, Requirement(), PUBLIC, paths=PATHS, identity_key=IDENTITY_KEY)

    def protect(self, *arguments: Any, **options: Any) -> None:
        self._service.app = ForwardAuth(*arguments, **options)

    def token(self, *scopes: str, **options: Any) -> str:
        return self.issuer.mint("app-orders", scopes=scopes, **options)

    def send(
        self, path: str, *fields: tuple[str, str], method: str = "GET", token: str = "", body: bytes = b""
    ) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (*fields, *([("Authorization", f"Bearer {token}")] if token else [])):
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        with contextlib.closing(connection), connection.getresponse() as response:
            return Answer(response.status, response.msg, response.read())


async def api(scope: Any, receive: Any, send: Any) -> None:
    """Show the request; /own-refusal/STATUS has an answer of its own."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": dict(scope["headers"])[b"x-m2m-app-id"].decode()})
        await send({"type": "websocket.close"})
        return
    body, message = b"", {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    path = scope["raw_path"].decode()
    shown = {
        "method": scope["method"],
        "path": f"{path}?{scope['query_string'].decode()}",
        "headers": [(name.decode(), value.decode()) for name, value in scope["headers"]],
        "body": body.decode(),
    }
    status = int(path.rpartition("/")[2]) if path.startswith("/own-refusal/") else 200
    content = json.dumps(shown).encode()
    fields = {"content-type": "application/json", "content-length": str(len(content)), "www-authenticate": "Own"}
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer(algorithm="ES256") as running:
        yield running


@pytest.fixture(scope="module", params=PROXIES)
def addresses(request, tmp_path_factory) -> Iterator[tuple[str, Application]]:
    service = Application()
    options: Any = {"ws": "websockets-sansio", "max_head_bytes": 262_144}
    with under_uvicorn(service, **options) as service_url, under_uvicorn(api, **options) as api_url:
        service.app = api  # until the proxy is started
        with running_proxy(request.param, tmp_path_factory.mktemp("proxy"), api=api_url, service=service_url) as url:
            yield url, service


@pytest.fixture
def setup(addresses, issuer) -> Setup:
    url, service = addresses
    return Setup(url, service, issuer)


def test_the_api_sees_the_request_and_who_sent_it(setup):
    sent = setup.send("/orders/a%20b?x=%2F&y=1", method="POST", token=setup.token("a:b", "c"), body=b"a body")
    assert (sent.seen["method"], sent.seen["path"], sent.seen["body"]) == ("POST", "/orders/a%20b?x=%2F&y=1", "a body")
    assert sent.identity("X-M2M-App-Id") == sent.identity("X-M2M-Subject") == "app-orders"
    assert sent.identity("X-M2M-Scopes") == "a:b c"
    assert sent.identity("X-M2M-Issuer") == setup.issuer.url
    assert sent.identity("X-M2M-Organization-Id") == ""


def test_the_api_can_verify_the_signed_identity(setup):
    value = setup.send("/orders", token=setup.token("read:orders")).identity("X-M2M-Identity")
    upstream = ResourceServer(identity_issuer(jwks=IdentitySigner(IDENTITY_KEY).jwks), SHOPPING_API)
    assert upstream.verify(value, Requirement(scopes=["read:orders"])).app_id == "app-orders"


def refused(setup: Setup, reason: str) -> dict[str, Any]:
    requests: dict[str, dict[str, Any]] = {
        "missing": {},
        "other scheme": {"fields": [("Authorization", "Basic eDp5")]},
        "grammar": {"fields": [("Authorization", "Bearer a b")]},
        "not a token": {"token": "canary"},
        "expired": {"token": setup.token(exp=1_700_000_000)},
        "scope": {"token": setup.token("other"), "path": "/admin/x"},
    }
    return requests[reason]


@pytest.mark.parametrize("reason", ["missing", "other scheme", "grammar", "not a token", "expired", "scope"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_refusal_reaches_the_client_as_it_is(setup, reason, method):
    request = refused(setup, reason)
    fields = request.get("fields", [])
    answer = setup.send(request.get("path", "/orders"), *fields, method=method, token=request.get("token", ""))
    credentials = [value for _, value in fields] + [f"Bearer {one}" for one in [request.get("token")] if one]
    with pytest.raises(AuthError) as caught:
        setup.server.authenticate(credentials, PATHS["/admin/"])
    expected = setup.server.answer(caught.value)
    assert answer.status == expected.status
    assert answer.headers.get_all("WWW-Authenticate") == [expected.headers["WWW-Authenticate"]]
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert answer.headers["Retry-After"] is None
    assert method == "HEAD" or answer.headers["Content-Type"] == "application/json"  # Envoy leaves it out of a HEAD's
    assert answer.body == (b"" if method == "HEAD" else expected.body)


def test_several_credentials_are_refused(setup):
    both = [("Authorization", f"Bearer {setup.token()}"), ("Authorization", f"Bearer {setup.token()}")]
    assert setup.send("/orders", *both).status == 400
    assert setup.send("/orders", both[0]).status == 200


def test_an_outage_is_503_and_says_when_to_come_back(setup):
    down = LocalIssuer()  # never started
    setup.protect(ResourceServer(Issuer.logto(down.endpoint), SHOPPING_API, caching=KeyCaching(max_wait=0.1)))
    answer = setup.send("/orders", token=down.mint())
    down.__exit__()
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["WWW-Authenticate"] is None
    assert json.loads(answer.body) == {
        "error": "temporarily_unavailable",
        "error_description": "The access token cannot be checked at the moment",
    }


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500, 503])
def test_an_answer_of_the_api_itself_is_not_changed(setup, status):
    answer = setup.send(f"/own-refusal/{status}", token=setup.token())
    assert (answer.status, answer.headers.get_all("WWW-Authenticate")) == (status, ["Own"])
    assert json.loads(answer.body)["path"] == f"/own-refusal/{status}?"


def forged() -> list[tuple[str, str]]:
    """Every identity field, in each spelling that WSGI reads as the same name."""
    found = []
    for field in FIELDS:
        words = field.split("-")
        for joints in itertools.product("-_", repeat=len(words) - 1):
            name = "".join(word + joint for word, joint in zip(words, (*joints, ""), strict=True))
            found += [(name, "forged"), (name.lower(), "forged"), (name.upper(), "forged")]
    return found


@pytest.mark.parametrize("path", ["/orders", "/healthz", "/docs/a"])
def test_forged_identity_fields_change_nothing(setup, path):
    plain = setup.send(path, token=setup.token("read:orders"))
    answers = [setup.send(path, *forged(), token=setup.token("read:orders"))]
    answers += [setup.send(path, field, token=setup.token("read:orders")) for field in forged()[:12]]
    for answer in answers:
        assert "forged" not in answer.body.decode()
        for name in FIELDS[:-1]:
            assert answer.identity(name) == plain.identity(name)
        assert bool(answer.identity("X-M2M-Identity")) == (path == "/orders")
    assert plain.identity("X-M2M-App-Id") == ("app-orders" if path == "/orders" else "")


def test_a_public_path_needs_no_token_and_has_no_caller(setup):
    for path in ("/healthz", "/docs/a/b", "/reports/today?x=1"):
        answer = setup.send(path)
        assert [answer.identity(name) for name in FIELDS] == [""] * 6
    for path in ("/docs/..%2forders", "/docs/%2e%2e/orders", "/healthz/", "/docs/a/../../orders", "/HEALTHZ", "/docs"):
        assert setup.send(path).status in (400, 401)
    for path in ("/docs//a", "/docs/a/../b", "/x/../docs/a"):
        answer = setup.send(path)
        assert answer.status in (400, 401) or answer.seen["path"] in ("/docs/a?", "/docs/b?")  # made canonical before
    assert setup.send("/reports/today", method="POST").status == 401


@pytest.mark.parametrize(
    "fields",
    [
        [("X-Forwarded-Uri", "/healthz"), ("X-Forwarded-Method", "GET")],
        [("X_Forwarded_Uri", "/healthz"), ("X_Forwarded_Method", "GET")],
        [("X-Forwarded-Uri", "/healthz"), ("X-Forwarded-Uri", "/healthz"), ("X-Forwarded-Prefix", "/healthz")],
        [("X-Original-URI", "/healthz"), ("X-Original-Url", "/healthz"), ("X-Rewrite-Url", "/healthz")],
        [("Connection", "X-Forwarded-Uri, X-Forwarded-Method, Authorization")],
        [("X-Forwarded-Method", "GET"), ("X-HTTP-Method", "GET")],
    ],
)
def test_a_client_cannot_choose_which_request_is_judged(setup, fields):
    assert setup.send("/orders", *fields).status == 401
    assert setup.send("/reports/a", *fields, method="POST").status == 401
    assert setup.send("/admin/x", *fields, token=setup.token()).status in (401, 403)
    assert setup.send("/orders/1", *fields, method="DELETE", token=setup.token()).status in (401, 403)
    assert setup.send("/orders/1", token=setup.token()).status == 200


def test_a_request_that_may_run_as_another_method_is_not_public_as_a_get(setup):
    assert setup.send("/reports/a", ("X-HTTP-Method-Override", "DELETE")).status == 401
    assert setup.send("/reports/a?_method=DELETE").status == 401
    assert setup.send("/orders/1", ("X-HTTP-Method-Override", "DELETE"), token=setup.token()).status == 403
    assert setup.send("/healthz", ("X-HTTP-Method-Override", "DELETE")).status == 200
    hidden = setup.send("/reports/a", ("X-HTTP-Method-Override", "DELETE"), ("Connection", "X-HTTP-Method-Override"))
    assert hidden.status in (400, 401) or "override" not in hidden.body.decode().lower()
    assert setup.send("/reports/a").status == 200


def test_some_paths_require_more(setup):
    for path in ("/admin/x", "/admin/x/y?z", "/admin", "/admin/", "/ADMIN/x"):
        assert setup.send(path, token=setup.token()).status == 403
        assert setup.send(path, token=setup.token("admin")).status == 200
    for path in ("/admin;a/x", "//admin/x", "/x/..%2fadmin/x", "/%61dmin/x", "/x/../admin/x"):
        assert setup.send(path, token=setup.token()).status in (400, 403)
    assert setup.send("/orders/1", method="DELETE", token=setup.token()).status == 403
    assert setup.send("/orders/1", method="DELETE", token=setup.token("write:orders")).status == 200


def test_a_long_token_and_many_scopes_pass(setup):
    scopes = [f"scope-{number}:{'x' * 50}" for number in range(100)]
    token = setup.token(*scopes)
    assert 8_000 < len(token) < 16_000
    answer = setup.send("/orders", token=token)
    assert answer.identity("X-M2M-Scopes") == " ".join(sorted(scopes))


def test_a_websocket_needs_a_token(setup):
    url = setup.url.replace("http", "ws", 1) + "/live"
    fields = {"Authorization": f"Bearer {setup.token()}", "X-M2M-App-Id": "forged", "X_M2M_App_Id": "forged"}
    with websockets.sync.client.connect(url, additional_headers=fields, open_timeout=20, proxy=None) as live:
        assert live.recv(timeout=20) == "app-orders"
    with (
        pytest.raises(websockets.exceptions.InvalidStatus) as caught,
        websockets.sync.client.connect(url, open_timeout=20, proxy=None),
    ):
        pass
    assert caught.value.response.status_code == 401


def test_the_metadata_is_served_at_the_api_s_own_host(setup):
    with_metadata = ResourceServer(
        replace(Issuer.logto(setup.issuer.endpoint), jwks=setup.issuer.jwks),
        SHOPPING_API,
        resource_url="https://shopping.api/v1",
    )
    setup.protect(with_metadata, None, PUBLIC)
    answer = setup.send("/.well-known/oauth-protected-resource/v1")
    assert (answer.status, json.loads(answer.body)["resource"]) == (200, "https://shopping.api/v1")
    assert 'resource_metadata="https://shopping.api/.well-known' in setup.send("/orders").headers["WWW-Authenticate"]
    for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/v2"):
        assert setup.send(path).status == 404


def test_the_service_s_own_paths_are_not_reachable(setup):
    for path in ("/m2mguard/readyz", "/m2mguard/jwks.json", "/m2mguard/authorize", "/authorize"):
        answer = setup.send(path)
        assert answer.status in (401, 404)
        assert b"keys" not in answer.body
        assert b"ready" not in answer.body


def test_nothing_passes_while_the_service_does_not_answer(setup):
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": [(b"x-m2m-app-id", b"x")]})
        await send({"type": "http.response.body", "body": b""})

    setup._service.app = broken
    for path in ("/orders", "/healthz"):
        assert setup.send(path, token=setup.token()).status in (500, 503)
