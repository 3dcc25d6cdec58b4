"""Every code that says why: why a token was refused, why keys could not be fetched, why there is no token. Types only.

Programs compare these codes. No program compares a sentence.
"""

from __future__ import annotations

from typing import Literal

MissingTokenReason = Literal["missing", "other_scheme"]
"""Every `reason` of a `MissingToken`: 401 without an error code."""

InvalidRequestReason = Literal["several_credentials", "credential_grammar"]
"""Every `reason` of an `InvalidRequest`: 400 `invalid_request`."""

InvalidTokenReason = Literal[
    "malformed", "unknown_issuer", "algorithm", "unknown_key", "signature",
    "token_type", "claim", "audience", "expired", "not_yet_valid", "certificate",
    "inactive", "blocked",
]  # fmt: skip
"""Every `reason` of an `InvalidToken`: 401 `invalid_token`."""

InsufficientScopeReason = Literal["not_a_machine", "issuer", "organization", "application", "not_a_person", "scope"]
"""Every `reason` of an `InsufficientScope`: 403 `insufficient_scope`."""

InsufficientUserAuthenticationReason = Literal["max_age", "acr"]
"""Every `reason` of an `InsufficientUserAuthentication`: 401 `insufficient_user_authentication`."""

InvalidDpopProofReason = Literal["dpop_proof", "dpop_replayed"]
"""Every `reason` of an `InvalidDpopProof`: 401 `invalid_dpop_proof`."""

UseDpopNonceReason = Literal["dpop_nonce"]
"""Every `reason` of a `UseDpopNonce`: 401 `use_dpop_nonce`."""

KeysUnavailableReason = Literal["keys_unavailable", "key_not_fetched", "introspection_unavailable", "replay_store"]
"""Every `reason` of a `KeysUnavailable`: 503."""

Reason = (
    MissingTokenReason
    | InvalidRequestReason
    | InvalidTokenReason
    | InsufficientScopeReason
    | InsufficientUserAuthenticationReason
    | InvalidDpopProofReason
    | UseDpopNonceReason
    | KeysUnavailableReason
)
"""Every `reason` of an error that has an answer."""

TokenProblem = Literal[
    "no_field", "empty_field",
    "too_long", "segments", "base64url", "json", "header", "not_text", "credential",
    "not_accepted", "not_for_key",
    "not_published", "no_kid", "kid_too_long",
    "missing", "wrong_type", "wrong_value", "bound", "contradiction", "is_machine_failed",
    "throttled",
    "no_certificate", "other_certificate", "certificate_field", "undeclared_proxy", "certificate_failed",
    "not_bound", "no_proof", "several_proofs", "private_key", "unusable_key", "other_key", "signature", "too_old", "in_future",
    "store_full", "store_failed",
]  # fmt: skip
"""What exactly is wrong, where one reason has several ways to be wrong."""

TransportProblem = Literal[
    "name_not_resolved", "no_connection", "connect_timeout", "timeout",
    "tls_expired", "tls_name", "tls_unknown_ca", "tls_strict", "tls",
    "proxy", "too_long", "refused_target", "broken", "other",
]  # fmt: skip
"""Why an HTTP exchange brought no answer."""

DiscoveryProblem = Literal[
    "no_metadata", "metadata_status", "metadata_not_json", "other_issuer", "no_endpoint", "bad_endpoint", "other_origin"
]
"""Why the issuer's metadata do not say where an endpoint is."""

KeySetProblem = Literal[
    "key_set_status", "key_set_not_json", "key_set_no_list", "key_set_too_many_keys", "key_set_no_usable_key"
]
"""Why the answer is not a key set that can be used."""

IntrospectionProblem = Literal[
    "introspection_credentials", "introspection_proof", "introspection_status", "introspection_answer", "introspection_signature",
    "introspection_audience", "introspection_budget",
]  # fmt: skip
"""Why an issuer could not say whether a token is good."""

FetchProblem = (
    TransportProblem | DiscoveryProblem | KeySetProblem | IntrospectionProblem | Literal["overdue", "not_started"]
)
"""Why keys could not be fetched, or an issuer not be asked about a token."""

BlocklistProblem = Literal["blocklist_unreadable", "blocklist_unusable", "blocklist_set_back", "blocklist_entry"]
"""Why a block list, or one entry of it, could not be read: it is not there; it is no list of ours; it is an older one; an entry is none."""

TokenRequestReason = Literal[
    "client_authentication", "unauthorized_client", "grant_type", "denied", "resource", "scope", "malformed_request", "other",
    "unknown_client", "wrong_secret", "expired_secret", "organization", "claims_script",
    "no_answer", "discovery", "status", "too_many_requests", "temporarily_unavailable", "unusable_answer",
    "client_secret", "client_assertion",
]  # fmt: skip
"""Every `reason` of a `TokenRequestError`: why a service has no token of its own."""

FetchCause = Literal["cold", "refresh_ahead", "expired", "unknown_key", "requested"]
"""Why keys are fetched: there are none yet; they will soon be older than `ttl`; they are older; a token names another key; asked for."""

TokenFetchCause = Literal["first", "renewal", "expired", "rejected"]
"""Why a token is fetched: there is none yet; it will soon expire; it has expired; an API rejected it."""
