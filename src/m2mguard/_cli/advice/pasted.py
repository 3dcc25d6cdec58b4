"""Causes in what was pasted: it is no token, or only a part of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from m2mguard._cli.advice.advice import Advice, Cure, caller, issuer
from m2mguard._cli.pasted import Pasted, PastedKind
from m2mguard._formatting import quoted
from m2mguard._server.settings import ServerSettings

_LEAKED = "It is a secret: treat it as leaked wherever it was pasted, and replace it."
_MISSING = {"start": "its beginning is missing", "end": "its end is missing"}


class _Text(NamedTuple):
    """What a kind of text is, what to do about it, and whether to get an access token then."""

    cause: str
    cures: tuple[Cure, ...] = ()
    get_a_token: bool = True


_REPLACE = caller("Replace the secret at the issuer.")
_TEXTS: Mapping[PastedKind, _Text] = {
    "several_tokens": _Text(
        "There are several tokens. A request carries exactly one.",
        (caller("Send one, the access token; explain them one at a time."),),
        get_a_token=False,
    ),
    "encrypted": _Text(
        "This is an encrypted token (JWE: five parts). Only signed ones are read.",
        (
            issuer(
                "Switch encryption of access tokens off for this API. Auth0 also gives an encrypted token where no audience was "
                "asked for."
            ),
        ),
    ),
    "opaque": _Text(
        "This is an opaque token, or no token at all: only its maker can read it. Issuers give one where no API was asked "
        "for; Logto does so without resource."
    ),
    "refresh_token": _Text(
        f"This is a refresh token, which is for the token endpoint alone. {_LEAKED}",
        (caller("Send the access_token."),),
        get_a_token=False,
    ),
    "app_secret": _Text(
        f"This looks like an App Secret (client secret) or an API key, and not like a token. {_LEAKED}", (_REPLACE,)
    ),
    "app_id": _Text("This is an App ID (client id). It says which application, and proves nothing."),
    "basic_credentials": _Text(
        "These are Basic credentials: an App ID and its secret. They are for the token endpoint alone, never for an API. "
        f"{_LEAKED}",
        (_REPLACE,),
    ),
    "error_answer": _Text(
        "This is an error answer of a token endpoint: there is no token in it.",
        (
            caller(
                "Read its error and error_description; m2mguard token and m2mguard doctor --app-id say what to change."
            ),
        ),
        get_a_token=False,
    ),
    "no_access_token": _Text("This answer has an id_token or a refresh_token, and no access_token."),
    "too_much": _Text(
        "More than 64 KiB came in, which is no token.", (caller("Give the token alone."),), get_a_token=False
    ),
    "empty_value": _Text(
        "This is no token but what a program writes for no value: the variable or the answer that should hold it was empty."
    ),
    "claims_alone": _Text(
        "These are the claims of a token, without its header and signature. They cannot be verified."
    ),
    "header_alone": _Text("This is the header of a token alone. The claims and the signature are missing."),
    "key_set": _Text("This is a key or a key set, which verifies tokens and is none."),
    "pem": _Text(
        "This is a key or a certificate, and no token. If it is a private key, treat it as leaked, and replace it."
    ),
    "text": _Text("This is no token: a signed token has three parts of letters, digits, - and _, with dots between."),
}


def advise_on_text(pasted: Pasted, settings: ServerSettings) -> Advice | None:
    """Say what was pasted instead of a token, and what to do; None where it is a whole token."""
    if pasted.kind == "token":
        return None
    if pasted.kind == "cut_off":
        missing = _MISSING.get(pasted.place, "a part in the middle is missing")
        whole = "Copy or send the token whole. Terminals, logs, database columns and variables that are too short cut long values."
        return Advice(code="cut_off", wrong="token", cause=f"The token was cut off: {missing}.", cures=(caller(whole),))
    if pasted.kind == "variable":
        return _variable(pasted)
    text = _TEXTS[pasted.kind]
    ask = f"with resource={settings.audience[0]} (Logto), audience= (Auth0) or what the issuer calls it"
    get = caller(
        f"Get an access token from the token endpoint with grant_type=client_credentials, {ask}, and send that."
    )
    cures = (*text.cures, get) if text.get_a_token else text.cures
    return Advice(
        code=pasted.kind, wrong="issuer" if pasted.kind == "encrypted" else "token", cause=text.cause, cures=cures
    )


def _variable(pasted: Pasted) -> Advice:
    name = f" {quoted(pasted.place)[1:-1]}" if pasted.place else ""
    return Advice(
        code="variable",
        wrong="token",
        cause=f"This is the name of a variable or a placeholder{name}, and not its value: nothing replaced it.",
        cures=(
            caller(
                "Look at how the value gets in: single quotes keep a shell from replacing it, and a template must be rendered."
            ),
        ),
    )
