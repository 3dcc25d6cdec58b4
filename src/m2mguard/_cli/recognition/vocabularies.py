"""The terms of each product: for an API identifier, for a token request, for granting a scope. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from m2mguard._cli.recognition.recognised_token import IssuerKind, Vocabulary

_NO_SCOPES = Vocabulary(
    audience="the audience of the token",
    how_to_ask="with {api} as its audience",
    how_to_grant="there are no scopes: let the route name the callers by app_ids",
)

VOCABULARIES: Mapping[IssuerKind, Vocabulary] = {
    "logto": Vocabulary(
        audience="the API identifier (Console, API resources)",
        how_to_ask="with resource={api}",
        how_to_grant="give the application a machine-to-machine role that has the permission (Console, Roles)",
    ),
    "entra": Vocabulary(
        audience="the Application ID URI or, in version 2 tokens, the Application (client) ID (App registrations, Expose an API)",
        how_to_ask="with scope=APPLICATION_ID_URI/.default, where APPLICATION_ID_URI is the one of this API ({api} in its tokens)",
        how_to_grant="add an app role to the API's registration, give it to the calling app under API permissions, and grant admin consent",
        machine="the optional claim idtyp, which must be added to the API's registration (Token configuration, access token)",
    ),
    "okta": Vocabulary(
        audience="the Audience of the custom authorization server (Security, API)",
        how_to_ask="from the custom authorization server whose Audience is {api}, with scope=",
        how_to_grant="add the scope to the authorization server, and an access policy with a rule that lets this client have it",
    ),
    "auth0": Vocabulary(
        audience="the Identifier of the API (Applications, APIs)",
        how_to_ask="with audience={api}",
        how_to_grant="authorize the application for the API (APIs, Machine to Machine Applications) and tick the permission",
        machine="gty, which Auth0 writes for client credentials automatically",
    ),
    "cognito": Vocabulary(
        audience="the identifier of the resource server, which comes before each scope",
        how_to_ask="with scope={api}/SCOPE",
        how_to_grant="allow the custom scope for the app client (App client, Login pages, Custom scopes)",
    ),
    "keycloak": Vocabulary(
        audience="the audience that an Audience mapper of a client scope writes",
        how_to_ask="by a client that has a client scope whose Audience mapper writes {api}",
        how_to_grant="add the scope as a client scope of the calling client",
        machine="client_id and preferred_username, which the client scopes service_account and profile write",
    ),
    "zitadel": Vocabulary(
        audience="the id of the project",
        how_to_ask="with scope=urn:zitadel:iam:org:project:id:{api}:aud",
        how_to_grant="authorize the service user in the project; roles are not scopes, so let the route name it by app_ids",
        machine="the list of service users in the settings, since a token does not show whether it belongs to a service user or a person",
    ),
    "google": Vocabulary(
        audience="the audience that the caller names",
        how_to_ask="as an ID token of a service account with audience={api}",
        how_to_grant="there are no scopes: let the route name the service accounts by app_ids",
        machine="the list of service accounts in the settings",
    ),
    "hydra": Vocabulary(
        audience="an audience that the client may request (audience of the OAuth 2.0 client)",
        how_to_ask="with audience={api}",
        how_to_grant="add the scope to the client's scope",
    ),
    "kubernetes": Vocabulary(
        audience="the audience of the projected token or the TokenRequest",
        how_to_ask="as a projected service account token with audience: {api}",
        machine="the pod and the service account in its claim kubernetes.io, which a token of kubectl create token does not have",
        how_to_grant="there are no scopes: let the route name the service accounts by app_ids",
    ),
    "github_actions": Vocabulary(
        audience="the audience that the workflow requests",
        how_to_ask="as an OIDC token with audience={api}",
        how_to_grant="there are no scopes: let the route name the callers by app_ids",
    ),
    "gitlab": Vocabulary(
        audience="the aud of id_tokens in the job",
        how_to_ask="by id_tokens with aud: {api} in the job",
        how_to_grant="there are no scopes: let the route name the callers by app_ids",
    ),
    "aws": Vocabulary(
        audience="the audience of the GetWebIdentityToken call",
        how_to_ask="by sts:GetWebIdentityToken with the audience {api}",
        how_to_grant="there are no scopes: let the route name the roles by app_ids",
        machine="a role of the issuer's own account in sub, not a user",
    ),
    "firebase": _NO_SCOPES,
    "supabase": _NO_SCOPES,
    "clerk": _NO_SCOPES,
    "pingone": Vocabulary(
        audience="the audience of the resource (Connections, Resources)",
        how_to_ask="with a scope of the resource whose audience is {api}",
        how_to_grant="add the scope of the resource to the application",
    ),
    "authentik": Vocabulary(
        audience="the client id of the provider",
        how_to_ask="from the provider whose client id is {api}",
        how_to_grant="add a scope mapping to the provider",
    ),
}
"""The terms of each product."""

PRODUCT_NAMES: Mapping[IssuerKind, str] = {
    "logto": "Logto", "entra": "Entra", "okta": "Okta", "auth0": "Auth0", "cognito": "Cognito", "keycloak": "Keycloak",
    "zitadel": "Zitadel", "google": "Google", "hydra": "Ory Hydra", "kubernetes": "Kubernetes", "github_actions": "GitHub Actions",
    "gitlab": "GitLab", "aws": "AWS", "firebase": "Firebase", "supabase": "Supabase", "clerk": "Clerk", "pingone": "PingOne",
    "authentik": "authentik",
}  # fmt: skip
"""The name of each product."""
