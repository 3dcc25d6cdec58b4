"""Where the fuzzer starts from: good and bad fields, header and claim objects, key sets. Each is one input of `target`."""

import json
from pathlib import Path

from fuzz.target import signer
from m2mguard.testing import SigningKey, compact
from tests.security.forge import as_json, claims, header, key, mint

SIGNED, FIELDS, KEY_SET = b"\x00", b"\x01", b"\x02"
BETWEEN = b"\x00"


def signed_pair(top: bytes, payload: bytes) -> bytes:
    """A header and a payload that the target signs, so that the fuzzer gets past the signature."""
    return SIGNED + top + BETWEEN + payload


def as_a_serializer_writes_it(signer: SigningKey) -> dict[str, object]:
    """Members that nobody set, and padded numbers."""
    padding = {name: f"{value}=" for name, value in signer.public_jwk.items() if name in ("n", "x", "y")}
    return {**signer.public_jwk, **padding, "kid": None, "alg": None, "d": None, "key_ops": [], "oth": []}


def seeds() -> list[bytes]:
    good_header, good_claims = header(signer=signer()), claims()
    unsigned = compact({"alg": "none", "typ": "at+jwt", "kid": "key-1"}, good_claims) + "."
    pairs = [
        signed_pair(as_json(good_header), as_json(good_claims)),
        signed_pair(as_json({"alg": "EdDSA", "typ": "application/at+jwt", "b64": True}), as_json(good_claims)),
        signed_pair(
            as_json(header(signer=signer(), changes={"typ": "JWT", "crit": ["b64"], "b64": False})),
            as_json(good_claims),
        ),
        signed_pair(
            as_json(header(signer=signer(), changes={"jwk": key().public_jwk, "x5c": ["AA"]})),
            as_json(claims({"cnf": {"jkt": "x"}})),
        ),
        signed_pair(
            as_json(good_header), as_json(claims({"aud": ["urn:logto:organization:org-1", "x"], "exp": 1e300}))
        ),
        signed_pair(
            as_json(good_header), as_json(claims({"organization_id": "org-1", "nbf": -1.5, "scope": " a  b "}))
        ),
        signed_pair(as_json(good_header), b'{"a":' * 40 + b"1" + b"}" * 40),
        signed_pair(as_json(good_header), b'{"iss":"\\ud800","exp":1e400,"exp":NaN}'),
    ]
    fields = [
        f"Bearer {mint(signer=signer())}".encode(),
        b"Bearer " + unsigned.encode(),
        b"bearer   a.b.c==",
        b"Basic dXNlcjpw",
        b"Bearer a.b.c\nBearer a.b.c",
        b"Bearer\t" + mint(signer=signer()).encode(),
        b"",
    ]
    sets = [
        json.dumps({"keys": [key().public_jwk, key("RS256").public_jwk, key("EdDSA").public_jwk]}).encode(),
        b"\xef\xbb\xbf"
        + json.dumps({"keys": [as_a_serializer_writes_it(one) for one in (key(), key("RS256"))] * 2}).encode(),
        b'{"keys":[{"kty":"oct","k":"AA","kid":"x"},7,null,{"kty":"RSA","n":"AQ","e":"AQ"}],"keys":[]}',
        b'{"keys":' + b"[" * 60 + b"]" * 60 + b"}",
    ]
    return pairs + [FIELDS + field for field in fields] + [KEY_SET + one for one in sets]


def write_seeds(folder: Path) -> None:
    for number, seed in enumerate(seeds()):
        (folder / f"seed-{number:02}").write_bytes(seed)
