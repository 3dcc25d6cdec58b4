"""DPoP from end to end: tokens of a real provider that asks for nonces, and an API that does, through every HTTP plug-in."""

import contextlib
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import urllib3

from m2mguard import ResourceServer
from m2mguard.asgi import BearerAuthMiddleware, caller_of
from m2mguard.client import DpopKey, TokenEndpointUnavailable, TokenSource
from m2mguard.dpop import Dpop
from m2mguard.wsgi import BearerAuthMiddleware as WSGIMiddleware
from tests.client.plugins import PLUGINS, with_requests
from tests.client_keys import private_pem
from tests.conftest import under_uvicorn
from tests.dpop_proofs import KEY, dpop_proof


class Api:
    """An API below the middleware, which redirects `/moved`, and records the fields of what reaches the server."""

    def __init__(self, server):
        self.received = []
        self.moved_to = "/orders?page=2"
        self.protected = BearerAuthMiddleware(self.route, server)

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            fields = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
            self.received.append((scope["method"], scope["path"], fields))
        await self.protected(scope, receive, send)

    async def route(self, scope, receive, send):
        is_moved = scope["path"] == "/moved"
        headers = [(b"location", self.moved_to.encode())] if is_moved else []
        await send({"type": "http.response.start", "status": 307 if is_moved else 200, "headers": headers})
        await send({"type": "http.response.body", "body": caller_of(scope).app_id.encode()})


@contextlib.contextmanager
def serving(provider, **settings):
    def build(url):
        server = ResourceServer(provider.issuer, audience=provider.resource, resource_url=url, dpop=Dpop(**settings))
        built.append(Api(server))
        return built[0]

    built = []
    with under_uvicorn(build=build) as url:
        yield built[0], url


def source_of(provider, client_id="orders-es384", **more):
    return TokenSource(
        provider.issuer,
        client_id=client_id,
        client_secret=provider.clients[client_id],
        resource=provider.resource,
        **{"dpop": DpopKey(), **more},
    )


@pytest.mark.parametrize("plugin", PLUGINS)
@pytest.mark.parametrize("nonce", [False, True])
def test_each_request_has_a_proof_of_its_own(oidc_provider, plugin, nonce):
    source = source_of(oidc_provider)
    with serving(oidc_provider, nonce=nonce, required=True) as (api, url):
        for path in ("/orders", "/orders?page=2", "/moved", "/orders"):
            assert plugin(source, url, "GET", f"{url}{path}") == (200, b"orders-es384")
        assert plugin(source, url, "POST", f"{url}/orders", body=b"{}") == (200, b"orders-es384")
        proofs = [fields["dpop"] for _, _, fields in api.received if "dpop" in fields]
        tokens = {fields["authorization"] for _, _, fields in api.received}
    assert tokens == {source.token().authorization}
    assert source.token().authorization.startswith("DPoP ")
    assert len(proofs) == len(set(proofs))


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_nonce_costs_one_request_and_is_remembered(oidc_provider, plugin):
    source = source_of(oidc_provider)
    with serving(oidc_provider, nonce=True) as (api, url):
        for _ in range(3):
            assert plugin(source, url, "GET", f"{url}/orders")[0] == 200
        assert len(api.received) == 4


@pytest.mark.parametrize("plugin", PLUGINS)
def test_another_origin_gets_no_proof(oidc_provider, plugin):
    source = source_of(oidc_provider)
    with serving(oidc_provider) as (api, url), serving(oidc_provider) as (other, other_url):
        api.moved_to = f"{other_url}/orders"
        assert plugin(source, url, "GET", f"{url}/moved")[0] == 401
        assert plugin(source, url, "GET", f"{other_url}/orders")[0] == 401
        assert plugin(source, url, "GET", f"{url}/orders")[0] == 200
        assert len(other.received) == 2
        assert all({"dpop", "authorization"}.isdisjoint(fields) for _, _, fields in other.received)


def test_what_was_captured_on_the_wire_is_worth_nothing(oidc_provider):
    source = source_of(oidc_provider)
    with serving(oidc_provider) as (api, url):
        assert with_requests(source, url, "GET", f"{url}/orders")[0] == 200
        fields = {name: value for name, value in api.received[0][2].items() if name in ("authorization", "dpop")}
        bearer = {"authorization": fields["authorization"].replace("DPoP ", "Bearer ")}
        own_proof = {**fields, "dpop": dpop_proof(source.token().value, f"{url}/orders", time.time(), key=KEY)}

        def status(method, path, headers):
            answer = urllib3.request(method, f"{url}{path}", headers=headers, timeout=10)
            return answer.status, answer.headers["WWW-Authenticate"].rpartition("error=")[2].split(",")[0]

        assert status("GET", "/orders", fields) == (401, '"invalid_dpop_proof"')
        assert status("DELETE", "/orders", fields) == (401, '"invalid_dpop_proof"')
        assert status("GET", "/other", fields) == (401, '"invalid_dpop_proof"')
        assert status("GET", "/orders", own_proof) == (401, '"invalid_dpop_proof"')
        assert status("GET", "/orders", bearer) == (401, '"invalid_token"')
        assert with_requests(source, url, "GET", f"{url}/orders")[0] == 200


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def test_a_wsgi_server_accepts_proofs_for_its_url(oidc_provider):
    def app(environ, start_response):
        start_response("200 OK", [])
        return [environ["m2mguard.caller"].app_id.encode()]

    source = source_of(oidc_provider)
    with make_server("127.0.0.1", 0, lambda *_: [], handler_class=_Quiet) as listening:
        url = f"http://127.0.0.1:{listening.server_port}"
        server = ResourceServer(
            oidc_provider.issuer, audience=oidc_provider.resource, resource_url=url, dpop=Dpop(nonce=True)
        )
        listening.set_app(WSGIMiddleware(app, server))
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            for path in ("/orders", "/a%20b/%C3%A9?page=2", "/"):
                assert with_requests(source, url, "GET", f"{url}{path}") == (200, b"orders-es384")
        finally:
            listening.shutdown()
            thread.join(timeout=10)


@pytest.mark.parametrize("client", ["key-ES256", "key-EdDSA"])
def test_a_client_with_a_key_signs_a_new_assertion_for_the_nonce(oidc_provider, client):
    from m2mguard.client import PrivateKeyJwt

    key = oidc_provider.keys[client]
    source = TokenSource(
        oidc_provider.issuer,
        client_id=client,
        authentication=PrivateKeyJwt(private_pem(key), algorithm=key.algorithm),
        resource=oidc_provider.resource,
        dpop=DpopKey(private_pem(key)),
    )
    assert source.token().token_type == "DPoP"


def test_a_token_that_is_not_bound_is_not_used(oidc_provider):
    """An issuer, or a proxy in front of it, that ignores the field DPoP."""

    class WithoutProof:
        def request(self, method, url, *, headers, **more):
            headers = {name: value for name, value in headers.items() if name != "DPoP"}
            return transport.request(method, url, headers=headers, **more)

    from m2mguard.net import HttpTransport

    transport = HttpTransport()
    with pytest.raises(TokenEndpointUnavailable, match="token_type is 'Bearer', expected DPoP"):
        source_of(oidc_provider, transport=WithoutProof()).token()
    assert source_of(oidc_provider, transport=transport).token().token_type == "DPoP"
    assert source_of(oidc_provider, dpop=None).token().token_type == "Bearer"
