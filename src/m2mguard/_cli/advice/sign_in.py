"""Advice about how a person signed in: too long ago, by other means, or not at all. The token itself is valid. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_terms import get_trusted_issuer, is_logto
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import format_duration, format_value, format_values, read_number
from m2mguard.errors import AnswerableError


def advise_on_application_for_persons(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on an application's token on a route that asks how a person signed in."""
    del error, context
    return Advice(
        code="not_a_person",
        wrong="unclear",
        cause="No person signed in for this token, and the route asks how a person signed in (max_age, acr).",
        cures=(
            Cure.by_caller("Let a person sign in (authorization code), and send that token."),
            Cure.by_api(
                "If applications may call this route, give them a route of their own, without max_age and acr.",
                opens="that route to every application that meets its other conditions",
            ),
        ),
    )


def advise_on_sign_in(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a person's token whose sign-in is too old, or by other means than the route accepts."""
    if error.problem in ("missing", "wrong_type"):
        return _advise_on_claim(error, context)
    return _advise_on_age(context) if error.reason == "max_age" else _advise_on_means(context)


def _advise_on_claim(error: AnswerableError, context: ExplainContext) -> Advice:
    claim = error.claim or "acr"
    state = "has no" if error.problem == "missing" else "cannot be used for its"
    logto = "Logto writes it from version 1.46. " if is_logto(get_trusted_issuer(context)) else ""
    return Advice(
        code="no_auth_time" if claim == "auth_time" else "no_acr",
        wrong="issuer",
        cause=f"The token {state} {claim}, so the API cannot tell how the person signed in. A new sign-in alone changes nothing.",
        cures=(Cure.by_issuer(f"{logto}Write {claim} into access tokens for this API (RFC 9068 section 2.2.1)."),),
    )


def _advise_on_age(context: ExplainContext) -> Advice:
    age = context.now - (read_number(context.token.claim("auth_time")) or 0.0)
    if age < 0:
        return Advice(
            code="auth_time_ahead",
            wrong="clock",
            cause=f"The token says that the person signed in {format_duration(-age)} in the future.",
            cures=(Cure.by_api("Compare this machine's clock with the issuer's: m2mguard doctor does."),),
        )
    max_age = context.requirement.max_age
    return Advice(
        code="old_sign_in",
        wrong="token",
        cause=f"The person signed in {format_duration(age)} ago, and the route accepts {max_age} s. A refreshed token keeps that time.",
        cures=(
            Cure.by_caller(
                f"Let the person sign in again, with max_age={max_age} in the authorization request, as the challenge says."
            ),
        ),
    )


def _advise_on_means(context: ExplainContext) -> Advice:
    accepted = context.requirement.acr
    return Advice(
        code="other_acr",
        wrong="token",
        cause=f"The token's acr is {format_value(context.token.claim('acr'))}, and the route accepts {format_values(accepted)} only.",
        cures=(
            Cure.by_caller(
                f'Let the person sign in again, with acr_values="{" ".join(accepted)}" in the authorization request, as the challenge says.'
            ),
            Cure.by_api("Name the values that the issuer lists in acr_values_supported of its metadata."),
        ),
    )
