"""This API, its trusted issuer, and how to request a token for this API in the terms of the issuer's product. Pure."""

from __future__ import annotations

from m2mguard._cli.context import ExplainContext
from m2mguard._cli.recognition import RecognisedToken, recognise_token
from m2mguard.issuer import Issuer


def get_api_identifier(context: ExplainContext) -> str:
    """Return this API's identifier: the first audience of the settings."""
    return context.settings.audience[0]


def get_trusted_issuer(context: ExplainContext) -> Issuer:
    """Return the issuer that the token names, else the first issuer of the settings."""
    return context.issuer or context.settings.issuers[0]


def recognise_trusted_issuer(context: ExplainContext) -> RecognisedToken | None:
    """Return the product of the trusted issuer, by its URL; None if it is unknown."""
    return recognise_token({}, {"iss": get_trusted_issuer(context).url})


def describe_token_request(context: ExplainContext) -> str:
    """Describe the request for a token for this API: a phrase that follows "get a token"."""
    kind = recognise_trusted_issuer(context)
    if is_logto(get_trusted_issuer(context)) or kind is None:
        return f"with resource={get_api_identifier(context)}"
    return kind.vocabulary.how_to_ask.format(api=get_api_identifier(context))


def is_logto(issuer: Issuer) -> bool:
    """Whether the settings treat this issuer as Logto."""
    return issuer.organization_claim is not None


def get_product_name(kind: RecognisedToken | None) -> str:
    """Return the name of an issuer's product, or "the issuer" if it is unknown."""
    return "the issuer" if kind is None else kind.name
