"""Tokens that are good, and tokens that are bad for each of the reasons."""

from __future__ import annotations

from typing import Final

from m2mguard.testing._minting import REMOVED
from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._credentials import (
    bearer,
    fields,
    signed_by_a_stranger,
    signed_with_the_public_key,
    token,
    unsigned,
    with_the_claims_of_another,
)
from m2mguard.testing.contract._environment import LEEWAY_S, NOW
from m2mguard.testing.contract._expectations import SeenByRoute, invalid

OLD: Final = NOW - 600
"""When a token was issued whose key would be known by now; a newer one could not be checked until the issuer may be asked."""

TOKEN_CASES: Final = (
    Case(name="a good token is accepted, and the route sees who called", credentials=bearer(), expected=SeenByRoute()),
    Case(
        name="the route sees every scope",
        credentials=bearer("app-admin", scopes=["write:orders", "read:orders"]),
        expected=SeenByRoute(app_id="app-admin", scopes=("read:orders", "write:orders")),
    ),
    Case(name="a token without scopes is accepted", credentials=bearer(scopes=[]), expected=SeenByRoute(scopes=())),
    Case(
        name="a token is accepted in the last second of the leeway",
        credentials=bearer(claims={"exp": NOW - LEEWAY_S + 1}),
        expected=SeenByRoute(),
    ),
    Case(
        name="malformed: an opaque token",
        credentials=token(lambda issuer: issuer.mint_opaque_token()),
        expected=invalid("malformed"),
    ),
    Case(name="malformed: not base64url", credentials=fields(b"Bearer canary.canary.canary"), expected=invalid("malformed")),
    Case(name="malformed: a fourth segment", credentials=bearer(end=b".canary"), expected=invalid("malformed")),
    Case(name="malformed: a crit header", credentials=bearer(header={"crit": ["canary"]}), expected=invalid("malformed")),
    Case(name="malformed: no signature", credentials=token(unsigned), expected=invalid("malformed")),
    Case(name="algorithm: none", credentials=bearer(header={"alg": "none"}), expected=invalid("algorithm")),
    Case(
        name="algorithm: HS256 with the public key as secret",
        credentials=token(signed_with_the_public_key),
        expected=invalid("algorithm"),
    ),
    Case(
        name="unknown_issuer: a stranger",
        credentials=bearer(claims={"iss": "https://canary.example/oidc"}),
        expected=invalid("unknown_issuer"),
    ),
    Case(
        name="unknown_key: a kid that was never published",
        credentials=bearer(header={"kid": "canary"}, issued_at=OLD),
        expected=invalid("unknown_key"),
    ),
    Case(
        name="a token that names no key is accepted where only one key fits",
        credentials=bearer(header={"kid": REMOVED}),
        expected=SeenByRoute(),
    ),
    Case(
        name="unknown_key: no kid, and no key for the alg",
        credentials=bearer(header={"kid": REMOVED, "alg": "RS256"}, issued_at=OLD),
        expected=invalid("unknown_key"),
    ),
    Case(
        name="signature: another's key under a published kid",
        credentials=token(signed_by_a_stranger),
        expected=invalid("signature"),
    ),
    Case(
        name="signature: the claims were exchanged",
        credentials=token(with_the_claims_of_another),
        expected=invalid("signature"),
    ),
    Case(
        name="token_type: an ID token",
        credentials=token(lambda issuer: issuer.mint_id_token()),
        expected=invalid("token_type"),
    ),
    Case(
        name="audience: another API's",
        credentials=bearer(audience="https://canary.example"),
        expected=invalid("audience"),
    ),
    Case(
        name="audience: ours with a slash more",
        credentials=bearer(audience="https://shopping.api/"),
        expected=invalid("audience"),
    ),
    Case(name="expired", credentials=bearer(claims={"exp": NOW - LEEWAY_S}), expected=invalid("expired")),
    Case(name="not_yet_valid", credentials=bearer(claims={"nbf": NOW + LEEWAY_S + 1}), expected=invalid("not_yet_valid")),
    Case(name="claim: no sub", credentials=bearer(claims={"sub": REMOVED}), expected=invalid("claim")),
    Case(
        name="claim: bound to a key that a bearer request does not prove",
        credentials=bearer(claims={"cnf": {"jkt": "canary"}}),
        expected=invalid("claim"),
    ),
)  # fmt: skip
