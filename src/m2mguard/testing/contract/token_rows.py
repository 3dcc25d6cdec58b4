"""Tokens that are good, and tokens that are bad for each of the reasons."""

from __future__ import annotations

from typing import Final

from m2mguard.testing.contract.credentials import (
    bearer,
    fields,
    signed_by_a_stranger,
    signed_with_the_public_key,
    token,
    unsigned,
    with_the_claims_of_another,
)
from m2mguard.testing.contract.expectations import Seen, invalid
from m2mguard.testing.contract.rows import Row
from m2mguard.testing.contract.world import LEEWAY_S, NOW
from m2mguard.testing.minting import REMOVED

OLD: Final = NOW - 600
"""When a token was issued whose key would be known by now; of a newer one nobody could tell until the issuer may be asked."""

TOKEN_ROWS: Final = (
    Row(name="a good token is accepted, and the route sees who called", credentials=bearer(), expected=Seen()),
    Row(
        name="the route sees every scope",
        credentials=bearer("app-admin", scopes=["write:orders", "read:orders"]),
        expected=Seen(app_id="app-admin", scopes=("read:orders", "write:orders")),
    ),
    Row(name="a token without scopes is accepted", credentials=bearer(scopes=[]), expected=Seen(scopes=())),
    Row(
        name="a token is accepted in the last second of the leeway",
        credentials=bearer(claims={"exp": NOW - LEEWAY_S + 1}),
        expected=Seen(),
    ),
    Row(
        name="malformed: an opaque token",
        credentials=token(lambda issuer: issuer.mint_opaque_token()),
        expected=invalid("malformed"),
    ),
    Row(name="malformed: not base64url", credentials=fields(b"Bearer canary.canary.canary"), expected=invalid("malformed")),
    Row(name="malformed: a fourth segment", credentials=bearer(end=b".canary"), expected=invalid("malformed")),
    Row(name="malformed: a crit header", credentials=bearer(header={"crit": ["canary"]}), expected=invalid("malformed")),
    Row(name="malformed: no signature", credentials=token(unsigned), expected=invalid("malformed")),
    Row(name="algorithm: none", credentials=bearer(header={"alg": "none"}), expected=invalid("algorithm")),
    Row(
        name="algorithm: HS256 with the public key as secret",
        credentials=token(signed_with_the_public_key),
        expected=invalid("algorithm"),
    ),
    Row(
        name="unknown_issuer: a stranger",
        credentials=bearer(claims={"iss": "https://canary.example/oidc"}),
        expected=invalid("unknown_issuer"),
    ),
    Row(
        name="unknown_key: a kid that nobody published",
        credentials=bearer(header={"kid": "canary"}, issued_at=OLD),
        expected=invalid("unknown_key"),
    ),
    Row(
        name="a token that names no key is accepted where only one key fits",
        credentials=bearer(header={"kid": REMOVED}),
        expected=Seen(),
    ),
    Row(
        name="unknown_key: no kid, and no key for the alg",
        credentials=bearer(header={"kid": REMOVED, "alg": "RS256"}, issued_at=OLD),
        expected=invalid("unknown_key"),
    ),
    Row(
        name="signature: another's key under a published kid",
        credentials=token(signed_by_a_stranger),
        expected=invalid("signature"),
    ),
    Row(
        name="signature: the claims were exchanged",
        credentials=token(with_the_claims_of_another),
        expected=invalid("signature"),
    ),
    Row(
        name="token_type: an ID token",
        credentials=token(lambda issuer: issuer.mint_id_token()),
        expected=invalid("token_type"),
    ),
    Row(
        name="audience: another API's",
        credentials=bearer(audience="https://canary.example"),
        expected=invalid("audience"),
    ),
    Row(
        name="audience: ours with a slash more",
        credentials=bearer(audience="https://shopping.api/"),
        expected=invalid("audience"),
    ),
    Row(name="expired", credentials=bearer(claims={"exp": NOW - LEEWAY_S}), expected=invalid("expired")),
    Row(name="not_yet_valid", credentials=bearer(claims={"nbf": NOW + LEEWAY_S + 1}), expected=invalid("not_yet_valid")),
    Row(name="claim: no sub", credentials=bearer(claims={"sub": REMOVED}), expected=invalid("claim")),
    Row(
        name="claim: bound to a key that a bearer request does not prove",
        credentials=bearer(claims={"cnf": {"jkt": "canary"}}),
        expected=invalid("claim"),
    ),
)  # fmt: skip
