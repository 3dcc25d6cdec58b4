"""Advice about a refusal: its cause and what to do. One module per group of reasons; `advise_on_refusal` selects the function. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from m2mguard._cli.advice.advice_types import Advice, CauseCode, Cure, Who, Wrong
from m2mguard._cli.advice.audience import advise_on_audience
from m2mguard._cli.advice.blocked import advise_on_blocked
from m2mguard._cli.advice.claims import advise_on_certificate, advise_on_claim
from m2mguard._cli.advice.issuers import advise_on_route_issuer, advise_on_unknown_issuer
from m2mguard._cli.advice.keys import advise_on_algorithm, advise_on_signature, advise_on_unknown_key
from m2mguard._cli.advice.malformed import advise_on_authorization_field, advise_on_malformed_token
from m2mguard._cli.advice.not_a_machine import advise_on_person
from m2mguard._cli.advice.opaque import advise_on_introspected
from m2mguard._cli.advice.requirement import advise_on_application, advise_on_organization, advise_on_scope
from m2mguard._cli.advice.sign_in import advise_on_application_for_persons, advise_on_sign_in
from m2mguard._cli.advice.time_claims import advise_on_expired, advise_on_not_yet_valid
from m2mguard._cli.advice.token_type import advise_on_token_type
from m2mguard._cli.context import ExplainContext
from m2mguard._reasons.codes import Reason
from m2mguard.errors import AnswerableError

__all__ = ["ADVICE", "Advice", "CauseCode", "Cure", "Who", "Wrong", "advise"]

ADVICE: Mapping[Reason, Callable[[AnswerableError, ExplainContext], Advice]] = {
    "missing": advise_on_authorization_field,
    "other_scheme": advise_on_authorization_field,
    "several_credentials": advise_on_authorization_field,
    "credential_grammar": advise_on_authorization_field,
    "malformed": advise_on_malformed_token,
    "unknown_issuer": advise_on_unknown_issuer,
    "algorithm": advise_on_algorithm,
    "unknown_key": advise_on_unknown_key,
    "signature": advise_on_signature,
    "token_type": advise_on_token_type,
    "claim": advise_on_claim,
    "audience": advise_on_audience,
    "expired": advise_on_expired,
    "not_yet_valid": advise_on_not_yet_valid,
    "not_a_machine": advise_on_person,
    "inactive": advise_on_introspected,
    "blocked": advise_on_blocked,
    "certificate": advise_on_certificate,
    "issuer": advise_on_route_issuer,
    "organization": advise_on_organization,
    "application": advise_on_application,
    "not_a_person": advise_on_application_for_persons,
    "max_age": advise_on_sign_in,
    "acr": advise_on_sign_in,
    "scope": advise_on_scope,
}
"""The function that advises on each reason. Reasons of a 503 are not in it: `fetch_advice` explains why keys are not available."""


def advise_on_refusal(error: AnswerableError, context: ExplainContext) -> Advice | None:
    """Return why a token was refused and what to do; None if keys are not available."""
    advise = ADVICE.get(error.reason)
    return None if advise is None else advise(error, context)
