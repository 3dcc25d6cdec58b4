"""What to do about a refusal, by the library's codes. `advise` is the way in; one module for each group of reasons. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from m2mguard._cli.advice.access import application, organization, scope
from m2mguard._cli.advice.advice import Advice, CauseCode, Cure, Who, Wrong
from m2mguard._cli.advice.audience import audience
from m2mguard._cli.advice.claims import claim
from m2mguard._cli.advice.issuers import route_issuer, unknown_issuer
from m2mguard._cli.advice.keys import algorithm, signature, unknown_key
from m2mguard._cli.advice.kinds import token_type
from m2mguard._cli.advice.persons import not_a_machine
from m2mguard._cli.advice.shape import field, malformed
from m2mguard._cli.advice.times import expired, not_yet_valid
from m2mguard._cli.context import ExplainContext
from m2mguard._reasons.codes import Reason
from m2mguard.errors import AnswerableError

__all__ = ["ADVICE", "Advice", "CauseCode", "Cure", "Who", "Wrong", "advise"]

ADVICE: Mapping[Reason, Callable[[AnswerableError, ExplainContext], Advice]] = {
    "missing": field,
    "other_scheme": field,
    "several_credentials": field,
    "credential_grammar": field,
    "malformed": malformed,
    "unknown_issuer": unknown_issuer,
    "algorithm": algorithm,
    "unknown_key": unknown_key,
    "signature": signature,
    "token_type": token_type,
    "claim": claim,
    "audience": audience,
    "expired": expired,
    "not_yet_valid": not_yet_valid,
    "not_a_machine": not_a_machine,
    "issuer": route_issuer,
    "organization": organization,
    "application": application,
    "scope": scope,
}
"""Who advises on which reason. Keys that are not available have no token's fault: `fetch_advice` is for those."""


def advise(error: AnswerableError, context: ExplainContext) -> Advice | None:
    """Say why a token was refused and what to do; None where keys are not available."""
    advisor = ADVICE.get(error.reason)
    return None if advisor is None else advisor(error, context)
