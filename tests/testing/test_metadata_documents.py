"""The documents that a verifier reads: what they say, their headers, and how they follow the issuer's keys."""

import json
from pathlib import Path

import pytest

from m2mguard.testing import LocalIssuer
from m2mguard.testing._messages import Request
from m2mguard.testing._metadata_documents import key_set_document, revalidated

RECORDED = {
    answer["name"]: answer
    for answer in json.loads((Path(__file__).parent.parent / "data" / "logto" / "metadata.json").read_text())
}


def test_the_metadata_names_the_issuer_and_its_key_set(http, issuer):
    answer = http("GET", issuer.url + "/.well-known/openid-configuration")
    assert answer.status == 200
    assert answer.json()["issuer"] == issuer.url == issuer.endpoint + "/oidc"
    assert answer.json()["jwks_uri"] == issuer.jwks_uri
    assert answer.json()["token_endpoint"] == issuer.token_endpoint


def test_the_key_set_holds_the_current_key_alone(http, issuer):
    answer = http("GET", issuer.jwks_uri)
    assert answer.json() == {"keys": [issuer.current_key.public_jwk]}
    assert answer.headers["content-type"] == "application/jwk-set+json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, max-age=0, must-revalidate"


def test_every_endpoint_of_the_metadata_follows_the_host_header_but_the_issuer_does_not(http, issuer):
    answer = http("GET", issuer.url + "/.well-known/openid-configuration", headers={"Host": "evil.example"})
    document = answer.json()
    assert document["issuer"] == issuer.url
    assert document["jwks_uri"] == "http://evil.example/oidc/jwks"
    assert document["token_endpoint"] == "http://evil.example/oidc/token"


def test_an_unchanged_key_set_is_a_304_until_a_rotation(http, issuer):
    tag = http("GET", issuer.jwks_uri).headers["etag"]
    unchanged = http("GET", issuer.jwks_uri, headers={"If-None-Match": tag})
    assert (unchanged.status, unchanged.data, unchanged.headers["etag"]) == (304, b"", tag)
    issuer.rotate()
    changed = http("GET", issuer.jwks_uri, headers={"If-None-Match": tag})
    assert changed.status == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("form", "path", "found", "not_found"),
    [
        ("appended", "/oidc", "/oidc/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/oidc"),
        ("inserted", "/oidc", "/.well-known/oauth-authorization-server/oidc", "/oidc/.well-known/openid-configuration"),
        (
            "inserted_openid",
            "/oidc",
            "/.well-known/openid-configuration/oidc",
            "/oidc/.well-known/openid-configuration",
        ),
        ("appended", "", "/.well-known/openid-configuration", "/oidc/.well-known/openid-configuration"),
    ],
)
def test_the_metadata_stands_at_one_form_of_the_well_known_path_only(http, form, path, found, not_found):
    with LocalIssuer(path=path, metadata_form=form) as issuer:
        assert http("GET", issuer.endpoint + found).json()["issuer"] == issuer.endpoint + path
        missing = http("GET", issuer.endpoint + not_found)
        assert (missing.status, missing.data) == (404, b"Not Found")
        assert issuer.count("discovery") == 2


def test_the_issuer_may_have_another_name_than_its_address(http):
    with LocalIssuer(issuer="https://auth.example/oidc") as issuer:
        document = http("GET", issuer.endpoint + "/oidc/.well-known/openid-configuration").json()
    assert document["issuer"] == issuer.url == "https://auth.example/oidc"
    assert document["jwks_uri"] == issuer.jwks_uri


def test_an_odd_jwk_is_published_as_it_is_and_where_it_was_put(http, issuer):
    odd = {"kty": "AKP", "alg": "ML-DSA-44", "kid": "odd", "pub": "AA"}
    issuer.publish(odd, position=0)
    assert json.loads(http("GET", issuer.jwks_uri).data)["keys"] == [odd, issuer.current_key.public_jwk]


def test_every_member_of_the_metadata_says_what_logtos_said(http):
    with LocalIssuer(issuer="http://127.0.0.1:3001/oidc") as issuer:
        url = issuer.endpoint + "/oidc/.well-known/openid-configuration"
        answer = http("GET", url, headers={"Host": "127.0.0.1:3001"})
    recorded = RECORDED["discovery-default"]["response"]
    assert answer.json().items() <= recorded["body"].items()
    assert answer.headers["content-type"] == recorded["headers"]["Content-Type"]


@pytest.mark.parametrize("name", [name for name in RECORDED if name != "jwks-if-none-match"])
def test_each_path_answers_with_logtos_status_and_headers(http, issuer, name):
    recorded = RECORDED[name]["response"]
    answer = http("GET", issuer.endpoint + RECORDED[name]["request"]["path"])
    assert answer.status == recorded["status"]
    headers = {**recorded["headers"], "ETag": answer.headers.get("etag")}
    assert {header: answer.headers.get(header) for header in headers} == headers
    assert ("etag" in answer.headers) == ("ETag" in recorded["headers"])


def test_the_etag_is_made_as_logto_makes_it():
    """Length in hexadecimal, then SHA-1 in base64: computed from the recorded body, it is the recorded one."""
    recorded = RECORDED["jwks-default"]["response"]
    request = Request(method="GET", path="/oidc/jwks", headers={}, body=b"", scheme="http")
    assert revalidated(request, key_set_document(recorded["body"])).headers["ETag"] == recorded["headers"]["ETag"]


def test_a_304_has_the_headers_that_logtos_has(http, issuer):
    tag = http("GET", issuer.jwks_uri).headers["etag"]
    answer = http("GET", issuer.jwks_uri, headers={"If-None-Match": tag})
    recorded = RECORDED["jwks-if-none-match"]["response"]["headers"]
    assert {name.lower() for name in answer.headers} == {name.lower() for name in recorded}


def test_the_documents_are_only_read(http, issuer):
    for url in (issuer.jwks_uri, issuer.url + "/.well-known/openid-configuration"):
        assert http("POST", url, body=b"").status == 404
