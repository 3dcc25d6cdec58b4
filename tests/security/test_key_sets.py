"""Keys and key sets: RFC 7517, RFC 7518 section 6, RFC 8037, RFC 8725 section 3.4. Each key is checked separately."""

import json
from typing import Any

import pytest

from m2mguard import ConfigurationError, Issuer
from m2mguard._keys.key_set import UnusableKeySet, key_set_from_members, parse_key_set
from m2mguard._token.jwk import describe
from m2mguard._token.jws import load_key
from m2mguard._token.key_strength import UnusableKey, canonical_rsa, check_ed25519
from m2mguard.testing import base64url, thumbprint
from tests.refusals import reason_of
from tests.security.forge import ACCEPTED, REMOVED, changed, key, mint, outcome, server

EC: dict[str, Any] = key("ES256", "bad").public_jwk
RSA: dict[str, Any] = key("RS256", "bad").public_jwk
OKP: dict[str, Any] = key("EdDSA", "bad").public_jwk
AKP: dict[str, Any] = key("ML-DSA-44", "bad").public_jwk
GOOD = key().public_jwk
PRIME_OF_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
PRIME_OF_25519 = 2**255 - 19


def integer(number, size=None):
    return base64url(number.to_bytes(size or max(1, (number.bit_length() + 7) // 8)))


def point(number):
    return base64url(number.to_bytes(32, "little"))


ORDER_8 = [
    base64url(bytes.fromhex(point))
    for point in (
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
]
UNUSABLE = {
    "kty missing": (EC, {"kty": REMOVED}),
    "kty null": (EC, {"kty": None}),
    "kty a list": (EC, {"kty": ["EC"]}),
    "kty an object": (EC, {"kty": {"EC": 1}}),
    "kty in another case": (EC, {"kty": "ec"}),
    "kty of another type": (EC, {"kty": "RSA"}),
    "kty unknown": (EC, {"kty": "LMS"}),
    "kty oct": (EC, {"kty": "oct", "k": "AAAA"}),
    "a symmetric key": ({"kty": "oct", "kid": "bad", "alg": "HS256", "k": base64url(bytes(32))}, {}),
    "an EC key with d": (EC, {"d": "AA"}),
    "an RSA key with d": (RSA, {"d": "AA"}),
    "an OKP key with d": (OKP, {"d": "AA"}),
    **{f"an RSA key with {name}": (RSA, {name: "AA"}) for name in ("p", "q", "dp", "dq", "qi", "oth", "k")},
    "d a number": (EC, {"d": 7}),
    "d zero": (EC, {"d": 0}),
    "d false": (EC, {"d": False}),
    "d an object": (EC, {"d": {}}),
    "d a list": (EC, {"d": ["AA"]}),
    "d of padding alone": (EC, {"d": "="}),
    "oth with one prime": (RSA, {"oth": [{"r": "AA", "d": "AA", "t": "AA"}]}),
    "crv missing": (EC, {"crv": REMOVED}),
    "crv of another length": (EC, {"crv": "P-384"}),
    "crv in another case": (EC, {"crv": "p-256"}),
    "crv secp256k1": (EC, {"crv": "secp256k1", "alg": REMOVED}),
    "crv P-256K": (EC, {"crv": "P-256K", "alg": REMOVED}),
    "crv a list": (EC, {"crv": ["P-256"]}),
    "crv X25519": (OKP, {"crv": "X25519", "alg": REMOVED}),
    "crv Ed448": (OKP, {"crv": "Ed448", "alg": REMOVED}),
    "alg of another curve": (EC, {"alg": "ES384"}),
    "alg of another type": (EC, {"alg": "RS256"}),
    "alg symmetric": (EC, {"alg": "HS256"}),
    "alg symmetric on RSA": (RSA, {"alg": "HS256"}),
    "alg none": (EC, {"alg": "none"}),
    "alg in another case": (EC, {"alg": "es256"}),
    "alg for encryption": (RSA, {"alg": "RSA-OAEP"}),
    "alg for key agreement": (EC, {"alg": "ECDH-ES"}),
    "alg unknown": (EC, {"alg": "ES224"}),
    "alg empty": (EC, {"alg": ""}),
    "alg a list": (EC, {"alg": ["ES256"]}),
    "use enc": (EC, {"use": "enc"}),
    "use in another case": (EC, {"use": "SIG"}),
    "use empty": (EC, {"use": ""}),
    "use a list": (EC, {"use": ["sig"]}),
    "key_ops sign": (EC, {"key_ops": ["sign"]}),
    "key_ops a string": (EC, {"key_ops": "verify"}),
    "key_ops an object": (EC, {"key_ops": {"verify": 1}}),
    "key_ops in another case": (EC, {"key_ops": ["VERIFY", []]}),
    "key_ops to encrypt": (EC, {"key_ops": ["encrypt", "wrapKey"]}),
    "key_ops with verify twice": (EC, {"key_ops": ["verify", "verify"]}),
    "key_ops with another operation twice": (EC, {"key_ops": ["verify", "sign", "sign"]}),
    "key_ops with a null": (EC, {"key_ops": ["verify", None]}),
    "key_ops with a number": (EC, {"key_ops": ["verify", 1]}),
    "key_ops with a list": (EC, {"key_ops": ["verify", ["sign"]]}),
    "key_ops false": (EC, {"key_ops": False}),
    **{
        f"key_ops to verify and {operation} beside use sig": (EC, {"key_ops": ["verify", operation]})
        for operation in ("encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits")
    },
    "kid a number": (EC, {"kid": 1}),
    "kid a list": (EC, {"kid": ["bad"]}),
    "kid too long": (EC, {"kid": "a" * 513}),
    "kid with a line break": (EC, {"kid": "bad\nkey_ids=good"}),
    "kid with a lone surrogate": (EC, {"kid": "\ud800"}),
    "x missing": (EC, {"x": REMOVED}),
    "y missing": (EC, {"y": REMOVED}),
    "x null": (EC, {"x": None}),
    "x a number": (EC, {"x": 7}),
    "x empty": (EC, {"x": ""}),
    "x a byte short": (EC, {"x": EC["x"][:-2]}),
    "x of another point with a leading zero byte": (EC, {"x": integer(1, 33)}),
    "x a byte too long": (EC, {"x": base64url(b"\x01" + bytes(32))}),
    "x zero": (EC, {"x": integer(0)}),
    "x of padding alone": (EC, {"x": "=="}),
    "x with padding inside": (EC, {"x": EC["x"][:4] + "=" + EC["x"][4:]}),
    "x with white space": (EC, {"x": EC["x"] + "\n"}),
    "x with spare bits": (EC, {"x": EC["x"][:-1] + chr(ord(EC["x"][-1]) + 1)}),
    "x of another alphabet": (EC, {"x": "+/" + EC["x"][2:]}),
    "x not ASCII": (EC, {"x": "ä" + EC["x"][1:]}),
    "y of another point": (EC, {"y": GOOD["y"]}),
    "the point zero": (EC, {"x": integer(0, 32), "y": integer(0, 32)}),
    "x beyond the field": (EC, {"x": integer(PRIME_OF_P256 + 5, 32)}),
    "n missing": (RSA, {"n": REMOVED}),
    "n a number": (RSA, {"n": 7}),
    "n empty": (RSA, {"n": ""}),
    "n zero": (RSA, {"n": integer(0)}),
    "n even": (RSA, {"n": integer(2**2048 - 2)}),
    "n of 1024 bits": (RSA, {"n": integer(2**1024 - 1)}),
    "n of 2047 bits": (RSA, {"n": integer(2**2047 - 1)}),
    "n of 2047 bits and a leading zero": (RSA, {"n": integer(2**2047 - 1, 300)}),
    "n of 8193 bits": (RSA, {"n": integer(2**8193 - 1)}),
    "n of a million bits": (RSA, {"n": integer(2**1_000_000 - 1)}),
    "n of another alphabet": (RSA, {"n": RSA["n"][:-2] + "+A"}),
    "e missing": (RSA, {"e": REMOVED}),
    "e zero": (RSA, {"e": integer(0)}),
    "e one": (RSA, {"e": integer(1)}),
    "e one with leading zeros": (RSA, {"e": integer(1, 3)}),
    "e two": (RSA, {"e": integer(2)}),
    "e even": (RSA, {"e": integer(65536)}),
    "e of 65 bits": (RSA, {"e": integer(2**64 + 1)}),
    "e as long as n": (RSA, {"e": RSA["n"]}),
    "e a number": (RSA, {"e": 65537}),
    "e of padding alone": (RSA, {"e": "="}),
    "an Ed25519 x a byte short": (OKP, {"x": base64url(bytes(31))}),
    "an Ed25519 x a byte long": (OKP, {"x": base64url(bytes(33))}),
    "an Ed25519 x with a leading zero byte": (OKP, {"x": "AA" + OKP["x"]}),
    "an Ed25519 x off the curve": (OKP, {"x": point(2)}),
    "an Ed25519 x beyond the field": (OKP, {"x": point(PRIME_OF_25519 + 3)}),
    "an Ed25519 x of order 1": (OKP, {"x": point(1)}),
    "an Ed25519 x of order 1 with the sign set": (OKP, {"x": point(1 + 2**255)}),
    "an Ed25519 x of order 2": (OKP, {"x": point(PRIME_OF_25519 - 1)}),
    "an Ed25519 x of order 4": (OKP, {"x": point(0)}),
    "an Ed25519 x of order 8": (OKP, {"x": ORDER_8[0]}),
    "another Ed25519 x of order 8": (OKP, {"x": ORDER_8[1]}),
    "an Ed25519 alg of another type": (OKP, {"alg": "ES256"}),
    "an EC key with priv": (EC, {"priv": "AA"}),
    "an AKP key with priv": (AKP, {"priv": base64url(bytes(32))}),
    "an AKP key with priv a number": (AKP, {"priv": 7}),
    "an AKP key without alg": (AKP, {"alg": REMOVED}),
    "an AKP alg of another parameter set": (AKP, {"alg": "ML-DSA-65"}),
    "an AKP alg of an unknown parameter set": (AKP, {"alg": "ML-DSA-128"}),
    "an AKP alg of another type": (AKP, {"alg": "ES256"}),
    "an RSA alg of ML-DSA": (RSA, {"alg": "ML-DSA-44"}),
    "an EC alg of ML-DSA": (EC, {"alg": "ML-DSA-44"}),
    "pub missing": (AKP, {"pub": REMOVED}),
    "pub a list": (AKP, {"pub": [AKP["pub"]]}),
    "pub of another alphabet": (AKP, {"pub": AKP["pub"][:-2] + "+A"}),
    "pub a byte short": (AKP, {"pub": base64url(bytes(1311))}),
    "pub of zeros": (AKP, {"pub": base64url(bytes(1312))}),
}


@pytest.mark.parametrize(("jwk", "change"), UNUSABLE.values(), ids=UNUSABLE)
def test_only_the_unusable_key_of_a_set_is_skipped(jwk, change):
    invalid = changed(jwk, change)
    for members in ([invalid, GOOD], [GOOD, invalid]):
        keys = key_set_from_members({"keys": members}, max_keys=9)
        assert [usable.kid for usable in keys.keys] == ["key-1"]
        assert len(keys.skipped) == 1
        assert keys.skipped[0].startswith(
            (f"key {members.index(invalid)}: its ", f"key {members.index(invalid)}: it holds ")
        )
    assert outcome(server(invalid, GOOD), mint()) == ACCEPTED
    with pytest.raises(UnusableKeySet):
        key_set_from_members({"keys": [invalid]}, max_keys=9)


@pytest.mark.parametrize("invalid", [None, 7, "key", [], True, {}, [GOOD]])
def test_only_the_member_that_is_no_object_is_skipped(invalid):
    keys = key_set_from_members({"keys": [invalid, GOOD, invalid]}, max_keys=9)
    assert [usable.kid for usable in keys.keys] == ["key-1"]
    assert [cause.partition(": ")[0] for cause in keys.skipped] == ["key 0", "key 2"]
    assert invalid == {} or keys.skipped[0] == f"key 0: it is {describe(invalid)}, expected an object"


USABLE = {
    "unchanged": (EC, {}),
    "unknown members": (
        EC,
        {"x-vendor": {"a": [1]}, "x5c": ["MIIB"], "x5u": "http://x", "ext": True, "nbf": 1, "iat": 1},
    ),
    "no alg": (EC, {"alg": REMOVED}),
    "no use": (EC, {"use": REMOVED}),
    "key_ops verify": (EC, {"key_ops": ["verify"]}),
    "key_ops sign and verify": (EC, {"key_ops": ["sign", "verify"]}),
    "key_ops verify and a private operation": (EC, {"key_ops": ["verify", "x-attest"]}),
    "key_ops verify and encrypt, without use": (EC, {"use": REMOVED, "key_ops": ["verify", "encrypt"]}),
    "a long kid": (EC, {"kid": "a" * 512}),
    "a kid of any letters": (EC, {"kid": "ключ 1"}),
    "an RSA key with alg": (RSA, {"alg": "PS512"}),
    "n of 2048 bits": (RSA, {"n": integer(2**2048 - 1)}),
    "n of 8192 bits": (RSA, {"n": integer(2**8192 - 1)}),
    "n with a leading zero": (RSA, {"n": base64url(b"\x00" + (2**2048 - 1).to_bytes(256))}),
    "e three": (RSA, {"e": integer(3)}),
    "e of 64 bits": (RSA, {"e": integer(2**64 - 1)}),
    "e with leading zeros": (RSA, {"e": integer(65537, 4)}),
    "an Ed25519 key without alg": (OKP, {"alg": REMOVED}),
    "an Ed25519 key of RFC 9864": (OKP, {"alg": "Ed25519"}),
    "an AKP key": (AKP, {}),
    "an AKP key without use": (AKP, {"use": REMOVED}),
    "an AKP key with an unset priv": (AKP, {"priv": ""}),
    "an AKP key with a padded pub": (AKP, {"pub": AKP["pub"] + "=="}),
}


@pytest.mark.parametrize(("jwk", "change"), USABLE.values(), ids=USABLE)
def test_a_usable_key_is_used(jwk, change):
    given = changed(jwk, change)
    keys = key_set_from_members({"keys": [given]}, max_keys=9)
    assert [usable.kid for usable in keys.keys] == [given["kid"]]
    assert keys.skipped == ()


def test_a_thumbprint_does_not_depend_on_leading_zeros():
    for jwk in (EC, RSA, OKP, AKP):
        assert load_key(jwk).thumbprint == thumbprint(jwk)
    zeros = base64url(b"\x00\x00" + key("RS256", "bad").private_key.public_key().public_numbers().n.to_bytes(256))
    assert load_key({**RSA, "n": zeros}).thumbprint == thumbprint(RSA)


@pytest.mark.parametrize(
    "document",
    [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"keys": []}, {"KEYS": [GOOD]}, GOOD, {"keys": {"0": GOOD}}],
)
def test_a_set_without_a_list_of_usable_keys_is_rejected(document):
    with pytest.raises(UnusableKeySet):
        key_set_from_members(document, max_keys=9)
    with pytest.raises(UnusableKeySet):
        parse_key_set(json.dumps(document).encode(), max_keys=9)
    with pytest.raises(ConfigurationError, match="jwks cannot be used"):
        Issuer(url="https://issuer.example", jwks=document)


GOOD_SET = json.dumps({"keys": [GOOD]})


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b'"x"', b"<html></html>", b"\xff\xfe", GOOD_SET.encode("utf-16"), GOOD_SET[:-1].encode(),
     GOOD_SET.encode() + b"x", f"[{GOOD_SET}]".encode(), b"[" * 100_000, b'{"keys":' * 50_000,
     b'"' * 9_999, b'"\\' * 9_999, b"]" * 9_999],
)  # fmt: skip
def test_a_body_that_is_no_json_object_in_utf_8_is_rejected(body):
    with pytest.raises(UnusableKeySet) as error:
        parse_key_set(body, max_keys=9)
    assert error.value.__context__ is None or not isinstance(error.value.__context__, json.JSONDecodeError)
    assert parse_key_set(GOOD_SET.encode(), max_keys=9).keys


def test_a_set_with_too_many_members_is_rejected():
    assert len(key_set_from_members({"keys": [GOOD, None, None]}, max_keys=3).keys) == 1
    with pytest.raises(UnusableKeySet, match="more than 3"):
        key_set_from_members({"keys": [GOOD, None, None, None]}, max_keys=3)


INVALID_MEMBERS = {
    "a member 50 deep": '"x": ' + "[" * 50 + "]" * 50,
    "a member 50,000 deep": '"x": ' + "[" * 50_000 + "]" * 50_000,
    "an object 5,000 deep": '"x": ' + '{"a":' * 5_000 + "1" + "}" * 5_000,
    "brackets in strings": r'"x": "[[[[[[[[[[[[[[[[[[[[[[[[\"[[[[[[[[\\"',
    "a member twice": '"x": 1, "x": 2',
    "NaN": '"x": NaN',
    "1e999": '"x": 1e999',
    "10,000 digits": '"x": ' + "9" * 10_000,
    "a lone surrogate": r'"x": "\ud800"',
}


@pytest.mark.parametrize("raw", INVALID_MEMBERS.values(), ids=INVALID_MEMBERS)
def test_invalid_members_of_one_key_do_not_affect_the_others(raw):
    invalid_key = json.dumps(EC)[:-1] + ", " + raw + "}"
    keys = parse_key_set(f'{{"keys": [{invalid_key}, {json.dumps(GOOD)}], "note": {{{raw}}}}}'.encode(), max_keys=9)
    assert "key-1" in keys


def test_the_last_of_two_members_with_the_same_name_is_used():
    twice = json.dumps(GOOD)[:-1] + ', "kid": "second"}'
    assert [usable.kid for usable in parse_key_set(f'{{"keys": [{twice}]}}'.encode(), max_keys=9).keys] == ["second"]


def test_keys_of_different_types_may_share_a_kid_in_any_order():
    elliptic, rsa = key("ES256", "shared"), key("RS256", "shared")
    for jwks in ([elliptic.public_jwk, rsa.public_jwk], [rsa.public_jwk, elliptic.public_jwk]):
        guard = server(*jwks)
        assert outcome(guard, mint(signer=elliptic)) == outcome(guard, mint(signer=rsa)) == ACCEPTED


def test_every_key_of_a_shared_kid_is_tried():
    first, second, third = (key("ES256", name).using(kid="same") for name in ("a", "b", "c"))
    guard = server(first.public_jwk, second.public_jwk)
    assert outcome(guard, mint(signer=first)) == outcome(guard, mint(signer=second)) == ACCEPTED
    assert outcome(guard, mint(signer=third)) == (401, "signature")


def test_a_shared_kid_causes_at_most_four_verifications():
    same = [key("ES256", f"copy-{number}").using(kid="same") for number in range(5)]
    guard = server(*(one.public_jwk for one in same))
    assert [outcome(guard, mint(signer=one)) for one in same] == [ACCEPTED] * 4 + [(401, "signature")]


def test_a_duplicate_key_counts_once():
    keys = key_set_from_members(
        {"keys": [GOOD, dict(GOOD), {**GOOD, "x5t": "x"}, {**GOOD, "kid": "again"}]}, max_keys=9
    )
    assert [usable.kid for usable in keys.keys] == ["key-1", "again"]


def test_a_kid_may_be_512_characters_long():
    guard = server({**GOOD, "kid": "k" * 512})
    assert outcome(guard, mint(with_header={"kid": "k" * 512})) == ACCEPTED
    assert outcome(guard, mint(with_header={"kid": "k" * 513})) == (401, "unknown_key")


def test_a_kid_is_compared_case_sensitively():
    guard = server({**GOOD, "kid": "Key"})
    assert outcome(guard, mint(with_header={"kid": "Key"})) == ACCEPTED
    assert outcome(guard, mint(with_header={"kid": "key"})) == (401, "unknown_key")


def test_the_identity_point_is_rejected_as_a_key():
    """With the neutral element as key, R = identity and s = 0 is a valid signature of every message, also for OpenSSL."""
    with pytest.raises(UnusableKey, match="small order"):
        load_key({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": point(1)})
    assert load_key(OKP).verify("EdDSA", b"text", key("EdDSA", "bad").sign(b"text"))
    assert not load_key(OKP).verify("EdDSA", b"text", point(1).encode() + bytes(21))


@pytest.mark.parametrize("exponent", [0, 1, 2, 4, 65536, 2**64 + 1])
def test_an_exponent_is_checked_by_our_code(exponent):
    with pytest.raises(UnusableKey, match="exponent"):
        canonical_rsa(integer(2**2048 - 1), integer(exponent))
    assert canonical_rsa(integer(2**2048 - 1), integer(3)) == (integer(2**2048 - 1), "Aw")


@pytest.mark.parametrize("modulus", [2**2048 - 2, 2**2047 - 1, 2**8192 + 1])
def test_a_modulus_is_checked_by_our_code(modulus):
    with pytest.raises(UnusableKey, match="modulus"):
        canonical_rsa(integer(modulus), "AQAB")


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (point(0), "small order"),
        (point(1), "small order"),
        (point(PRIME_OF_25519 - 1), "small order"),
        (ORDER_8[0], "small order"),
        (ORDER_8[1], "small order"),
        (point(2), "off the curve"),
        (point(7), "off the curve"),
        (point(PRIME_OF_25519), "32 bytes"),
        (point(PRIME_OF_25519 + 3), "32 bytes"),
        (base64url(bytes(31)), "32 bytes"),
    ],
)
def test_an_invalid_ed25519_point_is_rejected_with_a_cause(x, why):
    with pytest.raises(UnusableKey, match=why):
        check_ed25519(x)
    check_ed25519(point(3))  # the smallest y of a valid point


def test_a_key_verifies_nothing_with_another_algorithm():
    usable = load_key(EC)
    signature = key("ES256", "bad").sign(b"text")
    assert usable.verify("ES256", b"text", signature)
    for alg in ("ES384", "HS256", "none", "", "RS256"):
        assert not usable.verify(alg, b"text", signature)


def test_configured_keys_are_never_fetched():
    guard = server(transport=_FailingTransport())
    assert outcome(guard, mint(with_header={"kid": "other"})) == (401, "unknown_key")
    assert outcome(guard, mint()) == ACCEPTED


class _FailingTransport:
    def request(self, *_, **__):
        raise AssertionError("a fetch was made")


def test_an_issuer_that_is_not_configured_causes_no_fetch():
    guard = server(transport=_FailingTransport())
    for iss in ("https://evil.example", "http://169.254.169.254/", "file:///etc/passwd", URL_WITH_SLASH):
        assert reason_of(guard, mint({"iss": iss})) == "unknown_issuer"


URL_WITH_SLASH = "https://issuer.example/oidc/"
