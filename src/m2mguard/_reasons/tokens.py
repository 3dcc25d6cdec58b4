"""Why a token is refused with 401 `invalid_token`: one entry for each `InvalidTokenReason`. Data only."""

from __future__ import annotations

from m2mguard._reasons.entry import Entry, table

TOKENS = table(
    Entry(
        code="malformed",
        status=401,
        sentence="the token is not a signed JWT",
        problems={
            "too_long": "the token is longer than 16 KiB",
            "segments": "the token is not three parts with dots between",
            "base64url": "a part of the token is not base64url in its one valid spelling",
            "json": "a part of the token is not one strict JSON object",
            "header": "the token's header is not valid: its {claim}",
            "not_text": "the token is neither str nor bytes",
            "credential": "the token holds a character that no bearer token has",
        },
        meaning="What was sent cannot be read as a signed JWT (three base64url parts; the first two are JSON objects).",
        causes=(
            "It is an opaque token, which only the issuer can read. Logto gives one if no resource was asked for; Auth0 if "
            "no audience was.",
            "The token was cut off or changed on its way: by a terminal, a log, a variable that is too short, a copy with line breaks.",
            "It is an encrypted token (five parts), a refresh token, an API key or an App Secret.",
        ),
        cures=(
            "Caller: ask the token endpoint for a token for this API (Logto: `resource=`, Auth0: `audience=`), and send it whole.",
            "API: run `m2mguard explain` with what was sent; it says what it is.",
            "API: to accept opaque tokens, let the issuer be asked about them: `Issuer(introspection=Introspection(...))`.",
        ),
    ),
    Entry(
        code="unknown_issuer",
        status=401,
        sentence="the token's issuer (iss) is none of those that this API trusts",
        problems={"contradiction": "the token's iss is not the issuer whose key signed it"},
        meaning="The claim `iss` is compared, character for character, with the configured issuers. It equals none of them.",
        causes=(
            "The API's setting and the issuer's own name differ by a slash at the end, by http and https, a port, or capital letters.",
            "Logto: the issuer is the endpoint plus `/oidc`; a custom domain is another name of the same tenant.",
            "Entra: version 1 tokens name `https://sts.windows.net/TENANT/`, version 2 tokens "
            "`https://login.microsoftonline.com/TENANT/v2.0`.",
            "Keycloak: tokens name the address under which Keycloak was asked, which may be an internal one.",
            "The token is of another environment or tenant: a test token at the production API.",
        ),
        cures=(
            "API: if you trust that issuer, configure it exactly as it names itself in `iss` (`m2mguard explain` shows both).",
            "Caller: get the token from the issuer that this API trusts.",
        ),
    ),
    Entry(
        code="algorithm",
        status=401,
        sentence="the token is signed with an algorithm that is not accepted",
        problems={
            "not_accepted": "the token's alg is not among the algorithms that are accepted from this issuer",
            "not_for_key": "the issuer's key of this key id is not for the algorithm that the token names",
        },
        meaning=(
            "The settings say which algorithms are accepted from an issuer, and each key says which it is for. The token "
            "decides nothing."
        ),
        causes=(
            "The token is signed with a shared secret (HS256): it is a sample, of an issuer's old setting, or handmade.",
            "The issuer changed its signing algorithm, to one that `algorithms=` does not list.",
            "The token is forged.",
        ),
        cures=(
            "Issuer: sign with ES256, ES384, ES512, EdDSA or RS256 and a published key. A shared secret is never accepted.",
            "API: if the issuer really signs so, list the algorithm in `algorithms=` (M2MGUARD_ALGORITHMS).",
        ),
    ),
    Entry(
        code="unknown_key",
        status=401,
        sentence="the issuer does not publish the key that the token names",
        problems={
            "no_kid": "the token names no key (kid), and the issuer has several keys for its algorithm",
            "kid_too_long": "the token's key id (kid) is longer than any key's",
        },
        meaning="The key that the token names (`kid`) is not in the issuer's key set, which was just fetched or is newer than the token.",
        causes=(
            "The issuer withdrew the key, for instance by two rotations. Tokens that it signed are worthless from then on.",
            "The token is of another tenant or environment that uses the same issuer URL, such as a database that was restored.",
            "A cache between this API and the issuer serves an old key set.",
            "The token is forged.",
        ),
        cures=(
            "Caller: get a new token.",
            "API: run `m2mguard keys` and compare the key ids; if the issuer's newest key is missing there, look for a cache on the way.",
        ),
    ),
    Entry(
        code="signature",
        status=401,
        sentence="the signature is not that of the issuer's key",
        meaning="The key that the token names exists, and the signature does not fit the token's content.",
        causes=(
            "The token was cut off or changed on its way.",
            "Google Cloud Run and similar gateways replace the signature after they have checked it (`SIGNATURE_REMOVED_BY_GOOGLE`).",
            "Entra: the token is for Microsoft Graph (its header has a `nonce`), and only Graph can verify it.",
            "Two environments have keys of the same key id but different material.",
            "The token is forged.",
        ),
        cures=(
            "Caller: send the token exactly as the token endpoint gave it.",
            "API: if a gateway removes the signature, let the caller send its token in a field that the gateway does not touch.",
        ),
    ),
    Entry(
        code="token_type",
        status=401,
        sentence="the token is of another type (typ) than an access token",
        meaning=(
            "The header's `typ` says what kind of token it is, so that an ID token or another JWT of the issuer is not "
            "taken for an access token."
        ),
        causes=(
            "The caller sends an ID token, which tells an app who signed in, and is not for APIs.",
            "Entra, Okta, Auth0, Cognito, Keycloak, Zitadel: their access tokens have `typ` JWT or none. Each has a preset that knows it.",
            "Auth0: the API's token profile is not set to RFC 9068, and the preset was told that it is.",
        ),
        cures=(
            "API: if these are the issuer's access tokens, use the issuer's preset from `m2mguard.presets`.",
            "Caller: send the `access_token`, not the `id_token`.",
        ),
    ),
    Entry(
        code="claim",
        status=401,
        sentence="a claim is missing or not as this issuer's access tokens have it",
        problems={
            "missing": "a required claim is missing: {claim}",
            "wrong_type": "the claim {claim} does not have the type that it must have",
            "wrong_value": "the claim {claim} is not what this issuer's access tokens have",
            "bound": "the token is bound to a key (cnf), which a bearer request does not prove",
            "not_bound": "the token is not bound to a key (cnf.jkt), as the scheme DPoP needs",
            "contradiction": "the token names more than one organization",
            "is_machine_failed": "the function is_machine failed with these claims",
        },
        meaning="The signature is good, and a claim is missing or has a wrong type or value, so that the token cannot be relied on.",
        causes=(
            "The issuer does not follow RFC 9068 (iss, aud, exp, sub, client_id, iat and jti are required) and has a "
            "preset that knows how.",
            "Keycloak: a client without the scope `basic` gets tokens without `sub`; `client_id` needs a mapper in older versions.",
            "It is another kind of token of the same issuer, such as an ID token (Cognito: `token_use`).",
            "A script that adds claims at the issuer wrote one in another type.",
            "The issuer writes scopes as a list (`scope_lists=` accepts that).",
            "The issuer binds the token to a key (DPoP or mutual TLS).",
        ),
        cures=(
            "API: use the issuer's preset from `m2mguard.presets`, or configure `Issuer(required_claims=...)` for what the issuer writes.",
            "Issuer: add the claim. `m2mguard explain` shows which are there and which are missing.",
        ),
    ),
    Entry(
        code="audience",
        status=401,
        sentence="the token is for another API (aud)",
        problems={"wrong_type": "aud is neither a string nor a list of strings"},
        meaning="The claim `aud` must hold this API's identifier. Identifiers are compared whole: a slash at the end makes another API.",
        causes=(
            "The caller asked for a token for another API, or named none.",
            "The identifier at the issuer and `audience=` here differ by a slash at the end, by http and https, or by capital letters.",
            "`audience=` here holds something else than an API identifier: an App ID, or the address without `https://`.",
            "Logto: an organization token was asked for without `resource`; its audience is `urn:logto:organization:ID`.",
            "Entra: version 1 tokens name the Application ID URI (`api://...`), version 2 tokens the client id of the API.",
        ),
        cures=(
            "Caller: ask for the token with this API's identifier (Logto: `resource=`, Auth0: `audience=`, Entra: `scope=ID/.default`).",
            "API: if the issuer has this API registered under the identifier that the token names, set `audience=` to exactly that.",
        ),
    ),
    Entry(
        code="expired",
        status=401,
        sentence="the token has expired",
        meaning="The time in the claim `exp` has passed, the allowed difference of the clocks (`leeway`, 30 seconds) included.",
        causes=(
            "The caller keeps a token for longer than it is valid, or does not fetch a new one.",
            "This machine's clock is fast.",
            "The token is from a file, a ticket or a test, and old.",
        ),
        cures=(
            "Caller: get a new token shortly before the old one expires (`m2mguard.client` does).",
            "API: if the token is new, compare this machine's clock with the issuer's (`m2mguard doctor` does).",
        ),
    ),
    Entry(
        code="not_yet_valid",
        status=401,
        sentence="the token is not valid yet",
        problems={"contradiction": "{claim} is in the future"},
        meaning="The time in `nbf` or `iat` is in the future, the allowed difference of the clocks (`leeway`, 30 seconds) included.",
        causes=(
            "This machine's clock is slow, or the issuer's is fast.",
            "A script that adds claims at the issuer sets `nbf`.",
        ),
        cures=(
            "API: compare this machine's clock with the issuer's (`m2mguard doctor` does), and keep both right by NTP.",
        ),
    ),
    Entry(
        code="certificate",
        status=401,
        sentence="the request does not prove that its sender holds the certificate to which the token is bound",
        problems={
            "no_certificate": "the request came without a client certificate, and the token is bound to one (cnf)",
            "other_certificate": "the token is bound to another certificate (cnf) than the one with which the request came",
            "certificate_field": "the field with the client certificate cannot be read: it is there twice, or in another form",
            "undeclared_proxy": "the field with the client certificate came from an address that is none of the declared proxies: "
            "declare it by proxies=, and let the server not replace it by that of X-Forwarded-For (uvicorn --no-proxy-headers)",
            "certificate_failed": "the function certificate failed",
        },
        meaning=(
            "The token is good, and bound to a certificate of its owner (RFC 8705). It is accepted only from a client that shows this "
            "certificate by mutual TLS; a copy of the token is worth nothing."
        ),
        causes=(
            "The caller sends the token without its certificate, or with a new one: a token keeps the thumbprint of the old one.",
            "The token was stolen, and somebody else sends it.",
            "The proxy that ends TLS does not ask for a client certificate on this path, or does not pass it on.",
            "The adapter has the reader of another proxy, or of another field.",
            "`undeclared_proxy`: uvicorn or a middleware puts the client's address in place of the proxy's (`X-Forwarded-For`), or "
            "somebody goes around the proxy.",
        ),
        cures=(
            "Caller: send the request with the certificate with which the token was got, and get a new token after a change of it.",
            "API: compare the proxy's configuration with the guide Certificate-bound tokens, and give the reader `proxies=`.",
        ),
    ),
    Entry(
        code="inactive",
        status=401,
        sentence="the issuer says that this opaque token is not active",
        meaning=(
            "The token is no JWT, so the issuer was asked (`Introspection`, RFC 7662), and it says that the token is not active. It "
            "does not say why. The answer is used for 10 seconds."
        ),
        causes=(
            "The token was revoked, or has expired.",
            "The token is another issuer's, was cut off, or is invented.",
            "The issuer does not let this API know about tokens for others: it then says the same.",
        ),
        cures=(
            "Caller: get a new token, from the issuer that this API trusts, and send it whole.",
            "API: if the token is new and right, check at the issuer which tokens this API's client may introspect.",
        ),
    ),
    Entry(
        code="blocked",
        status=401,
        sentence="an operator has blocked it",
        meaning=(
            "The token is good, and an entry of this API's block list names it, its application, its key or its organization. The log has "
            "the entry's reason; the answer has not."
        ),
        causes=(
            "The application's secret or a token leaked, and an operator withdrew it.",
            "The entry is older than the cure, and was not removed.",
        ),
        cures=(
            "Caller: ask the operators of this API; if the secret was replaced, use the new one and get a new token.",
            "API: `m2mguard block list` shows the entry, and `m2mguard block remove` ends it.",
        ),
    ),
)
"""Each `reason` of an `InvalidToken`, in the order in which a token is checked."""
