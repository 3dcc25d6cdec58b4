"""Why a good token is refused by what a route asks for: 403 `insufficient_scope`, or 401 `insufficient_user_authentication`. Data only.

One entry for each `InsufficientScopeReason` and each `InsufficientUserAuthenticationReason`.
"""

from __future__ import annotations

from m2mguard._reasons.entry import Entry, table

ACCESS = table(
    Entry(
        code="not_a_machine",
        status=403,
        sentence="the token belongs to a person, and this route is for applications",
        meaning="The token is good, and a person signed in for it. This API accepts tokens of applications only (`machine_only=True`).",
        causes=(
            "The calling service passes on the token of the person who uses it.",
            "The caller got its token by signing a person in (authorization code), not by `client_credentials`.",
            "A person's App sends its token directly to an internal API.",
            "The issuer's access tokens tell a machine in another way, which the issuer's preset knows.",
        ),
        cures=(
            "Caller: get a token of its own by the grant `client_credentials`.",
            "API: `machine_only=False` lets persons call every route that asks for no `app_ids`; that opens the API to "
            "everybody who can sign in.",
        ),
    ),
    Entry(
        code="issuer",
        status=403,
        sentence="the token's issuer is not among those that this route accepts",
        meaning="The API trusts the issuer, and this route accepts tokens of other issuers only (`issuers=`).",
        causes=("The caller belongs to another environment or partner than the route is for.",),
        cures=(
            "API: if this issuer's applications may call the route, add the issuer to the requirement's `issuers=`.",
            "Caller: use an application that is registered at an issuer which the route accepts.",
        ),
    ),
    Entry(
        code="organization",
        status=403,
        sentence="the token's organization is not the one that this route asks for",
        meaning=(
            "A token that is limited to one organization is accepted only where the route names that organization, and a "
            "global token is not accepted where the route asks for an organization."
        ),
        causes=(
            "The caller asked for a token with `organization_id`, and the route names no organization.",
            "The caller asked for a global token, and the route wants one of an organization.",
            "The token is for another organization than the one in the route's path.",
        ),
        cures=(
            "Caller: ask for the token with the `organization_id` that the route is about, or without one for a global route.",
            "API: a route for tokens of organizations says so: `Requirement(organization=...)`.",
        ),
    ),
    Entry(
        code="application",
        status=403,
        sentence="the calling application is not among those that this route accepts",
        meaning="The route names the App IDs that may call it (`app_ids=`), and the caller's is not among them.",
        causes=(
            "The application is new, or was registered again and has a new App ID.",
            "The caller uses the App ID of another environment.",
        ),
        cures=("API: if this application may call the route, add its App ID to the requirement's `app_ids=`.",),
    ),
    Entry(
        code="not_a_person",
        status=403,
        sentence="the token belongs to an application, and this route asks how a person signed in",
        meaning=(
            "The token is good, and no person signed in for it. The route asks how recently or by which means a person signed in "
            "(`max_age=`, `acr=`), which no token of an application can meet."
        ),
        causes=(
            "A service calls a route that is for persons.",
            "The calling service sends its own token where it should pass on that of the person who uses it.",
        ),
        cures=(
            "Caller: let a person sign in, and send that token.",
            "API: give applications a route of their own, with scopes or `app_ids=` and without `max_age=` and `acr=`.",
        ),
    ),
    Entry(
        code="max_age",
        status=401,
        sentence="the person signed in too long ago for this route",
        problems={
            "missing": "the token does not say when the person signed in",
            "wrong_type": "the token's auth_time is not a number",
            "contradiction": "the person signed in in the future",
        },
        meaning=(
            "The token is good, and the route asks for a sign-in that is more recent (`max_age=`). The challenge says so (RFC 9470), "
            "and a client that knows it lets the person sign in again."
        ),
        causes=(
            "The person signed in earlier, which is no error: the client is expected to ask again.",
            "The client got its token by a refresh token, which keeps the time of the sign-in.",
            "The issuer does not write `auth_time` into access tokens. Logto does from 1.46; others need a setting or a script.",
            "This machine's clock is not that of the issuer.",
        ),
        cures=(
            "Caller: let the person sign in again, with the `max_age` of the challenge in the authorization request.",
            "Issuer: write `auth_time` into the access tokens for this API (RFC 9068 section 2.2.1).",
        ),
    ),
    Entry(
        code="acr",
        status=401,
        sentence="the person signed in by means that this route does not accept",
        problems={
            "missing": "the token does not say by which means the person signed in",
            "wrong_type": "the token's acr is not a string",
        },
        meaning=(
            "The token is good, and the route asks for a sign-in by other means, such as a second factor (`acr=`). The challenge says so "
            "(RFC 9470), and a client that knows it lets the person sign in again."
        ),
        causes=(
            "The person signed in by a password alone, which is no error: the client is expected to ask again.",
            "The issuer names the same means by another value of `acr` than the route does.",
            "The issuer does not write `acr` into access tokens. Logto does from 1.46; others need a setting or a script.",
        ),
        cures=(
            "Caller: let the person sign in again, with the `acr_values` of the challenge in the authorization request.",
            "Issuer: write `acr` into the access tokens for this API (RFC 9068 section 2.2.1).",
            "API: name the values that the issuer lists in `acr_values_supported` of its metadata.",
        ),
    ),
    Entry(
        code="scope",
        status=403,
        sentence="the token lacks a scope that this route asks for",
        meaning="The token is good, and the issuer did not grant the scopes that the route asks for.",
        causes=(
            "The application has no role that grants the scope. Logto leaves out what is not granted, without an error.",
            "The caller did not ask for the scope (`scope=`).",
            "The token is older than the grant. Scopes do not change in a token that exists.",
            "The issuer writes scopes or roles into another claim (Entra: `roles`, Okta: `scp`, Auth0: `permissions`), "
            "which its preset reads.",
        ),
        cures=(
            "Issuer: grant the application the scope (Logto: a machine-to-machine role with the permission), then get a new token.",
            "Caller: ask for the scope by name.",
        ),
    ),
)
"""Each `reason` of an `InsufficientScope` or `InsufficientUserAuthentication`, in the order in which a Caller is checked."""
