"""The transport of a pod: the service account's token goes to the API server, read again each time, and to nobody else."""

import json
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from m2mguard import ConfigurationError, Issuer, KeysUnavailable, ResourceServer
from m2mguard.net import InClusterTransport, TransportError
from m2mguard.net._transport import HttpTransport, private_authority_transport
from m2mguard.presets import kubernetes
from m2mguard.testing import REMOVED, SHOPPING_API, LocalIssuer
from tests.net.certificates import make
from tests.net.loopback_peers import read_head, tcp_server

CLUSTER = "https://oidc.cluster.example/id/1"
POD = {
    "sub": "system:serviceaccount:shop:orders", "client_id": REMOVED, "iss": CLUSTER, "aud": [SHOPPING_API],
    "kubernetes.io": {"namespace": "shop", "pod": {"name": "p", "uid": "u"}, "serviceaccount": {"name": "orders", "uid": "s"}},
}  # fmt: skip


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("token-1\n")
    return file


@pytest.fixture
def cluster(tmp_path):
    """An API server with a certificate of its own authority, and the authority's file."""
    context, ca_file = make(tmp_path)
    with LocalIssuer(algorithm="ES256", ssl_context=context) as api_server:
        yield api_server, ca_file


def origin(issuer):
    return issuer.jwks_uri.rsplit("/", issuer.jwks_uri.count("/") - 2)[0]


def transport_to(cluster, token_file, **settings):
    api_server, ca_file = cluster
    return InClusterTransport(api_server=origin(api_server), token_file=token_file, ca_file=ca_file, **settings)


def get(transport, url):
    return transport.request("GET", url, headers={"Accept": "x"}, body=None, timeout_s=5, max_bytes=100_000)


def credentials(issuer):
    return [request.headers.get("authorization") for request in issuer.requests]


def test_the_token_is_sent_to_the_api_server_and_read_again_each_time(cluster, token_file):
    transport = transport_to(cluster, token_file)
    for number in (1, 2):
        token_file.write_text(f"token-{number}\n")
        assert get(transport, cluster[0].jwks_uri).status == 200
    assert credentials(cluster[0]) == ["Bearer token-1", "Bearer token-2"]


def test_no_other_server_gets_the_token_and_the_cluster_vouches_for_none(cluster, token_file, tmp_path):
    transport = transport_to(cluster, token_file)
    with LocalIssuer() as other:
        assert get(transport, other.jwks_uri).status == 200
        assert credentials(other) == [None]
    (tmp_path / "other").mkdir()
    context, _ = make(tmp_path / "other")
    with LocalIssuer(ssl_context=context) as other, pytest.raises(TransportError) as refused:
        get(transport, other.jwks_uri)
    assert refused.value.code == "tls_unknown_ca"


def test_another_api_server_than_the_clusters_gets_no_token(cluster, token_file, tmp_path):
    (tmp_path / "other").mkdir()
    _, other_ca = make(tmp_path / "other")
    transport = InClusterTransport(api_server=origin(cluster[0]), token_file=token_file, ca_file=other_ca)
    with pytest.raises(TransportError) as refused:
        get(transport, cluster[0].jwks_uri)
    assert refused.value.code == "tls_unknown_ca"
    assert credentials(cluster[0]) == []


def test_a_new_authority_is_trusted_without_a_restart(cluster, token_file, tmp_path):
    (tmp_path / "other").mkdir()
    _, other_ca = make(tmp_path / "other")
    ca_file = tmp_path / "ca.crt"
    ca_file.write_bytes(Path(other_ca).read_bytes())
    transport = InClusterTransport(api_server=origin(cluster[0]), token_file=token_file, ca_file=ca_file)
    with pytest.raises(TransportError):
        get(transport, cluster[0].jwks_uri)
    ca_file.write_bytes(Path(cluster[1]).read_bytes())
    assert get(transport, cluster[0].jwks_uri).status == 200


def test_strict_rules_of_form_are_off_for_the_cluster_only(tmp_path, token_file):
    context, ca_file = make(tmp_path, leaf_without=frozenset({"authority key id"}))
    with LocalIssuer(ssl_context=context) as api_server:
        transport = InClusterTransport(api_server=origin(api_server), token_file=token_file, ca_file=ca_file)
        assert get(transport, api_server.jwks_uri).status == 200
    assert not private_authority_transport(ca_file)._tls().verify_flags & ssl.VERIFY_X509_STRICT
    assert HttpTransport(ca_file)._tls().verify_flags == ssl.create_default_context().verify_flags


def test_a_pods_token_is_verified_with_keys_from_the_api_server_at_another_origin_than_the_issuer(cluster, token_file):
    api_server = cluster[0]
    issuer = replace(kubernetes(CLUSTER, in_cluster=True), jwks_uri=api_server.jwks_uri)
    token = api_server.mint(header={"typ": REMOVED}, claims=POD)
    server = ResourceServer(issuer, audience=SHOPPING_API, transport=transport_to(cluster, token_file))
    assert server.verify(token).app_id == "system:serviceaccount:shop:orders"
    token_file.unlink()
    server = ResourceServer(issuer, audience=SHOPPING_API, transport=server.settings.transport)
    with pytest.raises(KeysUnavailable):
        server.verify(token)
    assert "there is no service account's token" in (server.health().issuers[0].last_error or "")


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"two words", b"a\r\nX-Other: b", b"\xff\xfe", b"a" * 65_537], ids=len
)
def test_a_file_without_a_token_is_sent_nowhere(cluster, token_file, content):
    transport = transport_to(cluster, token_file)
    token_file.write_bytes(content)
    with pytest.raises(TransportError, match=r"holds no token|is longer than 65536 bytes"):
        get(transport, cluster[0].jwks_uri)
    assert credentials(cluster[0]) == []


def test_a_key_set_is_asked_for_in_the_type_that_the_api_server_insists_on():
    """It answers 406 unless `application/jwk-set+json` is accepted, and other issuers do unless `application/json` is."""
    with LocalIssuer(served=False) as local:
        body = json.dumps(local.jwks).encode()

        def converse(connection):
            is_accepted = b"application/jwk-set+json" in read_head(connection)
            status = b"200 OK" if is_accepted else b"406 Not Acceptable"
            connection.sendall(
                b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)
            )

        with tcp_server(converse) as port:
            issuer = Issuer(url=local.url, jwks_uri=f"http://127.0.0.1:{port}/openid/v1/jwks")
            assert ResourceServer(issuer, audience=SHOPPING_API).verify(local.mint("app-orders")).app_id == "app-orders"


def test_the_token_is_in_no_repr(cluster, token_file):
    assert "token-1" not in repr(vars(transport_to(cluster, token_file)))


def test_outside_a_pod_it_cannot_be_built(cluster, token_file, tmp_path):
    with pytest.raises(ConfigurationError, match=r"token_file: .*Is this a pod"):
        transport_to(cluster, tmp_path / "none")
    with pytest.raises(ConfigurationError, match="ca_file cannot be read"):
        InClusterTransport(token_file=token_file, ca_file=tmp_path / "none")
    for api_server in (
        "http://127.0.0.1:1",
        "https://kubernetes.default.svc/path",
        "https://a.example?x",
        "kubernetes",
    ):
        with pytest.raises(ConfigurationError, match="api_server"):
            InClusterTransport(api_server=api_server, token_file=token_file, ca_file=cluster[1])


def test_an_authority_that_goes_away_is_a_failed_fetch(cluster, token_file):
    transport = transport_to(cluster, token_file)
    authority = Path(cluster[1])
    content = authority.read_bytes()
    authority.unlink()
    with pytest.raises(TransportError, match="authority cannot be read"):
        get(transport, cluster[0].jwks_uri)
    assert credentials(cluster[0]) == []
    authority.write_bytes(content)
    assert get(transport, cluster[0].jwks_uri).status == 200
