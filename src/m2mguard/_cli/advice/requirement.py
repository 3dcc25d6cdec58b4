"""Advice about what a route requires: organization, application, scopes. The token itself is valid. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_terms import get_trusted_issuer, is_logto, recognise_trusted_issuer
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import format_value, format_values
from m2mguard.errors import AnswerableError

_SCOPE_CLAIMS = ("scp", "permissions", "roles", "scopes", "scope")


def advise_on_organization(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a token whose organization is not the organization of the route."""
    del error
    required = context.requirement.organization
    if required is None:
        return Advice(
            code="organization",
            wrong="unclear",
            cause="The token is limited to one organization, and the route is not about an organization. The "
            "permissions of the token are granted for that organization only.",
            cures=(
                Cure.by_caller(
                    "For a route that is not about an organization, request the token without organization_id."
                ),
                Cure.by_api(
                    "If the route is about an organization, name it: requires(organization=...) in the code, "
                    "--organization here.",
                    opens="organization='*' accepts tokens of every organization: the route itself must then compare "
                    "caller.organization_id",
                ),
            ),
        )
    return Advice(
        code="other_organization",
        wrong="token",
        cause=f"The route is about {format_value(required)}, and the token is limited to another organization, or to no organization.",
        cures=(
            Cure.by_caller(f"Request the token with organization_id={required}."),
            Cure.by_issuer("The application must be a member of the organization, with a role that grants the scopes."),
        ),
    )


def advise_on_application(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a calling application that the route does not name."""
    del error
    claim = get_trusted_issuer(context).app_id_claim
    app_ids, accepted = context.token.texts(claim), context.requirement.app_ids
    near = [one for one in accepted if app_ids and one.strip().casefold() == app_ids[0].strip().casefold()]
    if near:
        return Advice(
            code="application_spelling",
            wrong="setting",
            cause=f"The caller is {format_values(app_ids)}, and the route names {format_value(near[0])}. App IDs are "
            "compared character for character.",
            cures=(Cure.by_api(f"Name it in app_ids exactly as tokens do: {format_values(app_ids)}."),),
        )
    return Advice(
        code="other_application",
        wrong="unclear",
        cause=f"The caller is {format_values(app_ids)} ({claim}), and the route accepts {format_values(accepted)} only.",
        cures=(
            Cure.by_api(
                f"If that application may call this route, add {format_values(app_ids)} to its app_ids.",
                opens="this route to that application",
            ),
            Cure.by_caller("Otherwise use the credentials of an application that the route accepts."),
        ),
    )


def advise_on_scope(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a token that lacks a scope, or has it in another claim or spelling."""
    del error
    issuer, required = (
        get_trusted_issuer(context),
        sorted(context.requirement.scopes) + sorted(context.requirement.any_scope),
    )
    if issuer.grants is not None:
        return _advise_on_grants(required, context)
    scopes = set(_list_scopes(context, ("scope", *issuer.scope_lists)))
    missing = [name for name in required if name not in scopes]
    other_claims = [
        name
        for name in _SCOPE_CLAIMS
        if name not in ("scope", *issuer.scope_lists) and set(missing) & set(_list_scopes(context, (name,)))
    ]
    if other_claims:
        return Advice(
            code="scopes_elsewhere",
            wrong="setting",
            cause=f"The token has {format_values(missing)} in its claim {other_claims[0]}, which the settings do not read.",
            cures=(
                Cure.by_api(
                    f"Read that claim: M2MGUARD_SCOPE_LISTS={' '.join((*issuer.scope_lists, other_claims[0]))} "
                    "(scope_lists=); the issuer's preset does that.",
                    opens="everything that the issuer writes into that claim then counts as a scope",
                ),
            ),
        )
    for name in missing:
        for scope in sorted(scopes):
            if (
                scope.casefold() == name.casefold()
                or scope.rpartition("/")[2] == name
                or name.rpartition("/")[2] == scope
            ):
                return Advice(
                    code="scope_prefix" if "/" in scope + name else "scope_spelling",
                    wrong="setting",
                    cause=f"The token has {format_value(scope)}, and the route requires {format_value(name)}. Scopes "
                    "are compared character for character.",
                    cures=(
                        Cure.by_api(
                            f"If they are the same permission, let the route require it as the issuer writes it: {format_value(scope)}."
                        ),
                    ),
                )
    return _advise_on_missing_scope(missing, scopes, context)


def _advise_on_grants(required: list[str], context: ExplainContext) -> Advice:
    app_ids, what = (
        format_values(context.token.texts(get_trusted_issuer(context).app_id_claim)),
        format_values(required),
    )
    return Advice(
        code="missing_scope",
        wrong="setting",
        cause=f"Tokens of this issuer have no scopes, so the settings grant them, and they do not grant {what} to {app_ids}.",
        cures=(
            Cure.by_api(
                f"If that workload may call this route, grant it: M2MGUARD_GRANTS (grants=), with the App ID {app_ids}.",
                opens="every route that requires these scopes, to that workload",
            ),
        ),
    )


def _advise_on_missing_scope(missing: list[str], scopes: set[str], context: ExplainContext) -> Advice:
    kind, what = recognise_trusted_issuer(context), format_values(missing)
    words = f"{kind.vocabulary.how_to_grant}" if kind is not None and not is_logto(get_trusted_issuer(context)) else ""
    grant: tuple[Cure, ...] = (
        Cure.by_issuer(f"Grant {what}: {words}." if words else f"Grant {what} to the application."),
    )
    if is_logto(get_trusted_issuer(context)):
        grant = (
            Cure.by_issuer(
                f"Logto: give the application a machine-to-machine role that has the permission {what} of this API. Then get a new token."
            ),
        )
    if not scopes:
        return Advice(
            code="no_scopes",
            wrong="token",
            cause="The token has no scopes at all: the application has no role that grants scopes, or it requested "
            "none. Logto issues such a token to every machine-to-machine application."
            if is_logto(get_trusted_issuer(context))
            else "The token has no scopes at all: the application was granted none, or it requested none.",
            cures=(*grant, Cure.by_caller(f"Request the scope: scope={' '.join(missing)}.")),
        )
    return Advice(
        code="missing_scope",
        wrong="token",
        cause=f"The token has {format_values(sorted(scopes))}, not {what}. An issuer leaves out what is not granted, without an error.",
        cures=(Cure.by_caller(f"Request it as well: scope={' '.join(sorted(scopes | set(missing)))}."), *grant),
    )


def _list_scopes(context: ExplainContext, names: tuple[str, ...]) -> list[str]:
    return [word for name in names for text in context.token.texts(name) for word in text.split()]
