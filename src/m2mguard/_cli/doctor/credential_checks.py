"""Checks with client credentials: does the issuer issue a token, and does this API accept it."""

from __future__ import annotations

from collections.abc import Iterator

from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._formatting import format_value, format_values
from m2mguard._reasons import FETCH_PROBLEMS, REFUSALS, TOKEN_REQUESTS
from m2mguard.client._errors import TokenRequestError
from m2mguard.errors import AnswerableError

SECTION = "Credentials"


def report_missing_token(error: TokenRequestError) -> Finding:
    """Report why the issuer issued no token."""
    entry = TOKEN_REQUESTS[error.reason] if error.problem is None else FETCH_PROBLEMS[error.problem]
    return Finding(
        code=error.reason,
        section=SECTION,
        name="token",
        severity=Severity.FAULT,
        text=f"no token: {error.detail}",
        cure=" ".join(entry.cures),
        diagnosis=f"The application gets no token: {entry.sentence}.",
    )


def check_fetched_token(
    app_id: str, error: AnswerableError | None, scopes: frozenset[str], requested: tuple[str, ...]
) -> Iterator[Finding]:
    """Report whether this API accepts the fetched token, and whether the token has the requested scopes."""
    yield create_ok_finding(
        SECTION,
        "token",
        f"the issuer issued a token to {format_value(app_id)}; scopes: {format_values(sorted(scopes))}",
    )
    missing = [scope for scope in requested if scope not in scopes]
    if missing:
        entry = REFUSALS["scope"]
        yield Finding(
            code="scope",
            section=SECTION,
            name="scopes",
            severity=Severity.WARNING,
            text=f"requested and not granted: {format_values(missing)}",
            cure=" ".join(entry.cures),
            diagnosis=f"The application lacks scopes: {', '.join(missing)}.",
        )
    if error is None:
        yield create_ok_finding(SECTION, "verified", "this API accepts the token")
        return
    entry = REFUSALS[error.reason]
    yield Finding(
        code=error.reason,
        section=SECTION,
        name="verified",
        severity=Severity.FAULT,
        text=f"this API refuses the token with {error.status}: {error.detail}",
        cure=" ".join(entry.cures),
        diagnosis=f"The application's own token is refused: {entry.sentence}.",
    )
