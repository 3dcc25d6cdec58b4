"""Makes DPoP proofs for tests: good ones, with changes that a test chooses."""

import hashlib
import itertools
from collections.abc import Mapping

from m2mguard.testing import REMOVED, SigningKey, base64url
from m2mguard.testing._signing import thumbprint

KEY = SigningKey.generate("ES256")
OTHER_KEY = SigningKey.generate("ES256")
NOTHING: Mapping[str, object] = {}
_ids = itertools.count()


def jwk_of(key: SigningKey) -> dict[str, object]:
    return {name: value for name, value in key.public_jwk.items() if name not in ("use", "kid", "alg")}


def bound_to(key: SigningKey = KEY) -> dict[str, object]:
    """The claim by which a token is bound to a key."""
    return {"cnf": {"jkt": thumbprint(jwk_of(key))}}


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**members, **changes}.items() if value is not REMOVED}


def dpop_proof(
    token: str,
    url: str,
    now: float,
    *,
    method: str = "GET",
    claims: Mapping[str, object] = NOTHING,
    header: Mapping[str, object] = NOTHING,
    key: SigningKey = KEY,
) -> str:
    """A new proof, with a `jti` of its own."""
    top = {"typ": "dpop+jwt", "alg": key.algorithm, "jwk": jwk_of(key)}
    said = {"jti": f"proof-{next(_ids)}", "htm": method, "htu": url, "iat": now, "ath": base64url(sha256(token))}
    return key.sign_compact(changed(top, header), changed(said, claims))
