"""Advice about the caller: a person, or an application whose token does not show that it is an application. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_mismatch import format_preset_option
from m2mguard._cli.advice.issuer_terms import describe_token_request, get_trusted_issuer, is_logto
from m2mguard._cli.advice.token_type import has_preset
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import format_value
from m2mguard.errors import AnswerableError

_PERSONS = "persons: every route that names no app_ids is then open to everybody who can sign in"


def advise_on_person(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a person's token, and on a machine's token that the settings do not recognise."""
    del error
    kind, one, claims = context.recognised, get_trusted_issuer(context), context.token.claims or {}
    if "act" in claims:
        return Advice(
            code="token_exchange",
            wrong="token",
            cause="The token comes from a token exchange: an application acts for a person (act). It is a person's token.",
            cures=(
                Cure.by_caller("To call as the application itself, get a token with grant_type=client_credentials."),
                Cure.by_api(
                    "If persons may also call this API, set M2MGUARD_MACHINE_ONLY=false (machine_only=False).",
                    opens=_PERSONS,
                ),
            ),
        )
    if kind is not None and kind.vocabulary.machine and kind.token_kind == "workload":  # noqa: S105 - no password
        return Advice(
            code="machine_mark",
            wrong="token",
            cause=f"The token does not show which workload calls. {kind.name} shows that with {kind.vocabulary.machine}.",
            cures=(
                Cure.by_caller(f"Send the token that the workload itself gets, {describe_token_request(context)}."),
            ),
        )
    if kind is not None and kind.is_application and not is_logto(one):
        if kind.issuer_kind in ("zitadel", "google") and has_preset(context):
            return Advice(
                code="service_not_listed",
                wrong="setting",
                cause=f"{kind.name} writes the same claims for persons and services, so the settings list the "
                f"services. This one is not listed: sub is {format_value(context.token.claim('sub'))}.",
                cures=(
                    Cure.by_api(
                        "If it is your service's id, add it to the preset's list.",
                        opens="only calls of this service",
                    ),
                ),
            )
        if kind.vocabulary.machine and has_preset(context):
            return Advice(
                code="machine_mark",
                wrong="issuer",
                cause=f"The token does not show that an application calls, not a person. {kind.name} shows that with "
                f"{kind.vocabulary.machine}.",
                cures=(
                    Cure.by_issuer("Let the issuer write that into this API's access tokens, and get a new token."),
                ),
            )
        words = format_preset_option(kind)
        if words and not has_preset(context):
            return Advice(
                code="needs_preset",
                wrong="setting",
                cause=f"This is an application's token of {kind.name}, which marks them with its own claims. The "
                "settings expect an issuer that follows RFC 9068, where sub equals client_id.",
                cures=(
                    Cure.by_api(
                        f"Use the preset for the tokens of {kind.name}: {words}, instead of --issuer (M2MGUARD_ISSUER)."
                    ),
                ),
            )
    return Advice(
        code="person",
        wrong="token",
        cause="A person signed in for this token: it names the person, and does not prove which application calls.",
        cures=(
            Cure.by_caller(
                "Let the calling service get its own token with grant_type=client_credentials, "
                f"{describe_token_request(context)}. It needs a machine-to-machine application of its own."
            ),
            Cure.by_api(
                "Only if persons may also call this API, set M2MGUARD_MACHINE_ONLY=false (machine_only=False).",
                opens=_PERSONS,
            ),
        ),
    )
