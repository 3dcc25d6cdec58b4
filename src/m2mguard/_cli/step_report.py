"""The steps of one verification in the library's order, and which of them refused.

The codes of the library's error determine the refusing step; it is never recomputed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from m2mguard._cli.context import ExplainContext
from m2mguard._cli.output import Status
from m2mguard._cli.step_texts import STEPS
from m2mguard._reasons.codes import Reason
from m2mguard.errors import AnswerableError, KeysUnavailable

_STEP_BY_REASON: Mapping[Reason, str] = {
    "missing": "field",
    "other_scheme": "field",
    "several_credentials": "field",
    "credential_grammar": "field",
    "malformed": "form",
    "unknown_issuer": "issuer",
    "algorithm": "algorithm",
    "unknown_key": "key",
    "keys_unavailable": "key",
    "key_not_fetched": "key",
    "introspection_unavailable": "introspection",
    "inactive": "introspection",
    "blocked": "block list",
    "issuer": "issuer",
    "signature": "signature",
    "token_type": "type",
    "claim": "scopes",
    "certificate": "certificate",
    "audience": "audience",
    "expired": "expiry",
    "not_yet_valid": "start",
    "not_a_machine": "machine",
    "organization": "route org",
    "application": "route app",
    "not_a_person": "route sign-in",
    "max_age": "route sign-in",
    "acr": "route sign-in",
    "scope": "route scopes",
}
_STEP_BY_PROBLEM: Mapping[tuple[Reason, str], str] = {
    ("malformed", "header"): "header",
    ("malformed", "too_long"): "field",
    ("unknown_key", "kid_too_long"): "header",
    ("algorithm", "not_for_key"): "key",
    ("claim", "bound"): "binding",
    ("claim", "wrong_value"): "kind",
    ("claim", "missing"): "claims",
    ("claim", "contradiction"): "organization",
    ("claim", "is_machine_failed"): "machine",
}
_STEP_BY_CLAIM: Mapping[str, str] = {
    "exp": "expiry",
    "nbf": "start",
    "iat": "start",
    "sub": "app id",
    "client_id": "app id",
    "jti": "token id",
    "organization_id": "organization",
}


def find_refusing_step(error: AnswerableError, context: ExplainContext) -> str:
    """Return the name of the step at which the library refused."""
    issuer = context.issuer
    if (error.reason, error.problem) == ("claim", "wrong_type"):
        names = dict(_STEP_BY_CLAIM)
        if issuer is not None:
            names[issuer.app_id_claim] = "app id"
            names[issuer.organization_claim or ""] = "organization"
        return names.get(error.claim or "", "scopes")
    if (error.reason, error.problem) == ("claim", "missing") and issuer is not None:
        optional = error.claim not in issuer.required_claims and ", " not in (error.claim or "")
        return ("expiry" if error.claim == "exp" else "app id") if optional else "claims"
    return _STEP_BY_PROBLEM.get((error.reason, error.problem or ""), _STEP_BY_REASON[error.reason])


class Step(NamedTuple):
    """One step: its name, its status, and the value found and the value expected."""

    name: str
    status: Status
    text: str


def list_steps(context: ExplainContext, error: AnswerableError | None) -> list[Step]:
    """Return the steps, up to the last one for which there is a text."""
    refused = None if error is None else find_refusing_step(error, context)
    found: list[Step] = []
    status = Status.PASSED
    for name, describe in STEPS:
        text = describe(context)
        if text is None:
            continue
        if name != refused:
            found.append(Step(name, status, text))
            continue
        found.append(Step(name, Status.UNKNOWN if isinstance(error, KeysUnavailable) else Status.REFUSED, text))
        status = Status.NOT_REACHED
        if context.token.claims is None:
            break
    return found
