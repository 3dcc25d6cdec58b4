"""The ASGI adapter: scopes, messages, paths, preflights. The common behavior of all adapters is in tests/contract."""

import dataclasses
from typing import Any

import pytest

from m2mguard import ConfigurationError, MissingToken, Requirement
from m2mguard.asgi import BearerAuthMiddleware, caller_of


class Inner:
    """An application that records its scopes."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope, receive, send):
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"in"})


@pytest.fixture
def inner():
    return Inner()


@pytest.fixture
def protect(inner, server):
    return lambda **options: BearerAuthMiddleware(inner, server, **options)


def http(path: str = "/orders", method: str = "GET", headers: dict[str, str] | None = None, **members: Any):
    fields = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    return {"type": "http", "method": method, "path": path, "headers": fields, **members}


def websocket(headers: dict[str, str] | None = None, **members: Any):
    scope = http(headers=headers, **members) | {"type": "websocket"}
    del scope["method"]
    return scope


async def must_not_receive():
    raise AssertionError("a refusal must not receive from the client")


async def call(app, scope):
    """Run one connection and return the messages it sent."""
    sent = []

    async def send(message):
        sent.append(message)

    await app(scope, must_not_receive, send)
    return sent


async def test_the_caller_is_in_the_scope_as_auth_and_as_user(protect, inner, bearer):
    sent = await call(protect(), http(headers=bearer("app-orders")))
    assert sent[0]["status"] == 200
    assert inner.scopes[0]["auth"] is inner.scopes[0]["user"]
    assert inner.scopes[0]["auth"].app_id == "app-orders"


async def test_caller_of_returns_the_caller_or_explains_its_absence(protect, inner, bearer):
    await call(protect(), http(headers=bearer("app-orders")))
    assert caller_of(inner.scopes[0]) is inner.scopes[0]["auth"]
    for scope in ({}, {"auth": "forged"}):
        with pytest.raises(RuntimeError, match="has no Caller"):
            caller_of(scope)


async def test_the_scope_of_the_server_is_not_changed(protect, bearer):
    scope = http(headers=bearer())
    before = dict(scope)
    await call(protect(), scope)
    assert scope == before


async def test_field_names_ignore_case(protect, inner, issuer):
    token = f"Bearer {issuer.mint()}".encode()
    sent = await call(protect(), http() | {"headers": [(b"AUTHORIZATION", token)]})
    assert sent[0]["status"] == 200
    sent = await call(protect(), http() | {"headers": [(b"Authorization", token), (b"authorization", token)]})
    assert sent[0]["status"] == 400


async def test_lifespan_reaches_the_application(protect, inner):
    await call(protect(), {"type": "lifespan"})
    assert inner.scopes == [{"type": "lifespan"}]


async def test_a_scope_of_another_type_is_an_error(protect, inner):
    with pytest.raises(ValueError, match="http and websocket"):
        await call(protect(), http() | {"type": "webtransport"})
    assert inner.scopes == []


async def test_a_refused_head_has_the_fields_of_get_and_no_body(protect):
    get, head = [await call(protect(), http(method=method)) for method in ("GET", "HEAD")]
    assert head[0] == get[0]
    assert head[1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert len(get[1]["body"]) > 0


async def test_another_error_of_a_check_is_raised_and_admits_no_request(protect, inner, bearer):
    def broken(scope):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await call(protect(requires=Requirement(organization=broken)), http(headers=bearer()))
    assert inner.scopes == []


# --- WebSockets


async def test_a_websocket_with_a_valid_token_reaches_the_application(protect, inner, bearer):
    await call(protect(), websocket(bearer("app-orders")))
    assert inner.scopes[0]["auth"].app_id == "app-orders"


async def test_a_refused_handshake_is_answered_over_http_if_supported(protect, inner):
    sent = await call(protect(), websocket(extensions={"websocket.http.response": {}}))
    assert [message["type"] for message in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert sent[0]["status"] == 401
    assert dict(sent[0]["headers"])[b"www-authenticate"] == b'Bearer realm="api"'
    assert b'"unauthorized"' in sent[1]["body"]
    assert inner.scopes == []


@pytest.mark.parametrize("members", [{}, {"extensions": None}, {"extensions": {"tls": {}}}])
async def test_a_refused_handshake_is_closed_with_1008_otherwise(protect, inner, members):
    sent = await call(protect(), websocket(**members))
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]
    assert inner.scopes == []


# --- Public paths


@pytest.mark.parametrize("scope", [http("/healthz"), websocket(path="/docs/a")], ids=["http", "websocket"])
async def test_a_public_path_needs_no_token_and_has_no_caller(protect, inner, scope):
    await call(protect(public=("/healthz", "/docs/")), scope | {"auth": "forged", "user": "forged"})
    assert "auth" not in inner.scopes[0]
    assert "user" not in inner.scopes[0]


async def test_a_public_path_has_no_caller_even_with_a_token(protect, inner, bearer):
    await call(protect(public=("/healthz",)), http("/healthz", headers=bearer()))
    assert "auth" not in inner.scopes[0]


@pytest.mark.parametrize(
    "members",
    [
        {"path": "/healthz/"},
        {"path": "//healthz"},
        {"path": "/docs"},
        {"path": "/docs/"},
        {"path": "/docs-internal"},
        {"path": "/docs/../orders"},
        {"path": "/healthz", "raw_path": b"/health%7a"},
        {"path": "/docs/ö", "raw_path": b"/docs/%c3%b6%2f"},
        {"path": "/docs/\udc80"},
        {"path": "/orders", "query_string": b"/healthz"},
        {"path": "/orders", "headers": [(b"x-forwarded-uri", b"/healthz"), (b"host", b"h/healthz?")]},
        {"path": "/healthz/api/orders", "root_path": "/healthz"},
        {"path": "/apiary/healthz", "root_path": "/api"},
        {"path": "/docs/api/orders", "root_path": "/api"},
        {"path": "/docs/../orders", "root_path": "/docs/.."},
    ],
    ids=str,
)
async def test_an_ambiguous_path_is_protected(protect, inner, members):
    sent = await call(protect(public=("/healthz", "/docs/")), http() | members)
    assert sent[0]["status"] == 401
    assert inner.scopes == []


async def test_public_paths_are_relative_to_the_root_path(protect, inner):
    await call(protect(public=("/healthz",)), http("/api/healthz", root_path="/api", raw_path=b"/api/healthz"))
    assert len(inner.scopes) == 1


@pytest.mark.parametrize(
    "members",
    [
        {"path": "/docs/mein bericht", "raw_path": b"/docs/mein%20bericht"},
        {"path": "/docs/größe.txt", "raw_path": b"/docs/gr%C3%B6%C3%9Fe.txt"},
        {"path": "/docs/größe.txt"},  # a server that omits raw_path
        {"path": "/docs/größe.txt", "raw_path": None},
        {"path": "/api/docs/größe.txt", "root_path": "/api", "raw_path": b"/api/docs/gr%C3%B6%C3%9Fe.txt"},
    ],
    ids=str,
)
async def test_spaces_and_letters_of_every_alphabet_are_public(protect, inner, members):
    await call(protect(public=("/docs/",)), http() | members)
    assert len(inner.scopes) == 1


async def test_a_public_entry_may_be_limited_to_methods(protect, inner):
    protected = protect(public=("GET /docs/", "WEBSOCKET /live"))
    for scope in (http("/docs/a"), http("/docs/a", method="HEAD"), websocket(path="/live")):
        await call(protected, scope)
    assert len(inner.scopes) == 3
    for method in ("POST", "OPTIONS", "get"):
        assert (await call(protected, http("/docs/a", method=method)))[0]["status"] == 401
    assert (await call(protected, http("/live")))[0]["status"] == 401
    assert (await call(protected, websocket(path="/docs/a")))[0]["code"] == 1008
    assert len(inner.scopes) == 3


@pytest.mark.parametrize(
    "members",
    [
        {"headers": {"X-HTTP-Method-Override": "DELETE"}},
        {"headers": {"x-method-override": "DELETE"}},
        {"query_string": b"a=1&_method=DELETE"},
    ],
    ids=str,
)
async def test_a_method_override_is_public_only_if_every_method_is(protect, inner, members):
    assert (await call(protect(public=("GET /docs/",)), http("/docs/a", **members)))[0]["status"] == 401
    assert (await call(protect(public=("/docs/",)), http("/docs/a", **members)))[0]["status"] == 200


# --- Preflights

PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}


async def test_a_preflight_needs_a_token_by_default(protect):
    assert (await call(protect(), http(method="OPTIONS", headers=PREFLIGHT)))[0]["status"] == 401


async def test_an_exempt_preflight_passes_without_a_caller(protect, inner):
    await call(protect(preflight="exempt"), http(method="OPTIONS", headers=PREFLIGHT, auth="forged"))
    assert "auth" not in inner.scopes[0]


@pytest.mark.parametrize(
    "scope",
    [
        http(method="GET", headers=PREFLIGHT),
        http(method="options", headers=PREFLIGHT),
        http(method="OPTIONS"),
        http(method="OPTIONS", headers={"Origin": "https://app.example"}),
        http(method="OPTIONS", headers={"Access-Control-Request-Method": "GET"}),
        http(method="OPTIONS", headers=PREFLIGHT | {"Origin": ""}),
        http(method="OPTIONS", headers=PREFLIGHT | {"X-HTTP-Method-Override": "DELETE"}),
        http(method="OPTIONS", headers=PREFLIGHT | {"X-Method-Override": "DELETE"}),
        http(method="OPTIONS", headers=PREFLIGHT, query_string=b"_method=DELETE"),
        http(method="OPTIONS", headers=PREFLIGHT | {"Cookie": "session=1"}),
        http(method="OPTIONS", headers=PREFLIGHT | {"Content-Length": "2"}),
        http(method="OPTIONS", headers=PREFLIGHT | {"Transfer-Encoding": "chunked"}),
        websocket(PREFLIGHT, extensions={"websocket.http.response": {}}),
    ],
    ids=str,
)
async def test_no_other_request_passes_as_a_preflight(protect, inner, scope):
    assert (await call(protect(preflight="exempt"), scope))[0]["status"] == 401
    assert inner.scopes == []


async def test_a_preflight_with_a_token_is_verified_like_any_request(protect, inner, bearer):
    await call(protect(preflight="exempt"), http(method="OPTIONS", headers=PREFLIGHT | bearer("app-orders")))
    assert inner.scopes[0]["auth"].app_id == "app-orders"


class OptionsView:
    """A view that handles OPTIONS itself, reads the body, and answers with data."""

    def __init__(self, *messages):
        self.messages = messages
        self.read = []

    async def __call__(self, scope, receive, send):
        self.read = [await receive(), await receive()]
        for message in self.messages:
            await send(message)


async def run_preflight(server, *messages, received=()):
    """Run one exempt preflight; returns the messages that the view received and the messages that were sent."""
    view, sent = OptionsView(*messages), []
    incoming = iter([*received, {"type": "http.disconnect"}])

    async def receive():
        return next(incoming)

    async def send(message):
        sent.append(message)

    scope = http(method="OPTIONS", headers=PREFLIGHT)
    await BearerAuthMiddleware(view, server, preflight="exempt")(scope, receive, send)
    return view.read, sent


START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"Access-Control-Allow-Origin", b"*"), (b"Content-Length", b"4")],
}
HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"Access-Control-Allow-Origin", b"*"), (b"content-length", b"0")],
}
END = {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.body", "body": b"data"}],
        [{"type": "http.response.body", "body": b"da", "more_body": True}, {"type": "http.response.body", "body": b"ta"}],
        [{"type": "http.response.debug", "info": {}}, {"type": "http.response.pathsend", "path": "/etc/passwd"}],
        [{"type": "http.response.push", "path": "/data", "headers": []}, {"type": "http.response.body"}],
    ],
)  # fmt: skip
async def test_the_answer_to_an_exempt_preflight_has_no_body(server, messages):
    _, sent = await run_preflight(server, START, *messages)
    assert sent == [HEAD, END]


async def test_a_204_to_an_exempt_preflight_has_no_content_length(server):
    _, sent = await run_preflight(server, START | {"status": 204, "trailers": True}, {"type": "http.response.body"})
    assert sent == [{"type": "http.response.start", "status": 204, "headers": HEAD["headers"][:1]}, END]


async def test_an_exempt_preflight_has_no_body(server):
    received = [{"type": "http.request", "body": b"_method=", "more_body": True}, {"type": "http.request", "body": b"x"}]  # fmt: skip
    read, _ = await run_preflight(server, START, received=received)
    assert read == [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]


# --- on_error


async def test_on_error_gets_the_refusal_and_the_standard_answer_is_sent(protect):
    calls = []
    scope = http()
    sent = await call(protect(on_error=lambda error, scope: calls.append((error, scope))), scope)
    assert isinstance(calls[0][0], MissingToken)
    assert calls[0][1] is scope
    assert sent[0]["status"] == 401


async def test_on_error_may_return_another_answer_with_a_new_length(protect, server):
    def answer_without_content(error, scope):
        return dataclasses.replace(server.answer(error), body=b"{}")

    sent = await call(protect(on_error=answer_without_content), http())
    assert sent[0]["status"] == 401
    assert dict(sent[0]["headers"])[b"content-length"] == b"2"
    assert sent[1]["body"] == b"{}"


async def test_an_error_of_on_error_is_raised_and_admits_no_request(protect, inner):
    def broken(error, scope):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await call(protect(on_error=broken), http())
    assert inner.scopes == []


# --- Construction


async def _async_hook(error, scope): ...


class _AsyncHook:
    async def __call__(self, error, scope): ...


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requires": "read:orders"}, "requires must be a Requirement"),
        ({"requires": ["read:orders"]}, "requires must be a Requirement"),
        ({"public": "/healthz"}, "public is a string"),
        ({"public": ["/"]}, "would open every path"),
        ({"public": ["healthz"]}, "would never match"),
        ({"preflight": True}, "preflight must be"),
        ({"preflight": "Exempt"}, "preflight must be"),
        ({"on_error": "log"}, "on_error must be"),
        ({"on_error": _async_hook}, "on_error must be"),
        ({"on_error": _AsyncHook()}, "on_error must be"),
    ],
    ids=lambda value: str(value).partition(" at 0x")[0],
)
def test_an_invalid_argument_is_rejected_at_construction(protect, options, message):
    with pytest.raises(ConfigurationError, match=message):
        protect(**options)


def test_an_app_or_server_of_another_type_is_rejected(server):
    with pytest.raises(ConfigurationError, match="server must be"):
        BearerAuthMiddleware(Inner(), Requirement())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="app must be"):
        BearerAuthMiddleware("app", server)  # type: ignore[arg-type]


async def test_a_callable_organization_gets_the_scope(protect, inner, bearer):
    requires = Requirement(organization=lambda scope: scope["path"].split("/")[1])
    token = bearer(organization_id="blue")
    assert (await call(protect(requires=requires), http("/blue/orders", headers=token)))[0]["status"] == 200
    assert (await call(protect(requires=requires), http("/red/orders", headers=token)))[0]["status"] == 403
