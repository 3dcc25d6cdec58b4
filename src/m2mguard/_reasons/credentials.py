"""Why a request brings no bearer token that can be read: 400 and 401 without an error code, and 400. Data only."""

from __future__ import annotations

from m2mguard._reasons.entry import Entry, table

CREDENTIALS = table(
    Entry(
        code="missing",
        status=401,
        sentence="the request has no Authorization field",
        problems={"empty_field": "the Authorization field is empty"},
        meaning="The request carries no credentials at all. Anybody can send such a request, so it is logged at level INFO: the line shows "
        "only where your logging is configured for that, as by `logging.basicConfig(level=logging.INFO)`.",
        causes=(
            "The caller does not send a token: it is not configured to, or it calls the API by another client than it thinks.",
            "A proxy or gateway on the way removes the Authorization field, or uses it up for itself.",
            "The HTTP client followed a redirect to another host, or from http to https, and dropped the field, as it must.",
            "Apache with mod_wsgi passes the field on only with `WSGIPassAuthorization On`.",
            "It is a health probe, a browser or a scanner, which has no token. Then nothing is wrong.",
        ),
        cures=(
            "Caller: send the field `Authorization: Bearer TOKEN` with each request (`m2mguard.client` does).",
            "API: if anybody may call this path, list it in `public=`.",
        ),
    ),
    Entry(
        code="other_scheme",
        status=401,
        sentence="the Authorization field does not begin with Bearer",
        meaning="The request carries credentials of another scheme, such as Basic, or a token without the word Bearer in front. "
        "As for `missing`, the line has the level INFO.",
        causes=(
            "The caller sends the token alone, without `Bearer ` in front.",
            "The caller sends its App ID and App Secret (Basic) to the API. They are for the token endpoint only.",
            "The variable that holds the token also holds another word, such as `Token` or `JWT`.",
        ),
        cures=(
            "Caller: send `Authorization: Bearer TOKEN`: the word Bearer, one space, and the access token.",
            "Caller: if an App Secret was sent here, treat it as leaked and create a new one.",
        ),
    ),
    Entry(
        code="several_credentials",
        status=400,
        sentence="the request has more than one Authorization field",
        meaning="Two fields could name two callers, and different programs on the way would choose differently, so none is accepted.",
        causes=(
            "The caller's HTTP client adds a field, and the caller's own code adds another.",
            "A proxy adds its own Authorization field instead of replacing the one that is there.",
        ),
        cures=("Caller: send one Authorization field. If a proxy adds one, let it replace the field.",),
    ),
    Entry(
        code="credential_grammar",
        status=400,
        sentence="what follows Bearer is not one token",
        problems={"not_text": "the Authorization field is neither str nor bytes"},
        meaning="RFC 6750 allows one token after Bearer: letters, digits, and the characters - . _ ~ + / with = at the end.",
        causes=(
            "There are quotes, a line break, a comma or a second word around or behind the token.",
            "A variable was not replaced: the field holds `${TOKEN}`, `{{token}}` or `<token>`.",
            "Python sent `b'...'`, since bytes were formatted into a string.",
            "The caller sends the whole JSON answer of the token endpoint, not its `access_token`.",
            "The token is empty: the field holds `Bearer` and nothing else.",
        ),
        cures=("Caller: send the value of `access_token` from the token endpoint's answer, alone and without quotes.",),
    ),
)
"""Each `reason` of a `MissingToken` or an `InvalidRequest`."""
