"""Checks with client credentials: can a token be had, and would this API accept it."""

from __future__ import annotations

from collections.abc import Iterator

from m2mguard._cli.doctor.finding import Finding, Severity, fine
from m2mguard._formatting import listed, quoted
from m2mguard._reasons import FETCH_PROBLEMS, REFUSALS, TOKEN_REQUESTS
from m2mguard.client._errors import TokenRequestError
from m2mguard.errors import AnswerableError

SECTION = "Credentials"


def token_refused(error: TokenRequestError) -> Finding:
    """Say why there is no token."""
    entry = TOKEN_REQUESTS[error.reason] if error.problem is None else FETCH_PROBLEMS[error.problem]
    return Finding(
        code=error.reason,
        section=SECTION,
        name="token",
        severity=Severity.FAULT,
        text=f"there is none: {error.detail}",
        cure=" ".join(entry.cures),
        diagnosis=f"The application gets no token: {entry.sentence}.",
    )


def token_judged(
    app_id: str, error: AnswerableError | None, scopes: frozenset[str], asked: tuple[str, ...]
) -> Iterator[Finding]:
    """Say whether a token that was fetched would be accepted, and whether it has the scopes that were asked for."""
    yield fine(SECTION, "token", f"the issuer gave {quoted(app_id)} one; scopes: {listed(sorted(scopes))}")
    missing = [scope for scope in asked if scope not in scopes]
    if missing:
        entry = REFUSALS["scope"]
        yield Finding(
            code="scope",
            section=SECTION,
            name="scopes",
            severity=Severity.WARNING,
            text=f"asked for and not granted: {listed(missing)}",
            cure=" ".join(entry.cures),
            diagnosis=f"The application lacks scopes: {', '.join(missing)}.",
        )
    if error is None:
        yield fine(SECTION, "verified", "this API accepts the token")
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
