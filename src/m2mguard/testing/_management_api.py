"""One endpoint of Logto's Management API, `GET /api/applications`, with its answers to bad tokens.

Checks tokens by the issuer's own keys, in Logto's order and words (recorded from Logto 1.42); no model of a verifier.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final

from m2mguard.testing._messages import Reply, Request
from m2mguard.testing._metadata_documents import json_reply
from m2mguard.testing._minting import TokenMint
from m2mguard.testing._tenant import MANAGEMENT_API, Application


class _UnauthorizedError(Exception):
    def __init__(self, code: str, name: str, **rest: object) -> None:
        super().__init__(name)
        self.data: Final = {"code": code, "name": name, **rest}


class ManagementApi:
    """Lists the registered applications to a token of the Management API with the scope `all`.

    Args:
        mint: whose tokens are accepted.
        applications: App ID → what was registered.
    """

    def __init__(self, *, mint: TokenMint, applications: Mapping[str, Application]) -> None:
        self._mint = mint
        self._applications = applications

    def answer(self, request: Request) -> Reply:
        """Return the list, or why not."""
        header = request.headers.get("authorization")
        if header is None:
            return _refusal(401, "auth.authorization_header_missing", "Authorization header is missing.")
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            code, message = "auth.authorization_token_type_not_supported", "Authorization type is not supported."
            return _refusal(401, code, message, {"supportedTypes": ["Bearer"]})
        try:
            claims = self._verified(token)
        except _UnauthorizedError as error:
            message = "Unauthorized. Please check credentials and its scope."
            return _refusal(401, "auth.unauthorized", message, error.data)
        if "all" not in str(claims.get("scope", "")).split():
            return _refusal(403, "auth.forbidden", "Forbidden. Please check your user roles and permissions.")
        return json_reply(200, [_listed(app_id, application) for app_id, application in self._applications.items()])

    def _verified(self, token: str) -> dict[str, object]:
        try:
            signing_input, _, signature = token.rpartition(".")
            header, claims = (json.loads(_decoded(segment)) for segment in signing_input.split("."))
            signed = _decoded(signature)
            kid, iss, aud, exp = header["kid"], claims["iss"], claims["aud"], float(claims["exp"])
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise _UnauthorizedError("ERR_JWS_INVALID", "JWSInvalid") from error
        key = next((key for key in self._mint.keys if key.kid == kid), None)
        if key is None:
            raise _UnauthorizedError("ERR_JWKS_NO_MATCHING_KEY", "JWKSNoMatchingKey")
        if not key.verify(signing_input.encode(), signed):
            raise _UnauthorizedError("ERR_JWS_SIGNATURE_VERIFICATION_FAILED", "JWSSignatureVerificationFailed")
        for claim, right in (("iss", iss == self._mint.url), ("aud", aud == MANAGEMENT_API)):
            if not right:
                code, name = "ERR_JWT_CLAIM_VALIDATION_FAILED", "JWTClaimValidationFailed"
                raise _UnauthorizedError(code, name, claim=claim, reason="check_failed", payload=claims)
        if exp <= self._mint.clock():
            raise _UnauthorizedError(
                "ERR_JWT_EXPIRED", "JWTExpired", claim="exp", reason="check_failed", payload=claims
            )
        return dict(claims)


def _decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _refusal(status: int, code: str, message: str, data: Mapping[str, object] | None = None) -> Reply:
    return json_reply(status, {"code": code, **({"data": data} if data else {}), "message": message})


def _listed(app_id: str, application: Application) -> dict[str, object]:
    return {
        "tenantId": "default",
        "id": app_id,
        "name": application.name,
        "description": None,
        "type": "MachineToMachine",
        "oidcClientMetadata": {"redirectUris": [], "postLogoutRedirectUris": []},
        "customClientMetadata": {},
        "protectedAppMetadata": None,
        "isThirdParty": False,
    }
