"""Discovery: metadata URLs and allowed endpoints (OIDC Discovery section 4, RFC 8414 section 3, RFC 9700 section 4)."""

import json

import pytest

from m2mguard import InvalidToken, Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard.net import HttpTransport, Response
from m2mguard.net._discovery import DiscoveryFailed, discover, well_known_urls
from m2mguard.testing import REMOVED, LocalIssuer, ThrowawayCA, faults
from tests.security.forge import API

URL = "https://issuer.example/oidc"
JWKS_URI = "https://issuer.example/oidc/jwks"
QUICK = KeyCaching(timeout=2, connect_timeout=1, max_wait=1)


def answering(*, status=200, body=None, **members):
    """A look-up that answers every URL with the same metadata, in which some members are changed."""
    metadata = {"issuer": URL, "jwks_uri": JWKS_URI, "token_endpoint": f"{URL}/token", **members}
    kept = {name: value for name, value in metadata.items() if value is not REMOVED}
    return lambda url: Response(status=status, headers={}, body=json.dumps(kept).encode() if body is None else body)


def test_the_key_set_url_comes_from_the_metadata():
    assert discover(URL, "jwks_uri", answering()) == JWKS_URI
    assert discover(URL, "jwks_uri", answering(x={"y": [1]}, z=None)) == JWKS_URI


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            URL,
            [
                f"{URL}/.well-known/openid-configuration",
                "https://issuer.example/.well-known/oauth-authorization-server/oidc",
                "https://issuer.example/.well-known/openid-configuration/oidc",
            ],
        ),
        (
            "https://a.example",
            [
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ],
        ),
        (
            "https://a.example/",
            [
                "https://a.example/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server",
            ],
        ),
        (
            "https://a.example:8443/x/y/",
            [
                "https://a.example:8443/x/y/.well-known/openid-configuration",
                "https://a.example:8443/.well-known/oauth-authorization-server/x/y",
                "https://a.example:8443/.well-known/openid-configuration/x/y",
            ],
        ),
    ],
)
def test_metadata_urls_follow_oidc_discovery_and_rfc_8414(issuer, urls):
    assert list(well_known_urls(issuer)) == urls


@pytest.mark.parametrize("form", ["appended", "inserted", "inserted_openid"])
def test_metadata_at_each_url_is_found_on_a_real_server(form):
    with LocalIssuer(metadata_form=form) as issuer:
        assert ResourceServer(issuer.url, audience=API, caching=QUICK).verify(issuer.mint()).app_id == "app-orders"


@pytest.mark.parametrize(
    "named",
    [f"{URL}/", "https://issuer.example", "https://issuer.example/OIDC", "https://ISSUER.example/oidc", "http://issuer.example/oidc",
     "https://evil.example/oidc", "", None, 7, [URL], {"url": URL}, REMOVED],
    ids=repr,
)  # fmt: skip
def test_metadata_with_another_issuer_is_rejected(named):
    with pytest.raises(DiscoveryFailed):
        discover(URL, "jwks_uri", answering(issuer=named))


@pytest.mark.parametrize(
    "jwks_uri",
    ["https://evil.example/jwks", "https://issuer.example.evil.example/jwks", "https://issuer.example:8443/jwks", "http://issuer.example/jwks",
     "https://issuer.example@evil.example/jwks", "https://sub.issuer.example/jwks", "//issuer.example/jwks", "/oidc/jwks", "file:///etc/passwd",
     "data:application/json,{}", "ftp://issuer.example/jwks", "http://127.0.0.1/jwks", "http://169.254.169.254/latest", "https://issuer.example/jwks#x",
     "https://issuer.example\\@evil.example/", "", None, 7,
     [JWKS_URI], REMOVED],
    ids=repr,
)  # fmt: skip
def test_a_discovered_jwks_uri_must_have_the_origin_of_the_issuer(jwks_uri):
    with pytest.raises(DiscoveryFailed):
        discover(URL, "jwks_uri", answering(jwks_uri=jwks_uri))


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "https://issuer.example/x",
        "https://issuer.example:443/jwks",
        "https://ISSUER.example/jwks",
        "https://issuer.example/keys?p=policy",
    ],
)
def test_a_discovered_jwks_uri_of_the_same_origin_is_accepted(jwks_uri):
    assert discover(URL, "jwks_uri", answering(jwks_uri=jwks_uri)) == jwks_uri


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"<html>", b"\xff", json.dumps({"issuer": URL, "jwks_uri": JWKS_URI}).encode("utf-16"), b'{"issuer":' * 9_999,
     f'{{"issuer": "https://evil.example", "issuer": "{URL}", "jwks_uri": "{JWKS_URI}"}}'.encode()],
)  # fmt: skip
def test_metadata_must_be_one_strict_json_object(body):
    with pytest.raises(DiscoveryFailed):
        discover(URL, "jwks_uri", answering(body=body))


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 307, 308, 400, 401, 404, 500, 503])
def test_metadata_with_another_status_than_200_is_rejected(status):
    with pytest.raises(DiscoveryFailed):
        discover(URL, "jwks_uri", answering(status=status))


def test_errors_in_metadata_are_reported_without_its_content():
    for members in (
        {"issuer": "https://cAnArY.example"},
        {"jwks_uri": "https://cAnArY.example/"},
        {"jwks_uri": "cAnArY"},
    ):
        with pytest.raises(DiscoveryFailed) as error:
            discover(URL, "jwks_uri", answering(**members))
        assert "cAnArY" not in str(error.value)


def test_metadata_with_another_origin_is_a_503_without_a_request_there():
    with LocalIssuer() as issuer, LocalIssuer(key=issuer.current_key) as other:
        issuer.misbehave("discovery", faults.members(jwks_uri=other.jwks_uri))
        with pytest.raises(KeysUnavailable):
            ResourceServer(issuer.url, audience=API, caching=QUICK).verify(issuer.mint())
        assert other.count() == 0
        configured = Issuer(url=issuer.url, jwks_uri=other.jwks_uri)
        assert ResourceServer(configured, audience=API, caching=QUICK).verify(issuer.mint())
        assert other.count("jwks") == other.count() == 1


@pytest.mark.parametrize("endpoint", ["discovery", "jwks"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(endpoint, status):
    with LocalIssuer() as issuer, LocalIssuer(key=issuer.current_key) as other:
        for location in (f"{other.endpoint}/oidc/jwks", "/oidc/jwks2"):
            issuer.misbehave(endpoint, faults.redirect(location, status=status))
            with pytest.raises(KeysUnavailable):
                ResourceServer(issuer.url, audience=API, caching=QUICK).verify(issuer.mint())
        assert other.count() == 0
        assert issuer.count("other") == 0
        issuer.behave()
        assert ResourceServer(issuer.url, audience=API, caching=QUICK).verify(issuer.mint())


@pytest.mark.parametrize(
    "fault", [faults.huge(300_000), faults.gzip_bomb(300_000), faults.html(), faults.body(b"{}"), faults.truncated()]
)
def test_an_answer_that_is_too_long_or_invalid_is_a_503(fault):
    with LocalIssuer() as issuer:
        for endpoint in ("discovery", "jwks"):
            issuer.behave()
            issuer.misbehave(endpoint, fault)
            with pytest.raises(KeysUnavailable):
                ResourceServer(issuer.url, audience=API, caching=QUICK).verify(issuer.mint())


def test_an_untrusted_certificate_is_a_503(tmp_path):
    ca = ThrowawayCA(tmp_path)
    with LocalIssuer(host="localhost", ssl_context=ca.server_context()) as issuer:
        with pytest.raises(KeysUnavailable):
            ResourceServer(issuer.url, audience=API, caching=QUICK).verify(issuer.mint())
        assert issuer.count() == 0
        trusting = ResourceServer(
            issuer.url, audience=API, caching=QUICK, transport=HttpTransport(ca_file=str(ca.ca_file))
        )
        assert trusting.verify(issuer.mint())


def test_a_token_of_an_unknown_issuer_causes_no_request():
    with LocalIssuer() as issuer, LocalIssuer() as other:
        guard = ResourceServer(issuer.url, audience=API, caching=QUICK)
        with pytest.raises(InvalidToken):
            guard.verify(other.mint())
        assert issuer.count() == other.count() == 0
        with pytest.raises(InvalidToken):
            guard.verify(issuer.mint(key=other.current_key))
        assert other.count() == 0
        assert guard.verify(issuer.mint())
