"""Types of a recognised token: the product, the kind of token, the preset, and the product's terms. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IssuerKind = Literal[
    "logto", "entra", "okta", "auth0", "cognito", "keycloak", "zitadel", "google", "hydra",
    "kubernetes", "github_actions", "gitlab", "aws", "firebase", "supabase", "clerk", "pingone", "authentik",
]  # fmt: skip
"""The recognised products."""

TokenKind = Literal["app_access", "person_access", "id_token", "refresh", "workload", "unknown"]
"""An access token of an application or a person, an ID token, a refresh token, a token of a platform's workload, or unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The terms of a product for the settings that may have to change; phrases for use inside a sentence.

    Attributes:
        audience: the product's term for the identifier of an API, and where to find it.
        how_to_ask: how a caller requests a token for an API; "{api}" is replaced by the API's identifier.
        how_to_grant: how an application is granted a scope.
        machine: how its tokens show that an application calls, and what that needs; "" if nothing is needed.
    """

    audience: str
    how_to_ask: str
    how_to_grant: str
    machine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisedToken:
    """The probable product and kind of a token. Nothing is verified.

    Attributes:
        issuer_kind: the product, for programs.
        name: the product, for people.
        version: the version of the token, if the product has several; else "".
        confidence: "sure" if no other product has this host name or claim, else "likely".
        token_kind: the kind of token.
        preset: the value of `--preset` for this issuer, or None if there is no preset.
        vocabulary: the product's terms.
    """

    issuer_kind: IssuerKind
    name: str
    version: str = ""
    confidence: Literal["sure", "likely"]
    token_kind: TokenKind
    preset: str | None = None
    vocabulary: Vocabulary

    @property
    def is_application(self) -> bool:
        """Whether it seems to be an application's access token."""
        return self.token_kind.startswith("app_")
