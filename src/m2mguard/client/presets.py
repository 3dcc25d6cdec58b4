"""Token sources for issuers other than Logto: one function each, which knows how that issuer is asked for a token of one API.

Pure settings, after the vendors' public documentation: a `TokenSource` that you could also make yourself; nothing is fetched here. What the
tokens look like at the other end is in `m2mguard.presets`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Required, TypedDict, Unpack

from m2mguard import presets
from m2mguard._authentication.choice import ClientAuthentication
from m2mguard._authentication.private_key import PrivateKeyJwt
from m2mguard._authentication.secret import SecretMethod
from m2mguard._clocks import Clock
from m2mguard._validation import one_or_more, strings, text
from m2mguard.client._dpop import DpopKey
from m2mguard.client._token_source import TokenSource
from m2mguard.errors import ConfigurationError
from m2mguard.events import Event
from m2mguard.net._protocol import Transport

__all__ = ["SourceOptions", "auth0", "cognito", "entra", "hydra", "keycloak", "okta", "zitadel"]

_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_PROJECT = re.compile(r"[A-Za-z0-9_-]+")


class SourceOptions(TypedDict, total=False):
    """What every function of this module hands on to `TokenSource`: arguments of the same names, `client_id` above all."""

    client_id: Required[str]
    client_secret: str | Callable[[], str] | None
    authentication: ClientAuthentication | None
    client_authentication: SecretMethod
    dpop: DpopKey | None
    timeout: float
    allow_http: bool
    transport: Transport | None
    on_event: Callable[[Event], object] | None
    clock: Clock | None
    monotonic: Clock | None


def auth0(domain: str, *, audience: str, scopes: Collection[str] = (), **options: Unpack[SourceOptions]) -> TokenSource:
    """Ask an Auth0 tenant, which takes the API in the parameter `audience`.

    Args:
        domain: the tenant's domain or custom domain, "tenant.eu.auth0.com".
        audience: the identifier of the API at Auth0.
        scopes: the permissions to ask for. Default none: Auth0 then grants all that the application has.
        **options: `client_id`, a way to authenticate, and others of `TokenSource`.

    Raises:
        ConfigurationError: an invalid value.
    """
    text("audience", audience)
    return TokenSource(presets.auth0(domain).url, scopes=scopes, parameters={"audience": audience}, **options)


def entra(tenant_id: str, *, api: str, **options: Unpack[SourceOptions]) -> TokenSource:
    """Ask a tenant of Microsoft Entra ID, which takes the API in a scope and grants all app roles of the application.

    A `PrivateKeyJwt` needs the certificate that is registered at Entra. It signs with PS256 and for the token endpoint, unless it says
    otherwise.

    Args:
        tenant_id: the tenant's GUID.
        api: the App ID URI of the API, "api://…", or its client id.
        **options: `client_id`, a way to authenticate, and others of `TokenSource`.

    Raises:
        ConfigurationError: an invalid value, or a `PrivateKeyJwt` without a certificate.
    """
    text("api", api)
    endpoint = f"https://login.microsoftonline.com/{tenant_id}/oauth2/v2.0/token"
    issuer = presets.entra(tenant_id).url  # checks the id
    way = options.get("authentication")
    if isinstance(way, PrivateKeyJwt):
        if way.certificate is None:
            raise ConfigurationError("Entra finds the key by its certificate: PrivateKeyJwt(key, certificate=...).")
        options["authentication"] = replace(way, algorithm=way.algorithm or "PS256")
    return TokenSource(issuer, token_endpoint=endpoint, scopes=[f"{api}/.default"], **_for_endpoint(options, endpoint))


def okta(
    domain: str,
    *,
    scopes: Collection[str],
    authorization_server: str = "default",
    **options: Unpack[SourceOptions],
) -> TokenSource:
    """Ask a custom authorization server of an Okta organization, whose audience is set there, for all APIs alike.

    A `PrivateKeyJwt` is made for the token endpoint, unless it says otherwise.

    Args:
        domain: the organization's domain or custom domain, "example.okta.com".
        scopes: at least one; Okta has no default for machines.
        authorization_server: its id, default "default".
        **options: `client_id`, a way to authenticate, and others of `TokenSource`.

    Raises:
        ConfigurationError: an invalid value, or no scope.
    """
    issuer = presets.okta(domain, authorization_server=authorization_server).url
    asked = one_or_more("scopes", scopes, what="scopes")
    return TokenSource(
        issuer, token_endpoint=f"{issuer}/v1/token", scopes=asked, **_for_endpoint(options, f"{issuer}/v1/token")
    )


def cognito(domain: str, *, scopes: Collection[str] = (), **options: Unpack[SourceOptions]) -> TokenSource:
    """Ask a user pool of Amazon Cognito, at the domain of its hosted pages: its issuer has another one.

    Args:
        domain: "shop.auth.eu-central-1.amazoncognito.com", or a custom domain.
        scopes: as "https://shopping.api/read:orders", the resource server's identifier in front. Default none: all that the client has.
        **options: `client_id`, `client_secret`, and others of `TokenSource`.

    Raises:
        ConfigurationError: an invalid value.
    """
    if not isinstance(domain, str) or not _HOST.fullmatch(domain):
        raise ConfigurationError("domain must be a host name in lower case, without https:// and without a path.")
    return TokenSource(token_endpoint=f"https://{domain}/oauth2/token", scopes=scopes, **options)


def keycloak(
    endpoint: str, realm: str, *, scopes: Collection[str] = (), **options: Unpack[SourceOptions]
) -> TokenSource:
    """Ask a realm of Keycloak. The audience comes from a client scope with an audience mapper.

    Args:
        endpoint: "https://sso.example.com", with the path prefix, if any.
        realm: the realm's name.
        scopes: the names of optional client scopes. Default none: those that the client has anyway.
        **options: `client_id`, a way to authenticate, and others of `TokenSource`.

    Raises:
        ConfigurationError: an invalid value.
    """
    return TokenSource(presets.keycloak(endpoint, realm).url, scopes=scopes, **options)


def zitadel(
    url: str,
    *,
    project_ids: Collection[str],
    scopes: Collection[str] = ("openid",),
    **options: Unpack[SourceOptions],
) -> TokenSource:
    """Ask an instance of Zitadel for a token of projects, as one of its service users.

    Args:
        url: the instance, "https://example.zitadel.cloud".
        project_ids: the ids of the projects that the API takes for its audience; each is asked for by a scope.
        scopes: further scopes, default "openid", without which Zitadel issues nothing.
        **options: `client_id`, a way to authenticate, and others of `TokenSource`.

    Raises:
        ConfigurationError: an invalid value, or no project.
    """
    ids = one_or_more("project_ids", project_ids, what="ids of projects")
    if not all(_PROJECT.fullmatch(one) for one in ids):
        raise ConfigurationError("project_ids must be ids of projects, such as 69234237810729019.")
    asked = [*strings("scopes", scopes, what="scopes"), *[f"urn:zitadel:iam:org:project:id:{one}:aud" for one in ids]]
    return TokenSource(url, scopes=asked, **options)


def hydra(url: str, *, audience: str, scopes: Collection[str] = (), **options: Unpack[SourceOptions]) -> TokenSource:
    """Ask Ory Hydra, which takes the API in the parameter `audience`.

    Args:
        url: the issuer, as Hydra is configured with it.
        audience: one of those that the client is registered with.
        scopes: the scopes to ask for. Default none.
        **options: `client_id`, a way to authenticate, and others of `TokenSource`.

    Raises:
        ConfigurationError: an invalid value.
    """
    text("audience", audience)
    return TokenSource(presets.hydra(url).url, scopes=scopes, parameters={"audience": audience}, **options)


def _for_endpoint(options: SourceOptions, endpoint: str) -> SourceOptions:
    """The options, in which an assertion that we sign is for the token endpoint."""
    way = options.get("authentication")
    if not isinstance(way, PrivateKeyJwt) or way.assertion_audience is not None:
        return options
    return {**options, "authentication": replace(way, assertion_audience=endpoint)}


def __dir__() -> list[str]:
    return sorted(__all__)
