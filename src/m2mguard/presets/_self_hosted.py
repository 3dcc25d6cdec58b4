"""Presets for issuers that you may run yourself. Each docstring says what differs from RFC 9068, and why that is still safe.

Pure settings, after the projects' public documentation. What a token must hold is said here; how that is checked, in `token.claims`.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from m2mguard._token.token_profile import RFC9068_CLAIMS, Claims
from m2mguard._validation import endpoint_url, one_or_more
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer

_REALM = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9_-]")


def keycloak(endpoint: str, realm: str) -> Issuer:
    """A realm of Keycloak.

    `typ` is `JWT`, or `at+jwt` where the client says so; the App ID is `azp`; a token is a machine's where Keycloak says of a
    service account that `client_id` (`clientId` before Keycloak 22) is `azp` and `preferred_username` is "service-account-" and `azp`,
    as its client scopes `service_account` and `profile` have it; scopes are in `scope`. Roles are nested in `realm_access` and
    `resource_access`, and not read: look at `caller.claims`. The audience needs an audience mapper. Relaxed: `typ` and
    `client_id`. An ID token has `typ` `JWT`, too: the claim `typ` of it is `ID`, that of an access token `Bearer`.

    Args:
        endpoint: the URL that Keycloak is known by, "https://sso.example.com", with "/auth" where it has that.
        realm: the name of the realm.

    Raises:
        ConfigurationError: an invalid value.
    """
    endpoint_url("endpoint", endpoint)
    if not isinstance(realm, str) or not _REALM.fullmatch(realm):
        raise ConfigurationError("realm must be the name of a realm, without slashes, blanks or percent-encoding.")
    if "/realms" in endpoint:
        raise ConfigurationError("endpoint is the issuer already; give the part before '/realms/'.")
    return Issuer(
        url=f"{endpoint.removesuffix('/')}/realms/{realm}",
        token_types=("JWT", "at+jwt"),
        required_claims=(RFC9068_CLAIMS - {"client_id"}) | {"azp"},
        claim_values={"typ": ["Bearer"]},
        app_id_claim="azp",
        is_machine=_is_keycloak_service_account,
    )


def zitadel(url: str, *, service_users: Collection[str]) -> Issuer:
    """An instance of Zitadel, whose service users get tokens of the type JWT.

    `typ` is `JWT`; the App ID is `sub`, the id of the service user. Nothing in a token tells a service user from a person, so the
    service users are listed here. Roles are in `urn:zitadel:iam:org:project:roles`, an object that says for each role in which
    organizations it is held; since none of them holds everywhere they are not read: look at `caller.claims`, or ask for `app_ids`.
    RS256 and what else an instance can be set to. The audience is the id of a project. Relaxed: `typ` and `client_id`, which is missing
    after the JWT profile grant. An ID token has `typ` `JWT`, too, and the project among its audiences: it has neither `jti` nor `nbf`.

    Args:
        url: the instance's issuer, "https://example.zitadel.cloud", without a slash at the end.
        service_users: the ids of the service users that may call.

    Raises:
        ConfigurationError: an invalid value.
    """
    machines = frozenset(one_or_more("service_users", service_users, what="ids of service users"))

    def is_service_user(claims: Claims) -> bool:
        return claims["sub"] in machines

    return Issuer(
        url=url,
        token_types=("JWT", "at+jwt"),
        required_claims=(RFC9068_CLAIMS - {"client_id"}) | {"nbf"},
        is_machine=is_service_user,
    )


def hydra(url: str) -> Issuer:
    """An Ory Hydra, or an Ory Network project, whose access tokens are JWTs.

    `typ` is `JWT`; the App ID is `sub`, which is `client_id` for a machine; scopes are in the list `scp`, in `scope`, or in both, as
    Hydra is set. A token has an audience only if the client asked for one. Relaxed: `typ`. An ID token has `typ` `JWT`, too: it
    has no `client_id`, and its audience is the client.

    Args:
        url: the issuer as `urls.self.issuer` says, with or without a slash at the end.

    Raises:
        ConfigurationError: an invalid value.
    """
    return Issuer(url=url, token_types=("JWT", "at+jwt"), scope_lists=("scp",))


def _is_keycloak_service_account(claims: Claims) -> bool:
    """Both marks: a person could choose such a name, and a mapper could give every token a `client_id`."""
    app_id = claims["azp"]
    name = f"service-account-{app_id}".lower()  # Keycloak writes every name in lower case
    return app_id == claims.get("client_id", claims.get("clientId")) and claims.get("preferred_username") == name
