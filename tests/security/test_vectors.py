"""Published vectors: C2SP Wycheproof (JWS and JWK), which include the RFC 7520 examples.

The files are outside of the repository. Symmetric keys and encryption are omitted, because there is no code for them. ROCA (#7 of the
keys) is out of scope: no simple rule detects a modulus from a broken chip, only a special search.
"""

import json
from pathlib import Path

import pytest

from m2mguard._keys.key_set import UnusableKeySet, parse_key_set
from m2mguard._token import jws as jose
from m2mguard._token.base64url import base64url_decode
from m2mguard._token.key_strength import UnusableKey
from m2mguard.errors import InvalidToken

VECTORS = Path(__file__).parents[2] / ".." / "shared" / "data" / "wycheproof"
CONTRADICTIONS = {346: "the key is for PS256, the header says PS384", 350: "the key is for PS256, the header says PS384",
                  347: "the key is for ES521, which does not exist", 351: "the key is for ES521, which does not exist"}  # fmt: skip
ROCA = 7
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="the Wycheproof vectors are not available")


def groups(name):
    if not VECTORS.is_dir():
        return []
    return json.loads((VECTORS / f"{name}.json").read_text())["testGroups"]


def is_symmetric(group):
    return (group.get("public") or group["private"]).get("kty") == "oct"


def cases(name, *, symmetric):
    return [
        pytest.param(group.get("public") or group.get("private"), case, id=f"{case['tcId']}-{case['comment']}")
        for group in groups(name)
        for case in group["tests"]
        if symmetric(group)
    ]


def verifies(jwk, jws):
    """Whether the signature of a JWS with any payload is valid: parses it like `parse_compact`, then verifies it with the key."""
    try:
        key = jose.load_key(jwk)
        header, payload, signature = jws.split(".")
        read = jose._parse_header(header.encode("ascii", "replace"))
        base64url_decode(payload)
        return read.alg in key.algorithms and key.verify(
            read.alg, f"{header}.{payload}".encode(), base64url_decode(signature)
        )
    except (UnusableKey, InvalidToken, ValueError):
        return False


@pytest.mark.parametrize(
    ("jwk", "case"), cases("json_web_signature_test", symmetric=lambda group: not is_symmetric(group))
)
def test_wycheproof_signatures(jwk, case):
    expected = case["result"] == "valid" and case["tcId"] not in CONTRADICTIONS
    assert isinstance(case["jws"], str)
    assert verifies(jwk, case["jws"]) is expected


@pytest.mark.parametrize(("jwk", "case"), cases("json_web_signature_test", symmetric=is_symmetric))
def test_wycheproof_symmetric_keys_are_rejected(jwk, case):
    with pytest.raises(UnusableKey):
        jose.load_key(jwk)


def in_set(document, jws):
    """Whether a JWS is valid with the key of its `kid` in a set."""
    try:
        keys = parse_key_set(json.dumps(document).encode(), max_keys=100)
        header, payload, signature = jws.split(".")
        read = jose._parse_header(header.encode())
    except (UnusableKeySet, InvalidToken):
        return False
    return any(
        read.alg in key.algorithms and key.verify(read.alg, f"{header}.{payload}".encode(), base64url_decode(signature))
        for key in keys.candidates(read.kid, read.alg)
    )


@pytest.mark.parametrize(
    ("document", "case"),
    [
        pytest.param(group.get("public") or group["private"], case, id=f"{case['tcId']}-{case['comment']}")
        for group in groups("json_web_key_test")
        for case in group["tests"]
        if case["tcId"] != ROCA
    ],
)
def test_wycheproof_key_sets(document, case):
    symmetric = all(jwk["kty"] == "oct" for jwk in document["keys"])
    expected = case["result"] == "valid" and not symmetric
    assert in_set(document, case["jws"]) is expected


def test_the_vectors_contain_the_expected_valid_cases():
    """An empty file must not count as success."""
    accepted = [
        case["tcId"]
        for group in groups("json_web_signature_test")
        for case in group["tests"]
        if not is_symmetric(group) and verifies(group.get("public") or group["private"], case["jws"])
    ]
    assert len(accepted) == 32
    assert {345, 349} <= set(accepted)  # RFC 7520 section 4.1, its key without and with key_ops


def test_rfc_7520_examples_verify_with_the_corrected_alg_of_their_keys():
    for number, algorithm in ((346, "PS384"), (347, "ES512")):
        jwk, jws = next(
            (group["public"], case["jws"])
            for group in groups("json_web_signature_test")
            for case in group["tests"]
            if case["tcId"] == number
        )
        assert not verifies(jwk, jws)
        assert verifies({**jwk, "alg": algorithm}, jws)
        assert not verifies({**jwk, "alg": algorithm}, jws[:-2] + "AA")
