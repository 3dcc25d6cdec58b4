"""Types of the advice about one refusal: its cause, which side is wrong, and what each side can do. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Who = Literal["caller", "api", "issuer"]
"""Who can act: the team of the calling service, the team of this API, or the operator of the issuer."""

Wrong = Literal["token", "setting", "issuer", "clock", "unclear"]
"""What must change: the token that was sent, this API's settings, the issuer's settings, or a clock; "unclear": a person must decide."""

CauseCode = Literal[
    "not_one_credential",
    "other_scheme",
    "not_a_jwt",
    "opaque",
    "encrypted",
    "changed",
    "cut_off",
    "too_long",
    "bad_header",
    "no_issuer",
    "issuer_spelling",
    "issuer_names_itself_http",
    "logto_endpoint",
    "document_as_issuer",
    "tenant_placeholder",
    "token_version",
    "other_tenant",
    "custom_domain",
    "internal_name",
    "org_authorization_server",
    "other_realm",
    "issuer_path",
    "other_issuer",
    "route_issuer",
    "no_kid",
    "absurd_kid",
    "old_key_file",
    "withdrawn_key",
    "unknown_key",
    "shared_secret",
    "sample",
    "unsigned",
    "algorithm_not_listed",
    "algorithm_not_supported",
    "algorithm_of_key",
    "signature_removed",
    "graph_token",
    "forged_or_changed",
    "id_token",
    "refresh_token",
    "other_kind",
    "needs_preset",
    "not_rfc9068",
    "missing_claim",
    "keycloak_basic",
    "scope_as_list",
    "wrong_type",
    "bound",
    "other_certificate",
    "two_organizations",
    "own_function",
    "audience_spelling",
    "app_id_as_audience",
    "audience_is_issuer",
    "issuers_own_api",
    "organization_token",
    "api_scheme_of_entra",
    "no_audience",
    "other_api",
    "expired",
    "clock_ahead",
    "milliseconds",
    "early",
    "clock_behind",
    "person",
    "token_exchange",
    "service_not_listed",
    "organization",
    "other_organization",
    "other_application",
    "application_spelling",
    "not_a_person",
    "no_auth_time",
    "auth_time_ahead",
    "old_sign_in",
    "no_acr",
    "other_acr",
    "no_scopes",
    "scope_spelling",
    "scopes_elsewhere",
    "scope_prefix",
    "missing_scope",
    "several_tokens",
    "app_secret",
    "app_id",
    "basic_credentials",
    "variable",
    "empty_value",
    "claims_alone",
    "header_alone",
    "key_set",
    "pem",
    "error_answer",
    "no_access_token",
    "text",
    "too_much",
    "machine_mark",
    "workload_token",
    "inactive",
    "introspected",
    "blocked",
]
"""The causes, for programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """One thing to do.

    Attributes:
        who: who can do it.
        text: what to do; one or two sentences.
        opens: what this newly allows, if it weakens a check; else "".
    """

    who: Who
    text: str
    opens: str = ""

    @classmethod
    def by_caller(cls, text: str) -> Cure:
        """Make a cure for the team of the calling service."""
        return cls(who="caller", text=text)

    @classmethod
    def by_api(cls, text: str, *, opens: str = "") -> Cure:
        """Make a cure for the team of this API."""
        return cls(who="api", text=text, opens=opens)

    @classmethod
    def by_issuer(cls, text: str) -> Cure:
        """Make a cure for the operator of the issuer."""
        return cls(who="issuer", text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Why a token was refused, more exactly than the library's reason, and what to do.

    Attributes:
        code: the cause, for programs.
        wrong: what must change.
        cause: the cause for people; one to three sentences.
        cures: what to do, the best first.
    """

    code: CauseCode
    wrong: Wrong
    cause: str
    cures: tuple[Cure, ...]
