"""The token endpoint for machines (RFC 6749 §4.4, RFC 8707), which grants and refuses in Logto's words.

A request goes in, a `Reply` comes out; statuses and sentences are those recorded from Logto 1.42 and 1.43.
"""

import base64
import binascii
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from m2mguard.testing._messages import Reply, Request
from m2mguard.testing._metadata_documents import json_reply
from m2mguard.testing._minting import TokenMint
from m2mguard.testing._tenant import Application, Resource, check_grants

_NO_STORE: Final = MappingProxyType({"Cache-Control": "no-store"})
_MESSAGES: Final = MappingProxyType(
    {
        "access_denied": "Access denied.",
        "invalid_client": "An OIDC error occurred: oidc.invalid_client.",
        "invalid_request": "Request is invalid.",
        "invalid_target": "Invalid resource indicator.",
        "unsupported_grant_type": "Unsupported `grant_type` requested.",
    }
)


class _RefusalError(Exception):
    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error: Final = error
        self.description: Final = description
        self.status: Final = status


class TokenEndpoint:
    """Answers token requests of the registered applications.

    Args:
        mint: makes the tokens.
        applications: App ID → what was registered.
        resources: API identifier → what was registered.

    Raises:
        ValueError: an application has a scope of an API that has no such scope.
    """

    def __init__(
        self, *, mint: TokenMint, applications: Mapping[str, Application], resources: Mapping[str, Resource]
    ) -> None:
        check_grants(applications, resources)
        self._mint = mint
        self._applications = applications
        self._resources = resources

    def answer(self, request: Request) -> Reply:
        """Return the access token response, or the refusal."""
        return self.authenticated(request, lambda app_id, form: json_reply(200, self._grant(app_id, form), _NO_STORE))

    def authenticated(self, request: Request, answer: Callable[[str, Mapping[str, Sequence[str]]], Reply]) -> Reply:
        """Return the answer to an application that has authenticated, given its App ID and the form, or the refusal."""
        try:
            form = _form(request)
            return answer(self._authenticate(request, form), form)
        except _RefusalError as refusal:
            body = {
                "code": f"oidc.{refusal.error}",
                "message": _MESSAGES[refusal.error],
                "error": refusal.error,
                "error_description": refusal.description,
            }
            headers = dict(_NO_STORE)
            if refusal.status == 401 and "authorization" in request.headers:
                headers["WWW-Authenticate"] = (
                    f'Basic realm="{self._mint.url}", error="{refusal.error}", '
                    f'error_description="{refusal.description}"'
                )
            return json_reply(refusal.status, body, headers)

    def _authenticate(self, request: Request, form: Mapping[str, Sequence[str]]) -> str:
        header = request.headers.get("authorization")
        if header is not None:
            app_id, secret = _basic(header)
        elif "client_id" in form:
            app_id, secret = form["client_id"][0], _only(form, "client_secret")
        else:
            raise _RefusalError("invalid_request", "no client authentication mechanism provided")
        if app_id not in self._applications:
            raise _RefusalError("invalid_client", f"invalid client {app_id}")
        application = self._applications[app_id]
        if secret != application.secret or application.kind == "spa":
            raise _RefusalError("invalid_client", "client authentication failed", status=401)
        if application.secret_expired:
            raise _RefusalError("invalid_request", "client secret has expired")
        return app_id

    def _grant(self, app_id: str, form: Mapping[str, Sequence[str]]) -> dict[str, object]:
        if "grant_type" not in form:
            raise _RefusalError("invalid_request", "missing required parameter 'grant_type'")
        if _only(form, "grant_type") != "client_credentials":
            raise _RefusalError("unsupported_grant_type", "unsupported grant_type requested")
        application = self._applications[app_id]
        if application.kind != "machine-to-machine":
            raise _RefusalError("invalid_request", "requested grant type is not allowed for this client")
        if "resource" not in form and "organization_id" not in form:
            raise _RefusalError("invalid_target", "both `resource` and `organization_id` are not provided")
        organization_id = _only(form, "organization_id") or None
        if organization_id is not None and organization_id not in application.organizations:
            raise _RefusalError("access_denied", "app has not associated with the organization", status=403)
        audience = self._audience(form.get("resource", ()))
        if application.denial is not None:
            raise _RefusalError("access_denied", application.denial)
        if application.script_error is not None:
            raise _RefusalError("invalid_request", f"Custom claims script error: {application.script_error}")
        asked = dict.fromkeys(_only(form, "scope").split())
        granted = _granted(application, audience, organization_id)
        scopes = [scope for scope in asked if scope in granted]
        return self._response(app_id, audience, organization_id, scopes)

    def _response(
        self, app_id: str, audience: str | None, organization_id: str | None, scopes: Sequence[str]
    ) -> dict[str, object]:
        lifetime = None if audience is None else self._resources[audience].lifetime
        if lifetime is None:
            lifetime = self._mint.token_lifetime
        if audience is None:
            token = self._mint.mint_organization_token(
                app_id, organization_id=str(organization_id), scopes=scopes, lifetime=lifetime
            )
        else:
            token = self._mint.mint(
                app_id, audience=audience, scopes=scopes, organization_id=organization_id, lifetime=lifetime
            )
        response: dict[str, object] = {"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}
        return response | ({"scope": " ".join(scopes)} if scopes else {})

    def _audience(self, resources: Sequence[str]) -> str | None:
        if not resources:
            return None
        if len(resources) > 1:
            sentence = "only a single resource indicator value is supported for this grant type"
            raise _RefusalError("invalid_target", sentence)
        resource = urllib.parse.urlsplit(resources[0])
        if not resource.scheme:
            raise _RefusalError("invalid_target", "resource indicator must be an absolute URI")
        if resources[0] not in self._resources:
            raise _RefusalError("invalid_target", "resource indicator is missing, or unknown")
        return resources[0]


def _form(request: Request) -> dict[str, list[str]]:
    form = urllib.parse.parse_qs(request.body.decode("utf-8", "replace"))
    for name, values in form.items():
        if len(values) > 1 and name != "resource":
            raise _RefusalError("invalid_request", f"'{name}' parameter must not be provided twice")
    return form


def _only(form: Mapping[str, Sequence[str]], name: str) -> str:
    return form[name][0] if name in form else ""


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    app_id, colon, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise _RefusalError("invalid_request", "invalid authorization header value format")
    return urllib.parse.unquote_plus(app_id), urllib.parse.unquote_plus(secret)


def _granted(application: Application, audience: str | None, organization_id: str | None) -> Sequence[str]:
    if organization_id is None:
        return application.scopes.get(audience or "", ())
    membership = application.organizations[organization_id]
    return membership.permissions if audience is None else membership.scopes.get(audience, ())
