"""The compact form and its JSON: RFC 7515, RFC 7519 section 7.2, RFC 7797 section 7, RFC 8725 sections 3.7 and 3.10."""

import json

import pytest

from m2mguard._token.jws import parse_compact
from m2mguard.errors import InvalidToken
from m2mguard.testing import base64url, sign_with_secret
from tests.refusals import reason_of
from tests.security.forge import (
    ACCEPTED,
    MALFORMED,
    REMOVED,
    as_json,
    claims,
    compact,
    header,
    inserted,
    key,
    mint,
    outcome,
    server,
    signed,
)

GUARD = server()


def test_the_unchanged_token_is_accepted():
    assert outcome(GUARD, mint()) == ACCEPTED
    assert outcome(GUARD, mint().encode()) == ACCEPTED


@pytest.mark.parametrize(
    "form",
    [
        "{0}.{1}.{2}.",
        ".{0}.{1}.{2}",
        "{0}..{1}.{2}",
        "{0}.{1}",
        "{0}.{1}.",
        "{0}..{2}",
        ".{1}.{2}",
        "{0}",
        "{0}{1}.{2}",
        "{0}.{1}.{2}.{2}",
        "{0}.{1}.{2}.a.b",
        "..",
        ".",
        "." * 10_000,
        "a." * 5_000 + "a",
    ],
)
def test_a_jws_must_have_three_segments_that_are_not_empty(form):
    assert outcome(GUARD, form.format(*mint().split("."))) == MALFORMED


def test_a_jwe_is_refused_without_decryption():
    jwe = compact({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "key-1", "zip": "DEF"}, b"key", b"iv") + ".YQ.Yg"
    assert outcome(GUARD, jwe) == MALFORMED
    pbes = (
        compact({"alg": "PBES2-HS256+A128KW", "enc": "A256GCM", "p2c": 2**31, "kid": "key-1"}, b"key", b"iv") + ".YQ.Yg"
    )
    assert outcome(GUARD, pbes) == MALFORMED


@pytest.mark.parametrize(
    "character", ["=", "==", "+", "/", "~", "%", " ", "\n", "\r\n", "\t", "\x00", "{", "ä", "\ufeff", "\u0435"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("at_the_end", [True, False])
def test_a_token_with_any_other_character_is_refused(character, place, at_the_end):
    parts = mint().split(".")
    part = parts[place]
    parts[place] = part + character if at_the_end else part[:4] + character + part[4:]
    assert reason_of(GUARD, ".".join(parts)) == "malformed"


def test_the_json_serialization_is_refused():
    protected, payload, signature = mint().split(".")
    flattened = json.dumps({"protected": protected, "payload": payload, "signature": signature})
    general = json.dumps({"payload": payload, "signatures": [{"protected": protected, "signature": signature}]})
    mixed = '{"' + mint() + '":""}'
    for text in (flattened, general, mixed):
        assert reason_of(GUARD, text) == "malformed"


@pytest.mark.parametrize("segment", [0, 1])
def test_unused_bits_of_a_segment_must_be_zero(segment):
    """The signature over the changed text is valid, so only the check of the canonical form refuses it."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    parts = [as_json(header()), as_json(claims())]
    parts[segment] += b" " * (-(len(parts[segment]) + 1) % 3)  # the last character then has unused bits
    encoded = [base64url(part) for part in parts]
    assert len(encoded[segment]) % 4 == 3
    last = encoded[segment][-1]
    assert outcome(GUARD, signed(".".join(encoded))) == ACCEPTED
    encoded[segment] = encoded[segment][:-1] + alphabet[alphabet.index(last) | 1]
    assert outcome(GUARD, signed(".".join(encoded))) == MALFORMED


def test_unused_bits_of_the_signature_must_be_zero():
    token = mint()
    assert len(token.rpartition(".")[2]) % 4 == 2
    other = {"A": "B", "Q": "R", "g": "h", "w": "x"}[token[-1]]
    assert outcome(GUARD, token[:-1] + other) == MALFORMED


def test_an_impossible_length_is_refused():
    top, payload, signature = mint().split(".")
    assert len(top) % 4 != 0 or outcome(GUARD, f"{top}A.{payload}.{signature}") == MALFORMED
    assert outcome(GUARD, f"A.{payload}.{signature}") == MALFORMED
    assert outcome(GUARD, f"{top}.{payload}.A") == MALFORMED


OBJECTS = {
    "an array": b"[]",
    "a string": b'"text"',
    "a number": b"7",
    "null": b"null",
    "true": b"true",
    "nothing but space": b" ",
    "no JSON": b"text",
    "half an object": b'{"a":1',
    "two objects": b"{}{}",
    "an object and garbage": b'{"a":1} x',
    "an object and a NUL": b'{"a":1}\x00',
    "a trailing comma": b'{"a":1,}',
    "a comment": b'{"a":1/**/}',
    "single quotes": b"{'a':1}",
    "a bare name": b"{a:1}",
    "a BOM": b'\xef\xbb\xbf{"a":1}',
    "a control character": b'{"a":"\x01"}',
    "a raw line break": b'{"a":"\n"}',
    "a bad escape": b'{"a":"\\x41"}',
    "Latin-1": b'{"a":"\xe4"}',
    "an overlong form": b'{"a":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without a BOM": '{"a":1}'.encode("utf-16-le"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
}


@pytest.mark.parametrize("raw", OBJECTS.values(), ids=OBJECTS)
def test_header_and_claims_must_each_be_one_json_object_in_utf_8(raw):
    assert outcome(GUARD, mint(payload=raw)) == MALFORMED
    assert outcome(GUARD, mint(with_header=raw)) == MALFORMED


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_and_utf_32_are_refused(encoding):
    assert outcome(GUARD, mint(payload=json.dumps(claims()).encode(encoding))) == MALFORMED
    assert outcome(GUARD, mint(with_header=json.dumps(header()).encode(encoding))) == MALFORMED


MEMBERS = {
    "NaN": '"x": NaN',
    "Infinity": '"x": Infinity',
    "-Infinity": '"x": -Infinity',
    "1e400": '"x": 1e400',
    "-1e400": '"x": -1e400',
    "41 digits": '"x": ' + "9" * 41,
    "5,000 digits": '"x": ' + "9" * 5000,
    "a lone high surrogate": r'"x": "\ud800"',
    "a lone low surrogate": r'"x": "\udc00"',
    "surrogates in the wrong order": r'"x": "\udc00\ud800"',
    "a lone surrogate as a name": r'"\ud800": 1',
    "33 arrays": '"x": ' + "[" * 32 + "]" * 32,
    "33 objects": '"x": ' + '{"a":' * 32 + "1" + "}" * 32,
    "5,000 arrays": '"x": ' + "[" * 5000 + "]" * 5000,
    "5,000 open arrays": '"x": ' + "[" * 5000,
    "a name twice": '"x": 1, "x": 1',
    "a name twice, once escaped": r'"x": 1, "\u0078": 1',
    "a name twice inside": '"x": {"y": 1, "y": 1}',
    "a name twice in an array": '"x": [{"y": 1, "y": 1}]',
    "a number with a leading zero": '"x": 01',
    "a number with a plus": '"x": +1',
    "a hexadecimal number": '"x": 0x10',
}


@pytest.mark.parametrize("raw", MEMBERS.values(), ids=MEMBERS)
def test_invalid_json_members_are_refused_in_header_and_claims(raw):
    assert outcome(GUARD, mint(payload=inserted(claims(), raw))) == MALFORMED
    assert outcome(GUARD, mint(with_header=inserted(header(), raw))) == MALFORMED


VALID_MEMBERS = {
    "zero": '"x": 0',
    "minus zero": '"x": -0',
    "a float": '"x": 1.5e300',
    "40 digits": '"x": ' + "9" * 40,
    "a tiny number": '"x": 1e-400',
    "a pair of surrogates": r'"x": "\ud83d\ude00"',
    "an escaped NUL": r'"x": "\u0000"',
    "32 arrays": '"x": ' + "[" * 31 + "]" * 31,
    "32 arrays beside others": '"x": ' + "[" * 31 + "]" * 31 + ', "y": [[], {}]',
    "many brackets side by side": '"x": [' + ",".join(["[]"] * 200) + "]",
    "brackets in a string": '"x": "' + "[" * 200 + '"',
    "a name again in another object": '"x": {"iss": 1}',
    "umlauts": '"ö": "ü"',
    "null": '"x": null',
    "white space": ' \t\r\n"x" \t\r\n: \t\r\n1',
}


@pytest.mark.parametrize("raw", VALID_MEMBERS.values(), ids=VALID_MEMBERS)
def test_valid_json_members_are_accepted_in_header_and_claims(raw):
    assert outcome(GUARD, mint(payload=inserted(claims(), raw))) == ACCEPTED
    assert outcome(GUARD, mint(with_header=inserted(header(), raw))) == ACCEPTED


@pytest.mark.parametrize("name", ["alg", "typ", "kid"])
def test_a_duplicate_header_member_is_refused(name):
    assert outcome(GUARD, mint(with_header=inserted(header(), f'"{name}": {json.dumps(header()[name])}'))) == MALFORMED


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "sub", "scope"])
def test_a_duplicate_claim_is_refused(name):
    assert outcome(GUARD, mint(payload=inserted(claims(), f'"{name}": {json.dumps(claims()[name])}'))) == MALFORMED


@pytest.mark.parametrize("crit", [["b64"], ["exp"], ["x"], [], ["alg"], "b64", None, {}, 7, True, [["x"]], [None]])
def test_any_crit_is_refused(crit):
    assert outcome(GUARD, mint(with_header={"crit": crit, "x": 1, "b64": True})) == MALFORMED
    assert outcome(GUARD, mint(with_header={"crit": crit})) == MALFORMED


@pytest.mark.parametrize("b64", [False, None, "false", "true", 0, 1, [], [True], {}])
def test_any_b64_but_true_is_refused(b64):
    assert outcome(GUARD, mint(with_header={"b64": b64})) == MALFORMED


def test_b64_true_is_accepted_without_crit():
    """RFC 7797 section 3. With crit it is refused like any extension; section 6 requires crit only if b64 is false."""
    assert outcome(GUARD, mint(with_header={"b64": True})) == ACCEPTED
    assert outcome(GUARD, mint(with_header={"b64": True, "crit": ["b64"]})) == MALFORMED


def test_unknown_header_parameters_are_ignored():
    assert (
        outcome(GUARD, mint(with_header={"x": 1, "cty": "json", "CRIT": ["x"], "nonce": "n", "http://x": {}}))
        == ACCEPTED
    )


def test_keys_in_the_header_are_ignored():
    """The author of a token chooses its jwk, jku, x5u and x5c."""
    foreign_key = key("ES256", "foreign")
    header_members = {
        "jwk": foreign_key.public_jwk,
        "jku": "http://127.0.0.1:9/jwks",
        "x5u": "file:///etc/passwd",
        "x5c": ["MIIB"],
        "x5t": "x",
        "x5t#S256": "x",
    }
    assert outcome(GUARD, mint(signer=foreign_key.using(kid="key-1"), with_header=header_members)) == (401, "signature")
    assert outcome(GUARD, mint(signer=foreign_key, with_header=header_members)) == (401, "unknown_key")
    assert outcome(GUARD, mint(with_header={**header_members, "jwk": {"kty": "oct", "k": "AA"}})) == ACCEPTED


@pytest.mark.parametrize(
    "kid",
    [
        "../../../dev/null",
        "' OR 1=1 --",
        "key-1\x00",
        "KEY-1",
        "key-1 ",
        "",
        "key-10",
        "key",
        "$(id)",
        "a" * 512,
        "a" * 513,
    ],
)
def test_kid_is_only_looked_up_among_the_known_keys(kid):
    assert outcome(GUARD, mint(with_header={"kid": kid})) == (401, "unknown_key")


@pytest.mark.parametrize("kid", [None, 1, 1.5, True, [], ["key-1"], {}, {"kid": "key-1"}])
def test_a_kid_that_is_no_string_is_refused(kid):
    assert outcome(GUARD, mint(with_header={"kid": kid})) == MALFORMED


@pytest.mark.parametrize("alg", [None, 1, True, [], ["ES256"], {}, {"alg": "ES256"}])
def test_an_alg_that_is_no_string_is_refused(alg):
    assert outcome(GUARD, mint(with_header={"alg": alg})) == MALFORMED
    assert outcome(GUARD, mint(with_header={"alg": REMOVED})) == MALFORMED


def test_verify_limits_the_length_of_a_token():
    padding = claims({"x": "a" * 11_800})
    while len(mint(payload=as_json(padding))) < 16_377:
        padding["x"] += "a"
    assert GUARD.verify(mint(payload=as_json(padding))).app_id == "app-orders"
    padding["x"] += "aa"
    assert reason_of(GUARD, mint(payload=as_json(padding))) == "malformed"


@pytest.mark.parametrize(
    "token", [None, 7, 10**12, 1.5, True, [], {}, object(), bytearray(b"a.b.c"), memoryview(b"a.b.c")]
)
def test_a_token_of_another_python_type_is_malformed(token):
    assert reason_of(GUARD, token) == "malformed"
    with pytest.raises(InvalidToken):
        parse_compact(token)


@pytest.mark.parametrize(
    "token", ["", "\ud800", "\ud800.a.b", "ä.ö.ü", "٣.٣.٣", b"\xff.\xff.\xff", "Bearer a.b.c", "a.b.c\n"]
)
def test_a_str_or_bytes_that_is_no_token_is_malformed(token):
    assert reason_of(GUARD, token) == "malformed"


def test_an_opaque_token_is_malformed():
    """Logto issues such a token of 43 characters to a person who requests no resource."""
    assert outcome(GUARD, "K9iVl3xkTPdjpWYXZkIvBIu7XA9HDnDl8cYhJdZ0gVS") == MALFORMED


def test_an_hmac_with_the_public_key_is_no_signature():
    secret = key().public_pem
    assert outcome(GUARD, sign_with_secret(header({"alg": "HS256"}), claims(), secret)) == (401, "algorithm")
    assert outcome(GUARD, sign_with_secret(header(), claims(), secret)) == (401, "signature")
