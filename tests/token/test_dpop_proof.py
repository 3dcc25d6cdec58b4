"""One DPoP proof alone: every rule of RFC 9449 section 4.3 that needs no memory, each refusal beside what is accepted."""

import hashlib
import json

import pytest

from m2mguard._token.dpop_proof import GoodProof, ProofRules, ProvenRequest, check_age, check_proof
from m2mguard._token.target_uri import RequestPath, target_uri
from m2mguard.errors import InvalidDpopProof
from m2mguard.testing import REMOVED, SigningKey, base64url
from m2mguard.testing._signing import thumbprint

NOW = 1_800_000_000
TOKEN = "a.token.of-ours"
URL = "https://shopping.example/orders"
KEY = SigningKey.generate("ES256")
OTHER_KEY = SigningKey.generate("ES256")
ACCEPTED = "accepted"
NOTHING: dict[str, object] = {}
ORIGIN, RFC_ORIGIN = target_uri("https://shopping.example"), target_uri("https://resource.example.org/")
assert ORIGIN
assert RFC_ORIGIN
RULES = ProofRules(
    algorithms=frozenset(("ES256", "ES384", "ES512", "EdDSA", "PS256", "RS256")),
    origin=ORIGIN,
    prefix="",
    max_age_s=60,
    leeway_s=30,
)
# RFC 9449 section 7.1, figure 13; the key is that of section 6.1
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
RFC_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj"
    "oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z"
    "WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF"
    "c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E"
    "OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)


def jwk_of(key: SigningKey) -> dict[str, object]:
    return {name: value for name, value in key.public_jwk.items() if name not in ("use", "kid", "alg")}


def changed(members, changes):
    return {name: value for name, value in {**members, **changes}.items() if value is not REMOVED}


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def proof(claims=NOTHING, header=NOTHING, *, key=KEY) -> str:
    top = changed({"typ": "dpop+jwt", "alg": key.algorithm, "jwk": jwk_of(key)}, header)
    said = {"jti": "proof-1", "htm": "GET", "htu": URL, "iat": NOW, "ath": base64url(sha256(TOKEN))}
    return key.sign_compact(top, changed(said, claims))


def request(*, method="GET", path="/orders", token=TOKEN, key=KEY) -> ProvenRequest:
    return ProvenRequest(method, RequestPath(path, path.encode()), sha256(token), thumbprint(jwk_of(key)))


def check(given, asked=None, rules=RULES, known=None) -> GoodProof:
    raw = given if isinstance(given, bytes) else given.encode()
    return check_proof(raw, asked or request(), rules, {} if known is None else known)


def outcome(given, asked=None, rules=RULES, known=None):
    """`ACCEPTED`, or the problem and the claim."""
    try:
        check(given, asked, rules, known)
    except InvalidDpopProof as error:
        refused = error
    else:
        return ACCEPTED
    assert (refused.status, refused.error, refused.reason) == (401, "invalid_dpop_proof", "dpop_proof")
    assert refused.got is None
    return refused.problem, refused.claim


def test_the_example_of_rfc_9449_is_accepted_at_its_time():
    asked = ProvenRequest(
        "GET", RequestPath("/protectedresource", b"/protectedresource"), sha256(RFC_TOKEN), RFC_THUMBPRINT
    )
    rules = RULES._replace(origin=RFC_ORIGIN)
    found = check(RFC_PROOF, asked, rules)
    assert found.issued_at == 1562262618
    check_age(found, rules, 1562262618)
    with pytest.raises(InvalidDpopProof):
        check_age(found, rules, NOW)
    assert outcome(RFC_PROOF[:-2] + "AA", asked, rules) == ("signature", None)


@pytest.mark.parametrize("alg", sorted(RULES.algorithms))
def test_each_accepted_algorithm_makes_proofs(alg):
    key = SigningKey.generate(alg)
    assert outcome(proof(key=key), request(key=key)) == ACCEPTED
    assert outcome(proof(key=key), request(key=key), RULES._replace(algorithms=frozenset(("ES999",)))) == (
        "not_accepted",
        "alg",
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, ACCEPTED),
        ({"kid": "a hint"}, ACCEPTED),
        ({"typ": "jwt"}, ("header", "typ")),
        ({"typ": "at+jwt"}, ("header", "typ")),
        ({"typ": REMOVED}, ("header", "typ")),
        ({"alg": "none"}, ("not_accepted", "alg")),
        ({"alg": "HS256"}, ("not_accepted", "alg")),
        ({"alg": "ES384"}, ("signature", None)),
        ({"alg": 7}, ("header", "alg")),
        ({"crit": ["b64"], "b64": True}, ("header", "crit")),
        ({"jwk": REMOVED}, ("header", "jwk")),
        ({"jwk": "key"}, ("header", "jwk")),
        ({"jwk": {}}, ("unusable_key", "jwk")),
        ({"jwk": {"kty": "oct", "k": base64url(bytes(32))}}, ("private_key", "jwk")),
        ({"jwk": jwk_of(OTHER_KEY)}, ("other_key", "jwk")),
        ({"jwk": {**jwk_of(KEY), "kid": "named"}}, ACCEPTED),
        ({"jwk": {**jwk_of(KEY), "use": "enc"}}, ("unusable_key", "jwk")),
        ({"jwk": {**jwk_of(KEY), "x": str(jwk_of(KEY)["x"]) + "="}}, ("unusable_key", "jwk")),
        ({"jwk": {**jwk_of(KEY), "y": jwk_of(OTHER_KEY)["y"]}}, ("unusable_key", "jwk")),
    ],
)
def test_the_header_names_the_type_the_algorithm_and_the_public_key(header, expected):
    assert outcome(proof(header=header)) == expected


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
@pytest.mark.parametrize("value", [base64url(bytes(32)), "", None, []])
def test_a_private_member_is_refused_whatever_its_value(name, value):
    assert outcome(proof(header={"jwk": {**jwk_of(KEY), name: value}})) == ("private_key", "jwk")
    assert outcome(proof(header={"jwk": {**jwk_of(KEY), "x-other": value}})) == ACCEPTED


def test_the_signature_is_checked_each_time_and_the_key_is_read_once():
    known = {}
    assert outcome(proof(), known=known) == ACCEPTED
    assert outcome(proof({"jti": "proof-2"}), known=known) == ACCEPTED
    assert len(known) == 1
    forged = proof().rpartition(".")[0] + "." + proof({"jti": "proof-3"}).rpartition(".")[2]
    assert outcome(forged, known=known) == ("signature", None)
    assert outcome(proof(), request(key=OTHER_KEY), known=known) == ("other_key", "jwk")


def test_a_key_is_remembered_only_after_a_good_signature():
    known = {}
    assert outcome(proof().rpartition(".")[0] + "." + base64url(bytes(64)), known=known) == ("signature", None)
    assert outcome(proof(), request(key=OTHER_KEY), known=known) == ("other_key", "jwk")
    assert not known


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, ACCEPTED),
        ({"exp": NOW - 1000, "nbf": NOW + 1000, "other": [1]}, ACCEPTED),  # RFC 9449 gives them no meaning in a proof
        ({"htm": "POST"}, ("wrong_value", "htm")),
        ({"htm": "get"}, ("wrong_value", "htm")),
        ({"htm": ["GET"]}, ("wrong_value", "htm")),
        ({"htm": REMOVED}, ("missing", "htm")),
        ({"htu": "https://shopping.example/other"}, ("wrong_value", "htu")),
        ({"htu": "https://shopping.example/orders/"}, ("wrong_value", "htu")),
        ({"htu": "https://evil.example/orders"}, ("wrong_value", "htu")),
        ({"htu": "http://shopping.example/orders"}, ("wrong_value", "htu")),
        ({"htu": 7}, ("wrong_value", "htu")),
        ({"htu": REMOVED}, ("missing", "htu")),
        ({"ath": base64url(sha256("another"))}, ("wrong_value", "ath")),
        ({"ath": base64url(sha256(TOKEN)) + "="}, ("wrong_value", "ath")),
        ({"ath": REMOVED}, ("missing", "ath")),
        ({"iat": str(NOW)}, ("wrong_type", "iat")),
        ({"iat": True}, ("wrong_type", "iat")),
        ({"iat": REMOVED}, ("missing", "iat")),
        ({"iat": NOW + 0.5}, ACCEPTED),
        ({"jti": ""}, ("wrong_type", "jti")),
        ({"jti": 7}, ("wrong_type", "jti")),
        ({"jti": "x" * 512}, ACCEPTED),
        ({"jti": "x" * 513}, ("wrong_type", "jti")),
        ({"jti": REMOVED}, ("missing", "jti")),
        ({"nonce": "abc"}, ACCEPTED),
        ({"nonce": None}, ("wrong_type", "nonce")),
        ({"nonce": 'a"b'}, ("wrong_type", "nonce")),
    ],
)
def test_the_claims_are_those_of_this_request(claims, expected):
    assert outcome(proof(claims)) == expected


def test_a_captured_proof_is_of_no_use_for_anything_else():
    captured = proof()
    assert outcome(captured) == ACCEPTED
    assert outcome(captured, request(method="DELETE")) == ("wrong_value", "htm")
    assert outcome(captured, request(path="/orders/7")) == ("wrong_value", "htu")
    assert outcome(captured, request(token="another.token.of-ours")) == ("wrong_value", "ath")
    assert outcome(captured, request(key=OTHER_KEY)) == ("other_key", "jwk")


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, None),
        (-30, None),
        (-30.5, "in_future"),
        (89.5, None),
        (90, "too_old"),
        (1e300, "too_old"),
        (-1e300, "in_future"),
    ],
)
def test_a_proof_is_good_for_max_age_and_the_leeway(age, expected):
    given = GoodProof(b"", None, NOW - age)
    if expected is None:
        check_age(given, RULES, NOW)
        return
    with pytest.raises(InvalidDpopProof) as caught:
        check_age(given, RULES, NOW)
    assert (caught.value.problem, caught.value.claim) == (expected, "iat")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ("segments", None)),
        ("a.b", ("segments", None)),
        ("a.b.c.d", ("segments", None)),
        (f"{proof()}, {proof()}", ("segments", None)),
        (f" {proof()}", ("segments", None)),
        (f"{proof()}=", ("segments", None)),
        ("aaaaa.e30.AAAA", ("base64url", None)),
        (f"{base64url(b'[]')}.e30.AAAA", ("json", None)),
        ("a" * 8_193, ("too_long", None)),
        (b"\xff.\xff.\xff", ("segments", None)),
    ],
    ids=["empty", "two", "four", "a list", "space", "padding", "length", "no object", "too long", "no ASCII"],
)
def test_anything_but_one_compact_jws_is_refused(given, expected):
    assert outcome(given) == expected


def test_a_proof_may_have_8_kib():
    room = 8_192 - len(proof({"pad": ""}))
    assert outcome(proof({"pad": "x" * (room * 3 // 4)})) == ACCEPTED
    assert outcome(proof({"pad": "x" * (room + 8)})) == ("too_long", None)


def test_a_member_twice_is_refused():
    claims = json.dumps({"jti": "1", "htm": "GET", "htu": URL, "iat": NOW, "ath": base64url(sha256(TOKEN))})
    top = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk_of(KEY)}
    assert outcome(KEY.sign_compact(top, claims.encode())) == ACCEPTED
    assert outcome(KEY.sign_compact(top, (claims[:-1] + ', "htm": "GET"}').encode())) == ("json", None)


def test_the_id_is_equal_for_the_same_key_and_jti_only():
    def id_of(jti, key=KEY):
        return check(proof({"jti": jti}, key=key), request(key=key)).token_id

    assert id_of("1") == id_of("1")
    assert len({id_of("1"), id_of("2"), id_of("1", OTHER_KEY)}) == 3
