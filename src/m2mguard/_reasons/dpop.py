"""Why a request with a token that is bound to a key brings no good proof of that key (RFC 9449): 401. Data only.

One entry for each `InvalidDpopProofReason` and each `UseDpopNonceReason`.
"""

from __future__ import annotations

from m2mguard._reasons.entry import Entry, table

DPOP = table(
    Entry(
        code="dpop_proof",
        status=401,
        sentence="the DPoP proof is not one of the token's key for this request",
        problems={
            "no_proof": "the request has no DPoP field",
            "several_proofs": "the request has more than one DPoP field",
            "too_long": "the DPoP proof is longer than 8 KiB",
            "segments": "the DPoP proof is not three parts of base64url with dots between",
            "base64url": "a part of the DPoP proof is not base64url in its one valid spelling",
            "json": "a part of the DPoP proof is not one strict JSON object",
            "header": "the header of the DPoP proof is not valid: its {claim}",
            "not_accepted": "the DPoP proof is signed with an algorithm that is not accepted",
            "private_key": "the DPoP proof holds a private key",
            "unusable_key": "the key in the DPoP proof cannot be used: it is of another kind, weak, broken, or not spelt canonically",
            "other_key": "the key in the DPoP proof is not the one that the token is bound to",
            "signature": "the signature of the DPoP proof is not that of its key",
            "missing": "the DPoP proof lacks a claim: {claim}",
            "wrong_type": "the claim {claim} of the DPoP proof does not have the type that it must have",
            "wrong_value": "the claim {claim} of the DPoP proof is not that of this request",
            "too_old": "the DPoP proof was made too long ago",
            "in_future": "the DPoP proof was made in the future",
        },
        meaning=(
            "The token is good and bound to a key (`cnf.jkt`). Each request with it needs one proof that its sender has the private key: "
            "a small JWT in the field `DPoP`, made for this method, this URL and this token."
        ),
        causes=(
            "The claim `htu` differs: clients reach this API under another URL than `resource_url` says, or a proxy takes a prefix off "
            "the path that `stripped_prefix` does not name.",
            "The client made the proof with another key than the one that it got the token with, as after a restart.",
            "The client uses one proof for several requests, or made it long before.",
            "The clock of the client or of this machine is wrong.",
            "The token was stolen, and its key was not.",
        ),
        cures=(
            "API: if `htu` is named, set `resource_url` to the URL that clients use (`m2mguard why dpop_proof` and the guide on DPoP).",
            "Caller: make a new proof for each request, with the key of the token (`m2mguard.client` does).",
        ),
    ),
    Entry(
        code="dpop_nonce",
        status=401,
        sentence="the DPoP proof lacks a current nonce of this server",
        meaning=(
            "The server asks for a nonce of its own in each proof (`Dpop(nonce=True)`). The answer brings one, and the client is expected "
            "to try once more with it. So a few of these lines are no error."
        ),
        causes=(
            "It is the client's first request, or its nonce is from more than a few minutes ago.",
            "Several processes serve this API, and each has a `nonce_key` of its own.",
            "The client does not know nonces, and gives up.",
        ),
        cures=(
            "Caller: send the value of `DPoP-Nonce` as the claim `nonce` of a new proof (`m2mguard.client` does).",
            "API: give all processes the same `nonce_key`.",
        ),
    ),
    Entry(
        code="dpop_replayed",
        status=401,
        sentence="the DPoP proof was used before",
        meaning="Each proof is good for one request only. This one has already come with another request.",
        causes=(
            "The client, or a proxy on the way, sent a request again without a new proof.",
            "The client makes proofs with the same `jti`.",
            "Somebody recorded a request and sends it again.",
        ),
        cures=(
            "Caller: make a new proof, with a random `jti`, for each request and each repetition of it.",
            "API: if a proxy repeats requests by itself, turn that off for this API.",
        ),
    ),
)
"""Each `reason` of an `InvalidDpopProof` or `UseDpopNonce`, in the order in which a proof is checked."""
