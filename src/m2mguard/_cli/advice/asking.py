"""How the caller asks its issuer for a token for this API, in the issuer's own words. Pure."""

from __future__ import annotations

from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import Recognised, recognise
from m2mguard.issuer import Issuer

RFC9068_NAMES = ("Logto",)  # whose tokens need no preset of m2mguard.presets


def this_api(context: ExplainContext) -> str:
    """This API's identifier."""
    return context.settings.audience[0]


def trusted_issuer(context: ExplainContext) -> Issuer:
    """The issuer that the token names, else the first that the settings have."""
    return context.issuer or context.settings.issuers[0]


def trusted_kind(context: ExplainContext) -> Recognised | None:
    """What is known of the kind of the trusted issuer, by its URL."""
    return recognise({}, {"iss": trusted_issuer(context).url})


def how_to_ask(context: ExplainContext) -> str:
    """How to ask for a token for this API: words that follow "get the token"."""
    kind = trusted_kind(context)
    if is_logto(trusted_issuer(context)) or kind is None:
        return f"with resource={this_api(context)}"
    return kind.vocabulary.how_to_ask.format(api=this_api(context))


def is_logto(issuer: Issuer) -> bool:
    """Whether the settings take this issuer for Logto."""
    return issuer.organization_claim is not None


def name_of(kind: Recognised | None) -> str:
    """The name of an issuer's product, or words for none."""
    return "the issuer" if kind is None else kind.name
