"""What is known of whose token something is: the product, the kind of token, the preset, and the product's own words. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IssuerKind = Literal[
    "logto", "entra", "okta", "auth0", "cognito", "keycloak", "zitadel", "google", "hydra",
    "kubernetes", "github_actions", "gitlab", "aws", "firebase", "supabase", "clerk", "pingone", "authentik",
]  # fmt: skip
"""The products that are recognised."""

TokenKind = Literal["app_access", "person_access", "id_token", "refresh", "workload", "unknown"]
"""An application's access token, a person's, an ID token, a refresh token, what a platform gives its workloads, or none can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What a product calls the things that may have to change; phrases for use inside a sentence.

    Attributes:
        audience: what it calls the identifier of an API, and where it is.
        how_to_ask: how a caller asks for a token for an API; "{api}" is replaced by the API's identifier.
        how_to_grant: how an application is granted a scope.
        machine: how its tokens show that an application calls, and what is needed for that; "" where nothing is.
    """

    audience: str
    how_to_ask: str
    how_to_grant: str
    machine: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Whose token something seems to be. Nothing of it is verified.

    Attributes:
        issuer_kind: the product, for programs.
        name: the product, for people.
        version: the version of the token, where the product has several; else "".
        confidence: "sure" by a host name or claim that no other product has, else "likely".
        token_kind: which kind of token.
        preset: what `--preset` takes for this issuer, or None where there is no preset.
        vocabulary: the product's own words.
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
