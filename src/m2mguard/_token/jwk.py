"""Reads the members of one JWK: which are absent, what the key is for, and its numbers in canonical form (RFC 7517 section 4).

It is lenient where a serializer writes unset members, and strict about what restricts a key. Pure; no cryptography.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from m2mguard._token.base64url import base64url_decode
from m2mguard._token.key_strength import (
    COORDINATE_BYTES,
    UnusableKey,
    canonical_coordinate,
    canonical_rsa,
    check_ed25519,
)
from m2mguard._token.ml_dsa import PARAMETER_SETS, check_ml_dsa

MAX_KEY_ID_CHARACTERS = 512
_MAX_SHOWN_CHARACTERS = 40
_TYPE_NAMES = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_TYPES = ("RSA", "EC", "OKP", "AKP")
_CURVES = {"EC": tuple(COORDINATE_BYTES), "OKP": ("Ed25519",)}
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")
_NOT_FOR_SIGNATURES = frozenset(("encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"))


class JsonWebKey(NamedTuple):
    """The members of a public key for signatures.

    Attributes:
        kty: `RSA`, `EC`, `OKP` or `AKP`.
        kid: its key id, or None.
        alg: the one algorithm it is for, or None; not compared with its type yet.
        numbers: what makes its RFC 7638 thumbprint besides `kty`, in canonical form.
    """

    kty: str
    kid: str | None
    alg: str | None
    numbers: Mapping[str, str]


def read_jwk(jwk: Mapping[str, object]) -> JsonWebKey:
    """Read the members of one JWK. A member that is null is absent (as .NET and others write an unset one).

    Raises:
        UnusableKey: another type or curve, private or symmetric members, not for signatures, weak or broken numbers.
    """
    members = {name: value for name, value in jwk.items() if value is not None}
    kty, alg = members.get("kty"), members.get("alg")
    if not isinstance(kty, str) or kty not in _TYPES:
        raise UnusableKey(f"its kty {_found(members, 'kty')}, expected RSA, EC, OKP or AKP")
    # Some serializers write an unset member as an empty string or list, which holds no private key.
    private = [name for name in PRIVATE_MEMBERS if members.get(name, "") not in ("", [])]
    if private:
        raise UnusableKey(f"it holds private or symmetric members ({', '.join(private)})")
    if alg is not None and not isinstance(alg, str):
        raise UnusableKey(f"its alg {_found(members, 'alg')}, expected a string")
    kid = _key_id(members)
    _check_purpose(members)
    return JsonWebKey(kty, kid, alg, _numbers(kty, members))


def describe(value: object) -> str:
    """Describe a JSON value in printable ASCII, fit for logs: a text quoted and cut off, of anything else its type only."""
    if isinstance(value, str):
        cut = value[:_MAX_SHOWN_CHARACTERS]
        return json.dumps(cut) + ("..." if cut != value else "")
    return _TYPE_NAMES.get(type(value), "of another type")


def _found(members: Mapping[str, object], name: str) -> str:
    return f"is {describe(members[name])}" if name in members else "is missing"


def _key_id(members: Mapping[str, object]) -> str | None:
    """Read the key id. Some serializers write an unset one as an empty string, which names no key."""
    kid = members.get("kid", "")
    if not isinstance(kid, str):
        raise UnusableKey(f"its kid {_found(members, 'kid')}, expected a string")
    if len(kid) > MAX_KEY_ID_CHARACTERS:
        raise UnusableKey(f"its kid has {len(kid)} characters, expected at most {MAX_KEY_ID_CHARACTERS}")
    if not kid.isprintable():
        raise UnusableKey(f"its kid {_found(members, 'kid')}, expected printable characters")
    return kid or None


def _check_purpose(members: Mapping[str, object]) -> None:
    """Check `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3). Some serializers write an unset `key_ops` as an empty list."""
    if members.get("use", "sig") != "sig":
        raise UnusableKey(f'its use {_found(members, "use")}, expected "sig"')
    operations = members.get("key_ops", [])
    if not isinstance(operations, list):
        raise UnusableKey(f"its key_ops {_found(members, 'key_ops')}, expected a list of strings")
    names = [name for name in operations if isinstance(name, str)]
    if len(names) < len(operations):
        raise UnusableKey("its key_ops hold something else than strings")
    if len(set(names)) < len(names):
        raise UnusableKey("its key_ops name an operation twice")
    if names and "verify" not in names:
        raise UnusableKey(f'its key_ops are {", ".join(map(describe, names[:4]))}, expected "verify" among them')
    contradicting = sorted(_NOT_FOR_SIGNATURES.intersection(names))
    if contradicting and "use" in members:
        raise UnusableKey(f'its use is "sig", which contradicts {", ".join(contradicting)} in its key_ops')


def _numbers(kty: str, members: Mapping[str, object]) -> dict[str, str]:
    if kty == "RSA":
        n, e = canonical_rsa(_number(members, "n"), _number(members, "e"))
        return {"n": n, "e": e}
    if kty == "AKP":
        alg, pub = members.get("alg"), _number(members, "pub")
        if not isinstance(alg, str) or alg not in PARAMETER_SETS:
            raise UnusableKey(f"its alg {_found(members, 'alg')}, expected {' or '.join(PARAMETER_SETS)}")
        check_ml_dsa(alg, pub)
        return {"alg": alg, "pub": pub}
    crv = members.get("crv")
    if not isinstance(crv, str) or crv not in _CURVES[kty]:
        raise UnusableKey(f"its crv {_found(members, 'crv')}, expected {' or '.join(_CURVES[kty])}")
    if kty == "OKP":
        x = _number(members, "x")
        check_ed25519(x)
        return {"crv": crv, "x": x}
    return {"crv": crv} | {
        name: canonical_coordinate(name, _number(members, name), COORDINATE_BYTES[crv]) for name in ("x", "y")
    }


def _number(members: Mapping[str, object], name: str) -> str:
    """Read a number in base64url, which some issuers pad. No message shows it."""
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise UnusableKey(f"its {name} {_found(members, name)}, expected a number in base64url")
    text = value.rstrip("=")
    try:
        base64url_decode(text)
    except ValueError:
        raise UnusableKey(f"its {name} is not base64url") from None
    return text
