"""Every way to authenticate at the token endpoint of a real provider: keys, assertions, certificates, secrets."""

import json
import threading
import time

import pytest

from m2mguard import ResourceServer
from m2mguard.client import (
    Assertion,
    AssertionFile,
    ClientSecret,
    MutualTls,
    PrivateKeyJwt,
    TokenEndpointUnavailable,
    TokenExchange,
    TokenRequestRefused,
    TokenSource,
)
from m2mguard.testing import SigningKey
from tests.client_keys import ALGORITHMS, Certificate, private_pem
from tests.manual_clock import ManualClock


def source_at(provider, client_id, authentication, **more) -> TokenSource:
    return TokenSource(
        provider.issuer, client_id=client_id, authentication=authentication, resource=provider.resource, **more
    )


def is_accepted(provider, client_id, authentication, **more) -> bool:
    """Whether the provider issues a token, and our server knows the application by it."""
    try:
        token = source_at(provider, client_id, authentication, **more).token()
    except TokenRequestRefused as error:
        if error.reason != "client_authentication":
            raise
        return False
    caller = ResourceServer(provider.issuer, audience=provider.resource).verify(token.value)
    return caller.app_id == client_id


def signed(provider, client_id, **claims) -> str:
    """An assertion as a platform would issue it."""
    now = int(time.time())
    said = {"iss": client_id, "sub": client_id, "aud": provider.issuer, "iat": now, "exp": now + 300, "jti": f"{now}"}
    key = provider.keys[client_id]
    return key.sign_compact({"alg": key.algorithm}, said | claims)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_private_key_of_every_kind_is_accepted(oidc_provider, alg):
    key = oidc_provider.keys[f"key-{alg}"]
    assert is_accepted(oidc_provider, f"key-{alg}", PrivateKeyJwt(private_pem(key), algorithm=alg, key_id=key.kid))
    other = SigningKey.generate(alg)
    assert not is_accepted(oidc_provider, f"key-{alg}", PrivateKeyJwt(private_pem(other), algorithm=alg))


@pytest.mark.parametrize(
    ("audience", "accepted"),
    [(None, True), ("{issuer}", True), ("{issuer}/token", True), ("https://other.example", False)],
)
def test_the_audience_of_an_assertion_is_the_issuer_or_the_one_given(oidc_provider, audience, accepted):
    given = None if audience is None else audience.format(issuer=oidc_provider.issuer)
    authentication = PrivateKeyJwt(private_pem(oidc_provider.keys["key-ES256"]), assertion_audience=given)
    assert is_accepted(oidc_provider, "key-ES256", authentication) is accepted


def test_each_request_has_an_assertion_that_was_not_used_before(oidc_provider, clock):
    source = source_at(
        oidc_provider, "key-ES256", PrivateKeyJwt(private_pem(oidc_provider.keys["key-ES256"])), clock=clock
    )
    assert (
        source.token().value != source.for_target(resource=oidc_provider.resource, scopes=["read:orders"]).token().value
    )

    always_the_same = signed(oidc_provider, "key-ES384", jti="used-twice")
    source = source_at(oidc_provider, "key-ES384", Assertion(lambda: always_the_same))
    source.token()
    with pytest.raises(TokenRequestRefused) as refused:
        source.for_target(resource=oidc_provider.resource, scopes=["read:orders"]).token()
    assert refused.value.reason == "client_authentication"
    assert always_the_same not in str(refused.value)


def test_a_key_file_that_is_replaced_is_used_at_the_next_renewal(oidc_provider, clock, tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(private_pem(SigningKey.generate("ES256")))
    source = source_at(oidc_provider, "key-ES256", PrivateKeyJwt(file), monotonic=clock)
    with pytest.raises(TokenRequestRefused):
        source.token()
    file.write_bytes(private_pem(oidc_provider.keys["key-ES256"]))
    clock.advance(61)
    assert source.token().value


def test_an_assertion_file_is_read_for_each_request(oidc_provider, clock, tmp_path):
    file = tmp_path / "token"
    source = source_at(oidc_provider, "key-ES512", AssertionFile(file), clock=clock, monotonic=clock)
    with pytest.raises(TokenEndpointUnavailable) as missing:
        source.token()
    assert missing.value.reason == "client_assertion"
    for number in range(2):
        file.write_text(signed(oidc_provider, "key-ES512", jti=f"rotation {number}") + "\n")
        clock.advance(3600)
        assert source.token().value
    file.write_text(signed(oidc_provider, "key-ES512", jti="rotation 1"))  # used already
    clock.advance(3600)
    with pytest.raises(TokenRequestRefused):
        source.token()


def test_a_certificate_is_accepted_at_the_endpoint_for_certificates(oidc_provider, tmp_path):
    ours, others = tmp_path / "ours.pem", tmp_path / "others.pem"
    (tmp_path / "ca.pem").write_bytes(oidc_provider.ca)
    ours.write_bytes(oidc_provider.certificate.certificate + oidc_provider.certificate.key)
    other = Certificate.make()
    others.write_bytes(other.certificate + other.key)
    ca_file = str(tmp_path / "ca.pem")
    assert is_accepted(oidc_provider, "certificate", MutualTls(ours, ca_file=ca_file))
    assert not is_accepted(oidc_provider, "certificate", MutualTls(others, ca_file=ca_file))


def test_a_certificate_that_is_replaced_is_shown_at_the_next_request(oidc_provider, clock, tmp_path):
    certificate, key, ca = tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "ca.crt"
    ca.write_bytes(oidc_provider.ca)
    old = Certificate.make()
    certificate.write_bytes(old.certificate)
    key.write_bytes(old.key)
    source = source_at(oidc_provider, "certificate", MutualTls(certificate, key, str(ca)), clock=clock, monotonic=clock)
    with pytest.raises(TokenRequestRefused):
        source.token()
    # in the middle of a rotation: the old pair stays in use
    certificate.write_bytes(oidc_provider.certificate.certificate)
    clock.advance(61)
    with pytest.raises(TokenRequestRefused):
        source.token()
    key.write_bytes(oidc_provider.certificate.key)
    clock.advance(61)
    assert source.token().value


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_secret_as_an_object_is_the_same_as_one_by_name(oidc_provider, method):
    right = oidc_provider.clients["billing-es384"]
    assert is_accepted(oidc_provider, "billing-es384", ClientSecret(right, method))
    assert not is_accepted(oidc_provider, "billing-es384", ClientSecret("wrong", method))


def platform_token(provider, **claims) -> str:
    now = int(time.time())
    said = {"sub": "workload", "aud": provider.issuer, "iat": now, "exp": now + 300} | claims
    return provider.platform.sign_compact({"alg": "ES256", "kid": provider.platform.kid}, said)


def test_a_token_of_the_platform_is_exchanged(oidc_provider, clock, tmp_path):
    file = tmp_path / "token"
    file.write_text(platform_token(oidc_provider, exp=int(time.time()) - 10))
    way = TokenExchange(AssertionFile(file), ClientSecret(oidc_provider.clients["orders-es384"]))
    source = source_at(oidc_provider, "orders-es384", way, scopes=["read:orders"], monotonic=clock)
    with pytest.raises(TokenRequestRefused) as refused:
        source.token()
    assert refused.value.error == "invalid_grant"
    file.write_text(platform_token(oidc_provider))  # the platform replaces it
    clock.advance(61)
    caller = ResourceServer(oidc_provider.issuer, audience=oidc_provider.resource).verify(source.token().value)
    assert (caller.app_id, caller.scopes) == ("orders-es384", {"read:orders"})


def test_the_client_of_an_exchange_authenticates_by_any_way(oidc_provider):
    subject = Assertion(lambda: platform_token(oidc_provider))
    by_key = TokenExchange(subject, PrivateKeyJwt(private_pem(oidc_provider.keys["key-ES256"])))
    assert source_at(oidc_provider, "key-ES256", by_key, scopes=["read:orders"]).token().value
    for without in (TokenExchange(subject), TokenExchange(subject, ClientSecret("wrong"))):
        with pytest.raises(TokenRequestRefused):
            source_at(oidc_provider, "orders-es384", without).token()


@pytest.mark.parametrize(
    ("issued", "usable"), [("access_token", True), ("jwt", True), ("refresh_token", False), ("id_token", False)]
)
def test_what_is_issued_in_exchange_must_be_an_access_token(oidc_provider, issued, usable):
    secret = ClientSecret(oidc_provider.clients["orders-es384"])
    wanted = f"urn:ietf:params:oauth:token-type:{issued}"
    way = TokenExchange(Assertion(lambda: platform_token(oidc_provider)), secret, requested_token_type=wanted)
    source = source_at(oidc_provider, "orders-es384", way, scopes=["read:orders"])
    if usable:
        assert source.token().value
    else:
        with pytest.raises(TokenEndpointUnavailable, match="no access token"):
            source.token()


@pytest.fixture
def clock() -> ManualClock:
    """Starts at the current time, because the provider uses the real clock."""
    return ManualClock(time.time())


def test_no_key_and_no_assertion_is_shown(oidc_provider, caplog, tmp_path):
    """Planted canaries: in reprs, errors and log lines there is neither the key nor what was signed with it."""
    key = private_pem(oidc_provider.keys["key-RS256"])
    sent: list[str] = []

    def fetch() -> str:
        sent.append(signed(oidc_provider, "key-RS256", aud="https://other.example"))
        return sent[-1]

    file = tmp_path / "key.pem"
    file.write_bytes(key)
    shown = [repr(PrivateKeyJwt(key)), repr(PrivateKeyJwt(file)), repr(Assertion(fetch)), repr(ClientSecret("s3cr3t"))]
    failed = threading.Event()
    source = source_at(oidc_provider, "key-RS256", Assertion(fetch), on_event=lambda event: failed.set())
    with pytest.raises(TokenRequestRefused) as refused:
        source.token()
    assert failed.wait(10)  # told of and logged on the thread of the request, which may end after the caller's wait
    shown += [
        repr(refused.value),
        str(refused.value),
        repr(source),
        json.dumps([one.getMessage() for one in caplog.records]),
    ]
    hidden = ["s3cr3t", *key.decode().splitlines()[1:-1], *[part for token in sent for part in token.split(".")[1:]]]
    assert [one for one in hidden for text in shown if one in text] == []
    assert len(caplog.records) >= 1
