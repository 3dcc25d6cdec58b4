"""Advice about a pasted text that is not a token, or only a part of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.pasted import PastedKind, PastedText
from m2mguard._formatting import format_value
from m2mguard._server.settings import ServerSettings

_LEAKED = "It is a secret: treat it as leaked wherever it was pasted, and replace it."
_MISSING = {"start": "its beginning is missing", "end": "its end is missing"}


class _Row(NamedTuple):
    """The cause and the cures for one kind of text, and whether to add the advice to get an access token."""

    cause: str
    cures: tuple[Cure, ...] = ()
    get_a_token: bool = True


_REPLACE = Cure.by_caller("Replace the secret at the issuer.")
_TEXTS: Mapping[PastedKind, _Row] = {
    "several_tokens": _Row(
        "There are several tokens. A request carries exactly one.",
        (Cure.by_caller("Send one, the access token; explain them one at a time."),),
        get_a_token=False,
    ),
    "encrypted": _Row(
        "This is an encrypted token (JWE: five parts). Only signed ones are read.",
        (
            Cure.by_issuer(
                "Switch encryption of access tokens off for this API. Auth0 also issues an encrypted token if the "
                "request has no audience."
            ),
        ),
    ),
    "opaque": _Row(
        "This is an opaque token, which only its issuer can read, or not a token at all. Issuers issue one if the "
        "request names no API; Logto does so without resource."
    ),
    "refresh_token": _Row(
        f"This is a refresh token, which is for the token endpoint only. {_LEAKED}",
        (Cure.by_caller("Send the access_token."),),
        get_a_token=False,
    ),
    "app_secret": _Row(
        f"This looks like an App Secret (client secret) or an API key, not like a token. {_LEAKED}", (_REPLACE,)
    ),
    "app_id": _Row("This is an App ID (client id). It names an application, and proves nothing."),
    "basic_credentials": _Row(
        "These are Basic credentials: an App ID and its secret. They are for the token endpoint only, never for an "
        f"API. {_LEAKED}",
        (_REPLACE,),
    ),
    "error_answer": _Row(
        "This is an error answer of a token endpoint. It contains no token.",
        (
            Cure.by_caller(
                "Read its error and error_description; m2mguard token and m2mguard doctor --app-id say what to change."
            ),
        ),
        get_a_token=False,
    ),
    "no_access_token": _Row("This answer has an id_token or a refresh_token, but no access_token."),
    "too_much": _Row(
        "The input is longer than 64 KiB, so it is not a token.",
        (Cure.by_caller("Give only the token."),),
        get_a_token=False,
    ),
    "empty_value": _Row(
        "This is not a token, but the text that a program writes for an empty value: the variable or the answer was empty."
    ),
    "claims_alone": _Row("These are the claims of a token, without its header and signature. They cannot be verified."),
    "header_alone": _Row("This is only the header of a token. The claims and the signature are missing."),
    "key_set": _Row("This is a key or a key set. It verifies tokens, and is not a token."),
    "pem": _Row(
        "This is a key or a certificate, not a token. If it is a private key, treat it as leaked, and replace it."
    ),
    "text": _Row("This is not a token: a signed token has three parts of letters, digits, - and _, separated by dots."),
}


def advise_on_text(pasted: PastedText, settings: ServerSettings) -> Advice | None:
    """Return what was pasted instead of a token, and what to do; None if it is a whole token."""
    if pasted.kind == "token":
        return None
    if pasted.kind == "cut_off":
        missing = _MISSING.get(pasted.place, "a part in the middle is missing")
        whole = "Copy or send the token whole. Terminals, logs, database columns and variables that are too short cut long values."
        return Advice(
            code="cut_off", wrong="token", cause=f"The token was cut off: {missing}.", cures=(Cure.by_caller(whole),)
        )
    if pasted.kind == "variable":
        return _advise_on_variable(pasted)
    text = _TEXTS[pasted.kind]
    ask = f"with resource={settings.audience[0]} (Logto), audience= (Auth0) or what the issuer calls it"
    get = Cure.by_caller(
        f"Get an access token from the token endpoint with grant_type=client_credentials, {ask}, and send that."
    )
    cures = (*text.cures, get) if text.get_a_token else text.cures
    return Advice(
        code=pasted.kind, wrong="issuer" if pasted.kind == "encrypted" else "token", cause=text.cause, cures=cures
    )


def _advise_on_variable(pasted: PastedText) -> Advice:
    name = f" {format_value(pasted.place)[1:-1]}" if pasted.place else ""
    return Advice(
        code="variable",
        wrong="token",
        cause=f"This is the name of a variable or a placeholder{name}, not its value: nothing replaced it.",
        cures=(
            Cure.by_caller(
                "Check how the value is inserted: a shell does not replace variables in single quotes, and a template must be rendered."
            ),
        ),
    )
