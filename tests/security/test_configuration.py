"""An invalid value is rejected when the object is built, with a message that says what to change."""

import math

import pytest

from m2mguard import ConfigurationError, Issuer, KeyCaching, ResourceServer
from m2mguard.testing import ALGORITHMS
from tests.security.forge import API, key, stable_id

JWKS = {"keys": [key().public_jwk]}
URL = "https://issuer.example/oidc"
HUGE = 10**400


def build(**settings):
    return ResourceServer(**{"issuers": URL, "audience": API, **settings})


@pytest.mark.parametrize(
    "audience",
    [(), [], "", [""], " ", None, 7, True, b"https://shopping.api", [b"x"], [None], [API, ""], [API, 7], {API: 1}, {},
     f" {API}", f"{API}\n", [f"{API} "], f"{API} https://other.api", "urn:logto:organization:", "urn:logto:resource:organizations"],
    ids=stable_id,
)  # fmt: skip
def test_an_invalid_audience_is_rejected(audience):
    with pytest.raises(ConfigurationError, match=r"^audience"):
        build(audience=audience)


def test_an_audience_has_no_default():
    with pytest.raises(ConfigurationError, match="audience is empty; give at least one"):
        ResourceServer(URL)


@pytest.mark.parametrize(
    "audience", [API, [API], (API, "api-2"), {API}, [API, API], "api://00000000-aaaa", "urn:logto:organization:org-1"]
)
def test_a_valid_audience_is_accepted(audience):
    assert build(audience=audience)


URLS = [
    ("", "ASCII"),
    (" ", "ASCII"),
    (None, "ASCII"),
    (7, "ASCII"),
    (b"https://issuer.example", "ASCII"),
    ("issuer.example", "https"),
    ("//issuer.example", "https"),
    ("HTTPS://issuer.example", "lower case"),
    ("http://issuer.example", "use https"),
    ("http://localhost.evil.example", "use https"),
    ("http://127.0.0.1.evil.example", "use https"),
    ("http://0.0.0.0", "use https"),
    ("http://10.0.0.1", "use https"),
    ("http://[::]", "use https"),
    ("http://2130706433", "use https"),
    ("ftp://issuer.example", "https"),
    ("file:///etc/passwd", "https"),
    ("data:application/json,{}", "ASCII"),
    ("https:issuer.example", "https"),
    ("https:/issuer.example", "https"),
    ("https://", "host"),
    ("https:///oidc", "host"),
    ("https://:443/oidc", "host"),
    ("https://?x", "host"),
    ("https://issuer.example:/oidc", "port"),
    ("https://issuer.example:0/oidc", "port"),
    ("https://issuer.example:65536/oidc", "port"),
    ("https://issuer.example:x/oidc", "port"),
    ("https://issuer..example", "host"),
    ("https://.issuer.example", "host"),
    ("https://issuer.example./oidc", "host"),
    ("https://*.example", "host"),
    ("https://$TENANT.logto.app", "host"),
    ("https://{tenant}.logto.app/oidc", "ASCII"),
    ("https://<tenant>.logto.app/oidc", "ASCII"),
    ("https://[::1", "host"),
    ("https://[issuer.example]", "host"),
    ("https://me@issuer.example", "credentials"),
    ("https://me:secret@issuer.example", "credentials"),
    ("http://localhost@evil.example", "credentials"),
    ("https://issuer.example/oidc?x=1", "query"),
    ("https://issuer.example/oidc?", "query"),
    ("https://issuer.example/oidc#x", "fragment"),
    ("https://issuer.example/oidc#", "fragment"),
    ("https://issuer.example//oidc", "segments"),
    ("https://issuer.example/oidc//", "segments"),
    ("https://issuer.example/../oidc", "segments"),
    ("https://issuer.example/./oidc", "segments"),
    ("https://issuer.example/oi dc", "ASCII"),
    ("https://issuer.example/oidc ", "ASCII"),
    (" https://issuer.example/oidc", "ASCII"),
    ("https://issuer.example/oidc\n", "ASCII"),
    ("https://issuer.example\\@evil.example", "ASCII"),
    ("https://issuer.example/\x00", "ASCII"),
    ('https://issuer.example/"', "ASCII"),
    ("https://issüer.example", "ASCII"),
]


@pytest.mark.parametrize(("url", "what_to_change"), URLS, ids=[repr(url) for url, _ in URLS])
def test_an_issuer_url_must_be_plain_https(url, what_to_change):
    with pytest.raises(ConfigurationError, match=what_to_change):
        Issuer(url=url)
    with pytest.raises(ConfigurationError, match=what_to_change):
        Issuer.logto(url)


@pytest.mark.parametrize(
    ("url", "what_to_change"),
    [
        pytest.param(url, what_to_change, id=repr(url))
        for url, what_to_change in URLS
        if url is not None and what_to_change not in ("query", "segments")
    ],
)
def test_a_configured_jwks_uri_must_be_an_https_url(url, what_to_change):
    with pytest.raises(ConfigurationError, match=what_to_change):
        Issuer(url=URL, jwks_uri=url)
    assert Issuer(
        url=URL, jwks_uri="https://keys.example:8443/discovery/keys?p=policy"
    )  # some issuers select keys by a query


@pytest.mark.parametrize(
    "url",
    ["https://issuer.example", "https://issuer.example/", "https://issuer.example:8443/a/b/", "https://Issuer.example", "https://10.0.0.1",
     "https://[2001:db8::1]:8443/oidc", "https://my_host/oidc", "http://localhost:3001/oidc", "http://127.0.0.1:3001/oidc",
     "http://[::1]:3001/oidc", "http://LOCALHOST/oidc", "https://issuer.example/a%20b/~c"],
)  # fmt: skip
def test_a_valid_issuer_url_is_accepted(url):
    assert Issuer(url=url).url == url


def test_a_metadata_url_is_rejected_as_issuer():
    with pytest.raises(ConfigurationError, match="give the value of its member 'issuer'"):
        Issuer(url=f"{URL}/.well-known/openid-configuration")


def test_a_logto_endpoint_must_be_given_without_oidc():
    assert (
        Issuer.logto("https://tenant.logto.app").url
        == Issuer.logto("https://tenant.logto.app/").url
        == "https://tenant.logto.app/oidc"
    )
    for endpoint in ("https://tenant.logto.app/oidc", "https://tenant.logto.app/oidc/"):
        with pytest.raises(ConfigurationError, match="without '/oidc'"):
            Issuer.logto(endpoint)


@pytest.mark.parametrize(
    "algorithms",
    [[], (), "ES256", b"ES256", None, 7, {"ES256": 1}, [""], [None], [7], ["none"], ["None"], ["HS256"], ["ES256", "HS512"], ["es256"],
     ["ES256 "], ["ES256K"], ["RSA-OAEP"], ["dir"], ["*"], ["ES256", "RS1"], ["ES256,ES384"]],
    ids=stable_id,
)  # fmt: skip
def test_algorithms_must_be_a_list_of_supported_asymmetric_names(algorithms):
    with pytest.raises(ConfigurationError, match=r"^algorithms"):
        Issuer(url=URL, algorithms=algorithms)


@pytest.mark.parametrize("algorithms", [list(ALGORITHMS), ("ES384",), {"RS256"}, ["ES256", "ES256"]], ids=stable_id)
def test_valid_algorithms_are_accepted(algorithms):
    assert Issuer(url=URL, algorithms=algorithms).algorithms == frozenset(algorithms)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("token_types", "at+jwt"),
        ("token_types", []),
        ("token_types", None),
        ("token_types", [""]),
        ("token_types", [7]),
        ("token_types", [" at+jwt"]),
        ("token_types", ["application/"]),
        ("token_types", ["/at+jwt"]),
        ("token_types", ["application//at+jwt"]),
        ("token_types", ["\u212a+jwt"]),
        ("required_claims", "exp"),
        ("required_claims", []),
        ("required_claims", ["iss"]),
        ("required_claims", ["exp"]),
        ("required_claims", None),
        ("app_id_claim", ""),
        ("app_id_claim", None),
        ("app_id_claim", ["sub"]),
        ("is_machine", True),
        ("is_machine", None),
        ("is_machine", "sub"),
        ("scope_lists", "permissions"),
        ("scope_lists", [""]),
        ("scope_lists", ["scope", 7]),
        ("organizations", "true"),
        ("organizations", 1),
        ("organizations", None),
        ("jwks", []),
        ("jwks", "{}"),
        ("jwks", {}),
        ("jwks", {"keys": []}),
        ("jwks", {"keys": [{"kty": "oct", "k": "AA", "kid": "x"}]}),
    ],
    ids=stable_id,
)
def test_an_invalid_setting_of_an_issuer_is_rejected(setting, value):
    with pytest.raises(ConfigurationError, match=setting):
        Issuer(url=URL, **{setting: value})


def test_jwks_and_jwks_uri_exclude_each_other():
    with pytest.raises(ConfigurationError, match="not both"):
        Issuer(url=URL, jwks=JWKS, jwks_uri="https://issuer.example/jwks")
    assert Issuer(url=URL, jwks=JWKS)


@pytest.mark.parametrize(
    "issuers",
    [None, "", [], (), 7, [None], [7], {URL: 1}, [URL, URL], [Issuer(url=URL), URL], [URL, ""]],
    ids=stable_id,
)
def test_issuers_must_be_one_or_more_without_duplicates(issuers):
    with pytest.raises(ConfigurationError, match="issuer"):
        build(issuers=issuers)


@pytest.mark.parametrize(
    "leeway",
    [-1, -0.001, 301, math.inf, -math.inf, math.nan, HUGE, -HUGE, "30", None, True, [30]],
    ids=lambda value: str(value)[:9],
)
def test_leeway_must_be_a_number_from_0_to_300_seconds(leeway):
    with pytest.raises(ConfigurationError, match=r"leeway must be .*from 0 to 300"):
        build(leeway=leeway)


@pytest.mark.parametrize("leeway", [0, 0.5, 30, 300])
def test_a_valid_leeway_is_accepted(leeway):
    assert build(leeway=leeway)


@pytest.mark.parametrize(
    "size", [-1, 1_000_001, 1.5, math.inf, HUGE, "1024", None, True], ids=lambda value: str(value)[:9]
)
def test_the_size_of_the_verdict_cache_must_be_a_whole_number(size):
    with pytest.raises(ConfigurationError, match="verdict_cache_size must be"):
        build(verdict_cache_size=size)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("machine_only", 1),
        ("machine_only", "false"),
        ("machine_only", None),
        ("clock", 1.0),
        ("monotonic", "time"),
        ("on_event", "print"),
        ("on_event", ["print"]),
        ("transport", object()),
        ("transport", "https"),
        ("caching", 300),
        ("caching", {"ttl": 300}),
    ],
    ids=stable_id,
)
def test_a_setting_of_another_type_is_rejected(setting, value):
    with pytest.raises(ConfigurationError, match=setting):
        build(**{setting: value})


@pytest.mark.parametrize(
    "realm",
    ["", '"', 'a"b', "a\\b", "a\nb", "a\r\nX: y", "a\x00", "a\x7f", "ä", "\u2028", 7, b"api", ["api"]],
    ids=stable_id,
)
def test_a_realm_with_invalid_characters_is_rejected(realm):
    with pytest.raises(ConfigurationError, match="realm: give"):
        build(realm=realm)


@pytest.mark.parametrize("realm", ["api", "Shopping API (v2), beta!", "a'b", "{~}", None])
def test_a_valid_realm_is_accepted(realm):
    assert build(realm=realm)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/.well-known/oauth-protected-resource",
        "shopping.api",
        "http://shopping.api/.well-known/oauth-protected-resource",
        "https://",
        "https:///x",
        "https://shopping.api/x#y",
        "https://me:secret@shopping.api/x",
        'https://shopping.api/"x',
        "https://shopping.api/x\\y",
        "https://shopping.api/x y",
        "https://shopping.api/x\r\nX: y",
        "https://shopping.api/\x7f",
        "https://shopping.api/ä",
        "https://shopping.api/<x>",
        "ftp://shopping.api/x",
        "javascript:alert(1)",
        7,
        b"https://shopping.api/x",
    ],
    ids=stable_id,
)
def test_an_invalid_resource_metadata_url_is_rejected(url):
    with pytest.raises(ConfigurationError, match="resource_metadata_url"):
        build(resource_metadata_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://shopping.api/.well-known/oauth-protected-resource",
        "https://shopping.api:8443/x?y=1",
        "http://127.0.0.1:8000/x",
        None,
    ],
)
def test_a_valid_resource_metadata_url_is_accepted(url):
    assert build(resource_metadata_url=url)


OUT_OF_RANGE = {
    "ttl": (0, 86_401),
    "refresh_ahead": (0, 1.01),
    "stale_for": (-1, 7 * 86_400 + 1),
    "cooldown": (0, 3_601),
    "burst": (-1, 101),
    "max_wait": (-0.1, 61),
    "connect_timeout": (0, 61),
    "timeout": (0, 61),
    "max_bytes": (1_023, 16 * 2**20 + 1),
    "max_keys": (0, 1_001),
}


@pytest.mark.parametrize("setting", OUT_OF_RANGE)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, HUGE, -HUGE, "5", None, True, [5]], ids=lambda value: str(value)[:9]
)
def test_numbers_of_the_key_cache_must_be_finite_and_in_range(setting, value):
    for invalid in (*OUT_OF_RANGE[setting], value):
        with pytest.raises(ConfigurationError, match=rf"^{setting} must be "):
            KeyCaching(**{setting: invalid})


@pytest.mark.parametrize(
    ("caching", "what_to_change"),
    [
        ({"ttl": 300, "stale_for": 299}, r"stale_for \(299\) is shorter than ttl \(300\)"),
        ({"connect_timeout": 6, "timeout": 5}, r"connect_timeout \(6\) is longer than timeout \(5\)"),
        ({"max_wait": 6, "timeout": 5}, r"max_wait \(6\) is longer than timeout \(5\)"),
        ({"burst": 1.5}, "whole number"),
        ({"max_keys": 10.0}, "whole number"),
        ({"max_bytes": 1e5}, "whole number"),
    ],
)
def test_contradicting_numbers_of_the_key_cache_are_rejected(caching, what_to_change):
    with pytest.raises(ConfigurationError, match=what_to_change):
        KeyCaching(**caching)


@pytest.mark.parametrize(
    "caching",
    [
        {},
        {"stale_for": 0},
        {"stale_for": 300},
        {"burst": 0},
        {"max_wait": 0},
        {"ttl": 1, "timeout": 0.5, "connect_timeout": 0.5, "max_wait": 0.5},
    ],
    ids=stable_id,
)
def test_valid_numbers_of_the_key_cache_are_accepted(caching):
    assert KeyCaching(**caching)


@pytest.mark.parametrize(
    ("environ", "what_to_change"),
    [
        ({}, "M2MGUARD_ISSUER is missing"),
        ({"M2MGUARD_ISSUER": URL}, "M2MGUARD_AUDIENCE is missing"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": " "}, "M2MGUARD_AUDIENCE is missing"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIANCE": API}, "unknown setting M2MGUARD_AUDIANCE. Did you mean M2MGUARD_AUDIENCE"),
        ({"M2MGUARD_ISSUER": "http://issuer.example", "M2MGUARD_AUDIENCE": API}, "use https"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_LEEWAY": "many"}, "M2MGUARD_LEEWAY cannot be read; give a number"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_LEEWAY": "nan"}, "leeway must be"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_TTL": "inf"}, "ttl must be"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_MAX_KEYS": "1.5"}, "give a whole number"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_MACHINE_ONLY": "maybe"}, "give true or false"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_ALGORITHMS": "HS256"}, "symmetric"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_JWKS": "{"}, "valid JSON"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_JWKS": "[" * 100_000}, "valid JSON"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_JWKS": "[]"}, "valid JSON"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_JWKS": "{}"}, "jwks cannot be used"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_CLOCK": "time.time"}, "set it in code"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_ORGANIZATIONS": "true"}, "LOGTO_ENDPOINT"),
        ({"M2MGUARD_ISSUER": f"{URL} {URL}x", "M2MGUARD_AUDIENCE": API, "M2MGUARD_ALGORITHMS": "ES384"}, "one issuer URL only"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_CA_FILE": "/nowhere"}, "ca_file"),
        ({"M2MGUARD_ISSUER": URL, "M2MGUARD_AUDIENCE": API, "M2MGUARD_REALM": 'a"b'}, "realm: give"),
    ],
    ids=stable_id,
)  # fmt: skip
def test_invalid_environment_variables_are_rejected(environ, what_to_change):
    with pytest.raises(ConfigurationError, match=what_to_change):
        ResourceServer.from_env(environ)


def test_valid_environment_variables_are_accepted():
    given = {
        "M2MGUARD_ISSUER": URL,
        "M2MGUARD_AUDIENCE": f"{API}, https://other.api",
        "M2MGUARD_LEEWAY": "5",
        "M2MGUARD_TTL": "60",
        "M2MGUARD_STALE_FOR": "60",
        "M2MGUARD_MACHINE_ONLY": "false",
        "OTHER": "x",
    }
    assert ResourceServer.from_env(given)
    assert ResourceServer.from_env(
        {
            "M2MGUARD_LOGTO_ENDPOINT": "https://tenant.logto.app",
            "M2MGUARD_AUDIENCE": API,
            "M2MGUARD_ORGANIZATIONS": "true",
        }
    )


def test_no_message_repeats_a_value_that_may_be_a_secret():
    for setting in ("issuers", "resource_metadata_url"):
        with pytest.raises(ConfigurationError) as error:
            build(**{setting: "https://me:s3cret@issuer.example"})
        assert "s3cret" not in str(error.value)
