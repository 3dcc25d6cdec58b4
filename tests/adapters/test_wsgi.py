"""The WSGI adapter: the environ, iterables, paths, preflights. The common behavior of all adapters is in tests/contract."""

import io
import json
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from m2mguard import Answer, ConfigurationError, MissingToken, Requirement
from m2mguard.wsgi import BearerAuthMiddleware, caller_of


class Inner:
    """An application that records its environs and returns its own iterable."""

    def __init__(self):
        self.environs = []
        self.body = iter([b"in"])

    def __call__(self, environ, start_response):
        self.environs.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self.body


@pytest.fixture
def inner():
    return Inner()


@pytest.fixture
def protect(inner, server):
    return lambda **options: BearerAuthMiddleware(inner, server, **options)


def environ(path="/orders", method="GET", headers=None, **members):
    made = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "REQUEST_METHOD": method}
    made["wsgi.input"] = io.BytesIO()
    for name, value in (headers or {}).items():
        made[f"HTTP_{name.upper().replace('-', '_')}"] = value
    setup_testing_defaults(made)
    return made | members


def run(app, request):
    """Run one request; returns status, headers and body."""
    started: list[Any] = []

    def start_response(status, headers, exc_info=None):
        assert len({name.lower() for name, _ in headers}) == len(headers)
        started.append((status, dict(headers)))
        return started.append

    iterable = app(request, start_response)
    body = b"".join(iterable)
    getattr(iterable, "close", list)()
    return *started[0], body


def call(app, request):
    """Run one request inside wsgiref's validator."""
    return run(validator(app), request)


def test_the_caller_is_in_the_environ(protect, inner, bearer):
    status, _, body = call(protect(), environ(headers=bearer("app-orders")))
    assert (status, body) == ("200 OK", b"in")
    assert inner.environs[0]["m2mguard.caller"].app_id == "app-orders"
    assert caller_of(inner.environs[0]) is inner.environs[0]["m2mguard.caller"]


def test_caller_of_is_an_error_without_protection():
    with pytest.raises(RuntimeError, match="no Caller"):
        caller_of(environ())
    with pytest.raises(RuntimeError, match="no Caller"):
        caller_of(environ() | {"m2mguard.caller": "app-admin"})


def test_a_request_without_a_token_does_not_reach_the_application(protect, inner):
    status, headers, body = call(protect(), environ())
    assert status == "401 Unauthorized"
    assert headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert json.loads(body)["error"] == "unauthorized"
    assert inner.environs == []


def test_a_refused_head_has_the_headers_of_get_and_no_body(protect):
    _, of_get, body = call(protect(), environ())
    status, of_head, nothing = call(protect(), environ(method="HEAD"))
    assert (status, of_head, nothing) == ("401 Unauthorized", of_get, b"")
    assert of_head["Content-Length"] == str(len(body))


def test_the_iterable_of_the_application_is_returned_unchanged(protect, inner, bearer):
    def start_response(status, headers):
        assert status == "200 OK"

    assert protect()(environ(headers=bearer()), start_response) is inner.body
    assert protect(public=["/healthz"])(environ("/healthz"), start_response) is inner.body


def test_an_error_of_the_application_is_raised_even_if_it_is_ours(server, bearer):
    def broken(environ, start_response):
        raise MissingToken("missing", "raised by the application itself")

    with pytest.raises(MissingToken):
        run(BearerAuthMiddleware(broken, server), environ(headers=bearer()))


def test_joined_authorization_fields_are_refused(protect, bearer):
    token = bearer()["Authorization"]
    for joined in (f"{token},{token}", f"{token}, {token}", f"{token},Basic eDp5"):
        assert call(protect(), environ(headers={"Authorization": joined}))[0] == "400 Bad Request"


def test_a_callable_organization_gets_the_environ(protect, issuer, bearer):
    protected = protect(requires=Requirement(organization=lambda environ: environ["PATH_INFO"].split("/")[2]))
    headers = bearer(organization_id="org-blue")
    assert call(protected, environ("/orgs/org-blue", headers=headers))[0] == "200 OK"
    assert call(protected, environ("/orgs/org-red", headers=headers))[0] == "403 Forbidden"


def test_a_caller_of_the_environ_is_removed_on_a_public_path(protect, inner):
    status, _, _ = call(protect(public=["/healthz"]), environ("/healthz") | {"m2mguard.caller": "app-admin"})
    assert status == "200 OK"
    assert "m2mguard.caller" not in inner.environs[0]


@pytest.mark.parametrize(
    ("public", "request_members"),
    [
        ("/healthz", {"PATH_INFO": "/healthz"}),
        ("/healthz", {"PATH_INFO": "/healthz", "SCRIPT_NAME": "/api"}),
        ("/docs/", {"PATH_INFO": "/docs/a/b"}),
        ("/docs/", {"PATH_INFO": "/docs/a", "RAW_URI": "/docs/a?next=%2F"}),
        ("/docs/", {"PATH_INFO": "/docs/a", "REQUEST_URI": "http://api.example/docs/a"}),
        ("/docs/", {"PATH_INFO": "/docs/mein bericht"}),
        ("/docs/", {"PATH_INFO": "/docs/é".encode().decode("latin-1")}),
        ("/docs/", {"PATH_INFO": "/docs/é".encode().decode("latin-1"), "RAW_URI": "/docs/%C3%A9"}),
        (
            "/docs/",
            {"PATH_INFO": "/docs/é".encode().decode("latin-1"), "RAW_URI": "/docs/é".encode().decode("latin-1")},
        ),
        ("/docs/", {"PATH_INFO": "/docs/a b", "RAW_URI": "/docs/a b"}),
        ("GET /docs/", {"PATH_INFO": "/docs/a"}),
    ],
)
def test_a_public_path_needs_no_token(protect, public, request_members):
    assert call(protect(public=[public]), environ() | request_members)[0] == "200 OK"


@pytest.mark.parametrize(
    "request_members",
    [
        {"PATH_INFO": "/healthz/"},
        {"PATH_INFO": "//healthz"},
        {"PATH_INFO": "/docs"},
        {"PATH_INFO": "/docs/"},
        {"PATH_INFO": "/docs-internal"},
        {"PATH_INFO": "/docs/../orders"},
        {"PATH_INFO": "/docs/./a"},
        {"PATH_INFO": "/docs//a"},
        {"PATH_INFO": "/docs/a;b"},
        {"PATH_INFO": "/docs/a\\b"},
        {"PATH_INFO": "/docs/a\n"},
        {"PATH_INFO": "/docs/é"},  # Latin-1, which is no UTF-8
        {"PATH_INFO": "/docs/\uff0e\uff0e/orders".encode().decode("latin-1")},
        {"PATH_INFO": "/docs/日"},  # no server passes this
        {"PATH_INFO": "/docs/é".encode().decode("latin-1"), "RAW_URI": "/docs/%C3%A9%2f"},
        {"PATH_INFO": "/docs/é", "RAW_URI": "/docs/é"},
        {"PATH_INFO": "/docs/a/b", "RAW_URI": "/docs/a%2fb"},
        {"PATH_INFO": "/docs/a/b", "REQUEST_URI": "/docs/a%2Fb?x=1"},
        {"PATH_INFO": "/healthz", "RAW_URI": "/%68ealthz"},
        {"PATH_INFO": "/orders", "SCRIPT_NAME": "/docs"},
        {"PATH_INFO": "", "SCRIPT_NAME": "/healthz"},
        {"PATH_INFO": "/orders", "QUERY_STRING": "/healthz", "RAW_URI": "/orders?/healthz"},
        {"PATH_INFO": "/orders", "HTTP_HOST": "api.example/healthz", "HTTP_X_FORWARDED_URI": "/healthz"},
        {"PATH_INFO": "/orders", "HTTP_X_ORIGINAL_URL": "/healthz", "HTTP_X_REWRITE_URL": "/healthz"},
    ],
)
def test_a_path_that_could_be_read_as_another_is_protected(protect, inner, request_members):
    protected = protect(public=["/healthz", "/docs/"])
    assert run(protected, environ() | request_members)[0] == "401 Unauthorized"
    assert inner.environs == []


@pytest.mark.parametrize(
    "request_members",
    [
        {"REQUEST_METHOD": "POST"},
        {"REQUEST_METHOD": "OPTIONS"},
        {"REQUEST_METHOD": "get"},
        {"HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE"},
        {"QUERY_STRING": "_method=DELETE"},
    ],
)
def test_a_public_entry_with_methods_covers_only_these(protect, request_members):
    request = environ("/docs/a") | request_members
    assert run(protect(public=["GET /docs/"]), request)[0] == "401 Unauthorized"
    assert run(protect(public=["/docs/"]), request)[0] == "200 OK"


PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}


def test_preflights_are_protected_unless_they_are_exempt(protect):
    assert call(protect(), environ(method="OPTIONS", headers=PREFLIGHT))[0] == "401 Unauthorized"
    assert call(protect(preflight="exempt"), environ(method="OPTIONS", headers=PREFLIGHT))[0] == "200 OK"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("OPTIONS", {}),
        ("OPTIONS", {"Origin": "https://shop.example"}),
        ("OPTIONS", {"Access-Control-Request-Method": "GET"}),
        ("OPTIONS", PREFLIGHT | {"Origin": ""}),
        ("OPTIONS", PREFLIGHT | {"X-HTTP-Method-Override": "DELETE"}),
        ("OPTIONS", PREFLIGHT | {"Cookie": "session=1"}),
        ("OPTIONS", PREFLIGHT | {"Transfer-Encoding": "chunked"}),
        ("GET", PREFLIGHT),
        ("options", PREFLIGHT),
    ],
)
def test_only_a_real_preflight_is_exempt(protect, method, headers):
    assert run(protect(preflight="exempt"), environ(method=method, headers=headers))[0] == "401 Unauthorized"


def test_a_preflight_with_a_body_or_a_method_override_is_protected(protect):
    for members in ({"CONTENT_LENGTH": "7"}, {"QUERY_STRING": "_method=DELETE"}):
        request = environ(method="OPTIONS", headers=PREFLIGHT) | members
        assert run(protect(preflight="exempt"), request)[0] == "401 Unauthorized"


def test_a_preflight_with_a_token_is_verified_like_any_request(protect, inner, bearer):
    call(protect(preflight="exempt"), environ(method="OPTIONS", headers=PREFLIGHT | bearer("app-orders")))
    assert inner.environs[0]["m2mguard.caller"].app_id == "app-orders"


class ClosableBody(list):
    closed = False

    def close(self):
        self.closed = True


def eager_application(answer, status="200 OK"):
    def application(environ, start_response):
        assert environ["wsgi.input"].read() == b""
        write = start_response(status, [("Content-Length", "4"), ("Access-Control-Allow-Origin", "*")])
        write(b"data")
        return answer

    return application


def lazy_application(answer):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Length", "4"), ("Access-Control-Allow-Origin", "*")], None)
        yield from answer

    return application


def test_the_answer_to_an_exempt_preflight_has_no_body(server):
    request = environ(method="OPTIONS", headers=PREFLIGHT) | {"wsgi.input": io.BytesIO(b"_method=DELETE")}
    for application in (eager_application([b"data"]), lazy_application([b"da", b"ta"]), lazy_application([])):
        status, headers, body = run(BearerAuthMiddleware(application, server, preflight="exempt"), request)
        assert (status, headers, body) == ("200 OK", {"Access-Control-Allow-Origin": "*", "Content-Length": "0"}, b"")


def test_a_204_to_an_exempt_preflight_has_no_length_and_is_closed(server):

    answer = ClosableBody()
    protected = BearerAuthMiddleware(eager_application(answer, "204 No Content"), server, preflight="exempt")
    assert run(protected, environ(method="OPTIONS", headers=PREFLIGHT))[:2] == (
        "204 No Content",
        {"Access-Control-Allow-Origin": "*"},
    )
    assert answer.closed


def test_an_error_of_the_application_at_an_exempt_preflight_is_raised(server):
    def broken(environ, start_response):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(BearerAuthMiddleware(broken, server, preflight="exempt"), environ(method="OPTIONS", headers=PREFLIGHT))


def test_on_error_may_return_another_answer(protect):
    teapot = Answer(
        status=418, headers={"Content-Type": "text/plain", "content-length": "999"}, body=b"short and stout", detail={}
    )
    status, headers, body = call(protect(on_error=lambda error, environ: teapot), environ())
    assert (status, headers["Content-Length"], body) == ("418 Refused", "15", b"short and stout")


def test_the_answer_is_unchanged_if_on_error_returns_none(protect):
    seen = []
    protected = protect(on_error=lambda error, environ: seen.append((error.status, environ["PATH_INFO"])))
    assert call(protected, environ())[0] == "401 Unauthorized"
    assert seen == [(401, "/orders")]


async def asynchronous(error, environ):
    """An async function, which is never awaited as `on_error`."""


@pytest.mark.parametrize(
    "options",
    [
        {"requires": "read:orders"},
        {"public": "/healthz"},
        {"public": ["/"]},
        {"preflight": "allow"},
        {"on_error": 401},
        {"on_error": asynchronous},
    ],
)
def test_an_invalid_value_is_rejected_when_the_middleware_is_built(protect, options):
    with pytest.raises(ConfigurationError):
        protect(**options)


def test_an_application_or_server_of_another_type_is_rejected(inner, server):
    with pytest.raises(ConfigurationError):
        BearerAuthMiddleware(None, server)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        BearerAuthMiddleware(inner, "https://issuer.example")  # type: ignore[arg-type]


def test_a_lazy_application_answers_an_exempt_preflight(server):
    def application(environ, start_response):
        yield b""
        start_response("200 OK", [("Access-Control-Allow-Origin", "*")])
        yield b"data"

    status, _, body = run(
        BearerAuthMiddleware(application, server, preflight="exempt"), environ(method="OPTIONS", headers=PREFLIGHT)
    )
    assert (status, body) == ("200 OK", b"")
