"""Why a good token is refused with 403 `insufficient_scope`: one entry for each `InsufficientScopeReason`. Data only."""

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
"""Each `reason` of an `InsufficientScope`, in the order in which a Caller is checked."""
