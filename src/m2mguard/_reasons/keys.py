"""Why a token could not be checked, and the answer is 503: one entry for each `KeysUnavailableReason`. Data only."""

from __future__ import annotations

from m2mguard._reasons.entry import Entry, table

KEYS = table(
    Entry(
        code="keys_unavailable",
        status=503,
        sentence="the issuer's keys are not available, so the token cannot be checked",
        meaning=(
            "This API has no usable keys of the token's issuer, and could not fetch them in time. So the token cannot be "
            "checked."
        ),
        causes=(
            "The issuer is down or slow, or this machine cannot reach it (DNS, firewall, proxy, TLS).",
            "The issuer's URL is wrong, so there is no key set.",
            "The API has just started and its first fetch is in flight.",
        ),
        cures=(
            "API: run `m2mguard doctor` on the machine where the API runs; it names the cause.",
            "Caller: try again after the seconds in `Retry-After`.",
        ),
    ),
    Entry(
        code="key_not_fetched",
        status=503,
        sentence="the token names a key that this API does not have, and the issuer could not be asked about it yet",
        meaning=(
            "The token names a key (`kid`) that is new to this API. The issuer is down, or was asked so recently that it "
            "may not be asked again."
        ),
        causes=(
            "The issuer rotated its keys and is not reachable.",
            "A caller sends many tokens with invented key ids, and the number of requests to the issuer is limited.",
        ),
        cures=(
            "Caller: try again after the seconds in `Retry-After`; the key will have been asked for by then.",
            "API: if it lasts, run `m2mguard doctor` on the machine where the API runs.",
        ),
    ),
    Entry(
        code="introspection_unavailable",
        status=503,
        sentence="the issuer could not be asked about this opaque token",
        meaning=(
            "Only the issuer can say whether an opaque token is good (`Introspection`), and it gave no answer that can be "
            "relied on. So we could not tell."
        ),
        causes=(
            "The issuer is down or slow, or this machine cannot reach it.",
            "The issuer does not accept the credentials of this API.",
            "Too many questions are in flight, because a caller sends invented tokens.",
        ),
        cures=(
            "API: run `m2mguard doctor` on the machine where the API runs; it asks about a made-up token and names the cause.",
            "Caller: try again after the seconds in `Retry-After`.",
        ),
    ),
    Entry(
        code="replay_store",
        status=503,
        sentence="whether the DPoP proof was used before cannot be told",
        problems={
            "store_full": "there is no room to remember another DPoP proof of this application",
            "store_failed": "what remembers used DPoP proofs failed",
        },
        meaning=(
            "Token and proof are good. Each proof may be used once, and this API cannot remember this one, so it does not accept it either."
        ),
        causes=(
            "One application, or all together, send more requests than the store has room for.",
            "The Valkey server that remembers used proofs is down, slow or full, or a `replay_store` of your own raised an error.",
        ),
        cures=(
            "API: give the store more room (`max_proofs_per_application`; the memory of Valkey), or a shorter `max_age`.",
            "API: if it failed, the log says why.",
            "Caller: try again after the seconds in `Retry-After`, with a new proof.",
        ),
    ),
)
"""Each `reason` of a `KeysUnavailable`."""
