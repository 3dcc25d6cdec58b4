"""Who trusts the throwaway CA, and who does not."""

import datetime as dt
import http.client
import ssl

import pytest

from m2mguard.testing import LocalIssuer, ThrowawayCA


def read_keys(issuer: LocalIssuer, context: ssl.SSLContext, host: str = "127.0.0.1") -> int:
    connection = http.client.HTTPSConnection(host, issuer.port, context=context, timeout=10)
    try:
        connection.request("GET", "/oidc/jwks")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_who_trusts_the_ca_reaches_the_server_by_either_name_of_loopback(ca, issuer_with_tls, host):
    strict = ssl.create_default_context(cafile=ca.ca_file)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    assert read_keys(issuer_with_tls, strict, host) == 200


def test_who_does_not_trust_it_is_not_connected(issuer_with_tls):
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        read_keys(issuer_with_tls, ssl.create_default_context())
    assert issuer_with_tls.count() == 0


def test_another_throwaway_ca_is_another_authority(tmp_path_factory, issuer_with_tls):
    other = ThrowawayCA(tmp_path_factory.mktemp("other"))
    with pytest.raises(ssl.SSLCertVerificationError):
        read_keys(issuer_with_tls, ssl.create_default_context(cafile=other.ca_file))


@pytest.mark.parametrize(
    ("names", "valid_for", "complaint"),
    [
        (("issuer.example",), dt.timedelta(days=1), "IP address mismatch"),
        ((), dt.timedelta(seconds=-1), "certificate has expired"),
    ],
)
def test_a_wrong_name_or_an_expired_certificate_is_seen(ca, names, valid_for, complaint):
    with (
        LocalIssuer(ssl_context=ca.server_context(*names, valid_for=valid_for)) as issuer,
        pytest.raises(ssl.SSLCertVerificationError, match=complaint),
    ):
        read_keys(issuer, ssl.create_default_context(cafile=ca.ca_file))


def test_only_the_certificate_of_the_ca_is_on_disk(ca):
    assert [path.name for path in ca.ca_file.parent.iterdir()] == ["throwaway-ca.pem"]
    assert b"PRIVATE" not in ca.ca_file.read_bytes()
