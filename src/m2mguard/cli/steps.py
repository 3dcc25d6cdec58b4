"""The steps of one verification in the library's order, and which of them refused.

Which one did refused is taken from the library's own error, never found out again.
"""

from __future__ import annotations

from m2mguard.cli.evidence import Evidence
from m2mguard.cli.findings import STEPS
from m2mguard.cli.page import Mark, Page
from m2mguard.errors import KeysUnavailable, Refusal

_REASONS = {
    "missing": "field",
    "other_scheme": "field",
    "several_credentials": "field",
    "credential_grammar": "field",
    "unknown_issuer": "issuer",
    "keys_unavailable": "key",
    "key_not_fetched": "key",
    "issuer": "issuer",
    "signature": "signature",
    "token_type": "type",
    "audience": "audience",
    "expired": "expiry",
    "not_yet_valid": "start",
    "not_a_machine": "machine",
    "organization": "route org",
    "application": "route app",
    "scope": "route scopes",
}
_CLAIM_DETAILS = (  # the beginning of what the library says of a broken claim
    ("one of the required claims", "claims"),
    ("the token is bound", "binding"),
    ("exp ", "expiry"),
    ("nbf ", "start"),
    ("iat ", "start"),
    ("sub ", "app id"),
    ("client_id ", "app id"),
    ("the claim that holds the App ID", "app id"),
    ("organization_id ", "organization"),
    ("the token names more than one organization", "organization"),
    ("jti ", "token id"),
    ("is_machine ", "machine"),
)


def refused_at(error: Refusal, evidence: Evidence) -> str:
    """The name of the step at which the library refused."""
    header, issuer = evidence.reading.header, evidence.issuer
    match error.reason:
        case "malformed":
            place = {"the Authorization field": "field", "the header's": "header", "the header asks": "header"}
            return next((step for words, step in place.items() if error.detail.startswith(words)), "form")
        case "unknown_key":
            return "header" if header is None else "key"
        case "algorithm":
            accepted = header is not None and issuer is not None and header.alg in issuer.algorithms
            return "key" if accepted else "algorithm"
        case "claim" if error.detail.endswith(" is not what this issuer's access tokens carry"):
            return "kind"
        case "claim":
            app_id_claim = () if issuer is None else ((f"{issuer.app_id_claim} ", "app id"),)
            found = (step for words, step in (*_CLAIM_DETAILS, *app_id_claim) if error.detail.startswith(words))
            return next(found, "scopes")  # `scope`, or a list of permissions under a name from the issuer's settings
        case reason:
            return _REASONS[reason]


def show_steps(page: Page, evidence: Evidence, error: Refusal | None) -> None:
    """Add a row for each step, up to the last that there is something to show of."""
    refused = None if error is None else refused_at(error, evidence)
    mark = Mark.PASSED
    for name, finding in STEPS:
        text = finding(evidence)
        if text is None:
            continue
        if name != refused:
            page.row(mark, name, text)
            continue
        page.row(Mark.UNKNOWN if isinstance(error, KeysUnavailable) else Mark.REFUSED, name, text)
        mark = Mark.NOT_REACHED
        if evidence.reading.claims is None:
            return
