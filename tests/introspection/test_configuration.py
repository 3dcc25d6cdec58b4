"""What the settings refuse, at construction; and each with a twin that is accepted."""

from dataclasses import replace
from typing import Any

import pytest

from m2mguard import ConfigurationError, Introspection, InvalidToken, Issuer, ResourceServer
from m2mguard.client import AssertionFile, ClientSecret, MutualTls, TokenExchange
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.client_keys import Certificate

SECRET = ClientSecret("s3cr3t-of-the-api")
URL = "https://issuer.example"


def introspection(**changes: Any) -> Introspection:
    given: dict[str, Any] = {"client_id": "shopping-api", "authentication": SECRET} | changes
    return Introspection(**given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": ""}, "client_id must be a non-empty string"),
        ({"client_id": "a "}, "client_id has white space"),
        ({"authentication": "s3cr3t-of-the-api"}, "authentication must be a ClientSecret"),
        ({"authentication": TokenExchange(AssertionFile("a"))}, "authentication must be a ClientSecret"),
        ({"endpoint": "introspect"}, "endpoint must be an absolute URL"),
        ({"endpoint": "https://a:b@issuer.example/"}, "credentials"),
        ({"endpoint": 7}, "endpoint must be a URL"),
        ({"ttl": -1}, "ttl must be from 0 to 3,600"),
        ({"ttl": 3601}, "ttl must be from 0 to 3,600"),
        ({"ttl": True}, "ttl must be a number"),
        ({"ttl": float("nan")}, "ttl must be from"),
        ({"audience_required": None}, "audience_required must be True or False"),
        ({"jwt": "yes"}, "jwt must be True or False"),
        ({"max_concurrent": 0}, "max_concurrent must be from 1"),
        ({"max_concurrent": 1.5}, "max_concurrent must be a whole number"),
        ({"timeout": 0}, "timeout must be from 0.1"),
        ({"timeout": 61}, "timeout must be from 0.1 to 60"),
    ],
    ids=str,
)
def test_an_invalid_value_is_refused(changes, words):
    with pytest.raises(ConfigurationError, match=words) as refused:
        introspection(**changes)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [{}, {"ttl": 0}, {"ttl": 3600}, {"endpoint": f"{URL}/introspect"}, {"max_concurrent": 1}, {"timeout": 0.1}],
    ids=str,
)
def test_a_valid_one_is_accepted(changes):
    assert ResourceServer(Issuer(url=URL, introspection=introspection(**changes)), SHOPPING_API)


def test_the_secret_is_not_in_a_repr():
    issuer = Issuer(url=URL, introspection=introspection())
    for shown in (issuer, issuer.introspection, ResourceServer(issuer, SHOPPING_API).settings):
        assert "s3cr3t" not in repr(shown)


def test_an_issuer_takes_nothing_else_as_introspection():
    with pytest.raises(ConfigurationError, match="must be an Introspection"):
        Issuer(url=URL, introspection=SECRET)


@pytest.mark.parametrize("allow_http", [False, True])
def test_plain_http_needs_the_word_of_the_issuer(allow_http):
    def make():
        return Issuer(
            url=URL, allow_http=allow_http, introspection=introspection(endpoint="http://issuer:3001/introspect")
        )

    if allow_http:
        ResourceServer(make(), SHOPPING_API)
    else:
        with pytest.raises(ConfigurationError, match="endpoint is http"):
            make()


def test_of_several_issuers_one_can_introspect():
    first = Issuer(url=URL, introspection=introspection())
    second = Issuer(url="https://other.example", introspection=introspection())
    with pytest.raises(ConfigurationError, match="does not say whose it is"):
        ResourceServer([first, second], SHOPPING_API)
    ResourceServer([first, replace(second, introspection=None)], SHOPPING_API)


def test_opaque_tokens_are_asked_about_at_the_one_issuer_that_introspects():
    with LocalIssuer(algorithm="ES256") as one, LocalIssuer(algorithm="ES256") as other:
        api = ResourceServer([one.trusted, other.introspecting(timeout=30)], SHOPPING_API)
        assert api.verify(other.mint_opaque()).issuer == other.url
        assert api.verify(one.mint()).issuer == one.url
        assert (one.count("introspection"), other.count("introspection")) == (0, 1)


@pytest.mark.parametrize(
    ("audience", "options", "is_valid"),
    [
        (SHOPPING_API, {}, True),
        ("urn:logto:organization:blue", {}, False),
        ([SHOPPING_API, "urn:logto:organization:blue"], {}, False),
        (SHOPPING_API, {"organizations": True}, False),
    ],
    ids=str,
)
def test_a_token_without_audience_is_never_taken_for_an_organizations(audience, options, is_valid):
    issuer = Issuer(url=URL, introspection=introspection(audience_required=False), **options)
    if is_valid:
        ResourceServer(issuer, audience)
        return
    with pytest.raises(ConfigurationError, match="names an organization"):
        ResourceServer(issuer, audience)
    ResourceServer(replace(issuer, introspection=introspection()), audience)


def test_an_issuer_without_keys_is_one_that_introspects():
    nothing = {"keys": []}
    with pytest.raises(ConfigurationError, match="no usable key"):
        Issuer(url=URL, jwks=nothing)
    with pytest.raises(ConfigurationError, match="needs keys"):
        Issuer(url=URL, jwks=nothing, introspection=introspection(jwt=True))
    health = ResourceServer(Issuer(url=URL, jwks=nothing, introspection=introspection()), SHOPPING_API).health()
    assert (health.ready, health.issuers[0].keys) == (True, ())
    assert health.issuers[0].introspection is not None


def test_an_issuer_without_keys_is_never_asked_for_any(issuer):
    plain = Issuer(url=issuer.url, jwks={"keys": []}, introspection=issuer.introspecting(timeout=30).introspection)
    api = ResourceServer(plain, SHOPPING_API, clock=issuer.clock)
    assert api.warm_up().ready
    assert api.readiness().status == 200
    with pytest.raises(InvalidToken) as refused:
        api.verify(issuer.mint())
    assert refused.value.reason == "unknown_key"
    assert api.verify(issuer.mint_opaque()).app_id == "app-orders"
    assert (issuer.count("jwks"), issuer.count("discovery")) == (0, 0)


def test_a_certificate_comes_with_its_own_transport(tmp_path):
    pair, certificate = tmp_path / "pair.pem", Certificate.make()
    pair.write_bytes(certificate.certificate + certificate.key)
    issuer = Issuer(url=URL, introspection=introspection(authentication=MutualTls(pair)))
    api = ResourceServer(issuer, SHOPPING_API)
    assert api._verifier._introspector._asker.runtime.transport is not api._runtime.transport
    given = LocalIssuer(served=False).transport
    api = ResourceServer(issuer, SHOPPING_API, transport=given)
    assert api._verifier._introspector._asker.runtime.transport is given
