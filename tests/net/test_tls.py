"""TLS: which certificates are accepted, and a code for each kind of failure, without parsing messages of OpenSSL."""

import ssl

import pytest

from m2mguard import Issuer, KeysUnavailable, ResourceServer
from m2mguard.net import HttpTransport
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.net.certificates import ALL_YEAR, DAY, make
from tests.net.failing import error_of
from tests.net.loopback_peers import tcp_server

EXPIRED, TOO_EARLY = (-9 * DAY, -DAY), (DAY, 9 * DAY)
REFUSED = {
    "expired": ("tls_expired", {"valid": EXPIRED}),
    "not valid yet": ("tls_expired", {"valid": TOO_EARLY}),
    "of an authority that has expired": ("tls_expired", {"authority_valid": EXPIRED}),
    "of another name": ("tls_name", {"names": ("other.example",)}),
    "of another name below it": ("tls_name", {"names": ("*.localhost",)}),
    "without a name": ("tls_name", {"leaf_without": frozenset({"names"})}),
    "self-signed": ("tls_unknown_ca", {"self_signed": True}),
    "of another authority of the same name": ("tls_unknown_ca", {"signed_by_another_key": True}),
    "expired, and of another authority": ("tls_unknown_ca", {"self_signed": True, "valid": EXPIRED}),
}
STRICT = {
    "no authority key identifier": {"leaf_without": frozenset({"authority key id"})},
    "an authority without key usage": {"authority_without": frozenset({"key usage"})},
    "an authority without key identifier": {"authority_without": frozenset({"key id"})},
    "an authority without constraints": {"authority_without": frozenset({"constraints"})},
    "an authority with constraints that are not critical": {"constraints_critical": False},
    "no subject, and names that are not critical": {"empty_subject": True},
}


def getter(transport):
    def get(url, *, timeout_s=5):
        return transport.request("GET", url, headers={}, body=None, timeout_s=timeout_s, max_bytes=100_000)

    return get


def strict(transport, *, on):
    """Turn strict checks on or off: `ssl.create_default_context` turns them on since Python 3.13."""
    context = transport._tls()
    flags = context.verify_flags
    context.verify_flags = flags | ssl.VERIFY_X509_STRICT if on else flags & ~ssl.VERIFY_X509_STRICT
    return transport


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("on", [True, False])
def test_a_certificate_of_the_given_authority_is_accepted(tmp_path, host, on):
    context, ca_file = make(tmp_path)
    with LocalIssuer(algorithm="ES256", host=host, ssl_context=context) as issuer:
        get = getter(strict(HttpTransport(ca_file), on=on))
        assert get(issuer.jwks_uri).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("what", REFUSED)
def test_an_invalid_certificate_is_refused_with_a_code(tmp_path, what, host):
    code, flaws = REFUSED[what]
    context, ca_file = make(tmp_path, **flaws)
    with LocalIssuer(algorithm="ES256", host=host, ssl_context=context) as issuer:
        error = error_of(getter(HttpTransport(ca_file)), issuer.jwks_uri)
        assert error.code == code
        assert str(error).startswith("TLS failed: ")
        assert issuer.count() == 0


def test_a_certificate_of_an_unknown_authority_is_refused(tls_issuer):
    error = error_of(getter(HttpTransport()), tls_issuer.jwks_uri)
    assert error.code == "tls_unknown_ca"
    assert tls_issuer.count() == 0


@pytest.mark.parametrize("what", STRICT)
def test_a_certificate_that_only_strict_checks_refuse_has_its_own_code(tmp_path, what):
    context, ca_file = make(tmp_path, **STRICT[what])
    with LocalIssuer(algorithm="ES256", ssl_context=context) as issuer:
        assert getter(strict(HttpTransport(ca_file), on=False))(issuer.jwks_uri).status == 200
        issuer.reset_counts()
        error = error_of(getter(strict(HttpTransport(ca_file), on=True)), issuer.jwks_uri)
        assert error.code == "tls_strict"
        assert "RFC 5280" in str(error)
        assert issuer.count() == 0


def test_a_peer_without_tls_has_another_code_than_a_bad_certificate(get):
    def converse(connection):
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with tcp_server(converse) as port:
        assert error_of(get, f"https://127.0.0.1:{port}/").code == "tls"


def test_a_peer_that_requires_a_client_certificate_has_its_own_code(ca, get):
    context = ca.server_context()
    context.load_verify_locations(ca.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # reports it within the handshake
    with LocalIssuer(algorithm="ES256", ssl_context=context) as issuer:
        assert error_of(get, issuer.jwks_uri).code == "tls"
        assert issuer.count() == 0


def test_plain_http_to_a_tls_port_is_an_error(get, tls_issuer):
    assert error_of(get, f"http://127.0.0.1:{tls_issuer.port}/oidc/jwks").code == "broken"
    assert tls_issuer.count() == 0


def test_health_names_the_kind_of_tls_failure(tmp_path):
    errors = {}
    for what, flaws in (
        ("good", {"valid": ALL_YEAR}),
        ("time", {"valid": EXPIRED}),
        ("name", {"names": ("x.example",)}),
    ):
        context, ca_file = make(tmp_path, **flaws)
        with LocalIssuer(ssl_context=context) as issuer:
            server = ResourceServer(
                Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri),
                audience=SHOPPING_API,
                transport=HttpTransport(ca_file),
            )
            if what == "good":
                server.verify(issuer.mint())
            else:
                with pytest.raises(KeysUnavailable):
                    server.verify(issuer.mint())
        errors[what] = server.health().issuers[0].last_error
    assert errors["good"] is None
    assert "has expired or is not valid yet" in errors["time"]
    assert "for another host name" in errors["name"]
