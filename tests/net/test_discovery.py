"""Discovery: the metadata URLs and the codes of failures. Allowed endpoints are tested in `tests/security/test_discovery.py`."""

import json

import pytest

from m2mguard import ResourceServer
from m2mguard.net import Response
from m2mguard.net._discovery import DiscoveryFailed, discover, well_known_urls
from m2mguard.testing import REMOVED, SHOPPING_API, LocalIssuer, faults

URL = "https://issuer.example/oidc"
JWKS_URI = "https://issuer.example/oidc/jwks"


def answering(*, status=200, body=None, **members):
    """A look-up that answers every URL with the same metadata, in which some members are changed."""
    metadata = {"issuer": URL, "jwks_uri": JWKS_URI, "token_endpoint": f"{URL}/token", **members}
    kept = {name: value for name, value in metadata.items() if value is not REMOVED}
    return lambda url: Response(status=status, headers={}, body=json.dumps(kept).encode() if body is None else body)


class Answers:
    """A look-up that answers each URL with the next of these statuses (200: with valid metadata) and records the URLs."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.urls = []

    def __call__(self, url):
        self.urls.append(url)
        return answering(status=self.statuses.pop(0))(url)


ALIASES = {"mtls_endpoint_aliases": {"token_endpoint": "https://mtls.example/token"}}


def test_only_a_client_with_a_certificate_asks_the_endpoint_for_certificates():
    """RFC 8705 section 5. Such an endpoint may have another origin, since nothing secret is sent there."""
    assert discover(URL, "token_endpoint", answering(**ALIASES)) == f"{URL}/token"
    assert discover(URL, "token_endpoint", answering(**ALIASES), mutual_tls=True) == "https://mtls.example/token"
    for none in ({}, {"mtls_endpoint_aliases": {}}, {"mtls_endpoint_aliases": None}, {"mtls_endpoint_aliases": ["x"]}):
        assert discover(URL, "token_endpoint", answering(**none), mutual_tls=True) == f"{URL}/token"


@pytest.mark.parametrize(
    "alias",
    ["http://mtls.example/token", "http://127.0.0.1:8080/token", "https://user@mtls.example/token", "/token", 7, ""],
)
def test_an_endpoint_for_certificates_that_is_no_https_url_is_not_asked(alias):
    answers = answering(mtls_endpoint_aliases={"token_endpoint": alias})
    with pytest.raises(DiscoveryFailed) as caught:
        discover(URL, "token_endpoint", answers, mutual_tls=True)
    assert caught.value.code == "bad_endpoint"
    assert discover(URL, "token_endpoint", answers) == f"{URL}/token"


@pytest.mark.parametrize("refusal", [400, 401, 403, 404, 405, 406, 410, 418, 429, 499])
def test_any_4xx_leads_to_the_next_metadata_url(refusal):
    for refusals in ([refusal], [refusal, refusal], [404, refusal]):
        answers = Answers(*refusals, 200)
        assert discover(URL, "jwks_uri", answers) == JWKS_URI
        assert answers.urls == list(well_known_urls(URL))[: len(refusals) + 1]


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 307, 399, 500, 502, 503, 599])
def test_any_other_status_ends_discovery(status):
    for refusals in ([], [404], [403, 401]):
        answers = Answers(*refusals, status, 200, 200)
        with pytest.raises(DiscoveryFailed, match=rf"status {status}$") as caught:
            discover(URL, "token_endpoint", answers)
        assert caught.value.code == "metadata_status"
        assert len(answers.urls) == len(refusals) + 1


def test_if_every_url_answers_4xx_each_status_is_reported():
    for endpoint in ("jwks_uri", "token_endpoint"):
        with pytest.raises(DiscoveryFailed, match=r"\(status 403, 404, 401\)$") as caught:
            discover(URL, endpoint, Answers(403, 404, 401))
        assert caught.value.code == "no_metadata"
    answers = Answers(404, 404)
    with pytest.raises(DiscoveryFailed):
        discover("https://issuer.example", "jwks_uri", answers)
    assert len(answers.urls) == len(set(answers.urls)) == 2


def test_one_byte_order_mark_before_the_metadata_is_skipped():
    good = json.dumps({"issuer": URL, "jwks_uri": JWKS_URI}).encode()
    assert discover(URL, "jwks_uri", answering(body=b"\xef\xbb\xbf" + good)) == JWKS_URI
    for body in (b"\xef\xbb\xbf" * 2 + good, good + b"\xef\xbb\xbf", b"\xef\xbb" + good, b"\xef\xbb\xbf"):
        with pytest.raises(DiscoveryFailed) as caught:
            discover(URL, "jwks_uri", answering(body=body))
        assert caught.value.code == "metadata_not_json"


def test_metadata_with_a_byte_order_mark_is_read_from_a_real_server():
    with LocalIssuer() as issuer:
        metadata = json.dumps({"issuer": issuer.url, "jwks_uri": issuer.jwks_uri}).encode()
        issuer.misbehave("discovery", faults.body(b"\xef\xbb\xbf" + metadata))
        assert ResourceServer(issuer.url, audience=SHOPPING_API).verify(issuer.mint())


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"body": b"<html>"}, "metadata_not_json"),
        ({"body": b"[]"}, "metadata_not_json"),
        ({"issuer": "https://evil.example"}, "other_issuer"),
        ({"issuer": None}, "other_issuer"),
        ({"issuer": REMOVED}, "other_issuer"),
        ({"jwks_uri": None}, "no_endpoint"),
        ({"jwks_uri": REMOVED}, "no_endpoint"),
        ({"jwks_uri": "http://issuer.example/jwks"}, "bad_endpoint"),
        ({"jwks_uri": ""}, "bad_endpoint"),
        ({"jwks_uri": [JWKS_URI]}, "bad_endpoint"),
        ({"jwks_uri": "https://evil.example/jwks"}, "other_origin"),
    ],
    ids=repr,
)
def test_every_failure_has_a_code(changed, code):
    with pytest.raises(DiscoveryFailed) as caught:
        discover(URL, "jwks_uri", answering(**changed))
    assert caught.value.code == code


def test_a_null_member_counts_as_missing():
    assert discover(URL, "jwks_uri", answering(token_endpoint=None, scopes_supported=None)) == JWKS_URI
    with pytest.raises(DiscoveryFailed, match=r"the metadata has no token_endpoint$"):
        discover(URL, "token_endpoint", answering(token_endpoint=None))


def test_endpoints_of_a_plain_http_issuer_must_have_its_origin():
    cluster = "http://logto:3001/oidc"
    for url in (f"{cluster}/jwks", "http://logto:3001/x"):
        assert discover(cluster, "jwks_uri", answering(issuer=cluster, jwks_uri=url)) == url
    for url in (
        "http://logto:3002/jwks",
        "http://evil.example/jwks",
        "https://logto:3001/jwks",
        "http://127.0.0.1/jwks",
    ):
        with pytest.raises(DiscoveryFailed) as caught:
            discover(cluster, "jwks_uri", answering(issuer=cluster, jwks_uri=url))
        assert caught.value.code == "other_origin"
