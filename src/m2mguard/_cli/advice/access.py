"""Causes around what a route asks for: organization, application, scopes. The token itself is good. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, Cure, api, caller, issuer
from m2mguard._cli.advice.asking import is_logto, trusted_issuer, trusted_kind
from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import listed, quoted
from m2mguard.errors import AnswerableError

_SCOPE_CLAIMS = ("scp", "permissions", "roles", "scopes", "scope")


def organization(error: AnswerableError, context: ExplainContext) -> Advice:
    """The token is limited to an organization that is not the route's."""
    del error
    asked = context.requirement.organization
    if asked is None:
        return Advice(
            code="organization",
            wrong="unclear",
            cause="The token is limited to one organization, and the route is about none. It would grant there what is granted "
            "for one organization only.",
            cures=(
                caller("For a route about no organization, ask for the token without organization_id."),
                api(
                    "If the route is about an organization, name the one that it is about: requires(organization=...), here "
                    "--organization.",
                    opens="organization='*' accepts tokens of every organization: the route itself must then compare "
                    "caller.organization_id",
                ),
            ),
        )
    return Advice(
        code="other_organization",
        wrong="token",
        cause=f"The route is about {quoted(asked)}, and the token is limited to another organization, or to none.",
        cures=(
            caller(f"Ask for the token with organization_id={asked}."),
            issuer("The application must be a member of the organization, with a role that grants the scopes."),
        ),
    )


def application(error: AnswerableError, context: ExplainContext) -> Advice:
    """The calling application is none that the route names."""
    del error
    claim = trusted_issuer(context).app_id_claim
    said, wanted = context.token.texts(claim), context.requirement.app_ids
    near = [one for one in wanted if said and one.strip().casefold() == said[0].strip().casefold()]
    if near:
        return Advice(
            code="application_spelling",
            wrong="setting",
            cause=f"The caller is {listed(said)}, and the route names {quoted(near[0])}. App IDs are compared character for character.",
            cures=(api(f"Name it in app_ids exactly as tokens do: {listed(said)}."),),
        )
    return Advice(
        code="other_application",
        wrong="unclear",
        cause=f"The caller is {listed(said)} ({claim}), and the route accepts {listed(wanted)} only.",
        cures=(
            api(
                f"If that application shall call this route, add {listed(said)} to its app_ids.",
                opens="this route to that application",
            ),
            caller("Else use the credentials of an application that the route accepts."),
        ),
    )


def scope(error: AnswerableError, context: ExplainContext) -> Advice:
    """The token lacks a scope, or has it in another place or spelling."""
    del error
    one, wanted = trusted_issuer(context), sorted(context.requirement.scopes) + sorted(context.requirement.any_scope)
    counted = set(_scopes(context, ("scope", *one.scope_lists)))
    lacking = [name for name in wanted if name not in counted]
    elsewhere = [
        name
        for name in _SCOPE_CLAIMS
        if name not in ("scope", *one.scope_lists) and set(lacking) & set(_scopes(context, (name,)))
    ]
    if elsewhere:
        return Advice(
            code="scopes_elsewhere",
            wrong="setting",
            cause=f"The token has {listed(lacking)} in its claim {elsewhere[0]}, which the settings do not read.",
            cures=(
                api(
                    f"Read it: M2MGUARD_SCOPE_LISTS={' '.join((*one.scope_lists, elsewhere[0]))} (scope_lists=); the issuer's preset does.",
                    opens="everything that the issuer writes into that claim then counts as a scope",
                ),
            ),
        )
    for name in lacking:
        for has in sorted(counted):
            if has.casefold() == name.casefold() or has.rpartition("/")[2] == name or name.rpartition("/")[2] == has:
                return Advice(
                    code="scope_prefix" if "/" in has + name else "scope_spelling",
                    wrong="setting",
                    cause=f"The token has {quoted(has)}, and the route asks for {quoted(name)}. Scopes are compared character "
                    f"for character.",
                    cures=(
                        api(
                            f"If they are the same permission, let the route ask for it as the issuer writes it: {quoted(has)}."
                        ),
                    ),
                )
    return _not_granted(lacking, counted, context)


def _not_granted(lacking: list[str], counted: set[str], context: ExplainContext) -> Advice:
    kind, what = trusted_kind(context), listed(lacking)
    words = f"{kind.vocabulary.how_to_grant}" if kind is not None and not is_logto(trusted_issuer(context)) else ""
    grant: tuple[Cure, ...] = (issuer(f"Grant {what}: {words}." if words else f"Grant {what} to the application."),)
    if is_logto(trusted_issuer(context)):
        grant = (
            issuer(
                f"Logto: give the application a machine-to-machine role that has the permission {what} of this API. Then get a new token."
            ),
        )
    if not counted:
        return Advice(
            code="no_scopes",
            wrong="token",
            cause="The token has no scopes at all: the application has no role that grants any, or it asked for none. Logto gives every "
            "machine-to-machine application such a token."
            if is_logto(trusted_issuer(context))
            else "The token has no scopes at all: the application was granted none, or it asked for none.",
            cures=(*grant, caller(f"Ask for the scope: scope={' '.join(lacking)}.")),
        )
    return Advice(
        code="missing_scope",
        wrong="token",
        cause=f"The token has {listed(sorted(counted))}, and not {what}. An issuer leaves out what is not granted, without a word.",
        cures=(caller(f"Ask for it, too: scope={' '.join(sorted(counted | set(lacking)))}."), *grant),
    )


def _scopes(context: ExplainContext, names: tuple[str, ...]) -> list[str]:
    return [word for name in names for text in context.token.texts(name) for word in text.split()]
