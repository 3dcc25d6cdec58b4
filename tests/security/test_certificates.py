"""Tokens that are bound to a certificate (RFC 8705): who is let in, and what each reader of a proxy's field believes."""

import base64
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypercorn.middleware import ProxyFixMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from m2mguard import ConfigurationError, Issuer, Requirement, ResourceServer, certificates
from m2mguard._asgi.peer import REPLACED
from m2mguard._asgi.scope import RequestHead
from m2mguard._token.confirmation import thumbprint_of
from m2mguard.errors import InvalidToken
from m2mguard.events import TokenRefused
from m2mguard.testing import SHOPPING_API
from m2mguard.wsgi import Head as WSGIHead
from tests.client_keys import Certificate
from tests.refusals import ACCEPTED, outcome_of, refusal_of

OURS, OTHERS = Certificate.make().certificate, Certificate.make().certificate


def der_of(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def base64_of(pem: bytes) -> str:
    return base64.b64encode(der_of(pem)).decode()


class Head:
    """The head of a request that came from a proxy."""

    method, query = "GET", ""
    path = {"path": "/orders"}

    def __init__(self, *fields: tuple[str, str], peer: str | None = "127.0.0.1") -> None:
        self.fields = fields
        self.peer = peer


def bound_to(pem: bytes, **more) -> dict[str, object]:
    return {"cnf": {"x5t#S256": thumbprint_of(der_of(pem)), **more}}


@pytest.fixture
def server(issuer, events):
    return ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, on_event=events)


@pytest.fixture
def outcome(issuer, server):
    """Send a token with these claims, and perhaps a certificate, to an adapter that reads certificates; gives the outcome."""

    def of(claims, certificate, head=None):
        fields = [f"Bearer {issuer.mint(claims=claims)}"]
        return outcome_of(lambda: server.authenticate(fields, head=head or Head(), certificate=lambda _: certificate))

    return of


def test_a_bound_token_is_for_its_certificate_only(outcome):
    claims = bound_to(OURS)
    assert outcome(claims, der_of(OURS)) == ACCEPTED
    assert outcome(claims, der_of(OTHERS)) == (401, "certificate")
    assert outcome(claims, None) == (401, "certificate")
    assert outcome(claims, b"") == (401, "certificate")
    assert outcome({}, der_of(OTHERS)) == ACCEPTED  # no token needs a certificate because its sender has one


def test_the_certificate_of_a_remembered_token_is_looked_at_each_time(issuer, server):
    fields = [f"Bearer {issuer.mint(claims=bound_to(OURS))}"]
    shown = [der_of(OURS), der_of(OTHERS), None, der_of(OURS)]
    found = [
        outcome_of(lambda one=one: server.authenticate(fields, head=Head(), certificate=lambda _: one)) for one in shown
    ]
    assert found == [ACCEPTED, (401, "certificate"), (401, "certificate"), ACCEPTED]
    assert server.health().verdicts.hits == 3


@pytest.mark.anyio
async def test_async_servers_look_at_it_as_well(issuer, server):
    fields = [f"Bearer {issuer.mint(claims=bound_to(OURS))}"]
    await server.aauthenticate(fields, head=Head(), certificate=lambda _: der_of(OURS))
    with pytest.raises(InvalidToken) as caught:
        await server.aauthenticate(fields, head=Head(), certificate=lambda _: der_of(OTHERS))
    assert (caught.value.reason, caught.value.problem) == ("certificate", "other_certificate")


def test_without_a_reader_a_bound_token_stays_refused(issuer, server):
    token = issuer.mint(claims=bound_to(OURS))
    fields = [f"Bearer {token}"]
    for call in (
        lambda: server.verify(token),
        lambda: server.authenticate(fields),
        lambda: server.authenticate(fields, head=Head()),
        lambda: server.authenticate(fields, certificate=lambda _: der_of(OURS)),
    ):
        refusal = refusal_of(call)
        assert refusal is not None
        assert (refusal.status, refusal.reason, refusal.problem) == (401, "claim", "bound")
    caller = server.authenticate(fields, head=Head(), certificate=lambda _: der_of(OURS))
    server.authorize(caller, Requirement())  # it was checked with its token


@pytest.mark.parametrize(
    "confirmation",
    [
        {}, [], "x5t#S256", None, {"x5t#S256": None}, {"x5t#S256": ""}, {"x5t#S256": thumbprint_of(der_of(OURS)) + "="},
        {"x5t#S256": thumbprint_of(der_of(OURS))[:-1]}, {"jkt": thumbprint_of(der_of(OURS))},
        {"x5t#S256": thumbprint_of(der_of(OURS)), "jkt": thumbprint_of(der_of(OURS))}, {"x5t": "x"},
        {"x5t#S256": [thumbprint_of(der_of(OURS))]}, {"kid": "1", "x5t#S256": thumbprint_of(der_of(OURS))},
    ],
)  # fmt: skip
def test_any_other_confirmation_is_refused(outcome, confirmation):
    """What it asks for is not checked here, and half a check would let in a thief."""
    assert outcome({"cnf": confirmation}, der_of(OURS)) == (401, "claim")


@pytest.mark.parametrize(
    "returns", [lambda _: "text", lambda _: 1 / 0, lambda head: head.nothing], ids=["text", "raises", "misspelt"]
)
def test_a_reader_that_fails_lets_nobody_in(issuer, server, returns):
    refusal = refusal_of(
        lambda: server.authenticate([f"Bearer {issuer.mint(claims=bound_to(OURS))}"], head=Head(), certificate=returns)
    )
    assert refusal is not None
    assert (refusal.status, refusal.reason, refusal.problem) == (401, "certificate", "certificate_failed")


def test_the_operator_reads_who_came_with_which_certificate(issuer, server, events):
    fields = [f"Bearer {issuer.mint('app-orders', claims=bound_to(OURS))}"]
    refusal = refusal_of(lambda: server.authenticate(fields, head=Head(), certificate=lambda _: der_of(OTHERS)))
    assert refusal is not None
    (told,) = events.of(TokenRefused)
    assert (told.app_id, told.reason, told.got) == ("app-orders", "certificate", (thumbprint_of(der_of(OTHERS)),))
    assert thumbprint_of(der_of(OURS)) not in server.answer(refusal).body.decode()


ESCAPED = quote(OURS.decode(), safe="")
READERS = {
    "nginx": (certificates.from_nginx(), ("X-Client-Cert", ESCAPED)),
    "haproxy": (certificates.from_haproxy(), ("Client-Cert", f":{base64_of(OURS)}:")),
    "caddy": (certificates.from_caddy(), ("Client-Cert", f":{base64_of(OURS)}:")),
    "envoy": (certificates.from_envoy(), ("X-Forwarded-Client-Cert", f'Hash=468ed3;Cert="{ESCAPED}";Subject="CN=a,b;c";URI=')),
    "traefik": (certificates.from_traefik(), ("X-Forwarded-Tls-Client-Cert", f"{base64_of(OURS)},{base64_of(OTHERS)}")),
    "traefik, escaped": (certificates.from_traefik(), ("X-Forwarded-Tls-Client-Cert", quote(base64_of(OURS), safe=""))),
}  # fmt: skip


@pytest.mark.parametrize(("reader", "field"), READERS.values(), ids=READERS)
def test_each_reader_reads_its_proxys_field(reader, field):
    name, value = field
    assert reader(Head((name.lower(), value))) == der_of(OURS)
    assert reader(Head((name, value), peer="::ffff:127.0.0.1")) == der_of(OURS)
    assert reader(Head((name, value), peer=None)) == reader(Head((name, value), peer="")) == der_of(OURS)
    assert reader(Head()) is None
    assert reader(Head((name, ""))) is None
    assert reader(Head((name.replace("-", "_"), value))) is None  # a client's, which the proxy has not replaced


@pytest.mark.parametrize(("reader", "field"), READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("change", "peer", "problem"),
    [
        pytest.param(lambda field: [field], "10.1.2.3", "undeclared_proxy", id="elsewhere"),
        pytest.param(lambda field: [field], "localhost", "undeclared_proxy", id="a name"),
        pytest.param(lambda field: [field], "2001:db8::1", "undeclared_proxy", id="elsewhere, IPv6"),
        pytest.param(lambda field: [field, field], "127.0.0.1", "certificate_field", id="twice"),
        pytest.param(lambda field: [field, (field[0], "")], "127.0.0.1", "certificate_field", id="once empty"),
        pytest.param(lambda field: [(field[0], f"!{field[1]}")], "127.0.0.1", "certificate_field", id="not its form"),
        pytest.param(lambda field: [(field[0], "A" * 16_385)], "127.0.0.1", "certificate_field", id="too long"),
    ],
)
def test_no_reader_believes_anything_else(reader, field, change, peer, problem):
    with pytest.raises(certificates.UnusableCertificate) as caught:
        reader(Head(*change(field), peer=peer))
    assert caught.value.problem == problem


def test_envoys_field_of_several_proxies_is_not_used():
    for value in (f"Cert={ESCAPED},Cert={ESCAPED}", f"Cert={ESCAPED};Cert={ESCAPED}", f"Hash=a,Cert={ESCAPED}"):
        with pytest.raises(certificates.UnusableCertificate):
            certificates.from_envoy()(Head(("x-forwarded-client-cert", value)))
    assert certificates.from_envoy()(Head(("x-forwarded-client-cert", "Hash=a;Subject=b"))) is None


def test_what_follows_a_quoted_value_of_envoy_begins_another():
    with pytest.raises(certificates.UnusableCertificate):
        certificates.from_envoy()(Head(("x-forwarded-client-cert", f'Hash="a"x;Cert={ESCAPED}')))
    assert certificates.from_envoy()(Head(("x-forwarded-client-cert", f'Hash="a";Cert={ESCAPED}'))) == der_of(OURS)


@pytest.mark.parametrize(("reader", "field"), READERS.values(), ids=READERS)
def test_fields_that_wsgi_has_joined_are_refused(reader, field):
    """A client's `X_Client_Cert` and the proxy's `X-Client-Cert` are one variable there, and the client's may be first."""
    name, value = field
    variable, own = "HTTP_" + name.upper().replace("-", "_"), value.split(",", 1)[0].split(";Subject")[0]

    def found(text):
        return reader(WSGIHead({"REMOTE_ADDR": "127.0.0.1", variable: text}))

    assert found(own) == der_of(OURS)
    for joined in (f"{own},{own}", f"{own},", f",{own}"):
        with pytest.raises(certificates.UnusableCertificate):
            found(joined)


@pytest.mark.parametrize(
    ("client", "fields", "peer"),
    [
        (("127.0.0.1", 4711), [], "127.0.0.1"),
        (("127.0.0.1", 4711), [(b"x-forwarded-for", b"192.0.2.1, 127.0.0.1")], "127.0.0.1"),
        (("::1", 4711), [(b"x-forwarded-for", b"[::1]"), (b"x-forwarded-port", b"443")], "::1"),
        (None, [(b"x-forwarded-for", b"192.0.2.1")], None),
        (("", 0), [], None),
        (("", 0), [(b"x-forwarded-for", b"")], REPLACED),
        (("", 0), [(b"forwarded", b"for=")], REPLACED),
        (("127.0.0.1", 0), [], REPLACED),
        (("testclient", 0), [], REPLACED),
        (("127.0.0.1", 4711), [(b"x-forwarded-for", b"127.0.0.1:4711")], REPLACED),
        (("::1", 4711), [(b"X-Forwarded-For", b"[::1]:4711")], REPLACED),
        (("127.0.0.1", 4711), [(b"forwarded", b'for="127.0.0.1:4711"')], REPLACED),
        (("127.0.0.1", 443), [(b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-port", b"443")], REPLACED),
        (("127.0.0.1", 443), [(b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-port", b"0443")], REPLACED),
        (("127.0.0.1", 443), [(b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-port", b"+4_43")], REPLACED),
    ],
)
def test_an_address_that_a_field_may_have_chosen_is_no_proxys(client, fields, peer):
    assert RequestHead({"type": "http", "client": client, "headers": fields}).peer == peer
    if peer == REPLACED:
        with pytest.raises(certificates.UnusableCertificate):
            certificates.from_nginx()(Head(("x-client-cert", ESCAPED), peer=peer))


CHOSEN_BY_A_CLIENT = (
    "127.0.0.1", "127.0.0.1:5000", "127.0.0.1:0", "127.0.0.1:5_000", "127.0.0.1: 05000", "[::1]:5000", "::1", "testclient",
    "testclient:5000", "127.0.0.1:5000, 203.0.113.9", "203.0.113.9, 127.0.0.1:5000", "'127.0.0.1:5000'", "", "x, ", "x",
)  # fmt: skip
REPLACING = {
    "uvicorn": lambda app: ProxyHeadersMiddleware(app, trusted_hosts="*"),
    "uvicorn with proxies": lambda app: ProxyHeadersMiddleware(app, trusted_hosts=["203.0.113.7", "203.0.113.9"]),
    "hypercorn": ProxyFixMiddleware,
    "hypercorn with Forwarded": lambda app: ProxyFixMiddleware(app, mode="modern"),
}


@pytest.mark.parametrize("forwarded", CHOSEN_BY_A_CLIENT)
@pytest.mark.parametrize("replacing", REPLACING)
async def test_no_client_chooses_an_address_that_is_believed(replacing, forwarded):
    """Somebody who reaches the server beside the proxy, where the server takes addresses from fields."""
    read = certificates.from_nginx()
    found = []

    async def app(scope, receive, send):
        found.append(scope["headers"])
        with pytest.raises(certificates.UnusableCertificate):
            read(RequestHead(scope))

    own = [(b"x-client-cert", ESCAPED.encode())]
    fields = [(b"x-forwarded-for", forwarded.encode()), (b"forwarded", f"for={forwarded}".encode())]
    scope = {"type": "http", "client": ("203.0.113.7", 40_000), "headers": [*own, *fields]}
    await REPLACING[replacing](app)(scope, None, None)
    assert len(found) == 1
    local = RequestHead({"type": "http", "client": ("127.0.0.1", 40_000), "headers": own})
    assert read(local) == der_of(OURS)


def test_behind_proxyfix_the_address_is_the_connections_own():
    seen = []
    app = ProxyFix(lambda environ, _: seen.append(WSGIHead(environ).peer))
    for field in ({}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}):
        app({"REMOTE_ADDR": "10.1.2.3", **field}, lambda *_: None)
    assert seen == ["10.1.2.3", "10.1.2.3"]


def test_caddy_writes_an_empty_sequence_without_a_certificate():
    assert certificates.from_caddy()(Head(("client-cert", "::"))) is None


def test_proxies_elsewhere_are_declared():
    reader = certificates.from_nginx("X-Cert", proxies=["10.0.0.0/8", "2001:db8::7"])
    for peer in ("10.1.2.3", "2001:db8::7", "::ffff:10.1.2.3"):
        assert reader(Head(("x-cert", ESCAPED), peer=peer)) == der_of(OURS)
    with pytest.raises(certificates.UnusableCertificate):
        reader(Head(("x-cert", ESCAPED), peer="127.0.0.1"))
    anywhere = certificates.from_nginx(proxies="any")
    assert anywhere(Head(("x-client-cert", ESCAPED), peer="192.0.2.1")) == der_of(OURS)


def test_an_undeclared_proxy_is_named_to_the_operator(issuer, server):
    head = Head(("x-client-cert", ESCAPED), peer="192.0.2.1")
    fields = [f"Bearer {issuer.mint(claims=bound_to(OURS))}"]
    refusal = refusal_of(lambda: server.authenticate(fields, head=head, certificate=certificates.from_nginx()))
    assert refusal is not None
    assert (refusal.reason, refusal.problem, refusal.expected, refusal.got) == (
        "certificate", "undeclared_proxy", ("127.0.0.0/8", "::1/128"), ("192.0.2.1",),
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [{"field": ""}, {"field": "X Cert"}, {"field": 1}, {"proxies": []}, {"proxies": ["10.0.0.1/8"]}, {"proxies": "*"}]
)  # fmt: skip
def test_invalid_arguments_are_told_at_once(arguments):
    with pytest.raises(ConfigurationError):
        certificates.from_nginx(**arguments)
