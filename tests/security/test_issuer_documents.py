"""A key set is parsed leniently and a token strictly: unset members, padding, short coordinates, byte order mark (RFC 7517)."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from m2mguard import Issuer, ResourceServer
from m2mguard._keys.key_set import UnusableKeySet, key_set_from_members, parse_key_set
from m2mguard._token.base64url import base64url_decode
from m2mguard._token.jws import load_key
from m2mguard._token.key_strength import UnusableKey, canonical_coordinate
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, base64url, faults, thumbprint
from tests.key_threads import join_key_threads
from tests.refusals import reason_of
from tests.security.forge import ACCEPTED, MALFORMED, REMOVED, changed, key, mint, outcome, server

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
EC, RSA, OKP = key("ES256", "ec"), key("RS256", "rsa"), key("EdDSA", "okp")
X_OF_EC, N_OF_RSA = str(EC.public_jwk["x"]), str(RSA.public_jwk["n"])
LISTS_OF_DOTNET: dict[str, object] = {"key_ops": [], "oth": [], "x5c": []}
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


def padded(text, characters=None):
    return text + "=" * (-len(text) % 4 if characters is None else characters)


def with_leading_zeros(text, count=1):
    return base64url(bytes(count) + base64url_decode(text))


LENIENTLY_PARSED = {
    "every member that .NET writes": (RSA, {
        **dict.fromkeys(("crv", "d", "dp", "dq", "k", "p", "q", "qi", "x", "x5t", "x5t#S256", "x5u", "y", "alg")), **LISTS_OF_DOTNET}),
    "every member that .NET writes, of an EC key": (EC, {
        **dict.fromkeys(("d", "dp", "dq", "e", "k", "n", "p", "q", "qi", "x5t", "x5t#S256", "x5u")), **LISTS_OF_DOTNET}),
    "every private member empty": (EC, dict.fromkeys(PRIVATE, "")),
    "every private member an empty list": (RSA, {name: [] for name in PRIVATE}),
    **{f"{name} null": (RSA, {name: None}) for name in (*PRIVATE, "kid", "use", "alg", "key_ops", "x5c", "x5t", "x5u", "crv", "x", "y")},
    "key_ops empty": (EC, {"key_ops": []}),
    "x5t, x5u and x5c of wrong types": (EC, {"x5t": 7, "x5u": ["a"], "x5c": "MIIB", "x5t#S256": {}}),
    "members of other standards": (EC, {"exp": 1, "nbf": "soon", "iat": None, "ext": False, "issuer": "https://x", "created": 1.5}),
    "names in another case": (EC, {"Kty": "RSA", "ALG": "none", "D": "AA", "Use": "enc"}),
    "n and e padded": (RSA, {"n": padded(RSA.public_jwk["n"]), "e": "AQAB="}),
    "e with leading zeros": (RSA, {"e": "AAEAAQ"}),
    "e with leading zeros and padding": (RSA, {"e": base64url(bytes(2) + b"\x01\x00\x01") + "="}),
    "n with leading zeros": (RSA, {"n": with_leading_zeros(RSA.public_jwk["n"], 3)}),
    "x and y padded": (EC, {name: padded(EC.public_jwk[name]) for name in ("x", "y")}),
    "x with more padding than it needs": (EC, {"x": padded(EC.public_jwk["x"], 5)}),
    "x with a leading zero byte": (EC, {"x": with_leading_zeros(EC.public_jwk["x"])}),
    "x and y with leading zero bytes": (EC, {name: with_leading_zeros(EC.public_jwk[name], 9) for name in ("x", "y")}),
    "an Ed25519 x padded": (OKP, {"x": padded(OKP.public_jwk["x"])}),
}  # fmt: skip


@pytest.mark.parametrize(("signer", "changes"), LENIENTLY_PARSED.values(), ids=LENIENTLY_PARSED)
def test_a_key_with_unset_members_or_padding_is_used(signer, changes):
    jwk = changed(signer.public_jwk, changes)
    keys = parse_key_set(json.dumps({"keys": [jwk]}).encode(), max_keys=9)
    assert keys.skipped == ()
    assert keys.thumbprints == {thumbprint(signer.public_jwk)}
    assert outcome(server(jwk), mint(signer=signer)) == ACCEPTED
    assert outcome(server(jwk), mint(signer=key(signer.algorithm, "x").using(kid=signer.kid))) == (401, "signature")


SKIPPED = {
    "it holds private or symmetric members (d)": (EC, {"d": "AA"}),
    "it holds private or symmetric members (d, p, k)": (RSA, {"d": "AA", "p": "AA", "q": None, "oth": [], "k": "AA"}),
    'its kty is "ec", expected RSA, EC, OKP or AKP': (EC, {"kty": "ec"}),
    "its kty is missing, expected RSA, EC, OKP or AKP": (EC, {"kty": None}),
    "its kty is a list, expected RSA, EC, OKP or AKP": (EC, {"kty": ["EC"]}),
    'its use is "enc", expected "sig"': (EC, {"use": "enc"}),
    'its use is "", expected "sig"': (EC, {"use": ""}),
    "its use is a boolean, expected \"sig\"": (EC, {"use": True}),
    'its alg is "RSA-OAEP", expected PS256 or PS384 or PS512 or RS256 or RS384 or RS512': (RSA, {"alg": "RSA-OAEP"}),
    'its alg is "ES384", expected ES256': (EC, {"alg": "ES384"}),
    'its alg is "", expected ES256': (EC, {"alg": ""}),
    "its alg is an object, expected a string": (EC, {"alg": {}}),
    "its kid is a number, expected a string": (EC, {"kid": 7}),
    "its kid has 513 characters, expected at most 512": (EC, {"kid": "k" * 513}),
    'its kid is "a\\nb", expected printable characters': (EC, {"kid": "a\nb"}),
    'its key_ops are "sign", "encrypt", expected "verify" among them': (EC, {"key_ops": ["sign", "encrypt"]}),
    "its key_ops is \"verify\", expected a list of strings": (EC, {"key_ops": "verify"}),
    "its key_ops hold something else than strings": (EC, {"key_ops": ["verify", 7]}),
    "its key_ops name an operation twice": (EC, {"key_ops": ["verify", "verify"]}),
    'its use is "sig", which contradicts deriveKey, encrypt in its key_ops': (EC, {"key_ops": ["verify", "encrypt", "deriveKey"]}),
    'its crv is "secp256k1", expected P-256 or P-384 or P-521': (EC, {"crv": "secp256k1"}),
    'its crv is "X25519", expected Ed25519': (OKP, {"crv": "X25519"}),
    "its crv is missing, expected P-256 or P-384 or P-521": (EC, {"crv": REMOVED}),
    "its e is a number, expected a number in base64url": (RSA, {"e": 65537}),
    "its x is missing, expected a number in base64url": (EC, {"x": None}),
    'its y is "", expected a number in base64url': (EC, {"y": ""}),
    "its x is not base64url": (EC, {"x": "+/" + X_OF_EC[2:]}),
    "its x has 33 bytes, expected 32": (EC, {"x": base64url(b"\x01" + bytes(32))}),
    "its x has 31 bytes, expected 32 bytes": (OKP, {"x": base64url(bytes(31))}),
    "its modulus has 1024 bits, expected 2048 to 8192": (RSA, {"n": base64url((2**1024 - 1).to_bytes(128))}),
    "its modulus is even, expected an odd number": (RSA, {"n": base64url((2**2048 - 2).to_bytes(256))}),
    "its exponent is 1, expected an odd number from 3 on": (RSA, {"e": "AQ"}),
    "its exponent has 65 bits, expected at most 64": (RSA, {"e": base64url((2**64 + 1).to_bytes(9))}),
    "its numbers do not make a public key of its type and curve": (EC, {"y": EC.public_jwk["x"]}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "signer", "changes"), [(cause, *case) for cause, case in SKIPPED.items()], ids=SKIPPED
)
def test_a_skipped_key_is_reported_with_its_cause(cause, signer, changes):
    invalid, good = changed(signer.public_jwk, changes), key().public_jwk
    keys = key_set_from_members({"keys": [good, invalid]}, max_keys=9)
    assert keys.skipped == (f"key 1: {cause}",)
    assert outcome(server(invalid, good), mint()) == ACCEPTED
    with pytest.raises(UnusableKeySet, match="no usable key") as error:
        key_set_from_members({"keys": [invalid]}, max_keys=9)
    assert str(error.value) == f"the key set has no usable key; key 0: {cause}"


def test_the_cause_is_short_printable_and_without_key_material():
    evil = "\x1b]0;\x07\x7f\u202e\n" * 99
    for changes in (*({name: evil} for name in ("kty", "use", "alg", "crv", "kid")), {"key_ops": [evil] * 99}):
        [cause] = key_set_from_members(
            {"keys": [key().public_jwk, changed(EC.public_jwk, changes)]}, max_keys=9
        ).skipped
        assert cause.isascii()
        assert cause.isprintable()
        assert len(cause) < 1_200
    for name, signer in (("n", RSA), ("e", RSA), ("x", EC), ("y", EC), ("x", OKP), ("d", EC)):
        canary = "canary-7f3a"
        [cause] = key_set_from_members(
            {"keys": [key().public_jwk, {**signer.public_jwk, name: canary}]}, max_keys=9
        ).skipped
        assert "canary" not in cause


CURVES = {"ES256": (ec.SECP256R1(), 32), "ES384": (ec.SECP384R1(), 48), "ES512": (ec.SECP521R1(), 66)}


def signer_with_a_short(algorithm, *names):
    """The first key in a sequence of private numbers whose coordinates start with a zero byte."""
    curve, size = CURVES[algorithm]
    for number in range(1, 100_000):
        private = ec.derive_private_key(number, curve)
        point = private.public_key().public_numbers()
        if all(getattr(point, name).bit_length() <= 8 * (size - 1) for name in names):
            return SigningKey(algorithm=algorithm, private_key=private, kid=f"short-{algorithm}")
    raise AssertionError("no such key")


def minimal(text):
    return base64url(base64url_decode(text).lstrip(b"\x00"))


ENCODINGS = {
    "minimal": minimal,
    "minimal and padded": lambda text: padded(minimal(text)),
    "with an additional zero": with_leading_zeros,
    "canonical": str,
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize(
    ("algorithm", "names"),
    [("ES256", ["x"]), ("ES256", ["y"]), ("ES384", ["x"]), ("ES512", ["x"]), ("ES512", ["x", "y"])],
)
def test_a_coordinate_may_have_fewer_or_more_leading_zeros(algorithm, names, encode):
    """Some issuers publish short numbers of P-521 in 65 bytes (RFC 7518 section 6.2.1.2 requires 66)."""
    signer = signer_with_a_short(algorithm, *names)
    jwk = {**signer.public_jwk, **{name: encode(signer.public_jwk[name]) for name in names}}
    assert len(base64url_decode(minimal(signer.public_jwk[names[0]]))) < CURVES[algorithm][1]
    assert load_key(jwk).thumbprint == thumbprint(signer.public_jwk)
    assert outcome(server(jwk), mint(signer=signer)) == ACCEPTED


def test_a_coordinate_is_padded_to_the_length_of_its_curve():
    assert canonical_coordinate("x", "AQ", 32) == base64url(bytes(31) + b"\x01")
    assert canonical_coordinate("x", base64url(bytes(40) + b"\x01"), 32) == base64url(bytes(31) + b"\x01")
    assert canonical_coordinate("x", base64url(b"\xff" * 32), 32) == base64url(b"\xff" * 32)
    with pytest.raises(UnusableKey, match="its x has 33 bytes, expected 32"):
        canonical_coordinate("x", base64url(b"\xff" * 33), 32)


@pytest.mark.parametrize("place", [0, -1])
def test_an_x_of_ed25519_must_have_32_bytes(place):
    """It is a string of exactly 32 bytes (RFC 8032 section 5.1.2)."""
    for number in range(1, 10_000):
        private = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32))
        x = private.public_key().public_bytes_raw()
        if x[place] == 0:
            break
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64url(x)}
    assert load_key(jwk).thumbprint == thumbprint(jwk)
    with pytest.raises(UnusableKey, match="31 bytes, expected 32"):
        load_key({**jwk, "x": base64url(x[1:] if place == 0 else x[:-1])})
    with pytest.raises(UnusableKey, match="33 bytes, expected 32"):
        load_key({**jwk, "x": base64url(bytes(1) + x if place == 0 else x + bytes(1))})


GOOD_SET = json.dumps({"keys": [key().public_jwk]}).encode()


@pytest.mark.parametrize("before", [b"", BYTE_ORDER_MARK, BYTE_ORDER_MARK + b"\r\n ", b" \n"])
def test_a_byte_order_mark_before_a_key_set_is_skipped(before):
    assert "key-1" in parse_key_set(before + GOOD_SET, max_keys=9)


@pytest.mark.parametrize(
    "body",
    [
        BYTE_ORDER_MARK * 2 + GOOD_SET,
        b" " + BYTE_ORDER_MARK + GOOD_SET,
        GOOD_SET + BYTE_ORDER_MARK,
        BYTE_ORDER_MARK,
        b"\xfe\xff" + GOOD_SET,
        GOOD_SET.decode().encode("utf-16"),
        BYTE_ORDER_MARK + GOOD_SET.decode().encode("utf-16-le"),
    ],
)
def test_only_one_leading_utf_8_byte_order_mark_is_skipped(body):
    with pytest.raises(UnusableKeySet):
        parse_key_set(body, max_keys=9)


def test_a_token_with_padding_or_a_byte_order_mark_is_refused():
    top, payload, signature = mint().split(".")
    for token in (f"{padded(top, 1)}.{payload}.{signature}", f"{top}.{payload}.{padded(signature)}"):
        assert reason_of(server(), token) == "malformed"
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "key-1"}
    for header_bytes in (BYTE_ORDER_MARK + json.dumps(header).encode(), json.dumps({**header, "kid": None}).encode()):
        assert outcome(server(), mint(with_header=header_bytes)) == MALFORMED
    assert outcome(server(), mint(with_header=json.dumps(header).encode())) == ACCEPTED


@pytest.mark.parametrize("signer", [EC, RSA, OKP], ids=["EC", "RSA", "OKP"])
def test_a_leniently_parsed_set_is_used_over_http_and_from_a_file(signer, tmp_path):
    tmp_path.chmod(0o700)
    jwk = {name: padded(value) if name in ("n", "e", "x", "y") else value for name, value in signer.public_jwk.items()}
    body = BYTE_ORDER_MARK + json.dumps({"keys": [{**jwk, "d": None, "alg": None, **LISTS_OF_DOTNET}]}).encode()
    with LocalIssuer(key=signer) as issuer:
        issuer.misbehave("jwks", faults.body(body))
        settings = {"audience": SHOPPING_API, "key_directory": tmp_path}
        guard = ResourceServer(Issuer(url=issuer.url), **settings)
        assert guard.verify(issuer.mint()).app_id == "app-orders"
        join_key_threads()  # the file is written after the keys are published
        issuer.misbehave("all", faults.status(503))
        assert ResourceServer(Issuer(url=issuer.url), **settings).verify(issuer.mint()).app_id == "app-orders"
