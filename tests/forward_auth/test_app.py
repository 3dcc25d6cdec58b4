"""`ForwardAuth` alone: the questions of proxies. The table of the contract, with a proxy in between, is in tests/contract."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from starlette.testclient import TestClient

from m2mguard import Caller, ConfigurationError, Issuer, Requirement, ResourceServer
from m2mguard._token.base64url import base64url_decode
from m2mguard.forward_auth import JWKS_PATH, READINESS_PATH, ForwardAuth, OriginalRequest, identity_issuer
from m2mguard.presets import auth0
from m2mguard.testing import SHOPPING_API, calling_as, fake_caller
from tests.contract.forward_auth_harness import IDENTITY_KEY
from tests.refusals import ACCEPTED, outcome_of

RESOURCE = "https://shopping.api/v1"
METADATA_PATH = "/.well-known/oauth-protected-resource/v1"
PLAIN = ("X-M2M-App-Id", "X-M2M-Subject", "X-M2M-Issuer", "X-M2M-Organization-Id", "X-M2M-Scopes")
READ = Requirement(scopes=["read:orders"])


@pytest.fixture
def server(issuer) -> ResourceServer:
    return ResourceServer(replace(Issuer.logto(issuer.endpoint), jwks=issuer.jwks), SHOPPING_API, resource_url=RESOURCE)


def ask(app: ForwardAuth, path: str = "/orders", method: str = "GET", *, at: str = "/authorize", **options: Any) -> Any:
    """Ask as a proxy does, whose client sent the `fields`."""
    told = [("X-Forwarded-Method", method), ("X-Forwarded-Uri", path)]
    headers = [*options.pop("fields", []), *options.pop("told", told)]
    return TestClient(app, raise_server_exceptions=True).request("GET", at, headers=headers)


def bearer(issuer, *scopes: str, **options: Any) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {issuer.mint('app-orders', scopes=scopes, **options)}")]


def test_a_good_token_passes_with_its_identity(server, issuer):
    answer = ask(ForwardAuth(server, READ), fields=bearer(issuer, "read:orders", "write:orders"))
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"", "no-store")
    found = [answer.headers[name] for name in PLAIN]
    assert found == ["app-orders", "app-orders", issuer.url, "", "read:orders write:orders"]
    assert answer.headers["X-M2M-Identity"] == ""


def test_the_organization_is_told(server, issuer):
    app = ForwardAuth(server, Requirement(organization="*"))
    assert ask(app, fields=bearer(issuer, organization_id="org-1")).headers["X-M2M-Organization-Id"] == "org-1"


@pytest.mark.parametrize("at", ["/", "/authorize", "/authorize/orders", READINESS_PATH, JWKS_PATH, METADATA_PATH])
def test_the_path_of_the_question_says_nothing(server, issuer, at):
    app = ForwardAuth(server, public=["/healthz"], identity_key=IDENTITY_KEY)
    assert ask(app, at=at).status_code == 401
    assert ask(app, at=at, fields=bearer(issuer)).headers["X-M2M-App-Id"] == "app-orders"


@pytest.mark.parametrize("text", ["app-1", "a b", 'ä, "x"\r\nX-Admin: 1', "100%", "{http.request.host}$x", "", "𝄞"])
def test_no_identity_breaks_out_of_its_field(server, text):
    app = ForwardAuth(server, Requirement(organization="*"))
    caller = Caller(
        app_id=text or "x",
        scopes=frozenset({text, "z"}),
        issuer="https://i.example",
        audience="a",
        expires_at=2e9,
        claims={},
    )
    with calling_as(app, caller):
        answer = ask(app)
    value = answer.headers["X-M2M-App-Id"]
    assert value.isascii()
    assert set(value).isdisjoint(" ,\"'{}\r\n$")
    assert unquote(value) == (text or "x")
    assert {unquote(scope) for scope in answer.headers["X-M2M-Scopes"].split(" ")} == {text, "z"}


REFUSED = {
    "no token": (lambda _: [], 401),
    "another scheme": (lambda _: [("Authorization", "Basic eDp5")], 401),
    "bad grammar": (lambda _: [("Authorization", "Bearer a b")], 400),
    "two fields": (lambda issuer: bearer(issuer) * 2, 400),
    "no JWT": (lambda _: [("Authorization", "Bearer canary")], 401),
    "expired": (lambda issuer: bearer(issuer, "read:orders", exp=1_700_000_000), 401),
    "no scope": (lambda issuer: bearer(issuer), 403),
    "an organization": (lambda issuer: bearer(issuer, "read:orders", organization_id="org-1"), 403),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_the_standard_answer_and_names_nobody(server, issuer, name):
    make, status = REFUSED[name]
    answer = ask(ForwardAuth(server, READ, public=["/healthz"], identity_key=IDENTITY_KEY), fields=make(issuer))
    assert answer.status_code == status
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api"')
    assert answer.json()["error_description"]
    assert not [field for field in answer.headers if field.startswith("x-m2m")]


def test_without_keys_the_answer_is_503(issuer):
    issuer.stop()
    answer = ask(ForwardAuth(ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API)), fields=bearer(issuer))
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    assert "WWW-Authenticate" not in answer.headers


def test_a_public_path_has_no_caller_whatever_is_sent(server, issuer):
    app = ForwardAuth(server, public=["/healthz", "/docs/", "GET /reports/"], identity_key=IDENTITY_KEY)
    for path, fields in (("/healthz", []), ("/docs/a?b=c", bearer(issuer)), ("/reports/a", [("X-M2M-App-Id", "x")])):
        answer = ask(app, path, fields=fields)
        assert [answer.headers[name] for name in (*PLAIN, "X-M2M-Identity")] == [""] * 6
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "/docs/../orders", "/docs/%2e%2e/orders", "/docs/%2forders", "//docs/a", "/docs/a;b", "/docs/%61", "/docs", "docs/a", "*",
        "", "?", "/DOCS/a", "http://api/docs/a", "/docs/a#b", "/docs/a\\b", "/docs/%ff", "/docs/a\tb", " /docs/a", "/docs/a/.",
    ],
)  # fmt: skip
def test_only_a_canonical_path_is_public(server, uri):
    app = ForwardAuth(server, public=["/docs/"])
    assert ask(app, uri).status_code == 401
    assert ask(app, "/docs/a").status_code == 200


@pytest.mark.parametrize("method", ["POST", "get", "", "G T", "GET, POST", "OPTIONS"])
def test_a_public_entry_with_methods_opens_no_other(server, method):
    app = ForwardAuth(server, public=["GET /reports/"])
    assert ask(app, "/reports/a", method).status_code == 401
    assert ask(app, "/reports/a", "HEAD").status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/reports/a", [("X-HTTP-Method-Override", "DELETE")]),
        ("/reports/a", [("X_HTTP_Method", "DELETE")]),
        ("/reports/a?_method=DELETE", []),
    ],
)
def test_a_request_that_may_run_as_another_method_is_not_public(server, path, fields):
    assert ask(ForwardAuth(server, public=["GET /reports/"]), path, fields=fields).status_code == 401
    assert ask(ForwardAuth(server, public=["/reports/"]), path, fields=fields).status_code == 200


UNTOLD = {
    "nothing": [],
    "no method": [("X-Forwarded-Uri", "/healthz")],
    "no path": [("X-Forwarded-Method", "GET")],
    "two paths": [("X-Forwarded-Uri", "/healthz"), ("X-Forwarded-Uri", "/orders"), ("X-Forwarded-Method", "GET")],
    "two methods": [("X-Forwarded-Uri", "/healthz"), ("X-Forwarded-Method", "GET"), ("X-Forwarded-Method", "GET")],
    "underscores": [("X_Forwarded_Uri", "/healthz"), ("X_Forwarded_Method", "GET")],
}


@pytest.mark.parametrize("told", UNTOLD.values(), ids=UNTOLD)
@pytest.mark.parametrize(
    "options",
    [{"public": ["/healthz"]}, {"paths": {"/admin/": READ}}, {"requires": Requirement(organization=lambda _: "org-1")}],
    ids=lambda options: next(iter(options)),
)
def test_nothing_passes_if_the_proxy_does_not_say_what_it_asks(server, issuer, caplog, told, options):
    app = ForwardAuth(server, **options)
    for _ in range(3):
        answer = ask(app, told=told, fields=bearer(issuer, "read:orders"))
        assert (answer.status_code, answer.json()) == (500, {"error": "server_error"})
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "X-Forwarded-Method" in caplog.text


@pytest.mark.parametrize("told", UNTOLD.values(), ids=UNTOLD)
def test_a_token_alone_can_be_judged_without_the_path(server, issuer, told):
    app = ForwardAuth(server, READ)
    assert ask(app, told=told).status_code == 401
    assert ask(app, told=told, fields=bearer(issuer)).status_code == 403
    assert ask(app, told=told, fields=bearer(issuer, "read:orders")).status_code == 200


def test_a_callable_organization_is_given_the_original_request(server, issuer):
    seen: list[OriginalRequest] = []

    def tenant(request: OriginalRequest) -> str | None:
        seen.append(request)
        return request.plain_path and request.plain_path.split("/")[2]

    app = ForwardAuth(server, Requirement(organization=tenant))
    fields = bearer(issuer, organization_id="org-1")
    assert ask(app, "/tenants/org-1?a=b", "POST", fields=fields).status_code == 200
    assert (seen[0].method, seen[0].raw_path, seen[0].query) == ("POST", b"/tenants/org-1", "a=b")
    assert ("authorization", fields[0][1]) in seen[0].fields
    for path in ("/tenants/org-2", "/tenants/org-1/..%2forg-2", "/tenants/%6frg-1"):
        assert ask(app, path, fields=fields).status_code == 403


def test_requirements_of_paths_add_up(server, issuer):
    app = ForwardAuth(server, READ, paths={"/admin/": Requirement(scopes=["admin"])})
    assert ask(app, "/admin/x", fields=bearer(issuer, "admin")).status_code == 403
    assert ask(app, "/admin/x", fields=bearer(issuer, "read:orders")).status_code == 403
    assert ask(app, "/admin/x", fields=bearer(issuer, "read:orders", "admin")).status_code == 200
    assert ask(app, "/orders", fields=bearer(issuer, "read:orders")).status_code == 200
    challenge = ask(app, "/admin/x", fields=bearer(issuer, "read:orders")).headers["WWW-Authenticate"]
    assert challenge.endswith('scope="admin", resource_metadata="https://shopping.api' + METADATA_PATH + '"')


def test_the_log_names_the_original_request(server, issuer, caplog):
    ask(ForwardAuth(server, READ), "/orders/a%20b?secret=1", "POST", fields=bearer(issuer))
    assert "403 for POST /orders/a b:" in caplog.text
    assert "secret" not in caplog.text


def test_readiness_metadata_and_key_are_served_without_a_token(server):
    client = TestClient(ForwardAuth(server, READ, public=["/healthz"], identity_key=IDENTITY_KEY))
    assert (client.get(READINESS_PATH).status_code, client.get(READINESS_PATH).json()) == (200, {"status": "ready"})
    assert client.get(METADATA_PATH).json()["resource"] == RESOURCE
    (key,) = client.get(JWKS_PATH).json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    head = client.head(METADATA_PATH)
    assert (head.status_code, head.content, int(head.headers["content-length"]) > 0) == (200, b"", True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", READINESS_PATH), ("DELETE", METADATA_PATH), ("GET", "/m2mguard/x"), ("GET", "/m2mguard/"), ("GET", JWKS_PATH),
        ("GET", "/.well-known/oauth-protected-resource"), ("GET", f"{METADATA_PATH}/x"), ("GET", f"{METADATA_PATH}%2fx"),
    ],
)  # fmt: skip
def test_other_requests_to_the_service_itself_are_404(server, method, path):
    answer = TestClient(ForwardAuth(server, public=["/healthz"])).request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})


def test_not_ready_without_keys(issuer):
    issuer.stop()
    client = TestClient(ForwardAuth(ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API)))
    assert client.get(READINESS_PATH).status_code == 503


@pytest.mark.parametrize("root_path", ["", "/m2m", "/auth"])
@pytest.mark.parametrize("mounted", [True, False], ids=["with the prefix", "prefix removed"])
def test_the_readiness_of_a_mounted_service_has_an_address(server, root_path, mounted):
    """`root_path` is taken off as whole segments: "/m2m" is no prefix of "/m2mguard/readyz"."""
    server.warm_up()

    async def app(scope, receive, send):
        path = (root_path if mounted else "") + READINESS_PATH
        await ForwardAuth(server)({**scope, "path": path, "root_path": root_path}, receive, send)

    client = TestClient(app)
    assert client.get("/").json() == {"status": "ready"}


def test_keys_are_fetched_at_startup(issuer):
    server = ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API)
    with TestClient(ForwardAuth(server)) as client:
        assert server.health().ready
        assert client.get("/", headers=bearer(issuer)).status_code == 200


async def test_a_websocket_handshake_is_refused_or_denied(server):
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/authorize", "headers": []}
    await ForwardAuth(server)(scope, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


def test_questions_run_side_by_side(server, issuer):
    app = ForwardAuth(server, READ)
    sent: list[int] = []

    async def question(number: int) -> None:
        fields = bearer(issuer, "read:orders") if number % 2 else []
        scope = {
            "type": "http", "method": "GET", "path": "/", "headers": [(name.lower().encode(), value.encode()) for name, value in fields],
        }  # fmt: skip

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                sent.append(message["status"])

        await app(scope, None, send)  # type: ignore[arg-type]

    async def all_at_once() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(question, number)

    anyio.run(all_at_once)
    assert sorted(sent) == [200] * 10 + [401] * 10


INVALID: dict[str, tuple[Any, str]] = {
    "server": ({"server": "https://issuer.example"}, "server must be"),
    "requires": ({"requires": ["read:orders"]}, "requires must be"),
    "public": ({"public": "/healthz"}, "public is a string"),
    "everything public": ({"public": ["/"]}, "would open every path"),
    "paths": ({"paths": ["/admin/"]}, "paths must be a dict"),
    "path": ({"paths": {"admin": READ}}, "paths: 'admin' would never match"),
    "every path": ({"paths": {"/": READ}}, "paths: '/' is every path"),
    "requirement": ({"paths": {"/admin/": ["admin"]}}, "must be a Requirement"),
    "unknown issuer": ({"paths": {"/admin/": Requirement(issuers=["https://x.example"])}}, "none of the issuers"),
    "no key": ({"identity_key": "secret"}, "P-256"),
}


@pytest.mark.parametrize(("options", "message"), INVALID.values(), ids=INVALID)
def test_an_invalid_argument_is_refused(server, options, message):
    with pytest.raises(ConfigurationError, match=message):
        ForwardAuth(**{"server": server} | options)


def test_ids_of_several_issuers_need_their_issuer(issuer):
    server = ResourceServer([Issuer.logto(issuer.endpoint), auth0("tenant.eu.auth0.com")], SHOPPING_API)
    with pytest.raises(ConfigurationError, match="several issuers"):
        ForwardAuth(server, paths={"/admin/": Requirement(app_ids=["app-admin"])})
    ForwardAuth(server, paths={"/admin/": Requirement(app_ids=["app-admin"], issuers=[f"{issuer.endpoint}/oidc"])})


# The signed identity


def pem(key: Any, encryption: Any = None) -> bytes:
    written: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return written


P256 = ec.generate_private_key(ec.SECP256R1())
NO_KEYS = {
    "another curve": pem(ec.generate_private_key(ec.SECP384R1())),
    "encrypted": pem(P256, BestAvailableEncryption(b"canary")),
    "public": P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "empty": b"",
}


@pytest.mark.parametrize("key", NO_KEYS.values(), ids=NO_KEYS)
def test_only_a_plain_p256_key_signs(server, key):
    with pytest.raises(ConfigurationError, match="openssl genpkey") as caught:
        ForwardAuth(server, identity_key=key)
    assert caught.value.__cause__ is None
    ForwardAuth(server, identity_key=pem(P256))
    ForwardAuth(server, identity_key=pem(P256).decode())


def identity(server: ResourceServer, caller: Caller, key: bytes = IDENTITY_KEY) -> tuple[str, dict[str, Any]]:
    app = ForwardAuth(server, Requirement(organization="*"), identity_key=key)
    with calling_as(app, caller):
        return ask(app).headers["X-M2M-Identity"], TestClient(app).get(JWKS_PATH).json()


def test_a_resource_server_reads_the_same_caller_from_the_signed_identity(server):
    caller = fake_caller("app-ä", scopes=["b", "a"], organization_id="org-1")
    value, jwks = identity(server, caller)
    found = ResourceServer(identity_issuer(jwks=jwks), caller.audience).verify(value, Requirement(organization="org-1"))
    for name in ("app_id", "subject", "scopes", "organization_id", "audience", "is_machine"):
        assert getattr(found, name) == getattr(caller, name), name
    assert (found.claims["token_issuer"], found.claims["token_exp"]) == (
        server.settings.issuers[0].url,
        caller.expires_at,
    )


def test_a_person_stays_a_person(issuer):
    server = ResourceServer(Issuer.logto(issuer.endpoint), SHOPPING_API, machine_only=False)
    person = replace(fake_caller("app-web"), subject="alice", is_machine=False)
    value, jwks = identity(server, person)
    trusting_persons = ResourceServer(identity_issuer(jwks=jwks), person.audience, machine_only=False)
    found = trusting_persons.verify(value)
    assert (found.app_id, found.subject, found.is_machine) == ("app-web", "alice", False)


def test_a_signed_identity_is_short_lived_and_for_one_api(server, clock):
    value, jwks = identity(server, fake_caller())
    now = json.loads(base64url_decode(value.split(".")[1]))["iat"]
    for audience, later, accepted in (
        (SHOPPING_API, 0, True),
        (SHOPPING_API, 59, True),
        (SHOPPING_API, 61, False),
        ("other", 0, False),
    ):
        upstream = ResourceServer(identity_issuer(jwks=jwks), audience, leeway=0, clock=lambda at=now + later: at)
        assert _accepts(upstream, value) == accepted


def test_another_key_or_an_access_token_is_no_identity(server, issuer):
    value, jwks = identity(server, fake_caller())
    _, other = identity(server, fake_caller(), pem(P256))
    assert _accepts(ResourceServer(identity_issuer(jwks=jwks), SHOPPING_API), value)
    assert not _accepts(ResourceServer(identity_issuer(jwks=other), SHOPPING_API), value)
    assert not _accepts(ResourceServer(identity_issuer(jwks=jwks), SHOPPING_API), issuer.mint())
    assert not _accepts(server, value)


def test_the_upstream_can_fetch_the_key(server, serve):
    value, _ = identity(server, fake_caller())
    url = serve(ForwardAuth(server, identity_key=IDENTITY_KEY))
    assert _accepts(ResourceServer(identity_issuer(jwks_uri=f"{url}{JWKS_PATH}"), SHOPPING_API), value)


@pytest.mark.parametrize("options", [{}, {"jwks": {"keys": []}, "jwks_uri": "https://auth.example/jwks"}])
def test_the_identity_issuer_needs_one_source_of_keys(options):
    with pytest.raises(ConfigurationError, match="Give jwks or jwks_uri"):
        identity_issuer(**options)


def _accepts(server: ResourceServer, token: str) -> bool:
    return outcome_of(lambda: server.verify(token)) == ACCEPTED
