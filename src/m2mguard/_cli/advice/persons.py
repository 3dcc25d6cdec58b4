"""Causes around who calls: a person, or an application whose token does not show that it is one. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, api, caller, issuer
from m2mguard._cli.advice.asking import how_to_ask, is_logto, trusted_issuer
from m2mguard._cli.advice.issuer_names import preset_words
from m2mguard._cli.advice.kinds import has_preset
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import quoted
from m2mguard.errors import AnswerableError

_PERSONS = "persons: every route that names no app_ids is then open to everybody who can sign in"


def not_a_machine(error: AnswerableError, context: ExplainContext) -> Advice:
    """The token is a person's, or the settings cannot tell that it is a machine's."""
    del error
    kind, one, claims = context.recognised, trusted_issuer(context), context.token.claims or {}
    if "act" in claims:
        return Advice(
            code="token_exchange",
            wrong="token",
            cause="The token comes from a token exchange: an application acts for a person (act). It is a person's token.",
            cures=(
                caller("To call as the application itself, get a token with grant_type=client_credentials."),
                api(
                    "If persons may call this API, too, set M2MGUARD_MACHINE_ONLY=false (machine_only=False).",
                    opens=_PERSONS,
                ),
            ),
        )
    if kind is not None and kind.is_application and not is_logto(one):
        if kind.issuer_kind in ("zitadel", "google") and has_preset(context):
            return Advice(
                code="service_not_listed",
                wrong="setting",
                cause=f"{kind.name} writes the same claims for persons and services, so the settings list the services. This "
                f"one is not listed: "
                f"sub is {quoted(context.token.claim('sub'))}.",
                cures=(
                    api(
                        "If it is your service's id, add it to the preset's list.",
                        opens="nothing but calls of this service",
                    ),
                ),
            )
        if kind.vocabulary.machine and has_preset(context):
            return Advice(
                code="machine_mark",
                wrong="issuer",
                cause=f"The token does not say that an application calls and no person. {kind.name} says so by {kind.vocabulary.machine}.",
                cures=(issuer("Let the issuer write that into this API's access tokens, and get a new one."),),
            )
        words = preset_words(kind)
        if words and not has_preset(context):
            return Advice(
                code="needs_preset",
                wrong="setting",
                cause=f"This is an application's token of {kind.name}, which marks those in its own way. The settings take it "
                f"for an issuer that "
                "follows RFC 9068, where sub equals client_id.",
                cures=(
                    api(
                        f"Use the preset for the tokens of {kind.name}: {words}, in the place of --issuer (M2MGUARD_ISSUER)."
                    ),
                ),
            )
    return Advice(
        code="person",
        wrong="token",
        cause="A person signed in for this token: it says which person, and is no proof of which application calls.",
        cures=(
            caller(
                f"Let the calling service get its own token with grant_type=client_credentials, {how_to_ask(context)}. It needs a "
                "machine-to-machine application of its own."
            ),
            api(
                "Only if persons may call this API, too, set M2MGUARD_MACHINE_ONLY=false (machine_only=False).",
                opens=_PERSONS,
            ),
        ),
    )
