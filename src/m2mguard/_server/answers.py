"""One table from error to answer: status, headers, JSON body. The same for all frameworks, and nothing of the token in it.

Pure: no framework, no logging, no clock. The challenges are those of RFC 6750 section 3, RFC 9449 section 7.1 and RFC 9470 section 3,
Retry-After is that of RFC 9110 section 10.2.3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from m2mguard._formatting import round_up_seconds
from m2mguard._validation import secure_url
from m2mguard.errors import (
    AnswerableError,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    KeysUnavailable,
    UseDpopNonce,
)

_QUOTABLE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6750 section 3: what a quoted value may hold unescaped
DEFAULT_REALM = "api"
UNAUTHORIZED = 401
NO_STORE: Final = MappingProxyType({"Cache-Control": "no-store"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, ready to be sent.

    Attributes:
        status: the HTTP status.
        headers: name to value; each name occurs once. Read-only.
        body: the JSON object as UTF-8 bytes. A HEAD request gets the headers without it.
        detail: the same object as a dict, for frameworks that write JSON themselves.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """How one resource server introduces itself in `WWW-Authenticate`.

    Args:
        realm: the protection space (RFC 9110 section 11.5), default "api".
        resource_metadata_url: the URL of the RFC 9728 document, named in every challenge if given (RFC 9728 section 5.1).
        dpop_algorithms: the algorithms of DPoP proofs; given, there is a challenge for DPoP as well (RFC 9449 section 7.1).
        dpop_required: whether that is the only one, since bearer tokens are not accepted.

    Raises:
        ConfigurationError: a value that would break the header, or a metadata URL that is not https.
    """

    realm: str = DEFAULT_REALM
    resource_metadata_url: str | None = None
    dpop_algorithms: tuple[str, ...] = ()
    dpop_required: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.realm, str) or not _QUOTABLE.fullmatch(self.realm):
            raise ConfigurationError("realm: give a non-empty printable ASCII string without quotes or backslashes.")
        if self.resource_metadata_url is not None:
            secure_url("resource_metadata_url", self.resource_metadata_url)

    def answer(self, error: AnswerableError, scopes: Collection[str] = ()) -> Answer:
        """Turn an error into the answer for the caller; the challenge of a 401 names `scopes`."""
        detail = {"error": error.error or "unauthorized", "error_description": error.description}
        if isinstance(error, KeysUnavailable):
            return json_answer(
                error.status, detail, {**NO_STORE, "Retry-After": str(round_up_seconds(error.retry_after))}
            )
        nonce = {"DPoP-Nonce": error.nonce} if isinstance(error, UseDpopNonce) else {}
        return json_answer(error.status, detail, {**NO_STORE, "WWW-Authenticate": self.header(error, scopes), **nonce})

    def header(self, error: AnswerableError, scopes: Collection[str] = ()) -> str:
        """The value of `WWW-Authenticate` for a 400, 401 or 403."""
        parameters = {"realm": self.realm}
        if error.error is not None:
            parameters["error"] = error.error
            parameters["error_description"] = error.description
        if isinstance(error, InsufficientUserAuthentication):
            scopes = error.scopes or scopes
            if error.acr_values:
                parameters["acr_values"] = " ".join(error.acr_values)
            if error.max_age is not None:
                parameters["max_age"] = str(error.max_age)
        named = error.scopes if isinstance(error, InsufficientScope) else scopes if error.status == UNAUTHORIZED else ()
        if named:
            parameters["scope"] = " ".join(named)
        if self.resource_metadata_url is not None:
            parameters["resource_metadata"] = self.resource_metadata_url
        if not self.dpop_algorithms:
            return _challenge("Bearer", parameters)
        algorithms = {"algs": " ".join(self.dpop_algorithms)}
        if self.dpop_required:
            return _challenge("DPoP", parameters | algorithms)
        if error.scheme == "DPoP":
            common = {name: value for name, value in parameters.items() if name in ("realm", "resource_metadata")}
            return f"{_challenge('Bearer', common)}, {_challenge('DPoP', parameters | algorithms)}"
        return f"{_challenge('Bearer', parameters)}, {_challenge('DPoP', algorithms)}"  # RFC 9110 section 11.6.1


def _challenge(scheme: str, parameters: Mapping[str, str]) -> str:
    return f"{scheme} " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())


def readiness_answer(*, ready: bool) -> Answer:
    """The answer to a readiness probe: 200 or 503, and nothing about issuers or keys, since anybody may ask."""
    if ready:
        return json_answer(200, {"status": "ready"}, NO_STORE)
    return json_answer(503, {"status": "not ready"}, {**NO_STORE, "Retry-After": "1"})


def json_answer(status: int, detail: Mapping[str, Any], more: Mapping[str, str]) -> Answer:
    """An answer with a JSON object.

    Args:
        status: the HTTP status.
        detail: the object.
        more: header fields besides those of the body.
    """
    body = json.dumps(detail).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **more}
    return Answer(status=status, headers=MappingProxyType(headers), body=body, detail=MappingProxyType(dict(detail)))
