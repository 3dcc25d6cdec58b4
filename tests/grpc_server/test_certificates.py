"""Tokens that are bound to a certificate (RFC 8705), over real gRPC: from the client that shows it on its own connection, and no other."""

import base64
import contextlib
import time
from types import SimpleNamespace
from urllib.parse import quote

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from m2mguard import Requirement, certificates
from m2mguard._token.confirmation import thumbprint_of
from m2mguard.dpop import Dpop
from m2mguard.grpc import AioGuard, Guard
from m2mguard.grpc._call_head import CallHead
from m2mguard.testing import TestServer
from m2mguard.wsgi import BearerAuthMiddleware
from tests.client_keys import Certificate
from tests.dpop_proofs import bound_to, dpop_proof
from tests.grpc_servers import GUARDS, KINDS, METHODS, STACKS, SYNC_METHODS, Tls, bearer, call, service, serving

UNAUTHENTICATED, OK = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.OK
OWN = {name: Certificate.make(name) for name in ("server", "orders", "thief")}
ROOTS = OWN["orders"].certificate + OWN["thief"].certificate


def der_of(owner):
    return x509.load_pem_x509_certificate(OWN[owner].certificate).public_bytes(Encoding.DER)


BOUND = {"cnf": {"x5t#S256": thumbprint_of(der_of("orders"))}}


def tls(owner: str | None, *, asks: bool = True) -> Tls:
    """Both sides of a connection on which the client shows the certificate of `owner`, or none; `asks`: whether the server asks for one."""
    own = OWN["server"]
    shown = {} if owner is None else {"private_key": OWN[owner].key, "certificate_chain": OWN[owner].certificate}
    return Tls(
        grpc.ssl_server_credentials([(own.key, own.certificate)], ROOTS if asks else None, asks),
        grpc.ssl_channel_credentials(own.certificate, **shown),
    )


@pytest.fixture(scope="module")
def running():
    with TestServer() as server:
        yield server


@pytest.fixture
def server(running):
    return running


@contextlib.contextmanager
def guarded(stack, server, *services, owner="orders", connection=None, reader=None, **settings):
    guard = GUARDS[stack](server, certificate=reader or certificates.from_grpc(), **settings)
    with serving(stack, [guard], *services, tls=connection or tls(owner)) as channel:
        yield channel


@pytest.mark.parametrize("stack", STACKS)
def test_a_bound_token_is_accepted_with_its_certificate_only(stack, server):
    bound, other = bearer(server.token(claims=BOUND)), bearer(server.token())
    with guarded(stack, server) as channel:
        for kind in KINDS:
            accepted = call(channel, kind, metadata=bound)
            assert (accepted.code, b"app-orders" in accepted.messages[0]) == (OK, True)
        assert call(channel, "unary_unary", metadata=other).code == OK
        assert call(channel, "unary_unary").code == UNAUTHENTICATED
    with guarded(stack, server, owner="thief") as channel:
        for kind in KINDS:
            refused = call(channel, kind, metadata=bound)
            assert (refused.code, refused.messages) == (UNAUTHENTICATED, [])
            assert 'error="invalid_token"' in refused.values("www-authenticate")[0]
        assert call(channel, "unary_unary", metadata=other).code == OK


def test_the_reason_is_logged(caplog):
    with TestServer() as server, guarded("aio", server, owner="thief") as channel:
        call(channel, "unary_unary", metadata=bearer(server.token(claims=BOUND)))
    (refused,) = [one for one in caplog.records if "certificate" in one.getMessage()]
    assert (refused.m2mguard_reason, refused.m2mguard_problem) == ("certificate", "other_certificate")
    assert refused.m2mguard_expected == (BOUND["cnf"]["x5t#S256"],)


@pytest.mark.parametrize("stack", STACKS)
def test_without_a_certificate_a_bound_token_is_refused(stack, server):
    bound, other = bearer(server.token(claims=BOUND)), bearer(server.token())
    with guarded(stack, server, connection=tls("orders", asks=False)) as channel:
        assert call(channel, "unary_unary", metadata=bound).code == UNAUTHENTICATED
        assert call(channel, "unary_unary", metadata=other).code == OK
    guard = GUARDS[stack](server, certificate=certificates.from_grpc())
    with serving(stack, [guard]) as channel:
        assert call(channel, "unary_unary", metadata=bound).code == UNAUTHENTICATED
        assert call(channel, "unary_unary", metadata=other).code == OK
    with serving(stack, [GUARDS[stack](server)], tls=tls("orders")) as channel:
        assert call(channel, "unary_unary", metadata=bound).code == UNAUTHENTICATED


def fields_of(owner):
    """The fields in which proxies pass a certificate on."""
    pem, text = OWN[owner].certificate.decode(), base64.b64encode(der_of(owner)).decode()
    return {
        "x-client-cert": quote(pem),
        "client-cert": f":{text}:",
        "x-forwarded-client-cert": f'Cert="{quote(pem)}"',
        "x-forwarded-tls-client-cert": quote(text),
        "x509_pem_cert": quote(pem),
    }


@pytest.mark.parametrize("stack", STACKS)
def test_what_a_client_writes_into_metadata_changes_nothing(stack, server):
    bound = bearer(server.token(claims=BOUND))
    with guarded(stack, server, owner="thief") as channel:
        for field in fields_of("orders").items():
            assert call(channel, "unary_unary", metadata=[*bound, field]).code == UNAUTHENTICATED
    with guarded(stack, server, owner="orders") as channel:
        for field in fields_of("thief").items():
            assert call(channel, "unary_unary", metadata=[*bound, field]).code == OK


@pytest.mark.parametrize("stack", STACKS)
def test_behind_a_proxy_its_reader_is_used(stack, server):
    bound, fields = bearer(server.token(claims=BOUND)), fields_of("orders")
    field, wrong = (("x-forwarded-client-cert", one["x-forwarded-client-cert"]) for one in (fields, fields_of("thief")))
    here, elsewhere = certificates.from_envoy(), certificates.from_envoy(proxies=["192.0.2.0/24"])
    for reader, given, code in (
        (here, [field], OK),
        (here, [wrong], UNAUTHENTICATED),
        (here, [field, wrong], UNAUTHENTICATED),
        (here, [], UNAUTHENTICATED),
        (elsewhere, [field], UNAUTHENTICATED),
    ):
        with serving(stack, [GUARDS[stack](server, certificate=reader)]) as channel:
            assert call(channel, "unary_unary", metadata=[*bound, *given]).code == code


def test_a_handler_on_a_thread_of_an_event_loops_server_is_verified_there(server):
    bound = bearer(server.token(claims=BOUND))
    on_threads = service("shop.Orders", **SYNC_METHODS)
    for owner, code in (("orders", OK), ("thief", UNAUTHENTICATED)):
        with guarded("aio", server, on_threads, owner=owner) as channel:
            assert [call(channel, kind, metadata=bound).code for kind in KINDS] == [code] * 4


@pytest.mark.parametrize("stack", STACKS)
def test_an_unknown_method_asks_for_a_token_and_a_public_one_does_not(stack, server):
    bound, unknown = bearer(server.token(claims=BOUND)), "/shop.Orders/Unknown"
    with guarded(stack, server, public=["/shop.Orders/unary_unary"]) as channel:
        assert call(channel, "unary_unary", method=unknown).code == UNAUTHENTICATED
        assert call(channel, "unary_unary", method=unknown, metadata=bound).code == grpc.StatusCode.UNIMPLEMENTED
        assert call(channel, "unary_unary").code == OK
        assert call(channel, "unary_stream").code == UNAUTHENTICATED


@pytest.mark.parametrize("stack", STACKS)
def test_what_a_method_asks_for_counts_beside(stack, server):
    methods = {"/shop.Orders/unary_unary": Requirement(scopes=["delete:orders"])}
    with guarded(stack, server, methods=methods) as channel:
        reader, deleter = (bearer(server.token(scopes=[one], claims=BOUND)) for one in ("read:orders", "delete:orders"))
        assert call(channel, "unary_unary", metadata=reader).code == grpc.StatusCode.PERMISSION_DENIED
        assert call(channel, "unary_unary", metadata=deleter).code == OK


@pytest.mark.parametrize("stack", STACKS)
def test_an_open_stream_is_looked_at_again_with_its_certificate(stack, server, looks_often):
    metadata, method = bearer(server.token(claims=BOUND)), {"stream_stream": METHODS[stack]["stream_stream"]}
    until = time.monotonic() + 1.5  # it is looked at twice a second

    def requests():
        while time.monotonic() < until:
            yield b"1"
            time.sleep(0.05)

    with guarded(stack, server, service("shop.Orders", **method)) as channel:
        ended = call(channel, "stream_stream", metadata=metadata, requests=requests())
    assert ended.code == OK
    assert len(ended.messages) > 1


@pytest.mark.parametrize(
    ("written", "is_declared"),
    [
        ("ipv4:10.0.0.7:5000", True),
        ("ipv6:%5B::ffff:10.0.0.7%5D:5000", True),
        ("unix:", True),
        ("unix:/run/proxy.sock", True),
        ("unix-abstract:proxy", True),
        ("ipv4:192.0.2.1:5000", False),
        ("ipv6:%5B2001:db8::1%5D:5000", False),
        ("vsock:7:5000", False),
        ("fd:7", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_a_proxy_is_known_by_its_address(written, is_declared):
    field = ("x-forwarded-client-cert", fields_of("orders")["x-forwarded-client-cert"])
    head = CallHead(SimpleNamespace(invocation_metadata=[field]), SimpleNamespace(peer=lambda: written))
    read = certificates.from_envoy(proxies=["10.0.0.0/8"])
    if is_declared:
        assert read(head) == der_of("orders")
    else:
        with pytest.raises(certificates.UnusableCertificate, match="undeclared_proxy"):
            read(head)


def test_what_the_connection_shows_must_be_one_certificate():
    read = certificates.from_grpc()
    pem = OWN["orders"].certificate
    assert read(SimpleNamespace(connection_certificate=pem)) == der_of("orders")
    assert read(SimpleNamespace(connection_certificate=None)) is None
    for wrong in (pem + pem, pem[10:], b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"):
        with pytest.raises(certificates.UnusableCertificate, match="certificate_field"):
            read(SimpleNamespace(connection_certificate=wrong))


def test_the_reader_of_a_grpc_connection_is_for_grpc(server):
    with pytest.raises(ValueError, match=r"from_grpc\(\) reads the connection of a gRPC call"):
        BearerAuthMiddleware(lambda *_: [], server, certificate=certificates.from_grpc())
    assert BearerAuthMiddleware(lambda *_: [], server, certificate=certificates.from_nginx())


@pytest.mark.parametrize("stack", STACKS)
def test_a_dpop_token_stays_refused(stack):
    with TestServer(resource_url="https://shopping.example", dpop=Dpop()) as server:
        token = server.token(claims=bound_to())
        proof = dpop_proof(token, "https://shopping.example", server.clock(), method="POST")
        with guarded(stack, server) as channel:
            for scheme in ("DPoP", "Bearer"):
                refused = call(
                    channel, "unary_unary", metadata=[("authorization", f"{scheme} {token}"), ("dpop", proof)]
                )
                assert refused.code == UNAUTHENTICATED
            assert call(channel, "unary_unary", metadata=bearer(server.token())).code == OK


@pytest.mark.parametrize("guard", [Guard, AioGuard])
def test_the_reader_is_checked(guard, server):
    async def read(_head):
        return None

    for wrong in ("X-Client-Cert", read):
        with pytest.raises(ValueError, match="certificate must be a reader"):
            guard(server, certificate=wrong)
    assert guard(server, certificate=certificates.from_grpc())
